// The life of one process: it starts or refuses in one sentence, stops once however often it is
// told to, and ends with a code that says which of these it was. Nothing unexpected is survived.

import { InvariantError } from '../server/assert.ts'
import { createLog, type Log } from './log.ts'

/** Exit codes; the supervisor and people rely on them. */
export const EXIT = {
  /** Stopped because it was told to. */
  stopped: 0,
  /** A broken invariant, a failing disk, a fault of the program. */
  failed: 70,
  /** It does not start like this: flags, a foreign or damaged data directory, a port in use. */
  refused: 78,
} as const

/** Why a process does not start; the message is a sentence for people. */
export class Refusal extends Error {
  override readonly name = 'Refusal'
}

export type Life = {
  readonly log: Log
  /** Ends the process at once: what it holds in memory is not to be trusted. */
  readonly onFatal: (error: unknown) => void
}

/** What a started process gives back: how to stop it. Must settle; at STOP_MS_MAX it is over anyway. */
export type Running = { stop(): Promise<void> }

/** Foremen send KILL after 5 s, the supervisor after 4. */
const STOP_MS_MAX = 3_000
/** How long a process may outlive those above it; every look is a wakeup. */
const WATCH_MS = 2_000

/** Runs `start`; never returns before the process is up, and keeps it up until a signal. */
export async function live(name: string, start: (life: Life) => Promise<Running>): Promise<void> {
  const log = createLog(name)
  const onFatal = (error: unknown): void => {
    log('error', 'stops: what it holds is not to be trusted any more', { error: describe(error) })
    process.exit(EXIT.failed)
  }
  process.on('uncaughtException', onFatal)
  process.on('unhandledRejection', onFatal)
  const stopping = onceTold(log)
  let running: Running
  try {
    running = await start({ log, onFatal })
  } catch (error) {
    log('error', 'refuses to start', { reason: describe(error) })
    process.exit(EXIT.refused)
  }
  const reason = await stopping
  log('info', 'stopping', { reason })
  setTimeout(() => {
    log('warn', 'did not stop in time: ends anyway')
    process.exit(EXIT.stopped)
  }, STOP_MS_MAX).unref()
  await running.stop()
  log('info', 'stopped')
  process.exit(EXIT.stopped)
}

/** Resolves with the reason at the first signal, or when the processes above this one are gone. */
function onceTold(log: Log): Promise<string> {
  return new Promise(resolve => {
    for (const signal of ['SIGTERM', 'SIGINT', 'SIGHUP'] as const) {
      process.on(signal, () => resolve(signal))
    }
    process.stdout.on('error', () => undefined) // its reader may be gone: nothing more to say
    const watched = [process.env.SHARDGLASS_SUPERVISOR, process.env.SHARDGLASS_STARTER]
      .map(Number)
      .filter(pid => Number.isInteger(pid) && pid > 0)
    if (watched.length === 0) return
    const timer = setInterval(() => {
      if (watched.every(isAlive)) return
      clearInterval(timer)
      resolve('the process that started this one is gone')
    }, WATCH_MS)
    timer.unref()
    log('info', 'starting', { pid: process.pid })
  })
}

/** Whether a process of this id exists. */
export function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0)
    return true
  } catch (error) {
    return error instanceof Error && 'code' in error && error.code === 'EPERM'
  }
}

/** An error in one line, with its causes, and its stack only where it is a fault of the program. */
export function describe(error: unknown): string {
  if (!(error instanceof Error)) return String(error)
  const cause = error.cause === undefined ? '' : ` (because: ${describe(error.cause)})`
  const isFault = error instanceof TypeError || error instanceof InvariantError
  const place = isFault ? ` ${error.stack?.split('\n').slice(1, 4).join(' ').trim()}` : ''
  return `${error.message}${cause}${place}`
}
