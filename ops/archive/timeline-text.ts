// One entry of the timeline in a few words. What a span does not say is left out.

import { ATTR, EVENT, SPAN } from '../trace/span-model.ts'
import type { ArchivedSpan } from './answers.ts'

export function timelineText(span: ArchivedSpan): string {
  const { attributes: of } = span
  const known = (key: string, before = '', after = ''): string => {
    const value = of[key]
    return value === undefined ? '' : `${before}${String(value)}${after}`
  }
  const outcome = String(of[ATTR.outcome] ?? 'ok')
  switch (span.name) {
    case SPAN.election:
      return electionText(span, known, outcome)
    case SPAN.leadership:
      return `replica ${span.replica ?? '?'} ceased to lead${known(ATTR.ballot, ' with ballot ')}: ${outcome}`
    case SPAN.change: {
      const by = known(ATTR.actor, ', by ')
      if (outcome !== 'ok') {
        return `${known(ATTR.op)} was refused: ${outcome}${known(ATTR.reason, ', ')}${by}`
      }
      return `${known(ATTR.op)} made configuration ${known(ATTR.config)}${known(ATTR.moved, ', ', ' shards move')}${by}`
    }
    case SPAN.reconfiguration: {
      const gained = known(ATTR.gained, ', gained ')
      return `group ${span.gid ?? '?'} settled configuration ${known(ATTR.config)}${gained}${known(ATTR.lost, ', lost ')}`
    }
    case SPAN.recovery:
      return `started: ${known(ATTR.entries, '', ' log entries read')}${known(ATTR.slotTo, ', decided up to slot ')}`
    case SPAN.snapshot: {
      const isTaker = of[ATTR.side] !== 'giver'
      const peer = known(ATTR.peer, isTaker ? ' of replica ' : ' to replica ')
      return `${isTaker ? 'installed a snapshot' : 'sent a snapshot'}${peer}${known(ATTR.slot, ', up to slot ')}`
    }
    case SPAN.catchUp: {
      const slots = known(ATTR.slotFrom, ' ') + known(ATTR.slotTo, ' to ')
      return `learned slots${slots}${known(ATTR.peer, ' from replica ')}${known(ATTR.source, ', by ')}`
    }
    default:
      return span.name
  }
}

type Known = (key: string, before?: string, after?: string) => string

function electionText(span: ArchivedSpan, known: Known, outcome: string): string {
  const who = `replica ${span.replica ?? '?'}${known(ATTR.ballot, ', ballot ', ',')}`
  const isWon = outcome === 'won' || span.events.some(({ name }) => name === EVENT.won)
  if (!isWon) return `${who} did not become leader: ${outcome}${known(ATTR.attempts, ', attempt ')}`
  return `${who} leads${known(ATTR.inherited, ', inherited ')}${known(ATTR.noops, ', no-ops ')}`
}
