// What a put costs the three cores of a group: proposals, frames, log records and applying, without
// HTTP, network and disk. On a busy machine compare runs of two versions in turns.
// Run: node --import tsx test/support/run-core-cost.ts [puts in a batch] [batches]

import type { Message, Replica, Sender } from '../../server/contract.ts'
import { decodeFrame, encodeFrame } from '../../server/host/frame.ts'
import { Layers } from '../../server/host/store-layers.ts'
import { compactValue } from '../../server/host/store-tree.ts'
import { encodeRecords, type Link } from '../../server/host/wal-segment.ts'
import { Lanes } from '../../server/http/lanes.ts'
import type { GroupReply } from '../../server/machine.ts'
import { encodeRecord, slotOf } from '../../server/paxos/record.ts'
import { DEFAULT_SETTINGS } from '../../server/paxos/settings.ts'
import { createReplica } from '../../server/replica.ts'
import { createShardkvMachine } from '../../server/shardkv/machine.ts'
import type { ShardkvRequest } from '../../server/shardkv/operation.ts'
import type { ShardkvReply } from '../../server/shardkv/reply.ts'
import { type Config, initialConfig } from '../../server/shardmaster/config.ts'
import type { StoreTransaction } from '../../server/store.ts'
import { TinyStore } from './tiny-store.ts'

const [, , batchText = '20', batchesText = '3000'] = process.argv
const BATCH = Number(batchText)
const BATCHES = Number(batchesText)
const SHARDS = 64
const KEYS = 1_000
const VALUE = Buffer.alloc(256, 'v')
const INCARNATION = 'a'.repeat(16)
const PREFIX_BYTES = 4
/** The layers are let go at this size, as a round of the disk would. */
const LAYER_BYTES = 4 * 1024 * 1024

/** The layers of the store on disk, without the disk. */
class LayeredStore extends TinyStore {
  private readonly layers = new Layers(null)

  override get(key: string): Uint8Array | undefined {
    return this.layers.get(key)
  }

  override transact(work: (transaction: StoreTransaction) => void): void {
    const { layers } = this
    work({
      get: key => layers.get(key),
      range: range => layers.range(range),
      put: (key, value) => void layers.active.set(key, compactValue(value)),
      delete: key => void layers.active.set(key, null),
    })
    if (layers.active.bytes < LAYER_BYTES) return
    layers.freeze()
    layers.thaw()
  }
}

type CoreInput = Parameters<Replica<ShardkvRequest, ShardkvReply | GroupReply>['step']>[1][number]
type Arrived = CoreInput | { readonly type: 'frame'; readonly from: Sender; readonly frame: Buffer }

class Node {
  inputs: Arrived[] = []
  readonly replica: number
  readonly core: Replica<ShardkvRequest, ShardkvReply | GroupReply>
  readonly waiting = new Map<number, () => void>()
  private link: Link = { sequence: 1, previous: 0 }
  private records = 0
  private readonly log = Buffer.alloc(LAYER_BYTES)

  constructor(replica: number) {
    this.replica = replica
    this.core = createReplica<ShardkvRequest, ShardkvReply>({
      gid: 1,
      self: { replica, incarnation: INCARNATION },
      peers: [0, 1, 2],
      settings: DEFAULT_SETTINGS,
      random: () => replica / 4,
      store: new LayeredStore(),
      records: [],
      nowMicros: 1,
      machine: createShardkvMachine({ gid: 1, shardmasters: 3 }),
    })
  }

  step(nodes: readonly Node[], micros: number): void {
    const inputs = this.inputs.map((input): CoreInput => {
      if (input.type !== 'frame') return input
      const message = decodeFrame(input.frame.subarray(PREFIX_BYTES))
      return { type: 'message', from: input.from, message }
    })
    this.inputs = []
    const now = { micros, wallMs: Math.floor(micros / 1000) }
    for (let next: readonly CoreInput[] = inputs; ; next = []) {
      const output = this.core.step(now, next)
      this.write(output.records)
      for (const { to, message } of output.sends) this.send(nodes, to, message)
      for (const { id, reply } of output.replies) {
        if (reply.type !== 'ok') throw new Error(`a put was answered ${reply.type}`)
        this.waiting.get(id)?.()
      }
      if (!output.hasMore) return
    }
  }

  private write(records: ReturnType<typeof this.core.step>['records']): void {
    if (records.length === 0) return
    const payloads = records.map(record => ({
      payload: encodeRecord(record),
      slot: slotOf(record),
    }))
    this.link = encodeRecords(this.log, payloads, { seed: 7, link: this.link })
    this.records += records.length
    this.inputs.push({ type: 'durable', upTo: this.records })
  }

  private send(
    nodes: readonly Node[],
    to: readonly { readonly gid: number; readonly replica: number }[],
    message: Message,
  ): void {
    const own = to.filter(({ gid }) => gid === 1)
    if (own.length === 0) return
    const frame = encodeFrame(message)
    const from = { gid: 1, replica: this.replica, incarnation: INCARNATION }
    for (const { replica } of own) nodes[replica]?.inputs.push({ type: 'frame', from, frame })
  }
}

const nodes = [0, 1, 2].map(replica => new Node(replica))
const lanes = new Lanes()
let micros = 1
let nextId = 0
let done = 0

function settle(): void {
  while (nodes.some(({ inputs }) => inputs.length > 0)) {
    micros += 30
    for (const node of nodes) if (node.inputs.length > 0) node.step(nodes, micros)
  }
}

function elected(): Node {
  for (;;) {
    micros += 1000
    for (const node of nodes) node.inputs.push({ type: 'tick' })
    settle()
    const leader = nodes.find(({ core }) => core.status({ micros, wallMs: 0 }).role === 'leader')
    if (leader !== undefined) return leader
  }
}

function join(leader: Node): void {
  const start = initialConfig(SHARDS, 'hash')
  const shards = start.shards.map(() => 1)
  const first: Config = { ...start, num: 1, shards, holders: shards, groups: { 1: ['http://a:1'] } }
  for (const config of [start, first]) {
    const from = { gid: 0, replica: 0, incarnation: 'x' }
    const after = config.num - 1
    const message: Message = { type: 'configs', after, configs: [config], latest: 1 }
    leader.inputs.push({ type: 'message', from, message })
    settle()
  }
}

function putBatch(leader: Node): void {
  for (let index = 0; index < BATCH; index++) {
    const ticket = lanes.begin()
    if (ticket === null) throw new Error('too many under way')
    const key = `load-${String(Math.floor(Math.random() * KEYS)).padStart(8, '0')}`
    nextId += 1
    const id = nextId
    leader.waiting.set(id, () => {
      leader.waiting.delete(id)
      lanes.end(ticket)
      done += 1
    })
    const { session } = ticket
    const write = { op: 'put', value: VALUE } as const
    const request = { type: 'write', key, write, condition: { type: 'none' }, session } as const
    leader.inputs.push({ type: 'request', id, request })
  }
  settle()
  micros += 500
}

const leader = elected()
join(leader)
for (let count = 0; count < BATCHES / 2; count++) putBatch(leader) // warms up the code
for (let run = 0; run < 3; run++) {
  done = 0
  const before = process.cpuUsage()
  for (let count = 0; count < BATCHES; count++) putBatch(leader)
  const { user, system } = process.cpuUsage(before)
  console.log(`batches of ${BATCH}: ${((user + system) / done).toFixed(1)} µs of CPU for each put`)
}
