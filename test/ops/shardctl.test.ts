import { spawn } from 'node:child_process'
import { resolve } from 'node:path'
import { fileURLToPath } from 'node:url'
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { TestCluster, TOKEN, until } from '../support/cluster.ts'

const test = suite('shardctl')
const SCRIPT = resolve(fileURLToPath(import.meta.url), '../../../dist/ops/shardctl.js')
let cluster: TestCluster

test.before(async () => {
  cluster = await TestCluster.start({ groups: [1, 1], joining: [1], shardmasters: 3 })
  await until('the group in the configuration', async () => {
    return (await cluster.shardmasters().query()).groups['1'] !== undefined
  })
})

test.after(() => cluster.stop())

type Result = { readonly code: number | null; readonly out: Buffer; readonly err: string }

function shardctl(args: readonly string[], input: Uint8Array | null = null): Promise<Result> {
  const env = { ...process.env, ...cluster.shardctlEnv }
  return new Promise(done => {
    const child = spawn(process.execPath, [SCRIPT, ...args], { env })
    const out: Buffer[] = []
    let err = ''
    child.stdout.on('data', chunk => out.push(chunk))
    child.stderr.on('data', chunk => {
      err += chunk
    })
    child.stdin.end(input)
    child.on('close', code => done({ code, out: Buffer.concat(out), err }))
  })
}

async function json(...args: string[]) {
  const { code, out, err } = await shardctl([...args, '--json'])
  assert.is(code, 0, err)
  return JSON.parse(out.toString())
}

test('values go in and come out byte for byte', async () => {
  const value = Buffer.from([0, 255, 10, 13, 128, 10])
  assert.is((await shardctl(['put', 'raw', '-'], value)).code, 0)
  const got = await shardctl(['get', 'raw'])
  assert.is(got.code, 0)
  assert.equal(got.out, value)
  assert.equal(await json('get', 'raw'), {
    key: 'raw',
    version: 1,
    base64: value.toString('base64'),
  })
})

test('what is not there, and what does not hold, ends with 1', async () => {
  assert.is((await shardctl(['get', 'nothing'])).code, 1)
  assert.is((await shardctl(['del', 'nothing'])).code, 1)
  await shardctl(['put', 'held', 'a'])
  const refused = await shardctl(['put', 'held', 'b', '--if-version', '99'])
  assert.is(refused.code, 1)
  assert.match(refused.err, /condition-failed/)
  assert.is((await shardctl(['put', 'held', 'b', '--if-absent'])).code, 1)
  assert.is((await shardctl(['get', 'held'])).out.toString(), 'a')
  assert.is((await shardctl(['del', 'held'])).code, 0)
  assert.is((await shardctl(['get', 'held'])).code, 1)
})

test('puthash prints the previous value', async () => {
  assert.is((await shardctl(['puthash', 'h', 'hello'])).out.toString(), '')
  assert.is((await shardctl(['puthash', 'h', 'x'])).out.toString(), '1335831723')
})

test('wrong calls end with 2 and a sentence', async () => {
  const calls = [[], ['nonsense'], ['get'], ['move', 'x', '1'], ['get', 'k', '--timeout', 'soon']]
  for (const args of [...calls, ['--shardmasters', 'nonsense', 'config']]) {
    const { code, err } = await shardctl(args)
    assert.is(code, 2, `${args.join(' ')}: ${err}`)
    assert.ok(err.length > 0)
  }
  const help = await shardctl(['--help'])
  assert.is(help.code, 0)
  assert.match(help.out.toString(), /Examples:[\s\S]*Exit codes:/)
})

test('a cluster that does not answer ends with 3, a wrong token with 4', async () => {
  const nobody = ['--shardmasters', 'http://127.0.0.1:9', '--timeout', '0.5']
  assert.is((await shardctl([...nobody, 'get', 'k'])).code, 3)
  const denied = await shardctl(['--token', 'wrong', 'put', 'k', 'v', '--json'])
  assert.is(denied.code, 4)
  assert.is(JSON.parse(denied.err).code, 'unauthorized')
  assert.is((await shardctl(['leave', '99'])).code, 4)
})

test('a plan changes nothing; the change is what the plan said', async () => {
  const servers = cluster.group(2).map(({ url }) => url)
  const before = await json('config')
  const plan = await json('plan', 'join', '2', ...servers)
  assert.is((await json('config')).num, before.num)
  assert.is(plan.base, before.num)
  const stale = ['join', '2', ...servers, '--if-config', String(plan.base - 1)]
  assert.is((await shardctl(stale)).code, 1)
  const joined = await shardctl([
    ...['join', '2', ...servers, '--if-config', String(plan.base)],
    ...['--reason', 'more room', '--wait', '--json'],
  ])
  assert.is(joined.code, 0, joined.err)
  assert.equal(JSON.parse(joined.out.toString()).shards, plan.shards)
})

test('after --wait the shards have arrived', async () => {
  for (let index = 0; index < 10; index++) await shardctl(['put', `m${index}`, `v${index}`])
  const { shards } = await json('config')
  const shard = shards.indexOf(1)
  const moved = await shardctl(['move', String(shard), '2', '--wait'])
  assert.is(moved.code, 0, moved.err)
  const status = await cluster.status('kv2-0')
  const machine = status?.machine as { shards: { shard: number; phase: string }[] }
  assert.is(machine.shards.find(state => state.shard === shard)?.phase, 'serving')
  for (let index = 0; index < 10; index++) {
    assert.is((await shardctl(['get', `m${index}`])).out.toString(), `v${index}`)
  }
})

test('history tells who did what and why, newest first', async () => {
  const history = await json('history', '--limit', '5')
  const ops = history.map((config: { cause: { op: string } }) => config.cause.op)
  assert.equal(ops.slice(0, 3), ['move', 'join', 'join'])
  assert.is(history[1].cause.reason, 'more room')
  assert.match(
    (await shardctl(['history'])).out.toString(),
    /join of group 2 by test \(more room\)/,
  )
  assert.is((await json('config', '1')).num, 1)
})

test('keys can be reached through endpoints alone', async () => {
  const endpoints = ['http://127.0.0.1:9', ...cluster.group(1).map(({ url }) => url)].join(',')
  const env: Record<string, string | undefined> = { ...process.env, SHARDGLASS_TOKEN: TOKEN }
  const child = spawn(process.execPath, [SCRIPT, '--endpoints', endpoints, 'get', 'm1'], { env })
  let out = ''
  child.stdout.on('data', chunk => {
    out += chunk
  })
  assert.is(await new Promise(done => child.on('close', done)), 0)
  assert.is(out, 'v1')
})

test('all of it works with one shardmaster down, and status says which', async () => {
  await cluster.kill('sm0')
  assert.is((await shardctl(['get', 'm1'])).out.toString(), 'v1')
  const { code, out } = await shardctl(['status'])
  assert.is(code, 0)
  const lines = out.toString().split('\n')
  const line = (url: string) => lines.find(text => text.startsWith(`${url} `)) ?? ''
  assert.match(line(cluster.node('sm0').url), /unreachable/)
  assert.match(line(cluster.node('kv1-0').url), /leader +yes/)
})

test.run()
