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
    case SPAN.leadership: {
      const ballot = known(ATTR.ballot, ' with ballot ')
      return `replica ${span.replica ?? '?'} ceased to lead${ballot}: ${outcome}`
    }
    case SPAN.change: {
      const by = known(ATTR.actor, ', by ')
      if (outcome !== 'ok') {
        return `${known(ATTR.op)} was refused: ${outcome}${known(ATTR.reason, ', ')}${by}`
      }
      const moved = known(ATTR.moved, ', ', ' shards move')
      return `${known(ATTR.op)} made configuration ${known(ATTR.config)}${moved}${by}`
    }
    case SPAN.reconfiguration: {
      const changed = known(ATTR.gained, ', gained ') + known(ATTR.lost, ', lost ')
      return `group ${span.gid ?? '?'} settled configuration ${known(ATTR.config)}${changed}`
    }
    case SPAN.recovery: {
      const entries = known(ATTR.entries, '', ' log entries read')
      return `started: ${entries}${known(ATTR.slotTo, ', decided up to slot ')}`
    }
    case SPAN.snapshot: {
      const isTaker = of[ATTR.side] !== 'giver'
      const peer = known(ATTR.peer, isTaker ? ' of replica ' : ' to replica ')
      const did = isTaker ? 'installed' : 'sent'
      return `${did} a snapshot${peer}${known(ATTR.slot, ', up to slot ')}`
    }
    case SPAN.catchUp: {
      const slots = known(ATTR.slotFrom, ' ') + known(ATTR.slotTo, ' to ')
      const source = known(ATTR.peer, ' from replica ') + known(ATTR.source, ', by ')
      return `learned slots${slots}${source}`
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
