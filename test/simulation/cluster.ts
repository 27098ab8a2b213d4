// A whole cluster in one process under virtual time: shardmasters (group 0), groups of replicas,
// clients, all with the real core. Tests say what happens to it and let time pass.

import type { Address, Message, Replica, Sender } from '../../server/contract.ts'
import { decodeFrame, encodeFrame } from '../../server/host/frame.ts'
import type { GroupReply, Machine } from '../../server/machine.ts'
import type { Settings } from '../../server/paxos/settings.ts'
import { createReplica } from '../../server/replica.ts'
import { createShardkvMachine } from '../../server/shardkv/machine.ts'
import type { ShardkvRequest } from '../../server/shardkv/operation.ts'
import type { ShardkvReply } from '../../server/shardkv/reply.ts'
import type { ShardkvSettings } from '../../server/shardkv/settings.ts'
import { createShardmasterMachine } from '../../server/shardmaster/machine.ts'
import type { ShardmasterReply, ShardmasterRequest } from '../../server/shardmaster/operation.ts'
import { Random } from '../support/random.ts'
import { Atlas } from './atlas.ts'
import { Disk } from './disk.ts'
import { Network, type NetworkWeather } from './network.ts'
import { type AnyNode, type Boot, SimulatedNode } from './node.ts'
import { ObservedStore } from './observed-store.ts'
import { Oracle } from './oracle.ts'
import { RareEvents } from './rare-events.ts'
import { RegisterMachine } from './register-machine.ts'
import { ShardOracle } from './shard-oracle.ts'
import { World } from './world.ts'

export type ClusterOptions = {
  readonly seed: number
  /** `register`: group 1 alone, with the smallest state machine. */
  readonly kind: 'register' | 'sharded'
  readonly replicas: number
  readonly shardmasters: number
  /** Groups 1 … n; they are not joined by themselves. */
  readonly groups: number
  readonly shardCount: number
  readonly weather: NetworkWeather
  readonly settings: Settings
  readonly shardkv?: ShardkvSettings
  readonly syncMin: number
  readonly syncMax: number
  readonly segmentRecords: number
  readonly latencyMax: number
  /** Clocks run between 1 − drift and 1 + drift times as fast as the world's. */
  readonly drift: number
  readonly isFrozenMessages: boolean
  readonly isEncodedMessages?: boolean
}

/** Messages that only ever answer one of the receiver's own. */
const ANSWERS: ReadonlySet<Message['type']> = new Set<Message['type']>([
  'helloReply',
  'preVoteReply',
  'promise',
  'accepted',
  'heartbeatReply',
  'reject',
  'entries',
  'snapshotChunk',
  'configs',
  'receiveShardReply',
])

const FRAME_LENGTH_BYTES = 4

type KvNode = SimulatedNode<ShardkvRequest, ShardkvReply>
type MasterNode = SimulatedNode<ShardmasterRequest, ShardmasterReply>

/** What all parts of a call need to know of one replica. */
type Callable<Request, Reply> = Pick<SimulatedNode<Request, Reply>, 'isUp' | 'place' | 'submit'>

export class Cluster {
  readonly world = new World()
  readonly network: Network
  readonly oracle: Oracle
  readonly shards: ShardOracle
  /** All replicas; the position is the place in the network. */
  readonly nodes: AnyNode[] = []
  readonly kv = new Map<string, KvNode>()
  readonly masters: MasterNode[] = []
  readonly atlas = new Atlas(this.nodes)
  readonly rare: RareEvents
  /** Replicas that nobody can call; they are still answered. */
  readonly deaf = new Set<AnyNode>()
  private readonly deafened = new Map<AnyNode, number>()
  /** Messages between replicas, by type. */
  readonly sent = new Map<Message['type'], number>()
  readonly options: ClusterOptions
  private readonly byAddress = new Map<string, AnyNode>()
  private readonly wiped = new Map<AnyNode, number>()
  private places = 0

  constructor(options: ClusterOptions) {
    this.options = options
    const { seed, replicas, groups } = options
    this.network = new Network(this.world, seed, options.weather)
    const sizes = new Map<number, number>()
    const masters = options.kind === 'sharded' ? options.shardmasters : 0
    sizes.set(0, masters)
    for (let gid = 1; gid <= groups; gid++) sizes.set(gid, replicas)
    this.oracle = new Oracle(this.world, sizes)
    this.shards = new ShardOracle(this.world)
    this.rare = new RareEvents(this.world)
    for (let replica = 0; replica < masters; replica++) {
      this.masters.push(this.addNode({ gid: 0, replica }, boot => this.makeMaster(boot)))
    }
    for (let gid = 1; gid <= groups; gid++) {
      for (let replica = 0; replica < replicas; replica++) {
        const node = this.addNode({ gid, replica }, boot => this.makeKv(boot))
        this.kv.set(nameOf({ gid, replica }), node)
      }
    }
  }

