// Runs one of the programs of ops/chaos as people do, and judges it by its exit code. What cannot be
// done on this machine is named by the program, and by the test that asked for it.

import { spawn } from 'node:child_process'
import { join, resolve } from 'node:path'
import { fileURLToPath } from 'node:url'
import * as assert from 'uvu/assert'

const FOLDER = resolve(fileURLToPath(import.meta.url), '../../../dist/ops/chaos')

/** What it printed, null when it was skipped. Throws when it ends badly. */
export async function chaosProgram(name: string, args: readonly string[]): Promise<string | null> {
  const child = spawn(process.execPath, [join(FOLDER, `${name}.js`), ...args], {
    env: { ...process.env, REQUIRE_ALL: '' }, // test/run.ts counts what is skipped
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  const chunks: Buffer[] = []
  for (const stream of [child.stdout, child.stderr]) {
    stream.on('data', (chunk: Buffer) => chunks.push(chunk))
  }
  const code = await new Promise(done => child.on('close', done))
  const output = Buffer.concat(chunks).toString()
  const skipped = output.match(/^SKIPPED: .*$/m)
  if (skipped !== null) {
    console.log(skipped[0])
    return null
  }
  assert.is(code, 0, output)
  return output
}

/** A short run of one kind of fault. */
export async function shortChaos(fault: string, seconds = 10): Promise<void> {
  const args = ['--runs', '1', '--seconds', String(seconds), '--fault', fault]
  const output = await chaosProgram('run-chaos', args)
  if (output === null) return
  const figures = /(\d+) operations .* (\d+) faults, .* (\d+) moves/.exec(output)
  assert.ok(Number(figures?.[1]) > 0 && Number(figures?.[2]) > 0, output)
}
