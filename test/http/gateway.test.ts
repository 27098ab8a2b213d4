import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { ATTEMPT_TIMEOUT_MS } from '../../server/http/bounds.ts'
import { Deadlines } from '../../server/http/deadlines.ts'
import { createGateway } from '../../server/http/gateways.ts'
import type { Attempt } from '../../server/http/request-trace.ts'
import type { ShardkvRequest } from '../../server/shardkv/operation.ts'
import type { ShardkvReply } from '../../server/shardkv/reply.ts'
import { KvBackend, Peers } from '../support/kv-backend.ts'

const test = suite('gateway')

const GET: ShardkvRequest = { type: 'get', key: 'k', consistency: 'linearizable' }
const session = { client: 'c', number: 1, acked: 0 }
const PUT: ShardkvRequest = {
  type: 'write',
  key: 'k',
  write: { op: 'puthash', value: Buffer.from('v') },
  condition: { type: 'none' },
  session,
}
const URLS = ['http://b0', 'http://b1', 'http://b2']
const WRONG: ShardkvReply = { type: 'wrongGroup', config: 5, gid: 2, servers: URLS }

/** A gateway of replica 1/0, whose fellows are 1/1 and 1/2, and another group of three. */
class Fixture {
  readonly local = new KvBackend()
  readonly peers = new Peers()
  readonly deadlines = new Deadlines()
  readonly faults: unknown[] = []
  readonly gateway = createGateway(this.gatewayOptions())

  gatewayOptions() {
    return {
      backend: this.local,
      peers: this.peers,
      self: { gid: 1, replica: 0 },
      replicas: [0, 1, 2],
      deadlines: this.deadlines,
      onFault: (error: unknown) => this.faults.push(error),
      random: () => 0,
    }
  }

  node(name: string, reply: ShardkvReply | 'run' | 'silence' = 'run'): KvBackend {
    const node = new KvBackend()
    node.script = () => reply
    this.peers.nodes.set(name, node)
    return node
  }

  /** Resolves to what the gateway makes of the request. */
  execute(request: ShardkvRequest, deadlineMs = 2_000, isDirect = false) {
    // The deadlines' timer does not keep a process alive; a server would.
    const alive = setInterval(() => {}, 1_000)
    return new Promise<{ reply: ShardkvReply | null; isDefinite: boolean }>(resolve => {
      this.gateway.execute(request, { deadlineMs, isDirect }, (reply, isDefinite) => {
        clearInterval(alive)
        resolve({ reply, isDefinite })
      })
    })
  }
}

/** The replies in turn, the last for ever. */
function inTurn(node: KvBackend, ...replies: readonly (ShardkvReply | 'run' | 'silence')[]) {
  let count = 0
  node.script = () => replies[Math.min(count++, replies.length - 1)] ?? 'run'
}

const OVERLOADED: ShardkvReply = { type: 'overloaded' }
const UNKNOWN: ShardkvReply = { type: 'unknown' }
const NO_LEADER: ShardkvReply = { type: 'notLeader', leader: null }

test('what the local replica answers goes out in the same turn', () => {
  const { local, gateway } = new Fixture()
  let found: ShardkvReply | null = null
  gateway.execute(PUT, { deadlineMs: 1_000, isDirect: false }, reply => {
    found = reply
  })
  assert.is((found as ShardkvReply | null)?.type, 'ok')
  assert.is(local.runs, 1)
})

test('a named leader is called, once', async () => {
  const fixture = new Fixture()
  fixture.local.script = () => ({ type: 'notLeader', leader: 2 })
  const leader = fixture.node('1/2')
  const { reply, isDefinite } = await fixture.execute(PUT)
  assert.is(reply?.type, 'ok')
  assert.ok(isDefinite)
  assert.equal(fixture.peers.calls, ['1/2'])
  assert.is(leader.runs, 1)
})

test('while a leader is silent, the own replica is heard: it has the outcome', async () => {
  const fixture = new Fixture()
  fixture.peers.timeoutMsMax = 10_000
  inTurn(fixture.local, { type: 'notLeader', leader: 2 }, { type: 'notLeader', leader: 2 }, 'run')
  fixture.node('1/2', 'silence')
  const startedAt = performance.now()
  assert.is((await fixture.execute(PUT)).reply?.type, 'ok')
  assert.ok(performance.now() - startedAt < ATTEMPT_TIMEOUT_MS, 'sooner than it gives up')
  assert.equal(fixture.peers.calls, ['1/2'])
})

test('while a leader is silent, another one that the own replica knows is called', async () => {
  const fixture = new Fixture()
  fixture.peers.timeoutMsMax = 10_000
  inTurn(fixture.local, { type: 'notLeader', leader: 2 }, { type: 'notLeader', leader: 1 })
  fixture.node('1/2', 'silence')
  fixture.node('1/1')
  const startedAt = performance.now()
  assert.is((await fixture.execute(PUT)).reply?.type, 'ok')
  assert.ok(performance.now() - startedAt < ATTEMPT_TIMEOUT_MS, 'sooner than it gives up')
  assert.equal(fixture.peers.calls, ['1/2', '1/1'])
})

