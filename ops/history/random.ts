// Seeded chance for simulation and chaos: sfc32, one stream per purpose. Streams do not disturb each other, so a
// run from which one kind of fault is taken away draws the same for all the others.

import { fnv1a } from '../../server/bytes.ts'

export class Random {
  private a: number
  private b: number
  private c: number
  private counter = 1

  /** The same seed and purpose give the same stream. */
  constructor(seed: number, purpose: string) {
    this.a = fnv1a(`${purpose}/a/${seed}`) | 0
    this.b = fnv1a(`${purpose}/b/${seed}`) | 0
    this.c = fnv1a(`${purpose}/c/${seed}`) | 0
    for (let round = 0; round < 12; round++) this.word()
  }

  /** 32 bits, unsigned. */
  word(): number {
    const sum = (((this.a + this.b) | 0) + this.counter) | 0
    this.counter = (this.counter + 1) | 0
    this.a = this.b ^ (this.b >>> 9)
    this.b = (this.c + (this.c << 3)) | 0
    this.c = (((this.c << 21) | (this.c >>> 11)) + sum) | 0
    return sum >>> 0
  }

  /** From 0 (inclusive) to 1 (exclusive). */
  next(): number {
    return this.word() / 0x1_0000_0000
  }

  /** A whole number from `min` to `max`, both inclusive. */
  between(min: number, max: number): number {
    return min + Math.floor(this.next() * (max - min + 1))
  }

  chance(probability: number): boolean {
    return probability > 0 && this.next() < probability
  }

  /** Like `between`, mostly near `min`, with a tail. */
  skewed(min: number, max: number): number {
    const drawn = this.next()
    return min + Math.floor(drawn * drawn * drawn * (max - min + 1))
  }

  pick<T>(items: readonly T[]): T {
    const item = items[Math.floor(this.next() * items.length)]
    if (item === undefined) throw new Error('pick from nothing')
    return item
  }

  shuffled<T>(items: readonly T[]): T[] {
    const rest = [...items]
    const out: T[] = []
    while (rest.length > 0) out.push(...rest.splice(this.between(0, rest.length - 1), 1))
    return out
  }
}
