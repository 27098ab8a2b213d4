import { spawn } from 'node:child_process'
import { chmodSync, mkdtempSync, readFileSync, rmSync, statSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { fileURLToPath } from 'node:url'
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { archiveOptions } from '../../ops/archive/archive-options.ts'
import { Refusal } from '../../ops/life.ts'
import { localCluster, localFlags } from '../../ops/local.ts'
import { createLog, escaped } from '../../ops/log.ts'
import { shardkvOptions, shardmasterOptions } from '../../ops/options.ts'
import { ensureSecrets } from '../../ops/secrets.ts'
import { decodeTokens, hashToken } from '../../server/http/auth.ts'

const test = suite('options')
const ROOT = resolve(fileURLToPath(import.meta.url), '../../..')
let folder = ''

test.before.each(() => {
  folder = mkdtempSync(join(tmpdir(), 'options-'))
  chmodSync(folder, 0o700)
})

test.after.each(() => rmSync(folder, { recursive: true, force: true }))

const KV = [
  ...['--cluster', 'c', '--gid', '7', '--replica', '1', '--listen', '127.0.0.1:9001'],
  ...['--peers', '0=http://a:1,1=http://b:2/', '--shardmasters', 'http://m:1,http://m:2'],
  ...['--data', 'd', '--tokens-file', 't', '--peer-token-file', 'p'],
]

function without(flag: string): string[] {
  const at = KV.indexOf(flag)
  return KV.filter((_, index) => index !== at && index !== at + 1)
}

function refusalOf(argv: readonly string[]): string {
  try {
    shardkvOptions(argv)
  } catch (error) {
    assert.instance(error, Refusal)
    return (error as Refusal).message
  }
  throw new Error('it was not refused')
}

test('flags become options, with defaults', () => {
  const options = shardkvOptions(KV)
  assert.is(options.gid, 7)
  assert.equal(options.listen, { host: '127.0.0.1', port: 9001 })
  assert.equal(options.peers, ['http://a:1', 'http://b:2'])
  assert.equal(options.shardmasters, ['http://m:1', 'http://m:2'])
  assert.is(options.advertise, 'http://127.0.0.1:9001')
  assert.equal([options.storage, options.reads, options.autoJoin], ['disk', 'quorum', false])
})

test('an environment variable stands for a flag, and the flag wins', () => {
  process.env.SHARDGLASS_GID = '8'
  try {
    assert.is(shardkvOptions(without('--gid')).gid, 8)
    assert.is(shardkvOptions(KV).gid, 7)
  } finally {
    delete process.env.SHARDGLASS_GID
  }
})

test('every mistake has its sentence', () => {
  const bad: readonly (readonly [string, string, RegExp])[] = [
    ['--gid', '0', /--gid/],
    ['--gid', '1.5', /--gid/],
    ['--replica', '9', /--replica/],
    ['--listen', 'nonsense', /--listen: is to be HOST:PORT/],
    ['--listen', 'h:70000', /--listen/],
    ['--peers', '0=http://a:1,2=http://b:1', /--peers/],
    ['--peers', '0=ftp://a', /--peers/],
    ['--peers', '0=http://a:1', /--peers does not name replica 1/],
    ['--shardmasters', 'm:1', /--shardmasters/],
    ['--cluster', 'a b', /--cluster/],
  ]
  for (const [flag, value, sentence] of bad) {
    assert.match(refusalOf([...without(flag), flag, value]), sentence)
  }
  assert.match(refusalOf(without('--gid')), /--gid/)
  assert.match(refusalOf(without('--data')), /--data DIR is missing/)
  assert.match(refusalOf([...KV, '--reads', 'fast']), /--reads/)
  assert.match(refusalOf([...KV, '--no-such-flag']), /unknown option/)
  assert.is(shardkvOptions([...without('--data'), '--storage', 'memory']).data, undefined)
})

test('the local cluster has the ports that the contract names', () => {
  const ports = Object.fromEntries(localCluster({}).nodes.map(({ name, port }) => [name, port]))
  assert.equal(ports, {
    ...{ sm1: 4101, sm2: 4102, sm3: 4103 },
    ...{ kv1a: 4211, kv1b: 4212, kv1c: 4213 },
    ...{ kv2a: 4221, kv2b: 4222, kv2c: 4223 },
    ...{ kv3a: 4231, kv3b: 4232, kv3c: 4233 },
  })
  const moved = localCluster({ SHARDGLASS_BASE_PORT: '9100' })
  assert.is(moved.nodes.find(({ name }) => name === 'kv3c')?.port, 9233)
  assert.equal(moved.ports, { archive: 9300, prometheus: 9390, dashboard: 9400 })
  for (const text of ['0', 'x', '65500']) {
    assert.throws(() => localCluster({ SHARDGLASS_BASE_PORT: text }), /SHARDGLASS_BASE_PORT/)
  }
})

test('each local name stands for a full set of flags, and the Procfile names exactly these', () => {
  const cluster = localCluster({})
  for (const { name, kind, gid, replica } of cluster.nodes) {
    const flags = localFlags(cluster, name, 'c') ?? []
    const options = kind === 'shardkv' ? shardkvOptions(flags) : shardmasterOptions(flags)
    assert.is(options.replica, replica)
    assert.is(options.peers.length, 3)
    if ('autoJoin' in options) assert.is(options.autoJoin, gid < 3, name)
  }
  assert.is(localFlags(cluster, 'kv9z', 'c'), null)
  const archive = archiveOptions(localFlags(cluster, 'archive', 'c') ?? [])
  assert.equal(archive.listen, { host: '127.0.0.1', port: 4300 })
  assert.is(archive.keepBytes, 2 * 1024 ** 3)
  const procfile = readFileSync(join(ROOT, 'Procfile'), 'utf8')
  const lines = [...procfile.matchAll(/^(\w+): exec sh ops\/supervise\.sh (\w+)$/gm)]
  const named = lines.map(match => [match[1], match[2]])
  const nodes = cluster.nodes.map(({ name }) => [name, name])
  assert.equal(
    named.filter(([name]) => /^(?:sm|kv)/.test(name ?? '')),
    nodes,
  )
  const services = cluster.services.map(({ name }) => [name, name])
  assert.equal(
    named.filter(([name]) => !/^(?:sm|kv)/.test(name ?? '')),
    services,
  )
})

test('secrets are made once, for all who start at the same time, and for nobody else', async () => {
  const data = join(folder, 'data')
  const program = `import { localCluster } from './ops/local.ts'
    import { ensureSecrets, readSecret } from './ops/secrets.ts'
    const cluster = localCluster()
    const id = ensureSecrets(cluster)
    console.log([id, readSecret(cluster.files.adminToken), readSecret(cluster.files.peerToken)].join())`
  const env = { ...process.env, SHARDGLASS_DATA: data }
  const outputs = await Promise.all(
    Array.from({ length: 5 }, () =>
      outputOf(['--import', 'tsx', '--input-type=module', '-e', program], env),
    ),
  )
  assert.is(new Set(outputs).size, 1, outputs.join('\n'))
  const cluster = localCluster({ SHARDGLASS_DATA: data })
  assert.is(statSync(data).mode & 0o777, 0o700)
  for (const file of Object.values(cluster.files)) assert.is(statSync(file).mode & 0o777, 0o600)
  const { adminToken, readerToken, tokens } = cluster.files
  const [admin, reader] = [adminToken, readerToken].map(file => readFileSync(file, 'utf8').trim())
  assert.equal(decodeTokens(readFileSync(tokens, 'utf8')), [
    { name: 'admin', role: 'admin', hash: hashToken(admin ?? '') },
    { name: 'reader', role: 'reader', hash: hashToken(reader ?? '') },
  ])
})

test('secrets that others can read are refused', () => {
  const cluster = localCluster({ SHARDGLASS_DATA: folder })
  ensureSecrets(cluster)
  chmodSync(cluster.files.adminToken, 0o644)
  assert.throws(() => ensureSecrets(cluster), /can be read by other users; run: chmod go-rwx/)
  chmodSync(cluster.files.adminToken, 0o600)
  chmodSync(folder, 0o755)
  assert.throws(() => ensureSecrets(cluster), /can be read by other users/)
})

test('a node with bad flags says one sentence and ends with the code for a refusal', async () => {
  const script = join(ROOT, 'ops/start-shardkv.ts')
  const child = spawn(process.execPath, ['--import', 'tsx', script, '--gid', 'x'], { cwd: ROOT })
  let output = ''
  child.stdout.on('data', chunk => {
    output += chunk
  })
  const code = await new Promise(done => child.on('close', done))
  assert.is(code, 78)
  assert.is(output.trim().split('\n').length, 1)
  assert.match(output, /refuses to start reason=/)
})

test('no value can forge a log line or speak to the terminal', () => {
  assert.is(escaped('a\nb\u001b[31m\u202e'), 'a\\u000ab\\u001b[31m\\u202e')
  const written: string[] = []
  const original = process.stdout.write
  process.stdout.write = (text: string | Uint8Array) => {
    written.push(String(text))
    return true
  }
  try {
    createLog('n', {})('info', 'x\ny', { key: '\r' })
    createLog('n', { SHARDGLASS_LOG: 'json' })('warn', 'x\ny', { key: 1 })
  } finally {
    process.stdout.write = original
  }
  assert.match(written[0] ?? '', /^\S+Z n info x\\u000ay key=\\u000d\n$/)
  const parsed = JSON.parse(written[1] ?? '')
  assert.equal([parsed.name, parsed.level, parsed.text, parsed.key], ['n', 'warn', 'x\ny', 1])
})

function outputOf(args: readonly string[], env: NodeJS.ProcessEnv): Promise<string> {
  return new Promise(done => {
    const child = spawn(process.execPath, args, { cwd: ROOT, env })
    let output = ''
    child.stdout.on('data', chunk => {
      output += chunk
    })
    child.stderr.on('data', chunk => {
      output += chunk
    })
    child.on('close', () => done(output))
  })
}

test.run()