test('without a name the fellows are asked, and the hints of one are followed', async () => {
  const fixture = new Fixture()
  fixture.local.script = () => NO_LEADER
  fixture.node('1/1', { type: 'notLeader', leader: 2 })
  fixture.node('1/2')
  assert.is((await fixture.execute(GET)).reply?.type, 'noSuchKey')
  assert.equal(fixture.peers.calls, ['1/1', '1/2'])
})

test('a hint that names this very replica leads back to it after a pause', async () => {
  const fixture = new Fixture()
  inTurn(fixture.local, { type: 'notLeader', leader: 1 }, 'run')
  fixture.node('1/1', { type: 'notLeader', leader: 0 })
  assert.is((await fixture.execute(PUT)).reply?.type, 'ok')
  assert.equal(fixture.peers.calls, ['1/1'])
  assert.is(fixture.local.runs, 1)
})

test('the owning group is asked by URL, its leader found and remembered', async () => {
  const fixture = new Fixture()
  fixture.local.script = () => WRONG
  fixture.node('http://b0', { type: 'notLeader', leader: 2 })
  fixture.node('http://b1')
  const leader = fixture.node('http://b2')
  assert.is((await fixture.execute(PUT)).reply?.type, 'ok')
  assert.equal(fixture.peers.calls, ['http://b0', 'http://b2'])
  assert.is(leader.runs, 1)
  await fixture.execute({ ...PUT, session: { ...session, number: 2 } })
  assert.equal(fixture.peers.calls.slice(2), ['http://b2'])
})

test('a dead server is passed over, and is no news about the effect', async () => {
  const fixture = new Fixture()
  fixture.local.script = () => WRONG
  fixture.node('http://b2')
  const { reply, isDefinite } = await fixture.execute(PUT)
  assert.is(reply?.type, 'ok')
  assert.ok(isDefinite)
  assert.equal(fixture.peers.calls, URLS)
})

test('what a called replica says about another group is followed, then asked again here', async () => {
  const fixture = new Fixture()
  const third = { type: 'wrongGroup', config: 6, gid: 3, servers: ['http://c0'] } as const
  inTurn(fixture.local, WRONG, 'run')
  fixture.node('http://b0', third)
  fixture.node('http://c0', { type: 'wrongGroup', config: 6, gid: 1, servers: ['http://a'] })
  assert.is((await fixture.execute(PUT)).reply?.type, 'ok')
  assert.equal(fixture.peers.calls, ['http://b0', 'http://c0'])
  assert.is(fixture.local.runs, 1, 'it belongs to this group by now')
})

test('two groups that name each other do not keep a request running for ever', async () => {
  const fixture = new Fixture()
  fixture.local.script = () => WRONG
  fixture.node('http://b0', { type: 'wrongGroup', config: 5, gid: 3, servers: ['http://c0'] })
  fixture.node('http://c0', { type: 'wrongGroup', config: 5, gid: 2, servers: URLS })
  const { reply, isDefinite } = await fixture.execute(PUT, 150)
  assert.is(reply?.type, 'wrongGroup')
  assert.ok(isDefinite)
  assert.ok(fixture.peers.calls.length < 100, `${fixture.peers.calls.length} calls`)
})

test('moving, overloaded and lost leaders are repeated with the same number, and run once', async () => {
  const fixture = new Fixture()
  const { local } = fixture
  const moving: ShardkvReply = { type: 'shardMoving', config: 5 }
  let count = 0
  local.script = request => {
    count += 1
    if (count === 1) return moving
    if (count === 2) return OVERLOADED
    if (count > 3) return 'run'
    local.run(request) // it was applied, but the leader was deposed before it saw that
    return UNKNOWN
  }
  const { reply, isDefinite } = await fixture.execute(PUT)
  assert.is(reply?.type, 'ok')
  assert.ok(isDefinite)
  assert.is(local.runs, 1)
  assert.is(Buffer.from(reply?.type === 'ok' ? reply.value : []).toString(), '')
  const numbers = local.seen.map(seen => seen.type === 'write' && seen.session.number)
  assert.equal(numbers, [1, 1, 1, 1])
})

test('refusals until the deadline are definite, as long as nothing else happened', async () => {
  const fixture = new Fixture()
  fixture.local.script = () => OVERLOADED
  assert.equal(await fixture.execute(PUT, 120), { reply: OVERLOADED, isDefinite: true })
  assert.ok(fixture.local.seen.length >= 3)
})

test('after one lost attempt no refusal is definite any more', async () => {
  const fixture = new Fixture()
  inTurn(fixture.local, UNKNOWN, OVERLOADED)
  assert.equal(await fixture.execute(PUT, 120), { reply: OVERLOADED, isDefinite: false })
})

