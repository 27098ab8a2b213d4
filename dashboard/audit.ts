// The log of what was changed through the dashboard: who, when, what, with which result. A line is
// written before the change is tried and another after, so that none goes unseen; values and tokens
// are never in it. One JSON object a line.

import { randomBytes } from 'node:crypto'
import { closeSync, fsyncSync, mkdirSync, openSync, readFileSync, writeSync } from 'node:fs'
import { dirname } from 'node:path'
import { z } from 'zod'
import { ShardglassError } from '../server/client/clerk.ts'

const auditEntry = z.object({
  id: z.string(),
  /** ms since 1970. */
  at: z.number(),
  who: z.string(),
  what: z.string(),
  /** `begun` where nothing more is known: it may or may not have happened. */
  result: z.string(),
})

export type AuditEntry = Readonly<z.infer<typeof auditEntry>>

/** The page shows the newest of at most so many bytes. */
const READ_BYTES = 512 * 1024

export class Audit {
  private readonly file: number
  private readonly path: string
  private readonly nowMs: () => number

  constructor(path: string, nowMs: () => number) {
    mkdirSync(dirname(path), { recursive: true, mode: 0o700 })
    this.path = path
    this.nowMs = nowMs
    this.file = openSync(path, 'a', 0o600)
  }

  /** Runs `work` between the two lines. What it throws is noted, and thrown on. */
  async around<T>(
    who: string,
    what: string,
    work: () => Promise<T>,
    resultOf: (value: T) => string = () => 'done',
  ): Promise<T> {
    const id = randomBytes(8).toString('hex')
    this.write({ id, at: this.nowMs(), who, what, result: 'begun' })
    try {
      const value = await work()
      this.write({ id, at: this.nowMs(), who, what, result: resultOf(value) })
      return value
    } catch (error) {
      this.write({ id, at: this.nowMs(), who, what, result: failureText(error) })
      throw error
    }
  }

  note(who: string, what: string, result: string): void {
    this.write({ id: randomBytes(8).toString('hex'), at: this.nowMs(), who, what, result })
  }

  /** Newest first, each with its last result. */
  newest(count: number): readonly AuditEntry[] {
    const text = readFileSync(this.path)
    const lines = text
      .subarray(Math.max(0, text.length - READ_BYTES))
      .toString('utf8')
      .split('\n')
    const byId = new Map<string, AuditEntry>()
    for (const line of lines) {
      const entry = entryOf(line)
      if (entry !== null) byId.set(entry.id, { ...entry, at: byId.get(entry.id)?.at ?? entry.at })
    }
    return [...byId.values()].slice(-count).reverse()
  }

  close(): void {
    closeSync(this.file)
  }

  private write(entry: AuditEntry): void {
    writeSync(this.file, `${JSON.stringify(entry)}\n`)
    fsyncSync(this.file)
  }
}

export function failureText(error: unknown): string {
  if (!(error instanceof ShardglassError)) return 'failed unexpectedly'
  const open = error.outcome === 'unknown' ? ' (it may take effect yet)' : ''
  return `refused: ${error.detail}${open}`
}

function entryOf(line: string): AuditEntry | null {
  let value: unknown
  try {
    value = JSON.parse(line)
  } catch {
    return null // the first line of a cut, or the end of one not finished
  }
  return auditEntry.safeParse(value).data ?? null
}
