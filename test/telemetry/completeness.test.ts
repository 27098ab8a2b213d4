// Nothing that was decided is missing in the archive: a real cluster under load, with handoffs,
// elections, kills and an archive that goes away, and then every slot, every acceptor that took part
// and every move that the nodes' own logs know is looked up in what they sent.

import { join } from 'node:path'
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import type { HandoffsAnswer } from '../../ops/archive/answers.ts'
import type { Found } from '../../ops/archive/client.ts'
import type { InstanceLine } from '../../ops/telemetry/archived-form.ts'
import { electionTraceId, SPAN } from '../../ops/trace/span-model.ts'
import { Connections } from '../../server/client/connections.ts'
import { openWal } from '../../server/host/wal.ts'
import { formatBallot } from '../../server/paxos/ballot.ts'
import { decodeRecord } from '../../server/paxos/record.ts'
import { TestCluster, TOKEN, until } from '../support/cluster.ts'
import { ClusterArchive } from '../support/cluster-archive.ts'
import { Writers } from '../support/writers.ts'

const test = suite('completeness of traces')

const GROUPS = [0, 1, 2]
/** A process may take so much of the newest with it: open for 0.5 s, then sent within 0.25 s. */
const EXPORT_DELAY_MS = 1_500
const PAGE = 500
/** What a busy node gathers until it sends again; shardmasters are not busy. */
const PASSING_SPANS = 100
const headers = { authorization: `Bearer ${TOKEN}` }

type Excused = { readonly gid: number; readonly from: number; readonly to: number }

/** Samples what is decided, all the time: slots of a killed process's last moments are excused. */
class Watch {
  readonly excused: Excused[] = []
  private readonly cluster: TestCluster
  private readonly seen: { readonly at: number; readonly decided: readonly number[] }[] = []
  private isOver = false
  private readonly running: Promise<void>

  constructor(cluster: TestCluster) {
    this.cluster = cluster
    this.running = this.run()
  }

  /** Kills the leader of a group with this signal, and returns its name. */
  async kill(gid: number, signal: NodeJS.Signals): Promise<string> {
    const { name } = await this.cluster.leader(gid)
    await until('it was watched for long enough', async () => this.before() !== undefined)
    const old = this.before()
    await this.cluster.kill(name, signal)
    const from = (old?.decided[gid] ?? 0) + 1
    const { decided } = await this.look()
    // What it had open besides.
    this.excused.push({ gid, from, to: (decided[gid] ?? 0) + 32 })
    return name
  }

  private before(): { readonly decided: readonly number[] } | undefined {
    const since = performance.now() - EXPORT_DELAY_MS
    return this.seen.filter(({ at }) => at < since).at(-1)
  }

  isExcused(gid: number, slot: number): boolean {
    return this.excused.some(one => one.gid === gid && slot >= one.from && slot <= one.to)
  }

  async stop(): Promise<void> {
    this.isOver = true
    await this.running
  }

  async look(): Promise<{ at: number; decided: readonly number[] }> {
    const decided: number[] = []
    for (const gid of GROUPS) decided.push(await decidedIn(this.cluster, gid))
    return { at: performance.now(), decided }
  }

  private async run(): Promise<void> {
    while (!this.isOver) {
      this.seen.push(await this.look())
      await new Promise(resolve => setTimeout(resolve, 100))
    }
  }
}

async function decidedIn(cluster: TestCluster, gid: number): Promise<number> {
  const known = await Promise.all(
    cluster.group(gid).map(async ({ name, isRunning }) => {
      const status = isRunning ? await cluster.status(name) : null
      return (status as { slots?: { decided?: number } } | null)?.slots?.decided ?? 0
    }),
  )
  return Math.max(...known)
}

const archive = await ClusterArchive.plan()
const connections = new Connections({ perNode: 2 })
let cluster: TestCluster
let watch: Watch

test.before(async () => {
  cluster = await TestCluster.start({ groups: [3, 3], flags: ['--archive', archive.url] })
  archive.start(cluster.folder)
  watch = new Watch(cluster)
  await hurt().catch(error => {
    console.log(error) // uvu keeps to itself what a hook fails of
    throw error
  })
})

test.after(async () => {
  await watch?.stop()
  await archive.stop()
  await cluster?.stop()
  await connections.close()
})

