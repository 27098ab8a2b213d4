// One node of the test cluster as a process: started, killed, started again, and what it said.

import { type ChildProcess, spawn } from 'node:child_process'
import { readdirSync, readFileSync, readlinkSync } from 'node:fs'
import { dirname, join, resolve } from 'node:path'
import { fileURLToPath } from 'node:url'
import type { Disk } from './disk.ts'

export type MemberFields = {
  /** `sm0`, `kv1-0` … */
  readonly name: string
  /** 0: a shardmaster. */
  readonly gid: number
  readonly replica: number
  /** Under which all others, and clients, know it. */
  readonly url: string
  /** Its own data directory. */
  readonly folder: string
  readonly disk: Disk | null
  readonly args: readonly string[]
  /** What its command begins with: a network to run in. */
  readonly prefix: readonly string[]
  readonly env: Readonly<Record<string, string>>
}

/** The built programs: beside this file when it is built itself. */
const FOLDER = dirname(fileURLToPath(import.meta.url))
const PROGRAMS = FOLDER.includes('/dist/')
  ? resolve(FOLDER, '..')
  : resolve(FOLDER, '../../dist/ops')
const OUTPUT_CHARACTERS_MAX = 64 * 1024

/** How a process ended: its exit code or signal. */
export type Ending = { readonly name: string; readonly how: string; readonly lastWords: string }

export class Member {
  readonly fields: MemberFields
  /** Its end is the tool's own doing. */
  isEndExpected = false
  output = ''
  private readonly onEnding: (ending: Ending) => void
  private child: ChildProcess | null = null

  constructor(fields: MemberFields, onEnding: (ending: Ending) => void) {
    this.fields = fields
    this.onEnding = onEnding
  }

  get name(): string {
    return this.fields.name
  }

  get gid(): number {
    return this.fields.gid
  }

  get url(): string {
    return this.fields.url
  }

  get isRunning(): boolean {
    return this.child !== null
  }

  /** Throws while it does not run. */
  get pid(): number {
    const pid = this.child?.pid
    if (pid === undefined) throw new Error(`${this.name} does not run`)
    return pid
  }

  /** Open files of the process. */
  get handles(): number {
    return readdirSync(`/proc/${this.pid}/fd`).length
  }

  /** Those of them that are not sockets, which come and go with clients. */
  get files(): number {
    const folder = `/proc/${this.pid}/fd`
    return readdirSync(folder).filter(fd => !isSocket(join(folder, fd))).length
  }

  /** How many it may open. */
  get handlesMax(): number {
    const text = readFileSync(`/proc/${this.pid}/limits`, 'utf8')
    return Number(/^Max open files +(\d+)/m.exec(text)?.[1])
  }

  /** `under`: a further program to run it under, such as strace. */
  start(under: readonly string[] = []): void {
    if (this.child !== null) throw new Error(`${this.name} runs already`)
    const { prefix, args, gid, env } = this.fields
    const script = resolve(PROGRAMS, gid === 0 ? 'start-shardmaster.js' : 'start-shardkv.js')
    const [program = '', ...rest] = [...prefix, ...under, process.execPath, script, ...args]
    const child = spawn(program, rest, {
      // It ends by itself when this process is gone.
      env: { ...process.env, ...env, SHARDGLASS_SUPERVISOR: String(process.pid) },
      stdio: ['ignore', 'pipe', 'pipe'],
    })
    this.child = child
    this.isEndExpected = false
    for (const stream of [child.stdout, child.stderr]) {
      stream?.on('data', (chunk: Buffer) => {
        this.output = (this.output + chunk.toString()).slice(-OUTPUT_CHARACTERS_MAX)
      })
    }
    child.on('error', error => {
      this.output += String(error)
    })
    child.on('close', (code, signal) => this.onClose(signal ?? `code ${code}`))
  }

  signal(signal: NodeJS.Signals): void {
    this.child?.kill(signal)
  }

  /** Resolves when the process is gone. */
  kill(signal: NodeJS.Signals = 'SIGKILL'): Promise<void> {
    this.isEndExpected = true
    const gone = this.gone()
    this.signal(signal)
    return gone
  }

  /** Resolves when no process runs. */
  gone(): Promise<void> {
    const { child } = this
    return child === null
      ? Promise.resolve()
      : new Promise(done => child.once('close', () => done()))
  }

  private onClose(how: string): void {
    this.child = null
    if (this.isEndExpected) return
    this.onEnding({ name: this.name, how, lastWords: this.output.slice(-2_000) })
  }
}

/** False also for a handle that is gone by now. */
function isSocket(handle: string): boolean {
  try {
    return readlinkSync(handle).startsWith('socket:')
  } catch {
    return false
  }
}
