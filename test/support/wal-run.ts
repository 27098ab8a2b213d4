// An open log with its callbacks written down, for tests.

import { openWal, type Wal, type WalOptions } from '../../server/host/wal.ts'
import type { WalFiles } from '../../server/host/wal-files.ts'

export type WalRun = {
  readonly wal: Wal
  /** Payloads read back at the opening, as text. */
  readonly recovered: readonly string[]
  readonly durable: () => number
  readonly failures: readonly Error[]
  /** Appends and flushes; resolves when the record is durable. */
  readonly write: (text: string, slot?: number) => Promise<void>
}

/** Opens the log on `files`; each segment begins with the record `header`. */
export async function runWal(files: WalFiles, options: Partial<WalOptions> = {}): Promise<WalRun> {
  let durable = 0
  const failures: Error[] = []
  const { wal, recovered } = await openWal({
    dir: 'unused',
    files,
    segmentBytes: 512,
    retryMs: 5,
    header: () => [Buffer.from('header')],
    onDurable: upTo => {
      durable = upTo
    },
    onFailure: error => failures.push(error),
    ...options,
  })
  const write = async (text: string, slot = 0) => {
    const number = wal.append(Buffer.from(text), slot)
    wal.flush()
    await until(() => durable >= number || failures.length > 0)
  }
  return { wal, recovered: recovered.map(String), durable: () => durable, failures, write }
}

/** Resolves when the condition holds; rejects after `ms`. */
export async function until(isTrue: () => boolean, ms = 5000): Promise<void> {
  const end = performance.now() + ms
  while (!isTrue()) {
    if (performance.now() > end) throw new Error(`not within ${ms} ms: ${isTrue}`)
    await new Promise(resolve => setImmediate(resolve))
  }
}

/** What was recovered, without the records that segments begin with. */
export function own(recovered: readonly string[]): readonly string[] {
  return recovered.filter(text => text !== 'header')
}
