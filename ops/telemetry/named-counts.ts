// Counts by name, made as names come up. A name may be made of several words, one per label.

import type { Sample } from './metric-sources.ts'

export class NamedCounts {
  private readonly counts = new Map<string, number>()

  add(name: string, count = 1): void {
    this.counts.set(name, (this.counts.get(name) ?? 0) + count)
  }

  get(name: string): number {
    return this.counts.get(name) ?? 0
  }

  entries(): Iterable<readonly [string, number]> {
    return this.counts.entries()
  }
}

/** Samples of counts whose names are made of one word per label. */
export function* named(counts: NamedCounts, labels: readonly string[]): Iterable<Sample> {
  for (const [name, value] of counts.entries()) {
    const words = name.split(' ')
    const pairs = labels.map((label, index) => [label, words[index] ?? ''])
    yield { labels: Object.fromEntries(pairs), value }
  }
}
