import { type ChildProcess, spawn, spawnSync } from 'node:child_process'
import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { fileURLToPath } from 'node:url'
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { localCluster } from '../../../ops/local.ts'
import { freeBase, until } from '../../support/cluster.ts'

const test = suite('npm run observe')
const ROOT = resolve(fileURLToPath(import.meta.url), '../../../..')
const hasPrometheus = spawnSync('prometheus', ['--version']).status === 0
const folder = mkdtempSync(join(tmpdir(), 'observe-'))
let env: NodeJS.ProcessEnv
let child: ChildProcess | null = null
let output = ''

test.before(async () => {
  const base = await freeBase()
  const data = join(folder, 'data')
  env = { ...process.env, SHARDGLASS_BASE_PORT: String(base), SHARDGLASS_DATA: data }
})

test.after(() => {
  child?.kill('SIGKILL')
  rmSync(folder, { recursive: true, force: true })
})

function start(extra: NodeJS.ProcessEnv = {}): Promise<number | null> {
  const started = spawn(process.execPath, ['dist/ops/observe/start-prometheus.js'], {
    cwd: ROOT,
    env: { ...env, ...extra },
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  child = started
  output = ''
  for (const stream of [started.stdout, started.stderr]) {
    stream.on('data', (chunk: Buffer) => {
      output += chunk.toString()
    })
  }
  return new Promise(done => started.on('close', done))
}

if (hasPrometheus) {
  test('Prometheus runs beside the cluster, wherever that is, and ends with its starter', async () => {
    const ended = start()
    const url = `http://127.0.0.1:${localCluster(env).ports.prometheus}`
    const isAnswering = async (): Promise<boolean> => {
      const answer = await fetch(`${url}/-/ready`).catch(() => null)
      return answer?.status === 200
    }
    await until('Prometheus ready', isAnswering)
    const answer = await fetch(`${url}/api/v1/rules`)
    const { data } = (await answer.json()) as { data: { groups: { rules: unknown[] }[] } }
    assert.ok(data.groups.flatMap(({ rules }) => rules).length > 40, 'its rules are loaded')
    const config = readFileSync(join(folder, 'data/prometheus.yml'), 'utf8')
    assert.match(config, `${join(folder, 'data')}/reader.token`)
    assert.ok(existsSync(join(folder, 'data/reader.token')), 'its token is made if need be')
    child?.kill('SIGTERM')
    assert.is(await ended, 0, output)
    assert.not(await isAnswering(), 'nothing is left')
  })
} else {
  console.log('SKIPPED: npm run observe: prometheus is not installed')
}

test('without Prometheus it says so, and does not hold up a Procfile', async () => {
  const nowhere = { PATH: folder }
  assert.is(await start(nowhere), 78)
  assert.match(output, 'Prometheus is not installed')
  const ended = start({ ...nowhere, SHARDGLASS_SUPERVISOR: String(process.pid) })
  await until('what it says', () => output.includes('the cluster runs without it'))
  child?.kill('SIGTERM')
  assert.is(await ended, 0, output)
})

test.run()
