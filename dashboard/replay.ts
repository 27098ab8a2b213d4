// One Paxos instance as steps in time, from its leader's span. What acceptors did is known by their
// own clocks, as spans of time; where on the leader's line that lies is worked out: what is left of
// the way there and back is taken as half for each.

import type { ArchivedSpan } from '../ops/archive/answers.ts'
import { ATTR, EVENT } from '../ops/trace/span-model.ts'

export type StepKind =
  | 'queued'
  | 'prepare'
  | 'promise'
  | 'proposed'
  | 'received'
  | 'durable'
  | 'answered'
  | 'accepted'
  | 'quorum'
  | 'resent'
  | 'refused'
  | 'abandoned'
  | 'decided'
  | 'applied'

export type Step = {
  readonly kind: StepKind
  /** µs since the first. */
  readonly at: number
  /** The acceptor concerned; null: the leader alone. */
  readonly acceptor: number | null
  /** Worked out, not told. */
  readonly isEstimate: boolean
  readonly text: string
}

export type Replay = {
  readonly leader: number | null
  /** Replica ids, ascending. */
  readonly acceptors: readonly number[]
  /** In order of time. */
  readonly steps: readonly Step[]
  readonly total: number
  /** The span was kept without its events: some steps are not known any more. */
  readonly isThin: boolean
}

type Told = {
  readonly name: string
  readonly at: number
  readonly attributes: ArchivedSpan['attributes']
}

export function replayOf(span: ArchivedSpan): Replay {
  const isThin = span.events.length === 0
  const found = isThin ? gistOf(span) : span.events.map(toldOf(span.startMicros))
  const told = [...found].sort((one, other) => one.at - other.at)
  const proposedAt = told.find(({ name }) => name === EVENT.proposed)?.at ?? 0
  const quorum = numberOf(span.attributes[ATTR.quorum])
  let answers = 0
  const steps = told.flatMap((event): readonly (Step | null)[] => {
    if (event.name !== EVENT.accepted) return [stepOf(event, span)]
    answers += 1
    const makesQuorum = event.attributes[ATTR.isQuorum] === true || answers === quorum
    return acceptedSteps(event, proposedAt, { leader: span.replica, makesQuorum, answers })
  })
  const sorted = steps.filter(step => step !== null).sort((one, other) => one.at - other.at)
  const members = numberOf(span.attributes[ATTR.members]) ?? 0
  const named = sorted.flatMap(({ acceptor }) => (acceptor === null ? [] : [acceptor]))
  const all = new Set([...Array.from({ length: Math.min(9, members) }, (_, id) => id), ...named])
  return {
    leader: span.replica,
    acceptors: [...all].sort((one, other) => one - other),
    steps: sorted,
    total: Math.max(span.durationMicros, sorted.at(-1)?.at ?? 0, 1),
    isThin,
  }
}

function toldOf(start: number) {
  return ({ name, atMicros, attributes }: ArchivedSpan['events'][number]): Told => {
    return { name, at: atMicros - start, attributes }
  }
}

/** What a span has in place of its events. */
function gistOf({ attributes }: ArchivedSpan): readonly Told[] {
  const found: Told[] = []
  const single = (name: string, key: string): void => {
    const at = numberOf(attributes[key])
    if (at !== null) found.push({ name, at, attributes: {} })
  }
  single(EVENT.proposed, ATTR.proposedAfter)
  const text = attributes[ATTR.acceptors]
  for (const part of typeof text === 'string' ? text.split(',') : []) {
    const match = /^(\d+):(\d+)\/(\d+)\/(\d+)$/.exec(part)
    if (match === null) continue
    const [acceptor, at = 0, durable = 0, answered = 0] = match.slice(1).map(Number)
    const of = {
      [ATTR.acceptor]: acceptor ?? 0,
      [ATTR.durable]: durable,
      [ATTR.answered]: answered,
    }
    found.push({ name: EVENT.accepted, at, attributes: of })
  }
  single(EVENT.decided, ATTR.decidedAfter)
  single(EVENT.applied, ATTR.appliedAfter)
  return found
}

const TEXTS: Readonly<Record<string, readonly [StepKind, string]>> = {
  queued: ['queued', 'The first command of the batch came in and waited for the next slot'],
  prepare: ['prepare', 'The leader asked all acceptors for their promise (phase 1)'],
  promise: ['promise', 'promised to take nothing of a lower ballot, and told what it had accepted'],
  proposed: ['proposed', 'The leader sent its accept to all acceptors (phase 2)'],
  resent: ['resent', 'The leader sent its accept again: the answer was late'],
  refused: ['refused', 'refused: it had promised a higher ballot'],
  abandoned: ['abandoned', 'The leader ceased to lead; the next one decides what is in this slot'],
  decided: ['decided', 'A quorum has it: the value is decided for ever'],
  applied: ['applied', 'The leader ran the commands; their clients get their answers'],
}

/** Null: an event of another version, which tells nothing here. */
function stepOf({ name, at, attributes }: Told, span: ArchivedSpan): Step | null {
  const known = Object.hasOwn(TEXTS, name) ? TEXTS[name] : undefined
  if (known === undefined) return null
  const [kind, words] = known
  const acceptor = numberOf(attributes[ATTR.acceptor])
  const isByAcceptor = kind === 'promise' || kind === 'refused'
  const text = isByAcceptor && acceptor !== null ? `Acceptor ${acceptor} ${words}` : words
  const commands = numberOf(span.attributes[ATTR.commands])
  const batch = kind === 'proposed' && commands !== null ? `, with ${commands} commands` : ''
  return { kind, at, acceptor, isEstimate: false, text: text + batch }
}

/** Receipt, durable record, answer, and its arrival. */
function acceptedSteps(
  { at, attributes }: Told,
  proposedAt: number,
  facts: {
    readonly leader: number | null
    readonly makesQuorum: boolean
    readonly answers: number
  },
): readonly Step[] {
  const acceptor = numberOf(attributes[ATTR.acceptor])
  const durable = numberOf(attributes[ATTR.durable]) ?? 0
  const answered = Math.max(durable, numberOf(attributes[ATTR.answered]) ?? durable)
  const isOwn = acceptor !== null && acceptor === facts.leader
  const way = isOwn ? 0 : Math.max(0, (at - proposedAt - answered) / 2)
  const receipt = proposedAt + way
  const who = isOwn ? `Acceptor ${acceptor}, the leader itself,` : `Acceptor ${acceptor}`
  const step = (kind: StepKind, moment: number, text: string, isEstimate = !isOwn): Step => {
    return { kind, at: Math.round(moment), acceptor, isEstimate, text: `${who} ${text}` }
  }
  const count = facts.makesQuorum ? `: with ${facts.answers} of them a quorum has it` : ''
  return [
    ...(isOwn ? [] : [step('received', receipt, 'got the accept')]),
    step(
      'durable',
      Math.min(at, receipt + durable),
      `had it on its disk, ${durable} µs after receipt`,
    ),
    ...(isOwn
      ? []
      : [
          step(
            'answered',
            Math.min(at, receipt + answered),
            `sent its answer, ${answered} µs after receipt`,
          ),
        ]),
    step(facts.makesQuorum ? 'quorum' : 'accepted', at, `is known to have accepted${count}`, false),
  ]
}

function numberOf(value: unknown): number | null {
  return typeof value === 'number' && Number.isFinite(value) ? value : null
}
