// A trace as steps in words: what each event of a span says, in order of time. Used by shardctl; pages
// have pictures.

import type { ArchivedSpan } from '../archive/answers.ts'
import { bytesText, durationText, plural } from './figures.ts'
import { ATTR, EVENT, SPAN } from './span-model.ts'

export type Step = {
  /** µs since 1970. */
  readonly atMicros: number
  /** When that which ended here began; the same where it is a moment. */
  readonly sinceMicros: number
  /** Who did it: a node, or a group. */
  readonly who: string
  readonly text: string
}

type Event = ArchivedSpan['events'][number]

/** All steps of these spans, oldest first. */
export function stepsOf(spans: readonly ArchivedSpan[]): readonly Step[] {
  return spans
    .flatMap(span => (span.name === SPAN.handoff ? handoffSteps(span) : plainSteps(span)))
    .sort((one, other) => one.atMicros - other.atMicros)
}

/** One leader's instance, from the first command that waited until it had run. */
export function instanceSteps(span: ArchivedSpan): readonly Step[] {
  const { events } = span
  const queuedAt = timeOf(events, EVENT.queued)
  const proposedAt = timeOf(events, EVENT.proposed) ?? span.startMicros
  const decidedAt = timeOf(events, EVENT.decided)
  return events.map(event => {
    const { atMicros } = event
    const sinceMicros = beginningOf(event, { queuedAt, proposedAt, decidedAt })
    return { atMicros, sinceMicros, who: span.node, text: instanceText(span, event, sinceMicros) }
  })
}

/** What took the time between two of an instance's moments. */
function beginningOf(
  { name, atMicros }: Event,
  of: {
    readonly queuedAt: number | null
    readonly proposedAt: number
    readonly decidedAt: number | null
  },
): number {
  switch (name) {
    case EVENT.proposed:
      return of.queuedAt ?? atMicros
    case EVENT.accepted:
    case EVENT.refused:
    case EVENT.decided:
      return Math.min(of.proposedAt, atMicros)
    case EVENT.applied:
      return Math.min(of.decidedAt ?? atMicros, atMicros)
    default:
      return atMicros
  }
}

function instanceText(span: ArchivedSpan, event: Event, sinceMicros: number): string {
  const { attributes: of } = span
  const acceptor = Number(event.attributes[ATTR.acceptor] ?? -1)
  const who = acceptor === span.replica ? `acceptor ${acceptor} (leader)` : `acceptor ${acceptor}`
  switch (event.name) {
    case EVENT.queued:
      return 'the oldest command of the batch came in'
    case EVENT.prepare:
      return 'prepares sent: phase 1, for what the new leader inherits'
    case EVENT.promise:
      return `${who} promised, with ${plural(numberIn(event, ATTR.entries), 'accepted value')}`
    case EVENT.proposed: {
      const took = event.atMicros - sinceMicros
      const batch = plural(Number(of[ATTR.commands] ?? 0), 'command')
      const gathered = took > 0 ? `, gathered over ${durationText(took)}` : ''
      return `accepts sent: a batch of ${batch}${gathered}`
    }
    case EVENT.resent:
      return `accept sent again to acceptor ${acceptor}`
    case EVENT.accepted: {
      const isQuorum = event.attributes[ATTR.isQuorum] === true
      const quorum = isQuorum ? `; quorum of ${String(of[ATTR.quorum] ?? '?')}` : ''
      return `${who}: ${acceptedText(event)}${quorum}`
    }
    case EVENT.refused:
      return `${who} refused: ${String(event.attributes[ATTR.reason] ?? of[ATTR.outcome] ?? '?')}`
    case EVENT.abandoned:
      return `given up here (${textIn(event, ATTR.reason)}); the next leader's span tells the end`
    case EVENT.decided:
      return 'decided'
    case EVENT.applied:
      return 'applied'
    default:
      return event.name
  }
}

function numberIn({ attributes }: Event, key: string): number {
  return Number(attributes[key] ?? 0)
}

function textIn({ attributes }: Event, key: string): string {
  return String(attributes[key] ?? '?')
}

/** By the acceptor's own clock, from receipt on. */
function acceptedText({ attributes: of }: Event): string {
  const parts = [
    [of[ATTR.durable], 'durable'],
    [of[ATTR.answered], 'answered'],
  ] as const
  const known = parts.flatMap(([micros, word]) =>
    typeof micros === 'number' ? [`${word} in ${durationText(micros)}`] : [],
  )
  return known.join(', ') || 'accepted'
}

