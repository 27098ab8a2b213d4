// The file of clients' tokens, of which a running cluster takes note: nodes read it again when it
// changes, and the dashboard changes it. A file that cannot be read or is wrong changes nothing.

import { randomBytes } from 'node:crypto'
import {
  closeSync,
  type FSWatcher,
  fsyncSync,
  openSync,
  renameSync,
  statSync,
  watch,
  writeSync,
} from 'node:fs'
import { basename, dirname } from 'node:path'
import { type Auth, decodeTokens, type TokenRecord } from '../server/http/auth.ts'
import { describe } from './life.ts'
import type { Log } from './log.ts'
import { readSecret } from './secrets.ts'

/** Where no notice of changes comes (network file systems), it is looked at this often. */
const LOOK_MS = 10_000

/** Keeps `auth` at what the file says, also since it was read for `auth`, until it is stopped. */
export function followTokens(path: string, auth: Auth, log: Log): { stop(): void } {
  let known: string | null = null
  const look = (): void => {
    const stamp = stampOf(path)
    if (stamp === known) return
    const isFirst = known === null
    known = stamp
    try {
      auth.replaceTokens(readTokens(path))
      if (!isFirst) log('info', 'tokens read again')
    } catch (error) {
      log('error', 'the tokens file is not readable: the former tokens stay', {
        error: describe(error),
      })
    }
  }
  const watcher = watching(path, look)
  look() // what changed before the watch began has no notice
  const timer = setInterval(look, LOOK_MS)
  timer.unref()
  return {
    stop: () => {
      clearInterval(timer)
      watcher?.close()
    },
  }
}

export function readTokens(path: string): readonly TokenRecord[] {
  return decodeTokens(readSecret(path))
}

/**
 * Reads, changes and replaces the file, whole or not at all. One at a time: two dashboards over one
 * file must not change it in the same moment.
 */
export function changeTokens(
  path: string,
  change: (tokens: readonly TokenRecord[]) => readonly TokenRecord[],
): void {
  const next = change(readTokens(path))
  const text = `${JSON.stringify(next, null, 2)}\n`
  decodeTokens(text) // what could not be read back is not written
  const aside = `${path}.${process.pid}.${randomBytes(4).toString('hex')}`
  const file = openSync(aside, 'wx', 0o600)
  try {
    writeSync(file, text)
    fsyncSync(file)
  } finally {
    closeSync(file)
  }
  renameSync(aside, path)
  const folder = openSync(dirname(path), 'r')
  try {
    fsyncSync(folder)
  } finally {
    closeSync(folder)
  }
}

/** The folder, not the file: it is replaced, which ends a watch of the file itself. */
function watching(path: string, look: () => void): FSWatcher | null {
  try {
    const watcher = watch(dirname(path), { persistent: false }, (_, name) => {
      if (name === null || name === basename(path)) look()
    })
    watcher.on('error', () => watcher.close()) // the timer goes on looking
    return watcher
  } catch {
    return null // no notices here (out of watches): the timer looks
  }
}

/** Tells one state of the file from another; '' while it is not there. */
function stampOf(path: string): string {
  try {
    const { ino, mtimeMs, size } = statSync(path)
    return `${ino}/${mtimeMs}/${size}`
  } catch {
    return '' // missed while it is replaced by hand: the next look sees it
  }
}
