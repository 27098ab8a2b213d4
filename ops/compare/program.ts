// Other systems' servers as child processes that end with this one, and what processes cost.

import { type ChildProcess, spawn } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { hasProgram } from '../chaos/command.ts'

const OUTPUT_CHARACTERS_MAX = 8 * 1024
const STOP_MS = 3_000

export class Program {
  output = ''
  private readonly child: ChildProcess

  constructor(program: string, args: readonly string[]) {
    // A killed parent can stop nothing: the kernel does it for us, where setpriv can ask it to.
    const prefix = hasProgram('setpriv') ? ['setpriv', '--pdeathsig', 'KILL', '--'] : []
    const [command = program, ...rest] = [...prefix, program, ...args]
    this.child = spawn(command, rest, { stdio: ['pipe', 'pipe', 'pipe'] })
    for (const stream of [this.child.stdout, this.child.stderr]) {
      stream?.on('data', (chunk: Buffer) => {
        this.output = (this.output + chunk.toString()).slice(-OUTPUT_CHARACTERS_MAX)
      })
    }
    this.child.on('error', error => {
      this.output += String(error)
    })
  }

  get pid(): number {
    const { pid, exitCode, signalCode } = this.child
    if (pid !== undefined && exitCode === null && signalCode === null) return pid
    throw new Error(`a program ended: ${this.output.slice(-1_000)}`)
  }

  async stop(): Promise<void> {
    const { child } = this
    if (child.pid === undefined || child.exitCode !== null || child.signalCode !== null) return
    const gone = new Promise<void>(resolve => child.once('close', () => resolve()))
    child.kill('SIGTERM')
    const timer = setTimeout(() => child.kill('SIGKILL'), STOP_MS)
    await gone
    clearTimeout(timer)
  }
}

/** Fields of /proc/PID/stat behind the name (proc(5)): user and system time in hundredths of a second. */
const USER_TICKS = 11
const SYSTEM_TICKS = 12
const TICK_MICROS = 10_000

/** Processor time since their start, all threads, µs. */
export function cpuMicros(pids: readonly number[]): number {
  let ticks = 0
  for (const pid of pids) {
    const stat = readFileSync(`/proc/${pid}/stat`, 'utf8')
    const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ')
    ticks += Number(fields[USER_TICKS]) + Number(fields[SYSTEM_TICKS])
  }
  return ticks * TICK_MICROS
}

/** Memory of a process, bytes. `anonymous`: without what is mapped from files. */
export function memoryOf(pid: number): { readonly rss: number; readonly anonymous: number } {
  const status = readFileSync(`/proc/${pid}/status`, 'utf8')
  const kilobytes = (name: string): number =>
    Number(new RegExp(`^${name}:\\s+(\\d+) kB$`, 'm').exec(status)?.[1] ?? 0)
  return { rss: kilobytes('VmRSS') * 1024, anonymous: kilobytes('RssAnon') * 1024 }
}