/** An acceptor's own span of one instance, or the leader's of one that answered very late. */
export function acceptanceStep(span: ArchivedSpan): Step {
  const { attributes: of, startMicros, durationMicros } = span
  const acceptor = String(of[ATTR.acceptor] ?? span.replica ?? '?')
  const outcome = String(of[ATTR.outcome] ?? 'ok')
  const text = `acceptor ${acceptor} ${acceptanceText(of, outcome)}`
  return { atMicros: startMicros + durationMicros, sinceMicros: startMicros, who: span.node, text }
}

function acceptanceText(of: ArchivedSpan['attributes'], outcome: string): string {
  const accepted = (): string => acceptedText({ name: '', atMicros: 0, attributes: of })
  if (outcome === 'ok') return `itself: ${accepted()}`
  if (outcome === 'late') return `accepted after the decision: ${accepted()}`
  const promised =
    of[ATTR.promised] === undefined ? '' : `, it had promised ${String(of[ATTR.promised])}`
  return `itself: refused ballot ${String(of[ATTR.ballot] ?? '?')} (${outcome}${promised})`
}

/** One side of a shard's move. */
function handoffSteps(span: ArchivedSpan): readonly Step[] {
  let parts = 0
  return span.events.map(event => {
    if (event.name === EVENT.chunk) parts += 1
    const { atMicros } = event
    return {
      atMicros,
      sinceMicros: atMicros,
      who: whoOf(span),
      text: handoffText(span, event, parts),
    }
  })
}

function handoffText(span: ArchivedSpan, event: Event, part: number): string {
  const { attributes: of } = span
  const isGiver = of[ATTR.side] === 'giver'
  const size = (keys: unknown, bytes: unknown): string =>
    `${plural(Number(keys ?? 0), 'key')}, ${bytesText(Number(bytes ?? 0))}`
  const whole = size(of[ATTR.keys], of[ATTR.shardBytes])
  switch (event.name) {
    case EVENT.frozen:
      return `froze shard ${String(of[ATTR.shard])} (${whole}): clients wait`
    case EVENT.awaited:
      return `has configuration ${String(of[ATTR.config])} in its log and waits for the shard`
    case EVENT.chunk: {
      const what = size(event.attributes[ATTR.keys], event.attributes[ATTR.bytes])
      return isGiver ? `part ${part} sent (${what})` : `part ${part} in its log (${what})`
    }
    case EVENT.installed:
      return 'serves the shard: clients go on'
    case EVENT.acknowledged:
      return 'was told that the other group serves'
    case EVENT.released:
      return 'let go of the shard'
    case EVENT.swept:
      return 'deleted the last of its keys'
    default:
      return event.name
  }
}

/** A span of any other name: when it began and ended, and its events. */
function plainSteps(span: ArchivedSpan): readonly Step[] {
  const { startMicros, durationMicros } = span
  const who = whoOf(span)
  const events = span.events.map(event => {
    const took = event.attributes[ATTR.took]
    const { atMicros } = event
    // Such an event is told where it began; its step stands where it ended.
    const ended = atMicros + (typeof took === 'number' ? took : 0)
    return { atMicros: ended, sinceMicros: atMicros, who, text: eventText(event) }
  })
  const outcome = span.attributes[ATTR.outcome]
  const result = outcome === undefined ? '' : `: ${String(outcome)}`
  const name = String((span.name === SPAN.request ? span.attributes[ATTR.op] : null) ?? span.name)
  const begun = { atMicros: startMicros, sinceMicros: startMicros, who, text: `${name} begins` }
  const text = `${name}${result}, ${durationText(durationMicros)}`
  const atMicros = startMicros + durationMicros
  return [begun, ...events, { atMicros, sinceMicros: startMicros, who, text }]
}

function eventText({ name, attributes }: Event): string {
  if (name === EVENT.attempt) {
    const { [ATTR.peer]: replica, [ATTR.peerGroup]: gid, [ATTR.outcome]: outcome } = attributes
    return `asked replica ${String(replica)} of group ${String(gid)}: ${String(outcome)}`
  }
  const pairs = Object.entries(attributes).map(
    ([key, value]) => `${key.replace(/^shardglass\./, '')} ${String(value)}`,
  )
  return pairs.length === 0 ? name : `${name} (${pairs.join(', ')})`
}

function whoOf({ node, gid }: ArchivedSpan): string {
  return gid === null || gid === 0 ? node : `${node} (group ${gid})`
}

function timeOf(events: readonly Event[], name: string): number | null {
  return events.find(event => event.name === name)?.atMicros ?? null
}
