// Other programs, run to their end. What fails is told with what they said.

import { spawn } from 'node:child_process'
import { accessSync, constants } from 'node:fs'
import { delimiter, join } from 'node:path'

const TIMEOUT_MS = 20_000

/** What a program printed. Rejects where it fails, or takes longer than 20 s. */
export function command(
  program: string,
  args: readonly string[],
  options: { readonly input?: string } = {},
): Promise<string> {
  const child = spawn(program, args, { stdio: ['pipe', 'pipe', 'pipe'], timeout: TIMEOUT_MS })
  const chunks: Buffer[] = []
  for (const stream of [child.stdout, child.stderr]) {
    stream.on('data', (chunk: Buffer) => chunks.push(chunk))
  }
  child.stdin.on('error', () => undefined) // it ended without reading: its exit code tells
  child.stdin.end(options.input ?? '')
  return new Promise((resolve, reject) => {
    child.on('error', reject)
    child.on('close', code => {
      const said = Buffer.concat(chunks).toString()
      if (code === 0) resolve(said)
      else reject(new Error(`${program} ${args.join(' ')}: ${said.trim() || `exit code ${code}`}`))
    })
  })
}

/** Whether a program of this name can be started. */
export function hasProgram(name: string): boolean {
  const folders = [...(process.env.PATH ?? '').split(delimiter), '/usr/sbin', '/sbin']
  return folders.some(folder => {
    try {
      accessSync(join(folder, name), constants.X_OK)
      return true
    } catch {
      return false // not in this folder
    }
  })
}

export function pause(ms: number): Promise<void> {
  return new Promise(resolve => setTimeout(resolve, ms))
}

/** Waits for a condition, and says whether it came true in time. */
export async function eventually(
  condition: () => boolean | Promise<boolean>,
  timeoutMs: number,
  everyMs = 50,
): Promise<boolean> {
  const deadline = performance.now() + timeoutMs
  for (;;) {
    if (await condition()) return true
    if (performance.now() > deadline) return false
    await pause(everyMs)
  }
}