  /** A place in the network for a client. */
  newPlace(): number {
    this.places += 1
    return this.places - 1
  }

  get placeCount(): number {
    return this.places
  }

  startAll(): void {
    for (const node of this.nodes) node.start()
  }

  node(gid: number, replica: number): AnyNode {
    const node = this.byAddress.get(nameOf({ gid, replica }))
    if (node === undefined) throw new Error(`no replica ${gid}/${replica}`)
    return node
  }

  group(gid: number): AnyNode[] {
    return this.nodes.filter(node => node.address.gid === gid)
  }

  /** The replica that leads and is ready, null when none does. */
  leader(gid: number): AnyNode | null {
    for (const node of this.group(gid)) {
      const status = node.status()
      if (status?.role === 'leader' && status.isReady) return node
    }
    return null
  }

  /** Base URLs of a group, as the shardmaster is told them. */
  servers(gid: number): string[] {
    return this.group(gid).map(node => `http://sim-${gid}-${node.address.replica}:80`)
  }

  callKv(
    from: number,
    target: { readonly gid: number; readonly replica: number },
    request: ShardkvRequest,
    done: (reply: ShardkvReply | null) => void,
  ): void {
    this.call(from, this.kv.get(nameOf(target)), request, done, reply =>
      this.rare.onReply(target, request, reply),
    )
  }

  callMaster(
    from: number,
    replica: number,
    request: ShardmasterRequest,
    done: (reply: ShardmasterReply | null) => void,
  ): void {
    this.call(from, this.masters[replica], request, done)
  }

  /** Through the network and back; `done(null)`: there is no such process, nothing was done. */
  private call<Request, Reply>(
    from: number,
    node: Callable<Request, Reply> | undefined,
    request: Request,
    done: (reply: Reply | null) => void,
    onReply: (reply: Reply) => void = () => {},
  ): void {
    if (node === undefined) {
      this.world.after(1000, () => done(null))
      return
    }
    this.network.send(from, node.place, () => {
      const answer = (reply: Reply | null) => {
        if (reply !== null) onReply(reply)
        this.network.send(node.place, from, () => done(reply))
      }
      if (node.isUp) node.submit(request, answer)
      else answer(null)
    })
  }

  /** Nobody can call it; it is still answered. Ends when it is undeafened as often. */
  deafen(node: AnyNode): void {
    this.deafened.set(node, (this.deafened.get(node) ?? 0) + 1)
    this.deaf.add(node)
  }

  undeafen(node: AnyNode, isForAll = false): void {
    const left = isForAll ? 0 : (this.deafened.get(node) ?? 1) - 1
    this.deafened.set(node, left)
    if (left <= 0) this.deaf.delete(node)
  }

  /** An empty disk, and with it another incarnation. The old disk is lost to its group. */
  wipe(node: AnyNode): void {
    this.atlas.destroy(node)
    const lives = this.wiped.get(node) ?? 0
    this.wiped.set(node, lives + 1)
    node.wipe(newIncarnation(new Random(this.options.seed, `life ${lives} of ${node.place}`)))
  }

  private addNode<Request, Reply>(
    address: Address,
    makeCore: (boot: Boot) => Replica<Request, Reply>,
  ): SimulatedNode<Request, Reply> {
    const { seed, drift } = this.options
    const place = this.newPlace()
    const random = new Random(seed, `node ${place}`)
    const node = new SimulatedNode<Request, Reply>({
      world: this.world,
      place,
      address,
      incarnation: newIncarnation(random),
      random,
      coreRandom: new Random(seed, `core ${place}`),
      disk: new Disk(this.world, new Random(seed, `disk ${place}`), this.options),
      store: new ObservedStore(),
      watcher: this.watcher,
      makeCore,
      transmit: (from, fromPlace, to, message) => this.transmit(from, fromPlace, to, message),
      clock: {
        offset: random.between(0, 1_000_000_000),
        rate: 1 + (random.next() * 2 - 1) * drift,
      },
      latencyMax: this.options.latencyMax,
    })
    this.nodes.push(node)
    this.byAddress.set(nameOf(address), node)
    return node
  }

