// Whole traces as text: a head that says the result, then the steps.

import type { ArchivedSpan, HandoffLine, InstanceLine, RequestAnswer } from '../archive/answers.ts'
import { escaped } from '../log.ts'
import { bytesText, durationText, plural, timeText } from './figures.ts'
import { ATTR, EVENT, SPAN } from './span-model.ts'
import { acceptanceStep, instanceSteps, stepsOf } from './steps.ts'
import { waterfall } from './waterfall.ts'

type Width = number | undefined

/** Each leader that proposed in the slot, newest log first; acceptors' own spans with theirs. */
export function instanceText(
  gid: number,
  slot: number,
  spans: readonly ArchivedSpan[],
  width: Width,
): string {
  const proposals = spans.filter(({ name }) => name === SPAN.instance)
  const logs = new Set(spans.map(({ traceId }) => traceId))
  const parts = proposals.map((span, at) => {
    const others = spans.filter(other => other.name === SPAN.accept && isOf(other, span))
    const isOlder = span.traceId !== proposals[0]?.traceId
    const title = isOlder
      ? `an older log of group ${gid}, slot ${slot}`
      : `slot ${slot} of group ${gid}`
    return `${at === 0 ? '' : '\n'}${oneInstance(title, span, others, width)}`
  })
  const orphans = spans.filter(
    span => span.name === SPAN.accept && !proposals.some(proposal => isOf(span, proposal)),
  )
  if (orphans.length > 0) {
    const title =
      proposals.length === 0
        ? `slot ${slot} of group ${gid}: no leader's span, only acceptors' own`
        : '\nacceptors, of ballots whose leader left no span'
    const picture = waterfall(orphans.map(acceptanceStep), { width, isWhoShown: true })
    parts.push(title, '', picture)
  }
  if (logs.size > 1) parts.push(`\n(${logs.size} formations of the group had this slot)`)
  return parts.join('\n')
}

function isOf(accept: ArchivedSpan, proposal: ArchivedSpan): boolean {
  const isSameBallot = accept.attributes[ATTR.ballot] === proposal.attributes[ATTR.ballot]
  return accept.traceId === proposal.traceId && isSameBallot
}

function oneInstance(
  title: string,
  span: ArchivedSpan,
  acceptances: readonly ArchivedSpan[],
  width: Width,
): string {
  const { attributes: of } = span
  const steps = [...instanceSteps(span), ...acceptances.map(acceptanceStep)].sort(
    (one, other) => one.atMicros - other.atMicros,
  )
  const picture =
    steps.length === 0
      ? '(no events: the span was cut)'
      : waterfall(steps, { width, isWhoShown: false })
  const commands = plural(Number(of[ATTR.commands] ?? 0), 'command')
  const facts = [
    `${commands} (${bytesText(Number(of[ATTR.bytes] ?? 0))})`,
    originText(String(of[ATTR.origin] ?? 'own')),
    `ballot ${escaped(String(of[ATTR.ballot] ?? '?'))}`,
    of[ATTR.path] === 'full' ? 'with a phase 1 of its own' : 'phase 1 done before',
    `quorum ${String(of[ATTR.quorum] ?? '?')} of ${String(of[ATTR.members] ?? '?')}`,
  ]
  const leader = span.replica === null ? '' : ` (replica ${span.replica})`
  return [
    `${title}: ${resultText(span)}`,
    facts.join(', '),
    `${timeText(span.startMicros)}, led by ${escaped(span.node)}${leader}, trace ${span.traceId}`,
    '',
    picture,
  ].join('\n')
}

function resultText(span: ArchivedSpan): string {
  const after = (name: string): string | null => {
    const found = span.events.find(event => event.name === name)
    return found === undefined ? null : durationText(found.atMicros - span.startMicros)
  }
  const [decided, applied] = [after(EVENT.decided), after(EVENT.applied)]
  if (decided === null)
    return `not decided here: ${escaped(String(span.attributes[ATTR.outcome] ?? '?'))}`
  return `decided after ${decided}, ${applied === null ? 'not seen applied' : `applied after ${applied}`}`
}

function originText(origin: string): string {
  switch (origin) {
    case 'own':
      return 'its own'
    case 'inherited':
      return 'inherited from an earlier leader'
    case 'noop':
      return 'a no-op to fill a gap'
    default:
      return escaped(origin)
  }
}