/** The load, and what happens meanwhile. */
async function hurt(): Promise<void> {
  const writers = new Writers(cluster.clerk(20_000), 6)
  const masters = cluster.shardmasters()
  const moveAll = async (shards: readonly number[], gid: number): Promise<void> => {
    for (const shard of shards) await masters.move(shard, gid)
    await settled()
  }
  const joined = async (): Promise<boolean> => {
    const { groups } = await masters.query(-1)
    return groups['1'] !== undefined && groups['2'] !== undefined
  }
  await until('both groups', joined)
  await moveAll([0, 1, 2, 3], 2)
  await drained()
  const stopped = await watch.kill(1, 'SIGTERM')
  await moveAll([40, 41], 1)
  cluster.restart(stopped)
  await cluster.ready([stopped])
  const killed = await watch.kill(2, 'SIGKILL')
  await moveAll([0, 1], 1)
  await archive.kill()
  await moveAll([2, 3], 1)
  cluster.restart(killed)
  await cluster.ready([killed])
  archive.start(cluster.folder)
  await drained()
  const master = await watch.kill(0, 'SIGKILL')
  await moveAll([60], 1)
  cluster.restart(master)
  await cluster.ready([master])
  await writers.stop()
  assert.equal(await writers.check(), [])
  assert.ok(writers.acknowledged > 100, `${writers.acknowledged} writes`)
  await watch.stop()
}

/** No node holds spans that the archive does not have: those of half a second ago and older. */
async function drained(): Promise<void> {
  await until('all spans sent', async () => {
    for (const { url, gid, isRunning } of cluster.nodes) {
      if (!isRunning) continue
      const queued = /^shardglass_trace_queue_spans (\d+)$/m.exec(await metricsOf(url))?.[1]
      if (queued === undefined || Number(queued) > (gid === 0 ? 0 : PASSING_SPANS)) {
        return false
      }
    }
    return true
  })
}

async function metricsOf(url: string): Promise<string> {
  const request = { method: 'GET', path: '/metrics', headers } as const
  const answer = await connections.exchange(url, request, { timeoutMs: 5_000 })
  assert.ok(answer.type === 'answer' && answer.status === 200)
  return answer.body.toString()
}

/** Every group has every shard of the newest configuration where it belongs, and nothing left over. */
async function settled(): Promise<void> {
  const { num } = await cluster.shardmasters().query()
  await until(`configuration ${num} settled`, async () => {
    for (const gid of [1, 2]) {
      const { name } = await cluster.leader(gid)
      const status = (await cluster.status(name)) as {
        machine?: { config: number; phases: Record<string, number> }
      } | null
      const { config = 0, phases = {} } = status?.machine ?? {}
      const moving = ['awaited', 'leaving', 'releasing'].some(phase => (phases[phase] ?? 0) > 0)
      if (config < num || moving) return false
    }
    return true
  })
}

function value<T>(found: Found<T>): T {
  if (found.type !== 'found') throw new Error(found.reason)
  return found.value
}

async function instancesOf(gid: number): Promise<readonly InstanceLine[]> {
  const all: InstanceLine[] = []
  let before: string | null = null
  do {
    const query = { gid, limit: PAGE, ...(before === null ? {} : { before }) }
    const page: { instances: readonly InstanceLine[]; next: string | null } = value(
      await archive.client.instances(query),
    )
    all.push(...page.instances)
    before = page.next
  } while (before !== null)
  return all
}

/** slot → spans of its proposals, decided ones alone. */
async function decidedSpans(gid: number): Promise<ReadonlyMap<number, readonly InstanceLine[]>> {
  const bySlot = new Map<number, InstanceLine[]>()
  for (const line of await instancesOf(gid)) {
    if (line.outcome === 'ok') bySlot.set(line.slot, [...(bySlot.get(line.slot) ?? []), line])
  }
  return bySlot
}

async function missingSlots(): Promise<readonly string[]> {
  const missing: string[] = []
  for (const gid of GROUPS) {
    const last = await decidedIn(cluster, gid)
    const spans = await decidedSpans(gid)
    for (let slot = 1; slot <= last; slot++) {
      if (!spans.has(slot) && !watch.isExcused(gid, slot)) missing.push(`${gid}/${slot}`)
    }
  }
  return missing
}

test('every decided slot has its trace', async () => {
  let missing: readonly string[] = []
  // The last ones are on their way still.
  await until('all slots in the archive', async () => {
    missing = await missingSlots()
    return missing.length === 0
  }).catch(() => assert.equal(missing, []))
  for (const gid of [1, 2]) assert.ok((await decidedIn(cluster, gid)) > 50, 'there was a load')
})

