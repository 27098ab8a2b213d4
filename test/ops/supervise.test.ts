import { type ChildProcess, spawn } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { fileURLToPath } from 'node:url'
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { isAlive } from '../../ops/life.ts'
import { until } from '../support/cluster.ts'

const test = suite('supervisor')
const ROOT = resolve(fileURLToPath(import.meta.url), '../../..')
let folder = ''
let started: Supervised[] = []

test.before.each(() => {
  folder = mkdtempSync(join(tmpdir(), 'supervise-'))
})

test.after.each(async () => {
  for (const { child } of started) child.kill('SIGKILL')
  for (const one of started) for (const pid of one.pids()) end(pid)
  started = []
  rmSync(folder, { recursive: true, force: true })
})

type Supervised = {
  readonly child: ChildProcess
  readonly output: () => string
  /** Processes that the supervised command was so far, oldest first. */
  readonly pids: () => readonly number[]
  readonly ended: Promise<{ code: number | null; ms: () => number }>
}

/** Runs a command that first notes its own process id. */
function supervise(program: string, env: Record<string, string> = {}): Supervised {
  const notes = join(folder, `pids-${started.length}`)
  const note = `require('fs').appendFileSync(${JSON.stringify(notes)}, process.pid + '\\n');`
  const args = ['ops/supervise.sh', 'test', process.execPath, '-e', note + program]
  const child = spawn('sh', args, { cwd: ROOT, env: { ...process.env, ...env } })
  let output = ''
  for (const stream of [child.stdout, child.stderr]) {
    stream.on('data', (chunk: Buffer) => {
      output += chunk
    })
  }
  const one: Supervised = {
    child,
    output: () => output,
    pids: () => lines(notes).map(Number),
    ended: new Promise(done => {
      child.on('close', code => {
        const at = performance.now()
        done({ code, ms: () => at })
      })
    }),
  }
  started.push(one)
  return one
}

function lines(path: string): readonly string[] {
  try {
    return readFileSync(path, 'utf8').trim().split('\n').filter(Boolean)
  } catch {
    return [] // not begun yet
  }
}

function end(pid: number): void {
  try {
    process.kill(pid, 'SIGKILL')
  } catch {
    // gone already
  }
}

/** Takes a moment to stop, so that a second signal would be heard. */
const OBEDIENT = `process.on('SIGTERM', () => {
    console.log('told'); setTimeout(() => process.exit(0), 400) });
  setInterval(() => {}, 1000); console.log('up')`

test('a process that dies is started again', async () => {
  const one = supervise(OBEDIENT)
  await until('the first start', () => one.pids().length === 1)
  end(one.pids()[0]!)
  await until('the second start', () => one.pids().length === 2)
  assert.match(one.output(), /ended with code 137; starts again in 0\.2 s/)
})

test('one that dies at once is started again ever more slowly', async () => {
  const one = supervise('process.exit(3)')
  await until('four starts', () => one.pids().length === 4, 15_000)
  const delays = [...one.output().matchAll(/starts again in ([\d.]+) s/g)].map(match => match[1])
  assert.equal(delays.slice(0, 3), ['0.2', '0.6', '1'])
})

test('one that refuses to start is not hurried', async () => {
  const one = supervise('process.exit(78)')
  await until('the announcement', () => one.output().includes('again'))
  assert.match(one.output(), /ended with code 78; starts again in 5 s/)
})

for (const signal of ['SIGTERM', 'SIGINT', 'SIGHUP'] as const) {
  test(`${signal}, also twice, stops the process once and leaves nothing behind`, async () => {
    const one = supervise(OBEDIENT)
    await until('the start', () => one.output().includes('up'))
    const [pid] = one.pids()
    const at = performance.now()
    one.child.kill(signal)
    await until('it was told', () => one.output().includes('told'))
    one.child.kill(signal)
    const { code, ms } = await one.ended
    assert.is(code, 0)
    assert.ok(ms() - at < 2_000)
    assert.not(isAlive(pid!))
    assert.is(one.output().match(/told/g)?.length, 1)
    assert.is(one.pids().length, 1)
  })
}

test('a process that does not stop is killed before foreman would lose patience', async () => {
  const one = supervise(`process.on('SIGTERM', () => {}); setInterval(() => {}, 1000);
    console.log('up')`)
  await until('the start', () => one.output().includes('up'))
  const at = performance.now()
  one.child.kill('SIGTERM')
  const { code, ms } = await one.ended
  assert.is(code, 0)
  assert.ok(ms() - at > 3_000 && ms() - at < 5_000, `${ms() - at} ms`)
  assert.not(isAlive(one.pids()[0]!))
})

test('a signal during the pause between two starts ends it at once', async () => {
  const one = supervise('process.exit(78)')
  await until('the pause', () => one.output().includes('again in 5 s'))
  const at = performance.now()
  one.child.kill('SIGTERM')
  const { code, ms } = await one.ended
  assert.is(code, 0)
  assert.ok(ms() - at < 1_000)
})

test('nothing is started again for a starter that is gone', async () => {
  const gone = spawn(process.execPath, ['-e', ''])
  await new Promise(done => gone.on('exit', done))
  const one = supervise('process.exit(1)', { SHARDGLASS_STARTER: String(gone.pid) })
  assert.is((await one.ended).code, 0)
  assert.is(one.pids().length, 1)
  assert.match(one.output(), /is gone/)
})

test('an unknown name is refused', async () => {
  const child = spawn('sh', ['ops/supervise.sh', 'nonsense'], { cwd: ROOT, stdio: 'ignore' })
  assert.is(await new Promise(done => child.on('exit', done)), 64)
})

test.run()
