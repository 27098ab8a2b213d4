// Makes a failing run smaller as long as the same claim is violated: nothing after the violation,
// fewer faults (by halves, then less and less, down to one), calmer weather, usual settings, fewer
// clients and keys. Streams of chance are apart, so what stays in the list stays what it was.

import { DEFAULT_SETTINGS } from '../../server/paxos/settings.ts'
import { DEFAULT_SHARDKV_SETTINGS } from '../../server/shardkv/settings.ts'
import type { RunOptions } from './options.ts'
import { type RunResult, runSeed } from './run-seed.ts'

export type Shrunk = {
  readonly violation: string
  readonly runs: number
  readonly options: RunOptions
}

const MINUTES_MAX = 5
const SECOND = 1_000_000

/** null when the run does not fail to begin with. */
export function shrink(options: RunOptions): Shrunk | null {
  return new Shrinking(options).run()
}

class Shrinking {
  private smallest: RunOptions
  private violation = ''
  private claim = ''
  private runs = 0
  private readonly startedAt = performance.now()

  constructor(options: RunOptions) {
    this.smallest = options
  }

  run(): Shrunk | null {
    const first = this.play(this.smallest)
    if (first.violation === null) return null
    this.violation = first.violation
    this.claim = claimOf(first.violation)
    this.dropLater(first.endedAt)
    this.dropFaults()
    this.calmWeather()
    this.useUsual()
    while (this.smallest.clients > 1 && this.try({ clients: this.smallest.clients - 1 }));
    while (this.smallest.keys.length > 1 && this.try({ keys: this.smallest.keys.slice(0, -1) }));
    this.dropFaults()
    return { violation: this.violation, runs: this.runs, options: this.smallest }
  }

  /** Whether the run still fails in the same way with these changes; keeps them if so. */
  private try(changes: Partial<RunOptions>): boolean {
    if (performance.now() - this.startedAt > MINUTES_MAX * 60_000) return false
    const candidate = { ...this.smallest, ...changes }
    const { violation } = this.play(candidate)
    if (violation === null || claimOf(violation) !== this.claim) return false
    this.smallest = candidate
    this.violation = violation
    return true
  }

  private play(options: RunOptions): RunResult {
    this.runs += 1
    return runSeed(options)
  }

  /** Faults that come after it, and time in which nothing is wrong any more. */
  private dropLater(endedAt: number): void {
    const { faults, chaosUntil, endAt } = this.smallest
    const before = faults.filter(fault => fault.at <= endedAt)
    if (before.length < faults.length) this.try({ faults: before })
    const last = before.reduce((most, fault) => Math.max(most, fault.at + fault.lasts), 0)
    const sooner = Math.ceil(last / SECOND) * SECOND
    if (sooner < chaosUntil) this.try({ chaosUntil: sooner, endAt: endAt - chaosUntil + sooner })
  }

  private dropFaults(): void {
    let size = Math.ceil(this.smallest.faults.length / 2)
    for (; size >= 1; size = size === 1 ? 0 : Math.ceil(size / 2)) {
      for (let start = 0; start < this.smallest.faults.length; ) {
        const { faults } = this.smallest
        const fewer = [...faults.slice(0, start), ...faults.slice(start + size)]
        if (!this.try({ faults: fewer })) start += size
      }
    }
  }

  private calmWeather(): void {
    for (const rate of ['late', 'loss', 'duplication'] as const) {
      const { weather } = this.smallest
      if (weather[rate] > 0) this.try({ weather: { ...weather, [rate]: 0 } })
    }
    if (this.smallest.reconfigureEvery > 0) this.try({ reconfigureEvery: 0 })
    if (this.smallest.drift > 0) this.try({ drift: 0 })
    if (this.smallest.stray > 0) this.try({ stray: 0 })
  }

  private useUsual(): void {
    if (!this.try({ settings: DEFAULT_SETTINGS })) {
      for (const [name, value] of Object.entries(DEFAULT_SETTINGS)) {
        const { settings } = this.smallest
        const isUsual = Object.entries(settings).some(([n, v]) => n === name && v === value)
        if (!isUsual) this.try({ settings: { ...settings, [name]: value } })
      }
    }
    this.try({ shardkv: DEFAULT_SHARDKV_SETTINGS })
  }
}

/** The violated claim without the place, time and numbers at which it was. */
function claimOf(violation: string): string {
  return violation.replace(/\d+/g, '#').slice(0, 60)
}

/** What is left, for people: the schedule first, then what is not usual. */
export function describeShrunk({ violation, runs, options }: Shrunk): string {
  const { faults, settings, shardkv, weather, clients, keys } = options
  const usual = { ...DEFAULT_SETTINGS, ...DEFAULT_SHARDKV_SETTINGS }
  const kept = new Map(Object.entries(usual))
  const unusual = Object.entries({ ...settings, ...shardkv })
    .filter(([name, value]) => JSON.stringify(kept.get(name)) !== JSON.stringify(value))
    .map(([name, value]) => `${name} ${JSON.stringify(value)}`)
  const schedule = faults.map(({ at, lasts, type, ...rest }) => {
    const ms = (micros: number) => (micros / 1000).toFixed(0)
    return `  at ${ms(at)} ms for ${ms(lasts)} ms: ${type} ${JSON.stringify(rest)}`
  })
  return [
    violation,
    `seed ${options.seed}, ${faults.length} faults after ${runs} runs:`,
    ...schedule,
    `  ${clients} clients, keys ${keys.join(' ')}, changes every ${options.reconfigureEvery} µs`,
    `  weather ${JSON.stringify(weather)}`,
    `  settings: ${unusual.join(', ') || 'as usual'}`,
  ].join('\n')
}
