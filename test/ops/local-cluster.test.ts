import { type ChildProcess, execFileSync, spawn } from 'node:child_process'
import { existsSync, mkdtempSync, readdirSync, readFileSync, readlinkSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { fileURLToPath } from 'node:url'
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { localCluster } from '../../ops/local.ts'
import { unreadyNodes } from '../../ops/ports.ts'
import { freeBase, until } from '../support/cluster.ts'

const test = suite('local cluster')
const ROOT = resolve(fileURLToPath(import.meta.url), '../../..')
let folder = ''
let env: NodeJS.ProcessEnv
let runner: Runner | null = null

test.before.each(async () => {
  folder = mkdtempSync(join(tmpdir(), 'local-'))
  const base = await freeBase()
  const mark = { SHARDGLASS_BASE_PORT: String(base), SHARDGLASS_DATA: join(folder, 'data') }
  env = { ...process.env, ...mark }
})

test.after.each(() => {
  runner?.child.kill('SIGKILL')
  for (const pid of ours()) process.kill(pid, 'SIGKILL')
  rmSync(folder, { recursive: true, force: true })
})

type Runner = { readonly child: ChildProcess; output: string; endedMs: Promise<number> }

function run(command: string, args: readonly string[]): Runner {
  const child = spawn(command, args, { cwd: ROOT, env, stdio: ['ignore', 'pipe', 'pipe'] })
  const started: Runner = {
    child,
    output: '',
    endedMs: new Promise(done => child.on('exit', () => done(performance.now()))),
  }
  for (const stream of [child.stdout, child.stderr]) {
    stream?.on('data', (chunk: Buffer) => {
      started.output += chunk.toString()
    })
  }
  runner = started
  return started
}

const npmStart = () => run(process.execPath, ['dist/ops/start.js'])

/** Waits until it says that the cluster is up. */
async function welcomed(started: Runner): Promise<void> {
  const isUp = (): boolean => started.output.includes('Ctrl-C stops')
  await until('the welcome', isUp, 60_000).catch(error => {
    throw new Error(`${error.message}\n${started.output.slice(-3_000)}`)
  })
}

/** Every process that has this test's data folder in its environment, however it was started. */
function ours(): readonly number[] {
  const mark = `SHARDGLASS_DATA=${join(folder, 'data')}`
  return readdirSync('/proc')
    .filter(name => /^\d+$/.test(name) && Number(name) !== process.pid)
    .filter(name => {
      try {
        return readFileSync(`/proc/${name}/environ`, 'utf8').split('\0').includes(mark)
      } catch {
        return false // gone meanwhile
      }
    })
    .map(Number)
}

/** The process of a node, by the flag with its name. */
function processOf(name: string): number | undefined {
  return ours().find(pid => {
    try {
      const words = readFileSync(`/proc/${pid}/cmdline`, 'utf8').split('\0')
      const isNode = readlinkSync(`/proc/${pid}/exe`).endsWith('/node')
      return isNode && words.includes('--local') && words.includes(name)
    } catch {
      return false
    }
  })
}

async function allReady(): Promise<void> {
  const { nodes } = localCluster(env)
  let unready: readonly string[] = []
  const areReady = async (): Promise<boolean> => {
    unready = (await unreadyNodes(nodes)).map(({ name }) => name)
    return unready.length === 0
  }
  try {
    await until('all nodes ready', areReady, 60_000)
  } catch (cause) {
    throw new Error(`not ready: ${unready.join(', ')}\n${runner?.output}`, { cause })
  }
}

async function survivesKill(name: string): Promise<void> {
  const first = processOf(name)
  assert.type(first, 'number')
  process.kill(first ?? 0, 'SIGKILL')
  await until('another process of that name', () => ![first, undefined].includes(processOf(name)))
  await allReady()
}

/** Sends the signal, perhaps twice, and asserts that within 5 s nothing is left. */
async function stopsClean(signal: NodeJS.Signals, times: number): Promise<void> {
  const at = performance.now()
  for (let count = 0; count < times; count++) {
    runner?.child.kill(signal)
    await new Promise(done => setTimeout(done, 100))
  }
  const endedMs = await runner!.endedMs
  assert.ok(endedMs - at < 5_000, `it took ${endedMs - at} ms`)
  await until('no process left', () => ours().length === 0, Math.max(100, 5_000 - (endedMs - at)))
}

test('npm start comes up, says what to try, survives kill -9, and Ctrl-C twice ends all', async () => {
  const started = npmStart()
  await welcomed(started)
  const commands = started.output.split('\n').filter(line => /^ {2}(?:curl|SHARD)/.test(line))
  assert.is(commands.length, 3, started.output)
  const [put = '', get = '', join = ''] = commands.map(line => line.trim())
  const shell = (line: string): string =>
    execFileSync('sh', ['-c', line], { cwd: ROOT, env, encoding: 'utf8' })
  assert.is(shell(put.replace('curl', 'curl -sS')), '')
  assert.is(shell(get.replace('curl', 'curl -sS')), 'hello')
  const joined = shell(join.replace('npx shardctl', 'node dist/ops/shardctl.js'))
  assert.match(joined, /join of group 3 by admin/)
  await survivesKill('kv1b')
  assert.match(started.output, /kv1b supervisor: ended with code 137; starts again in 0\.2 s/)
  await stopsClean('SIGINT', 2)
  assert.is(runner?.child.exitCode, 0)
  const again = npmStart()
  await until('the welcome again', () => again.output.includes('Ctrl-C stops'), 60_000)
  assert.is(shell(get.replace('curl', 'curl -sS')), 'hello', 'data outlives the processes')
  await stopsClean('SIGTERM', 1)
})

test('npm start says which ports are in use, and reset spares a running cluster', async () => {
  const started = npmStart()
  await welcomed(started)
  const second = await ended(run(process.execPath, ['dist/ops/start.js']))
  assert.match(second, /these ports are in use: sm1 \d+, .*kv3c \d+/)
  assert.match(await ended(run(process.execPath, ['dist/ops/reset.js'])), /stop it first/)
  runner = started
  await stopsClean('SIGINT', 1)
  const reset = await ended(run(process.execPath, ['dist/ops/reset.js']))
  assert.match(reset, /removed the data/)
  assert.not(existsSync(join(folder, 'data')))
})

test('kill -9 of npm start leaves nothing behind', async () => {
  const started = npmStart()
  await welcomed(started)
  started.child.kill('SIGKILL')
  await until('no process left', () => ours().length === 0, 10_000)
})

const rubyForeman = ['/usr/bin/foreman', '/usr/local/bin/foreman'].find(existsSync)

if (rubyForeman === undefined) {
  console.log('SKIPPED: the Procfile under Debian’s foreman: ruby-foreman is not installed')
} else {
  test("the Procfile works under Debian's foreman as well", async () => {
    run(rubyForeman, ['start'])
    await allReady()
    await survivesKill('sm1')
    await stopsClean('SIGTERM', 2)
  })
}

function ended(started: Runner): Promise<string> {
  return new Promise(done => started.child.on('close', () => done(started.output)))
}

test.run()
