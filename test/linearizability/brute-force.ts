// A checker too slow to use and too simple to be wrong: it tries every order, every subset of the
// unknown operations, and every version that an unknown write may have had. Written without the
// fast checker's model, so that the two can be held against each other.

import type { Operation } from '../../ops/history/history.ts'
import { fnv1a } from '../../server/bytes.ts'

type Copy = { readonly value: string | null; readonly version: number; readonly highest: number }

/** Whether some order of a single key's operations explains all outcomes. */
export function isLinearizableByForce(operations: readonly Operation[]): boolean {
  const mentioned = new Set<number>()
  for (const { action, outcome } of operations) {
    if (outcome !== null && outcome.type !== 'noSuchKey') mentioned.add(outcome.version)
    if (action.op !== 'get' && action.condition.type === 'ifVersion') {
      mentioned.add(action.condition.version)
    }
  }
  return search(operations, { value: null, version: 0, highest: 0 }, [...mentioned])
}

function search(left: readonly Operation[], copy: Copy, mentioned: readonly number[]): boolean {
  if (left.every(one => one.outcome === null)) return true
  for (const next of left) {
    // Something else had returned before this one was called: it cannot come first.
    if (left.some(other => other !== next && other.returnedAt < next.calledAt)) continue
    const rest = left.filter(one => one !== next)
    for (const after of successors(copy, next, mentioned)) {
      if (search(rest, after, mentioned)) return true
    }
    if (next.outcome === null && search(rest, copy, mentioned)) return true
  }
  return false
}

/** All states that running `one` on `copy` may leave, given what its caller was told. */
function successors(copy: Copy, one: Operation, mentioned: readonly number[]): Copy[] {
  const versions =
    one.outcome === null
      ? [copy.highest + 1e-6, ...mentioned.filter(version => version > copy.highest)]
      : one.outcome.type === 'ok'
        ? [one.outcome.version]
        : [0]
  return versions.flatMap(version => {
    const ran = run(copy, one, version)
    if (one.outcome === null) return [ran.copy]
    return JSON.stringify(ran.told) === JSON.stringify(one.outcome) ? [ran.copy] : []
  })
}

function run(copy: Copy, one: Operation, version: number): { copy: Copy; told: unknown } {
  const { action } = one
  const noSuchKey = { copy, told: { type: 'noSuchKey' } }
  if (action.op === 'get') {
    if (copy.value === null) return noSuchKey
    return { copy, told: { type: 'ok', value: copy.value, version: copy.version } }
  }
  const { condition } = action
  const exists = copy.value !== null
  if (action.op === 'delete' && !exists && condition.type === 'none') return noSuchKey
  const isMet =
    condition.type === 'none' ||
    (condition.type === 'ifAbsent' && !exists) ||
    (condition.type === 'ifPresent' && exists) ||
    (condition.type === 'ifVersion' && exists && copy.version === condition.version)
  if (!isMet) {
    return { copy, told: { type: 'conditionFailed', version: exists ? copy.version : 0 } }
  }
  if (version <= copy.highest || (action.op === 'delete' && !exists)) {
    return { copy, told: null }
  }
  const previous = copy.value ?? ''
  const told = { type: 'ok', value: action.op === 'puthash' ? previous : '', version }
  if (action.op === 'delete') return { copy: { value: null, version: 0, highest: version }, told }
  const value = action.op === 'put' ? action.value : String(fnv1a(previous + action.value))
  return { copy: { value, version, highest: version }, told }
}
