// What can be loaded. A caller has one operation under way at a time; answers come by callback, since a
// promise each would be a good part of what the cheapest targets cost.

import type { LoadOp, LoadPlan } from './plan.ts'

export interface Caller {
  /** Calls `done` exactly once; false: it was refused, lost, or answered otherwise than hoped. */
  run(op: LoadOp, key: number, done: (isGood: boolean) => void): void
}

export interface Target {
  callers(count: number): Promise<readonly Caller[]>
  /** What went wrong first, if anything did. */
  readonly trouble: string | null
  close(): Promise<void>
}

/** The text of a key. All have one length, so that a request differs in nothing else. */
export function keyName(plan: Pick<LoadPlan, 'prefix' | 'keys'>, key: number): string {
  return plan.prefix + String(key % plan.keys).padStart(8, '0')
}

/** Those of one request, the named one first. */
export function keysOfRequest(plan: LoadPlan, key: number): readonly string[] {
  return Array.from({ length: plan.batch }, (_, index) => keyName(plan, key + index))
}

/** Text that does not compress to nothing, the same for all: nobody looks at it. */
export function sampleValue(bytes: number): string {
  let text = ''
  for (let index = 0; text.length < bytes; index++) text += (index * 2654435761).toString(36)
  return text.slice(0, bytes)
}
