// strace on a process: its system calls are broken on purpose while it is attached.

import { spawn } from 'node:child_process'
import { readFileSync } from 'node:fs'

export type Strace = {
  detach(): Promise<void>
  /** How many calls were broken so far. */
  injected(): number
}

const ATTACH_MS_MAX = 5_000

/**
 * `injection` as in strace's manual: `fdatasync:delay_enter=300000`. Resolves once it is attached to
 * all threads that the process has.
 */
export function startStrace(pid: number, injection: string, log: string): Promise<Strace> {
  const calls = injection.split(':')[0] ?? ''
  const inject = ['-e', `trace=${calls}`, '-e', `inject=${injection}`]
  const child = spawn('strace', ['-f', '-o', log, ...inject, '-p', String(pid)], {
    stdio: ['ignore', 'ignore', 'pipe'],
  })
  const gone = new Promise<void>(resolve => child.once('close', () => resolve()))
  const injected = (): number => readFileSync(log, 'utf8').split('(INJECTED)').length - 1
  const detach = (): Promise<void> => {
    child.kill('SIGTERM')
    return gone
  }
  return new Promise((resolve, reject) => {
    let said = ''
    const timer = setTimeout(
      () => reject(new Error(`strace does not attach: ${said}`)),
      ATTACH_MS_MAX,
    )
    child.once('error', reject)
    child.once('close', () => reject(new Error(`strace ended: ${said}`)))
    child.stderr.on('data', (chunk: Buffer) => {
      said += chunk.toString()
      if (!said.includes('attached')) return
      clearTimeout(timer)
      resolve({ detach, injected })
    })
  })
}

/** What a command begins with whose system calls are broken from its first on; it is the same process. */
export function straced(injections: readonly string[]): readonly string[] {
  const calls = injections.map(injection => injection.split(':')[0]).join(',')
  const inject = injections.flatMap(injection => ['-e', `inject=${injection}`])
  return ['strace', '-D', '-f', '-o', '/dev/null', '-e', `trace=${calls}`, ...inject]
}
