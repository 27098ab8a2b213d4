import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { TOKENS } from '../support/kv-node.ts'
import { ShardmasterNode } from '../support/shardmaster-node.ts'

const test = suite('config watch')

/** Reads events of a stream as they come. */
class Events {
  private readonly reader: ReadableStreamDefaultReader<Uint8Array>
  private text = ''

  constructor(response: Response) {
    assert.is(response.headers.get('content-type'), 'text/event-stream')
    this.reader = response.body!.getReader()
  }

  /** The next block that passes, null at the end. */
  async next(wanted: (block: string) => boolean = isConfig): Promise<string | null> {
    for (;;) {
      const end = this.text.indexOf('\n\n')
      if (end >= 0) {
        const block = this.text.slice(0, end)
        this.text = this.text.slice(end + 2)
        if (wanted(block)) return block
        continue
      }
      const { done, value } = await this.reader.read()
      if (done) return null
      this.text += Buffer.from(value).toString()
    }
  }

  async numbers(count: number): Promise<number[]> {
    const found: number[] = []
    while (found.length < count) {
      const block = (await this.next()) ?? ''
      const [, id, data] = /^id: (\d+)\nevent: config\ndata: (.*)$/.exec(block) ?? []
      assert.is(JSON.parse(data ?? '{}').num, Number(id))
      found.push(Number(id))
    }
    return found
  }

  close(): Promise<void> {
    return this.reader.cancel()
  }
}

const isConfig = (block: string) => block.includes('event: config')

async function watch(node: ShardmasterNode, query = '', headers = {}): Promise<Events> {
  return new Events(await node.request('GET', `/v1/config/watch${query}`, { headers }))
}

function change(node: ShardmasterNode, gid: number): void {
  node.group.join(gid)
  node.pass(0)
}

test('it begins with the latest, and goes on with each that follows', async () => {
  const node = new ShardmasterNode()
  change(node, 1)
  const events = await watch(node)
  assert.equal(await events.numbers(1), [1])
  change(node, 2)
  change(node, 3)
  assert.equal(await events.numbers(2), [2, 3])
  await events.close()
})

test('after a number, or the last event id, nothing is left out or repeated', async () => {
  const node = new ShardmasterNode()
  for (const gid of [1, 2, 3]) change(node, gid)
  const after = await watch(node, '?after=1')
  assert.equal(await after.numbers(2), [2, 3])
  const resumed = await watch(node, '?after=0', { 'last-event-id': '2' })
  assert.equal(await resumed.numbers(1), [3])
  const late = await watch(node, '?after=3')
  change(node, 4)
  assert.equal(await late.numbers(1), [4])
  for (const events of [after, resumed, late]) await events.close()
})

test('an idle stream gets a comment now and then', async () => {
  const node = new ShardmasterNode(0, { heartbeatMs: 20 })
  const events = await watch(node, '?after=0')
  const heartbeat = events.next(block => block === ': heartbeat')
  const turn = setInterval(() => node.pass(2_000), 10)
  assert.is(await heartbeat, ': heartbeat')
  clearInterval(turn)
  change(node, 1)
  assert.equal(await events.numbers(1), [1])
  await events.close()
})

test('a refusal in between is survived', async () => {
  const node = new ShardmasterNode()
  let refusals = 0
  node.backend.script = request => {
    if (request.type !== 'watch' || refusals >= 2) return 'run'
    refusals += 1
    return { type: 'overloaded' }
  }
  const events = await watch(node, '?after=0')
  change(node, 1)
  assert.equal(await events.numbers(1), [1])
  assert.is(refusals, 2)
  await events.close()
})

test('ending the streams ends them', async () => {
  const node = new ShardmasterNode()
  const events = await watch(node, '?after=0')
  const ended = events.next()
  node.app.endStreams()
  assert.is(await ended, null)
})

test('a position that is no number is refused, as is a stream without a token', async () => {
  const node = new ShardmasterNode()
  for (const query of ['?after=-1', '?after=x', '?after=', '?after=1.5', '?from=1']) {
    const response = await node.request('GET', `/v1/config/watch${query}`)
    assert.is(response.status, 400, query)
  }
  const headers = { 'last-event-id': 'abc' }
  assert.is((await node.request('GET', '/v1/config/watch', { headers })).status, 400)
  assert.is((await node.request('GET', '/v1/config/watch', { token: TOKENS.peer })).status, 401)
})

test.run()
