// Which values the operations that are still to be placed could have seen. A write of unknown
// outcome whose value none of them saw need not have happened.

import type { Operation } from './history.ts'

export class Witnesses {
  /** value → how many saw it; '' stands for an absent key, which puthash answers as ''. */
  private readonly counts = new Map<string, number>()
  /** Versions that their own writers were told. */
  private readonly told = new Set<number>()
  /** Operations that know a version whose writer was not told: they may have seen any value. */
  private strange = 0

  constructor(operations: readonly Operation[]) {
    for (const { action, outcome } of operations) {
      if (action.op !== 'get' && outcome?.type === 'ok') this.told.add(outcome.version)
    }
  }

  /** Adds an operation to those still to be placed, or takes it away. */
  count(operation: Operation, by: 1 | -1): void {
    const value = seenBy(operation)
    if (value !== null) this.counts.set(value, (this.counts.get(value) ?? 0) + by)
    if (this.isStrange(operation)) this.strange += by
  }

  canSee(value: string | null): boolean {
    return this.strange > 0 || (this.counts.get(value ?? '') ?? 0) > 0
  }

  private isStrange({ action, outcome }: Operation): boolean {
    if (action.op === 'get') return false
    if (outcome?.type === 'conditionFailed') {
      return outcome.version !== 0 && !this.told.has(outcome.version)
    }
    const { condition } = action
    return condition.type === 'ifVersion' && !this.told.has(condition.version)
  }
}

function seenBy({ action, outcome }: Operation): string | null {
  if (outcome === null) return null
  if (outcome.type === 'noSuchKey') return ''
  if (outcome.type === 'conditionFailed') return outcome.version === 0 ? '' : null
  if (action.op === 'get' || action.op === 'puthash') return outcome.value
  return action.condition.type === 'ifAbsent' ? '' : null
}
