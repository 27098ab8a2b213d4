// What clients saw of one key, and what a single copy of that key would have done (the model).
// Outcomes carry the key's version, so the model also holds versions to growing with each write.

import { fnv1a } from '../../server/bytes.ts'

export type Condition =
  | { readonly type: 'none' }
  | { readonly type: 'ifVersion'; readonly version: number }
  | { readonly type: 'ifAbsent' }
  | { readonly type: 'ifPresent' }

export type Action =
  | { readonly op: 'get' }
  | { readonly op: 'put'; readonly value: string; readonly condition: Condition }
  | { readonly op: 'puthash'; readonly value: string; readonly condition: Condition }
  | { readonly op: 'delete'; readonly condition: Condition }

/** An `ok` of version 0 does not tell it; a refusal of version 0 says that the key is absent. */
export type Outcome =
  | { readonly type: 'ok'; readonly value: string; readonly version: number }
  | { readonly type: 'noSuchKey' }
  | { readonly type: 'conditionFailed'; readonly version: number }

export type Operation = {
  readonly client: string
  readonly key: string
  readonly action: Action
  readonly calledAt: number
  /** Infinity while the outcome is not known: it may take effect at any time, or never. */
  readonly returnedAt: number
  /** null when unknown. */
  readonly outcome: Outcome | null
}

/** `value` null: absent. `version` null: some version above `floor` that nobody was told. */
export type KeyState = {
  readonly value: string | null
  readonly version: number | null
  /** All versions given so far are at most this. */
  readonly floor: number
}

export const ABSENT: KeyState = { value: null, version: 0, floor: 0 }

/** Identifies a state among those of one search. */
export function stateKey(state: KeyState): string {
  return `${state.version} ${state.floor} ${state.value === null ? '-' : `=${state.value}`}`
}

/**
 * The state after `operation` runs on `state`; null when its outcome cannot be had from there.
 * An unknown outcome fits every state.
 */
export function runOn(state: KeyState, operation: Operation): KeyState | null {
  const { action, outcome } = operation
  if (action.op === 'get') return outcome === null ? state : runGet(state, outcome)
  if (outcome?.type === 'conditionFailed') {
    return runRefused(state, action.condition, outcome.version)
  }
  const met = meet(state, action.condition)
  if (outcome === null) return met === null ? state : runUnknown(met, action)
  if (action.op === 'delete' && outcome.type === 'noSuchKey') {
    return state.value === null && action.condition.type === 'none' ? state : null
  }
  if (met === null || outcome.type !== 'ok') return null
  return runWrite(met, action, outcome)
}

function runGet(state: KeyState, outcome: Outcome): KeyState | null {
  if (outcome.type === 'noSuchKey') return state.value === null ? state : null
  if (outcome.type !== 'ok' || state.value !== outcome.value) return null
  return outcome.version === 0 ? state : resolve(state, outcome.version)
}

/** The state once its version is known to be `version`, null if it cannot be. */
function resolve(state: KeyState, version: number): KeyState | null {
  if (state.version === version) return state
  if (state.version !== null || version <= state.floor) return null
  return { value: state.value, version, floor: version }
}

function meet(state: KeyState, condition: Condition): KeyState | null {
  switch (condition.type) {
    case 'none':
      return state
    case 'ifAbsent':
      return state.value === null ? state : null
    case 'ifPresent':
      return state.value === null ? null : state
    case 'ifVersion':
      return state.value === null ? null : resolve(state, condition.version)
  }
}

function runRefused(state: KeyState, condition: Condition, version: number): KeyState | null {
  if (condition.type === 'none') return null
  if (condition.type === 'ifVersion' && state.value !== null) {
    return version === condition.version ? null : resolve(state, version)
  }
  if (state.value === null) return version === 0 && condition.type !== 'ifAbsent' ? state : null
  return condition.type === 'ifAbsent' ? resolve(state, version) : null
}

function runWrite(
  state: KeyState,
  action: Exclude<Action, { op: 'get' }>,
  outcome: Extract<Outcome, { type: 'ok' }>,
): KeyState | null {
  if (action.op === 'delete' && state.value === null) return null
  if (action.op === 'puthash' && outcome.value !== (state.value ?? '')) return null
  const { version } = outcome
  if (version !== 0 && version <= state.floor) return null
  const floor = version === 0 ? state.floor : version
  const value = written(state, action)
  return { value, version: value === null ? 0 : version || null, floor }
}

function runUnknown(state: KeyState, action: Exclude<Action, { op: 'get' }>): KeyState {
  const value = written(state, action)
  return { value, version: value === null ? 0 : null, floor: state.floor }
}

function written(state: KeyState, action: Exclude<Action, { op: 'get' }>): string | null {
  if (action.op === 'delete') return null
  if (action.op === 'put') return action.value
  return String(fnv1a((state.value ?? '') + action.value))
}