test('a call that may have arrived makes the failure uncertain', async () => {
  const fixture = new Fixture()
  fixture.local.script = () => ({ type: 'notLeader', leader: 1 })
  fixture.peers.timeoutMsMax = 10
  fixture.node('1/1', 'silence')
  const { isDefinite } = await fixture.execute(PUT, 120)
  assert.not(isDefinite)
})

test('a run answer after a lost attempt is definite: the number makes sure', async () => {
  const fixture = new Fixture()
  inTurn(fixture.local, UNKNOWN, { type: 'conditionFailed', version: 3, slot: 9 })
  const { reply, isDefinite } = await fixture.execute(PUT)
  assert.is(reply?.type, 'conditionFailed')
  assert.ok(isDefinite)
})

test('silence until the deadline is uncertain for a write, and nothing to a read', async () => {
  const fixture = new Fixture()
  fixture.local.script = () => 'silence'
  assert.equal(await fixture.execute(PUT, 50), { reply: null, isDefinite: false })
  assert.equal(await fixture.execute(GET, 50), { reply: null, isDefinite: true })
})

test('what comes after the deadline is ignored', async () => {
  const fixture = new Fixture()
  const late: ((reply: ShardkvReply) => void)[] = []
  fixture.local.submit = (_, done) => {
    late.push(done)
  }
  const outcome = await fixture.execute(PUT, 30)
  late[0]!(OVERLOADED)
  await new Promise(resolve => setTimeout(resolve, 60))
  assert.is(late.length, 1, 'it is not tried again')
  assert.equal(outcome, { reply: null, isDefinite: false })
})

/** Runs it on a clock that goes on by 5 ms whenever the own replica is asked; what is told of it. */
async function toldOf(fixture: Fixture, isDirect: boolean) {
  let nowMs = 1_000
  const { local } = fixture
  const submit = local.submit.bind(local)
  local.submit = (request, done) =>
    submit(request, reply => {
      nowMs += 5
      done(reply)
    })
  const gateway = createGateway({ ...fixture.gatewayOptions(), nowMs: () => nowMs })
  return await new Promise<{ attempts: readonly Attempt[]; tries: number }>(resolve => {
    gateway.execute(PUT, { deadlineMs: 2_000, isDirect }, (_reply, _isDefinite, attempts, tries) =>
      resolve({ attempts, tries }),
    )
  })
}

test('each try is counted once, and a refusal took as long as the replica thought', async () => {
  const own = { gid: 1, replica: 0, afterMs: 0, tookMs: 5, outcome: 'notLeader' }
  const fixture = new Fixture()
  assert.equal(await toldOf(fixture, false), { attempts: [], tries: 1 })
  fixture.local.script = () => ({ type: 'notLeader', leader: 2 })
  fixture.node('1/2')
  const passedOn = { gid: 1, replica: 2, afterMs: 5, tookMs: 0, outcome: 'ok' }
  assert.equal(await toldOf(fixture, false), { attempts: [own, passedOn], tries: 2 })
})

test('a direct request that is refused was one try', async () => {
  const fixture = new Fixture()
  fixture.local.script = () => NO_LEADER
  const { attempts, tries } = await toldOf(fixture, true)
  assert.equal([attempts.map(({ tookMs }) => tookMs), tries], [[5], 1])
})

test('a direct request is asked of this replica alone, once', async () => {
  const fixture = new Fixture()
  for (const refusal of [WRONG, OVERLOADED, NO_LEADER]) {
    fixture.local.script = () => refusal
    assert.equal(await fixture.execute(PUT, 500, true), { reply: refusal, isDefinite: true })
  }
  fixture.local.script = () => UNKNOWN
  assert.equal(await fixture.execute(PUT, 500, true), { reply: UNKNOWN, isDefinite: false })
  assert.equal(fixture.peers.calls, [])
  assert.is(fixture.local.seen.length, 4)
})

test('no group is an answer once the same configuration has said so twice', async () => {
  const fixture = new Fixture()
  const nowhere = (config: number): ShardkvReply => ({ type: 'noGroup', config })
  inTurn(fixture.local, nowhere(3), nowhere(4), 'run')
  assert.is((await fixture.execute(PUT)).reply?.type, 'ok', 'each was newer')
  fixture.local.seen.length = 0
  inTurn(fixture.local, nowhere(4))
  assert.equal(await fixture.execute(PUT), { reply: nowhere(4), isDefinite: true })
  assert.is(fixture.local.seen.length, 2)
})

test('an error of the transport is reported, and leaves a write uncertain', async () => {
  const fixture = new Fixture()
  fixture.local.script = () => WRONG
  fixture.peers.call = () => Promise.reject(new Error('broken'))
  assert.equal(await fixture.execute(PUT), { reply: null, isDefinite: false })
  assert.is(fixture.faults.length, 1)
})

test.run()
