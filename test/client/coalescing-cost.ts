// What a call costs on both sides, Clerk and batch route, over a replica that answers at once: CPU of
// one process that is both. On a busy machine compare runs of two versions in turns.
// Run: node --import tsx test/client/coalescing-cost.ts [put | get] [callers] [calls]

import { Clerk } from '../../server/client/clerk.ts'
import type { ShardkvReply } from '../../server/shardkv/reply.ts'
import { KvNode, TOKENS, withServer } from '../support/kv-node.ts'
import { configOf, scriptedNode } from './scripted-node.ts'

const [, , op = 'put', callers = '1024', calls = '100000'] = process.argv
const VALUE = 'v'.repeat(256)
const STORED = Buffer.from(VALUE)
const EMPTY = Buffer.alloc(0)
const KEYS = 1_000_000
/** Calls until the code is compiled. */
const WARM_UP = 50_000

/** All requests of a turn are answered in the next one, as a group does. */
function answerAtOnce(node: KvNode): void {
  let waiting: (() => void)[] = []
  let version = 0
  node.backend.submit = (request, done) => {
    if (waiting.length === 0) {
      setImmediate(() => {
        const now = waiting
        waiting = []
        for (const answer of now) answer()
      })
    }
    version += 1
    const value = request.type === 'get' ? STORED : EMPTY
    const reply: ShardkvReply = { type: 'ok', version, value, slot: version }
    waiting.push(() => done(reply))
  }
}

async function measure(clerk: Clerk): Promise<void> {
  let done = 0
  let isOver = false
  let awaited = Number.POSITIVE_INFINITY
  let onAwaited = (): void => undefined
  const reached = (count: number): Promise<void> =>
    new Promise(resolve => {
      awaited = count
      onAwaited = resolve
    })
  const call = async (): Promise<void> => {
    while (!isOver) {
      const key = `key-${Math.floor(Math.random() * KEYS)}`
      await (op === 'get' ? clerk.get(key) : clerk.put(key, VALUE))
      done += 1
      if (done === awaited) onAwaited()
    }
  }
  const all = Array.from({ length: Number(callers) }, call)
  await reached(WARM_UP)
  const before = process.cpuUsage()
  await reached(WARM_UP + Number(calls))
  const { user, system } = process.cpuUsage(before)
  const micros = ((user + system) / Number(calls)).toFixed(1)
  console.log(`${op}, ${callers} callers: ${micros} µs of CPU each, of ${calls} calls`)
  isOver = true
  await Promise.all(all)
}

const node = new KvNode()
answerAtOnce(node)
await withServer(node.app, async ({ port }) => {
  const url = `http://127.0.0.1:${port}`
  const master = await scriptedNode(() => configOf(1, [1, 1], { 1: [url] }))
  const clerk = new Clerk({ shardmasters: [master.url], token: TOKENS.admin })
  await measure(clerk)
  await clerk.close()
  await master.close()
})
process.exit()