  private readonly watcher = {
    onStart: (node: AnyNode) => this.oracle.onStart(node),
    onRecovered: (node: AnyNode, records: Parameters<Oracle['onDurable']>[1]) =>
      this.oracle.onRecovered(node, records),
    onWiped: (node: AnyNode) => this.oracle.onWiped(node),
    onCrash: (node: AnyNode) => this.oracle.onCrash(node),
    onDurable: (node: AnyNode, records: Parameters<Oracle['onDurable']>[1]) =>
      this.oracle.onDurable(node, records),
    onSend: (node: AnyNode, message: Message) => {
      this.oracle.onSend(node, message)
      this.rare.onSend(node, message)
      this.shards.onSend(message)
    },
    onEvent: (node: AnyNode, event: Parameters<Oracle['onEvent']>[1]) => {
      const { trace, now } = this.world
      trace?.(`${now} ${node.name} ${JSON.stringify(event)}`)
      this.oracle.onEvent(node, event)
      this.shards.onEvent(node, event)
      this.rare.onEvent(node, event)
    },
    onStep: (node: AnyNode) => {
      this.oracle.onStep(node)
      this.shards.onStep(node)
    },
  }

  private transmit(from: Sender, fromPlace: number, to: Address, sent: Message): void {
    const message = this.options.isEncodedMessages === true ? throughFrame(sent) : sent
    const target = this.byAddress.get(nameOf(to))
    if (target === undefined) return
    if (this.options.isFrozenMessages) freeze(message)
    this.sent.set(message.type, (this.sent.get(message.type) ?? 0) + 1)
    const { world } = this
    if (this.deaf.has(target) && !ANSWERS.has(message.type)) {
      world.count('network: not heard')
      return
    }
    this.network.send(fromPlace, target.place, () => {
      world.trace?.(`${world.now} ${nameOf(from)} → ${target.name} ${describe(message)}`)
      if (target.isStranger && target.isUp) this.rare.onStrangerTold(message)
      target.deliver({ type: 'message', from, message })
    })
  }

  private makeKv(boot: Boot): Replica<ShardkvRequest, ShardkvReply> {
    const { kind, shardmasters, replicas, shardkv } = this.options
    const { gid } = boot.address
    const machine: Machine<ShardkvRequest, ShardkvReply> =
      kind === 'register'
        ? new RegisterMachine(shardkv)
        : createShardkvMachine({
            gid,
            shardmasters,
            ...(shardkv === undefined ? {} : { settings: shardkv }),
          })
    return this.makeReplica(boot, replicas, machine)
  }

  private makeMaster(boot: Boot): Replica<ShardmasterRequest, ShardmasterReply> {
    const { shardCount, shardmasters } = this.options
    const machine = createShardmasterMachine({ shardCount, partitioner: 'first-byte' })
    return this.makeReplica(boot, shardmasters, machine)
  }

  private makeReplica<Request, Reply>(
    boot: Boot,
    size: number,
    machine: Machine<Request, Reply>,
  ): Replica<Request, Reply | GroupReply> {
    const { address, incarnation, records, store, nowMicros, random } = boot
    return createReplica({
      gid: address.gid,
      self: { replica: address.replica, incarnation },
      peers: Array.from({ length: size }, (_, replica) => replica),
      settings: this.options.settings,
      random,
      store,
      records,
      nowMicros,
      machine,
    })
  }
}

/** As the receiver decodes it. */
function throughFrame(message: Message): Message {
  return decodeFrame(encodeFrame(message).subarray(FRAME_LENGTH_BYTES))
}

function newIncarnation(random: Random): string {
  return random.word().toString(16).padStart(8, '0').repeat(4)
}

function nameOf({ gid, replica }: Address): string {
  return `${gid}/${replica}`
}

/** Whoever changes a message that another replica also holds is told so by an exception. */
function freeze(value: unknown): void {
  if (typeof value !== 'object' || value === null || Object.isFrozen(value)) return
  if (ArrayBuffer.isView(value)) return
  Object.freeze(value)
  for (const part of Object.values(value)) freeze(part)
}

function describe(message: Message): string {
  return JSON.stringify(message, (_, value) =>
    typeof value === 'object' && value !== null && 'data' in value && Array.isArray(value.data)
      ? `<${value.data.length} bytes>`
      : value,
  )
}
