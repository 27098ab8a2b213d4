// A data directory belongs to one replica, and to one process at a time.

import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import fs from 'node:fs'
import os from 'node:os'
import path from 'node:path'
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { type DataDirectoryOptions, openDataDirectory } from '../../server/host/identity.ts'
import { lockFolder } from '../../server/host/identity-lock.ts'

const test = suite('identity')
const base = fs.mkdtempSync(path.join(os.tmpdir(), 'identity-'))
let count = 0
test.after(() => fs.rmSync(base, { recursive: true }))

function fresh(name = 'data'): string {
  count += 1
  return path.join(base, String(count), name)
}

function open(dir: string, changes: Partial<DataDirectoryOptions> = {}) {
  return openDataDirectory({ dir, cluster: 'c', gid: 7, replica: 1, kind: 'shardkv', ...changes })
}

/** The message with which it is refused. */
async function refusal(promise: Promise<unknown>): Promise<string> {
  return promise.then(
    () => assert.unreachable('was not refused'),
    error => {
      assert.is(error.name, 'DataDirectoryError')
      return error.message
    },
  )
}

test('a new directory is private, and keeps its identity', async () => {
  const dir = fresh()
  const first = await open(dir)
  assert.is(first.isNew, true)
  assert.match(first.identity.incarnation, /^[0-9a-f]{16}$/)
  assert.is(fs.statSync(dir).mode & 0o777, 0o700)
  assert.is(fs.statSync(path.join(dir, 'identity.json')).mode & 0o777, 0o600)
  assert.ok(fs.statSync(first.logDir).isDirectory() && fs.statSync(first.storeDir).isDirectory())
  await first.release()
  const second = await open(dir)
  assert.is(second.isNew, false)
  assert.equal(second.identity, first.identity)
  await second.release()
})

test('an emptied directory is another incarnation', async () => {
  const dir = fresh()
  const first = await open(dir)
  await first.release()
  fs.rmSync(dir, { recursive: true })
  const second = await open(dir)
  assert.is.not(second.identity.incarnation, first.identity.incarnation)
  await second.release()
})

test('another cluster, group, replica or kind is refused, and changes nothing', async () => {
  const dir = fresh()
  const first = await open(dir)
  await first.release()
  assert.match(await refusal(open(dir, { cluster: 'other' })), /belongs to cluster c, not other/)
  assert.match(await refusal(open(dir, { gid: 8 })), /belongs to gid 7, not 8/)
  assert.match(await refusal(open(dir, { replica: 2 })), /belongs to replica 1, not 2/)
  assert.match(await refusal(open(dir, { kind: 'shardmaster' })), /belongs to kind shardkv/)
  const again = await open(dir)
  assert.equal(again.identity, first.identity)
  await again.release()
})

test('a newer format, a damaged file and data without an identity are refused', async () => {
  const dir = fresh()
  await (await open(dir)).release()
  const file = path.join(dir, 'identity.json')
  const good = fs.readFileSync(file, 'utf8')
  fs.writeFileSync(file, good.replace('"format": 1', '"format": 2'))
  assert.match(await refusal(open(dir)), /format 2.*newer version/)
  for (let length = 0; length < good.trimEnd().length; length++) {
    fs.writeFileSync(file, good.slice(0, length))
    assert.match(await refusal(open(dir)), /damaged|format/)
  }
  fs.writeFileSync(file, good.replace(/"incarnation": ".*"/, '"incarnation": "xyz"'))
  assert.match(await refusal(open(dir)), /damaged/)
  fs.rmSync(file)
  assert.match(await refusal(open(dir)), /holds data \(log, store\) but no identity/)
  fs.writeFileSync(file, good)
  await (await open(dir)).release()
})

test('a directory that others can read is refused', async () => {
  const dir = fresh()
  fs.mkdirSync(dir, { recursive: true, mode: 0o700 })
  for (const mode of [0o750, 0o701, 0o755, 0o704, 0o720]) {
    fs.chmodSync(dir, mode)
    assert.match(await refusal(open(dir)), /open to other users.*chmod 700/)
  }
  fs.chmodSync(dir, 0o700)
  await (await open(dir)).release()
})

test('a torn first start begins again', async () => {
  const dir = fresh()
  fs.mkdirSync(dir, { recursive: true, mode: 0o700 })
  fs.writeFileSync(path.join(dir, 'identity.json.new'), '{"form')
  const opened = await open(dir)
  assert.is(opened.isNew, true)
  await opened.release()
})

test('a second opening is refused until the first is released, under a long name too', async () => {
  for (const name of ['short', 'long-'.repeat(40)]) {
    const dir = fresh(name)
    const first = await open(dir)
    assert.match(await refusal(open(dir)), /in use by another process/)
    await first.release()
    await (await open(dir)).release()
  }
})

test('of many who try at the same time, one gets the lock', async () => {
  const dir = fresh()
  fs.mkdirSync(dir, { recursive: true })
  for (let round = 0; round < 20; round++) {
    const results = await Promise.all(Array.from({ length: 8 }, () => lockFolder(dir)))
    const holders = results.filter(release => release !== null)
    assert.is(holders.length, 1, `round ${round}`)
    for (const release of holders) await release()
  }
  assert.ok(fs.readdirSync(dir).length <= 2, fs.readdirSync(dir).join())
})

test('another process is refused while one holds it, stopped or not, and not after kill -9', async () => {
  const dir = fresh()
  const holder = await hold(dir)
  assert.match(holder.line, /^open/)
  assert.match((await hold(dir)).line, /^refused.*in use/)
  holder.child.kill('SIGSTOP')
  assert.match(await refusal(open(dir)), /in use/)
  holder.child.kill('SIGKILL')
  await once(holder.child, 'exit')
  const opened = await open(dir)
  assert.is(`open ${opened.identity.incarnation}`, holder.line)
  await opened.release()
})

/** The first line that a process says which opens the directory. */
async function hold(dir: string): Promise<{ child: ChildProcess; line: string }> {
  const file = new URL('../support/identity-holder.ts', import.meta.url).pathname
  const args = ['--import', import.meta.resolve('tsx'), file, dir]
  const child = spawn(process.execPath, args, { stdio: ['ignore', 'pipe', 'inherit'] })
  const [data] = await once(child.stdout ?? child, 'data')
  return { child, line: String(data).trim() }
}

test.run()