test('every move of a shard has its trace, with both sides', async () => {
  const configs = [...(await cluster.shardmasters().history(500))].sort((a, b) => a.num - b.num)
  const moves = configs.flatMap(({ num, shards }, index) => {
    const before = configs[index - 1]?.shards ?? []
    const moved = shards.map((gid, shard) => ({ shard, from: before[shard] ?? 0, to: gid }))
    return moved
      .filter(({ from, to }) => from !== 0 && to !== 0 && from !== to)
      .map(({ shard }) => `${num}/${shard}`)
  })
  assert.ok(moves.length >= 32, `${moves.length} moves`)
  const unsaid = async (): Promise<readonly string[]> => {
    const told = new Set<string>()
    let before: string | null = null
    do {
      const query = { limit: PAGE, ...(before === null ? {} : { before }) }
      const page: HandoffsAnswer = value(await archive.client.handoffs(query))
      for (const { config, shard, giver, taker } of page.handoffs) {
        if (giver !== null && taker !== null) told.add(`${config}/${shard}`)
      }
      before = page.next
    } while (before !== null)
    return moves.filter(move => !told.has(move))
  }
  await until('all moves in the archive', async () => (await unsaid()).length === 0).catch(
    () => null,
  )
  assert.equal(await unsaid(), [])
})

test('every ballot under which something was decided has the election that made it', async () => {
  for (const gid of GROUPS) {
    const status = await cluster.status((await cluster.leader(gid)).name)
    const log = { cluster: 'test', gid, formation: String(status?.formation) }
    const lines = [...(await decidedSpans(gid)).values()].flat()
    const ballots = new Set(lines.map(({ ballot }) => ballot ?? ''))
    assert.ok(ballots.size >= 2, `${ballots.size} leaders of group ${gid}`)
    for (const ballot of ballots) {
      const { spans } = value(await archive.client.trace(electionTraceId(log, ballot)))
      const won = spans.find(({ name }) => name === SPAN.election)
      assert.is(won?.attributes['shardglass.outcome'], 'won', `${gid}: ${ballot}`)
    }
  }
})

test('nothing was dropped, thinned or refused, and the nodes say so', async () => {
  for (const { url } of cluster.nodes) {
    const told = [...(await metricsOf(url)).matchAll(LOST)]
    assert.ok(told.length > 0, 'it counts')
    const lost = told.filter(([, , count]) => count !== '0')
    assert.equal(
      lost.map(([line]) => line),
      [],
    )
  }
})

const LOST = /^shardglass_trace_spans_total\{(.*result="(?:dropped|failed)".*)\} (\d+)$/gm

test('each acceptor that took part is in the span, as the logs of all nodes have it', async () => {
  for (const { name, isRunning } of cluster.nodes) {
    if (isRunning) await cluster.kill(name, 'SIGTERM')
  }
  let looked = 0
  for (const gid of GROUPS) {
    const spans = await decidedSpans(gid)
    for (const { name, replica, folder } of cluster.group(gid)) {
      const unsaid: string[] = []
      for (const { slot, ballot } of await acceptedIn(folder)) {
        const span = spans.get(slot)?.find(line => line.ballot === ballot)
        if (span === undefined || watch.isExcused(gid, slot)) continue
        looked += 1
        const isThere = span.acceptors.some(({ acceptor }) => acceptor === replica)
        const isTold = isThere || (await isToldApart({ gid, slot, ballot, replica }))
        if (!isTold) unsaid.push(`${name}: ${slot} under ${ballot}`)
      }
      assert.equal(unsaid, [])
    }
    for (const [slot, lines] of spans) {
      for (const { quorum, acceptors } of lines) {
        assert.ok(acceptors.length >= (quorum ?? 2), `slot ${slot} has the quorum that decided it`)
      }
    }
  }
  assert.ok(looked > 500, `${looked} acceptances`)
})

/** An answer that came when the instance's span had left. */
async function isToldApart(of: {
  readonly gid: number
  readonly slot: number
  readonly ballot: string
  readonly replica: number
}): Promise<boolean> {
  const { spans } = value(await archive.client.instance(of.gid, of.slot))
  return spans.some(({ name, attributes }) => {
    const isOf = attributes['shardglass.ballot'] === of.ballot
    return name === SPAN.accept && isOf && attributes['shardglass.acceptor'] === of.replica
  })
}

/** What an acceptor made durable. */
async function acceptedIn(folder: string): Promise<readonly { slot: number; ballot: string }[]> {
  const nothing = (): void => undefined
  const options = { dir: join(folder, 'log'), header: () => [], onDurable: nothing }
  const { wal, recovered } = await openWal({ ...options, onFailure: nothing })
  await wal.close()
  return recovered.map(decodeRecord).flatMap(record => {
    if (record.type !== 'accept') return []
    return [{ slot: record.slot, ballot: formatBallot(record.ballot) }]
  })
}

test.run()