/** Which part of an instance took most of its time. */
export function slowestPart(line: InstanceLine): string {
  const { proposedMicros, decidedMicros, appliedMicros, durationMicros } = line
  if (decidedMicros === null) return `not decided: ${escaped(line.outcome ?? '?')}`
  const proposed = Math.min(proposedMicros ?? 0, decidedMicros)
  const applied = Math.max(decidedMicros, appliedMicros ?? decidedMicros)
  const parts = [
    { took: proposed, text: () => `waiting for a slot, ${durationText(proposed)}` },
    { took: decidedMicros - proposed, text: () => quorumText(line, decidedMicros - proposed) },
    {
      took: applied - decidedMicros,
      text: () => `applying, ${durationText(applied - decidedMicros)}`,
    },
    { took: durationMicros - applied, text: () => lateText(line, decidedMicros) },
  ]
  const most = parts.reduce((one, other) => (other.took > one.took ? other : one))
  return most.text()
}

/** Who made the quorum, and whether its disk was to blame. */
function quorumText({ acceptors }: InstanceLine, took: number): string {
  const quorum = acceptors.find(({ madeQuorum }) => madeQuorum)
  if (quorum === undefined) return `the quorum, ${durationText(took)}`
  const { acceptor, durableMicros } = quorum
  const isDisk = durableMicros !== null && durableMicros * 2 > took
  const where = isDisk ? `its disk ${durationText(durableMicros)}` : 'not its disk'
  return `the quorum, by acceptor ${acceptor}, ${durationText(took)} (${where})`
}

function lateText({ acceptors }: InstanceLine, decidedMicros: number): string {
  const late = acceptors.at(-1)?.acceptor ?? '?'
  return `a late answer, of acceptor ${late}; decided after ${durationText(decidedMicros)}`
}

export function handoffText(
  line: HandoffLine,
  spans: readonly ArchivedSpan[],
  width: Width,
): string {
  const { shard, config, from, to, keys, bytes } = line
  const pause =
    line.pauseMicros === null ? 'pause unknown' : `clients waited ${durationText(line.pauseMicros)}`
  const sides = [
    line.giver === null ? 'the giver' : '',
    line.taker === null ? 'the taker' : '',
  ].filter(side => side !== '')
  const missing =
    sides.length === 0 ? [] : [`(no span of ${sides.join(' and ')}: dropped, or not ended yet)`]
  const way = `shard ${shard} from group ${from ?? '?'} to group ${to ?? '?'}`
  const parts = plural(line.chunks ?? 0, 'part')
  const took = `${durationText(line.durationMicros)} in all`
  return [
    `${way} at configuration ${config}: ${escaped(line.outcome ?? '?')}, ${pause}`,
    `${plural(keys ?? 0, 'key')}, ${bytesText(bytes ?? 0)}, ${parts}, ${took}`,
    `${timeText(line.startMicros)}, trace ${line.traceId}`,
    ...missing,
    '',
    waterfall(stepsOf(spans), { width, isWhoShown: true }),
  ].join('\n')
}

export function requestText(answer: RequestAnswer, width: Width): string {
  const { traceId, spans, instances, isPartial } = answer
  const [first] = spans.filter(({ name }) => name === SPAN.request)
  const of = first?.attributes ?? {}
  const outcome = String(of[ATTR.outcome] ?? '?')
  const what =
    first === undefined
      ? 'a trace'
      : `${String(of[ATTR.op] ?? 'request')}: ${outcome} after ${durationText(first.durationMicros)}`
  const facts = [
    fact(of[ATTR.shard], 'shard '),
    fact(of[ATTR.config], 'configuration '),
    fact(of[ATTR.readPath], 'read by '),
    fact(of[ATTR.decidedGroup], 'group '),
    fact(of[ATTR.decidedSlot], 'slot '),
    fact(of[ATTR.attempts], 'attempts '),
  ].flat()
  const parts = [
    escaped(what),
    ...(facts.length === 0 ? [] : [escaped(facts.join(', '))]),
    `${timeText(spans[0]?.startMicros ?? 0)}, trace ${traceId}`,
    '',
    waterfall(stepsOf(spans), { width, isWhoShown: true }),
  ]
  for (const span of instances.filter(({ name }) => name === SPAN.instance)) {
    const slot = `slot ${String(span.attributes[ATTR.slot] ?? '?')} of group ${span.gid ?? '?'}`
    parts.push('', oneInstance(`decided in ${slot}`, span, [], width))
  }
  if (isPartial) parts.push('', 'the archive had no time to look for all instances of it')
  return parts.join('\n')
}

function fact(value: unknown, before: string): readonly string[] {
  return value === undefined ? [] : [`${before}${String(value)}`]
}
