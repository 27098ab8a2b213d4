// Histories for testing the checker: what concurrent clients of one honest copy would see, and the
// same with one answer changed.

import type { Action, Condition, Operation, Outcome } from '../../ops/history/history.ts'
import { fnv1a } from '../../server/bytes.ts'
import type { Random } from '../support/random.ts'

export type HistoryShape = {
  readonly operations: number
  readonly clients: number
  readonly keys: number
  /** Share of operations whose outcome nobody learns. */
  readonly unknown: number
}

const NONE = { type: 'none' } as const

type Copy = { value: string | null; version: number; counter: number }

/** Legal by construction: each operation runs at one moment between its call and its return. */
export function randomHistory(random: Random, shape: HistoryShape): Operation[] {
  const freeAt = new Array<number>(shape.clients).fill(0)
  const drafts = Array.from({ length: shape.operations }, (_, index) => {
    const client = random.between(0, shape.clients - 1)
    const calledAt = (freeAt[client] ?? 0) + random.between(1, 5)
    const runsAt = calledAt + random.between(0, 5) + index / 1e6
    const returnedAt = Math.ceil(runsAt) + random.between(0, 5)
    freeAt[client] = returnedAt
    return { index, client, calledAt, runsAt, returnedAt }
  })
  const copies = new Map<string, Copy>()
  const out: Operation[] = []
  for (const draft of drafts.sort((a, b) => a.runsAt - b.runsAt)) {
    const key = `k${random.between(1, shape.keys)}`
    const copy = copies.get(key) ?? { value: null, version: 0, counter: 0 }
    copies.set(key, copy)
    const action = randomAction(random, copy, draft.index)
    const isUnknown = random.chance(shape.unknown)
    const hasRun = !isUnknown || random.chance(0.5)
    const outcome = hasRun ? run(copy, action) : null
    const { calledAt } = draft
    const returnedAt = isUnknown ? Number.POSITIVE_INFINITY : draft.returnedAt
    const client = `c${draft.client}`
    out.push({ client, key, action, calledAt, returnedAt, outcome: isUnknown ? null : outcome })
  }
  return out
}

/** One answer is changed to another that it could have been in some other history. */
export function spoiled(random: Random, history: readonly Operation[]): Operation[] {
  const known = history.filter(one => one.outcome !== null)
  if (known.length === 0) return [...history]
  const victim = random.pick(known)
  const versions = history.flatMap(one =>
    one.outcome !== null && one.outcome.type === 'ok' ? [one.outcome.version] : [],
  )
  const version = random.pick([...versions, 1])
  const values = history.flatMap(one =>
    one.outcome?.type === 'ok' && one.outcome.value !== '' ? [one.outcome.value] : [],
  )
  const value = victim.action.op === 'get' ? random.pick([...values, 'x']) : ''
  const outcome: Outcome = random.pick<Outcome>([
    { type: 'ok', value, version: version + random.between(0, 1) },
    { type: 'noSuchKey' },
    { type: 'ok', value, version },
  ])
  return history.map(one => (one === victim ? { ...one, outcome } : one))
}

function randomAction(random: Random, copy: Copy, index: number): Action {
  const value = `v${index}`
  const condition = random.chance(0.3) ? randomCondition(random, copy) : NONE
  const drawn = random.next()
  if (drawn < 0.4) return { op: 'get' }
  if (drawn < 0.65) return { op: 'put', value, condition }
  if (drawn < 0.9) return { op: 'puthash', value, condition }
  return { op: 'delete', condition: condition.type === 'ifAbsent' ? NONE : condition }
}

function randomCondition(random: Random, copy: Copy): Condition {
  return random.pick<Condition>([
    { type: 'ifAbsent' },
    { type: 'ifPresent' },
    { type: 'ifVersion', version: copy.version },
    { type: 'ifVersion', version: copy.version + 1 },
  ])
}

function run(copy: Copy, action: Action): Outcome {
  const exists = copy.value !== null
  const { version } = copy
  if (action.op === 'get') {
    return copy.value === null ? { type: 'noSuchKey' } : { type: 'ok', value: copy.value, version }
  }
  const { condition } = action
  if (action.op === 'delete' && !exists && condition.type === 'none') return { type: 'noSuchKey' }
  const isRefused =
    (condition.type === 'ifAbsent' && exists) ||
    (condition.type === 'ifPresent' && !exists) ||
    (condition.type === 'ifVersion' && (!exists || version !== condition.version))
  if (isRefused) return { type: 'conditionFailed', version }
  const previous = copy.value ?? ''
  copy.counter += 1
  copy.version = action.op === 'delete' ? 0 : copy.counter
  if (action.op === 'delete') copy.value = null
  else copy.value = action.op === 'put' ? action.value : String(fnv1a(previous + action.value))
  return { type: 'ok', value: action.op === 'puthash' ? previous : '', version: copy.counter }
}
