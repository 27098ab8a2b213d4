// The picture of an instance: a lane for the leader and one for each acceptor, time to the right,
// messages as lines between the lanes. What comes after the chosen step is pale.

import { micros } from './format.ts'
import { escapeText, type Html, markup } from './html.ts'
import type { Replay, Step } from './replay.ts'
import { round } from './svg.ts'

const WIDTH = 900
const LEFT = 110
const RIGHT = 880
const TOP = 26
const LANE = 46

export function lanes(replay: Replay, chosen: number): Html {
  const { acceptors, steps, total } = replay
  const names = ['leader', ...acceptors.map(id => `acceptor ${id}`)]
  const height = TOP + names.length * LANE
  const x = (at: number) => round(LEFT + (Math.min(at, total) / total) * (RIGHT - LEFT))
  const y = (acceptor: number | null) =>
    TOP + (acceptor === null ? 0 : acceptors.indexOf(acceptor) + 1) * LANE
  const rails = names.map((name, index) => {
    const at = TOP + index * LANE
    const isOwn = replay.leader !== null && acceptors[index - 1] === replay.leader
    return `<path class="grid" d="M${LEFT} ${at}H${RIGHT}"/><text x="4" y="${at + 4}">${name}${isOwn ? ' (self)' : ''}</text>`
  })
  const proposedAt = steps.find(({ kind }) => kind === 'proposed')?.at ?? 0
  const marks = steps.map((step, index) => {
    const tone = `${step.kind}${index > chosen ? ' later' : ''}${index === chosen ? ' now' : ''}`
    return drawn(step, tone, { x, y, proposedAt, steps })
  })
  const now = steps[chosen]
  const cursor =
    now === undefined
      ? ''
      : `<path class="cursor" d="M${x(now.at)} ${TOP - 14}V${height - LANE / 2}"/>`
  const axis =
    `<text x="${LEFT}" y="12">0</text>` +
    `<text x="${RIGHT}" y="12" text-anchor="end">${escapeText(micros(total))}</text>`
  return markup(
    `<svg class="lanes" viewBox="0 0 ${WIDTH} ${height}" role="img" aria-label="The instance in time: ${names.length} lanes, ${steps.length} steps; they are listed below">` +
      `${axis}${rails.join('')}${cursor}${marks.join('')}</svg>`,
  )
}

type Drawing = {
  readonly x: (at: number) => number
  readonly y: (acceptor: number | null) => number
  readonly proposedAt: number
  readonly steps: readonly Step[]
}

function drawn(step: Step, tone: string, { x, y, proposedAt, steps }: Drawing): string {
  const { kind, at, acceptor } = step
  const [top, lane] = [y(null), y(acceptor)]
  const dot = (height: number) => `<circle class="${tone}" cx="${x(at)}" cy="${height}" r="5"/>`
  if (kind === 'received')
    return `<path class="way ${tone}" d="M${x(proposedAt)} ${top}L${x(at)} ${lane}"/>${dot(lane)}`
  if (kind === 'durable') {
    const from =
      steps.find(other => other.acceptor === acceptor && other.kind === 'received')?.at ??
      proposedAt
    return `<rect class="work ${tone}" x="${x(from)}" y="${lane - 5}" width="${Math.max(2, round(x(at) - x(from)))}" height="10"/>`
  }
  if (kind === 'accepted' || kind === 'quorum' || kind === 'promise' || kind === 'refused') {
    const left =
      steps.find(other => other.acceptor === acceptor && other.kind === 'answered')?.at ?? at
    return `<path class="way ${tone}" d="M${x(left)} ${lane}L${x(at)} ${top}"/>${dot(top)}`
  }
  return dot(kind === 'answered' ? lane : top)
}
