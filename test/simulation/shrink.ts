// Makes a failing run smaller: fewer faults (by halves, then one by one), fewer clients, as long as
// the same claim is violated.

import type { RunOptions } from './options.ts'
import { runSeed } from './run-seed.ts'

export type Shrunk = {
  readonly violation: string
  readonly runs: number
  readonly options: RunOptions
}

/** null when the run does not fail to begin with. */
export function shrink(options: RunOptions): Shrunk | null {
  const first = runSeed(options).violation
  if (first === null) return null
  let runs = 1
  let smallest = options
  let violation = first
  const tryWith = (candidate: RunOptions): boolean => {
    runs += 1
    const found = runSeed(candidate).violation
    if (found === null || claimOf(found) !== claimOf(first)) return false
    smallest = candidate
    violation = found
    return true
  }
  for (let size = Math.ceil(options.faults.length / 2); size >= 1; size = Math.floor(size / 2)) {
    dropBlocks(() => smallest, size, tryWith)
  }
  while (smallest.clients > 1 && tryWith({ ...smallest, clients: smallest.clients - 1 }));
  if (smallest.reconfigureEvery > 0) tryWith({ ...smallest, reconfigureEvery: 0 })
  return { violation, runs, options: smallest }
}

function dropBlocks(
  current: () => RunOptions,
  size: number,
  tryWith: (candidate: RunOptions) => boolean,
): void {
  for (let start = 0; start < current().faults.length; ) {
    const { faults } = current()
    const fewer = [...faults.slice(0, start), ...faults.slice(start + size)]
    if (!tryWith({ ...current(), faults: fewer })) start += size
  }
}

/** The violated claim without the place, time and numbers at which it was. */
function claimOf(violation: string): string {
  return violation.replace(/\d+/g, '#').slice(0, 60)
}
