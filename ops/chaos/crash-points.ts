// The script of crash-script.ts, stopped dead at each single operation on its log, and at each system
// call on its store's file and on its identity, which the first start writes; then the power of its disk is cut. What the script acknowledged must be
// there at the next start, with the state that it had, and the rest of the script must run.

import { spawn } from 'node:child_process'
import { mkdirSync, rmSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { syncDirectory } from '../../server/host/wal-files.ts'
import { Disk } from './disk.ts'
import type { Room } from './isolation.ts'

/** Where it is stopped: at an operation on the log, before or after it, or at a call on other files. */
export type CrashPoint =
  | { readonly on: 'log'; readonly number: number; readonly isAfter: boolean }
  | { readonly on: 'store' | 'identity'; readonly number: number; readonly call: string }

/** Calls that a point may be at. */
export const CALLS = {
  store: ['pwrite64', 'writev', 'fdatasync', 'ftruncate'],
  identity: ['mkdir', 'openat', 'write', 'fsync', 'rename'],
} as const
/** In the data directory; '' for itself. */
const FILES = {
  store: ['store/data.mdb'],
  identity: ['', 'identity.json.new', 'identity.json', 'log', 'store'],
} as const

type ScriptRun = {
  readonly isWhole: boolean
  readonly isKilled: boolean
  /** Configuration after each acknowledged operation, and the one found at the start: number → text. */
  readonly states: ReadonlyMap<number, string>
  readonly found: number
  readonly acknowledged: number
  readonly operations: number
  readonly output: string
}

const OPERATIONS = 50
const DISK_MEGABYTES = 64
const RUN_MS_MAX = 60_000
const FOLDER = dirname(fileURLToPath(import.meta.url))

export class CrashPoints {
  /** Of a run that is not stopped: the model. */
  private whole: ScriptRun | null = null
  private readonly disk: Disk

  private constructor(disk: Disk) {
    this.disk = disk
  }

  static async start(room: Room): Promise<CrashPoints> {
    const place = { image: join(room.folder, 'crash.img'), folder: join(room.folder, 'crash') }
    const points = new CrashPoints(await Disk.create({ ...place, megabytes: DISK_MEGABYTES }))
    points.whole = await points.run('whole', [], 0)
    if (!points.whole.isWhole) throw new Error(`the script fails: ${points.whole.output}`)
    return points
  }

  /** Operations on the log of a run that is not stopped; a run takes about as many each time. */
  get logOperations(): number {
    return this.whole?.operations ?? 0
  }

  /** What is wrong after a stop at this point, null if nothing; `isReached`: it was stopped. */
  async check(
    point: CrashPoint,
  ): Promise<{ readonly isReached: boolean; readonly wrong: string | null }> {
    const name = 'point'
    rmSync(join(this.disk.folder, name), { recursive: true, force: true })
    // Or the power cut brings back what the point before this one left.
    await syncDirectory(this.disk.folder)
    const folder = join(this.disk.folder, name)
    const first =
      point.on === 'log'
        ? await this.run(name, [], point.isAfter ? -point.number : point.number)
        : await this.run(name, stopAt(folder, point), 0)
    if (!first.isKilled && !first.isWhole) return { isReached: true, wrong: first.output }
    await this.disk.cutPower()
    await this.disk.unmount()
    await this.disk.mount()
    const second = await this.run(name, [], 0)
    return { isReached: first.isKilled, wrong: this.wrongWith(first, second) }
  }

  async stop(): Promise<void> {
    await this.disk.unmount()
  }

  private wrongWith(first: ScriptRun, second: ScriptRun): string | null {
    const { found, isWhole, output, states } = second
    if (!isWhole) return `it does not go on: ${output}`
    if (found < first.acknowledged || found > first.acknowledged + 1) {
      return `${found} is found, ${first.acknowledged} was acknowledged`
    }
    for (const [number, state] of states) {
      const expected = this.whole?.states.get(number)
      if (expected !== undefined && expected !== state) {
        return `configuration ${number} is ${state}, not ${expected}`
      }
    }
    return null
  }

  private run(name: string, under: readonly string[], crashAt: number): Promise<ScriptRun> {
    const folder = join(this.disk.folder, name)
    mkdirSync(folder, { recursive: true, mode: 0o700 })
    const script = [join(FOLDER, 'crash-script.js'), folder, String(OPERATIONS), String(crashAt)]
    const [program = '', ...args] = [...under, process.execPath, ...script]
    const child = spawn(program, args, { stdio: ['ignore', 'pipe', 'pipe'], timeout: RUN_MS_MAX })
    const chunks: Buffer[] = []
    for (const stream of [child.stdout, child.stderr]) {
      stream.on('data', (chunk: Buffer) => chunks.push(chunk))
    }
    return new Promise((resolve, reject) => {
      child.on('error', reject)
      child.on('close', (code, signal) => {
        const output = Buffer.concat(chunks).toString()
        resolve({ isWhole: code === 0, isKilled: signal === 'SIGKILL', ...said(output), output })
      })
    })
  }
}

function said(output: string): Omit<ScriptRun, 'isWhole' | 'isKilled' | 'output'> {
  const states = new Map<number, string>()
  let found = 0
  for (const [, word, number, state] of output.matchAll(/^(found|acknowledged) (\d+) (.*)$/gm)) {
    states.set(Number(number), state ?? '')
    if (word === 'found') found = Number(number)
  }
  const operations = Number(/^operations (\d+)$/m.exec(output)?.[1] ?? 0)
  return { states, found, acknowledged: Math.max(0, ...states.keys()), operations }
}

/** What a command begins with that is to be killed at the n-th such call on these files. */
function stopAt(folder: string, point: Exclude<CrashPoint, { on: 'log' }>): readonly string[] {
  const { on, call, number } = point
  const paths = FILES[on].flatMap(file => ['-P', join(folder, file)])
  const inject = `inject=${call}:signal=KILL:when=${number}`
  return ['strace', '-D', '-f', '-o', '/dev/null', ...paths, '-e', `trace=${call}`, '-e', inject]
}
