// A replica that runs fifty operations on a real log and store, both of small measure, so that
// segments rotate, the log is trimmed and rounds of the store land all the time. It says on its output
// what was acknowledged, and can be told to stop dead at any one operation on its files.
// Run by crash-points.ts: node crash-script.js FOLDER OPERATIONS [CRASH-AT].

import { mkdirSync } from 'node:fs'
import { join } from 'node:path'
import type { Now } from '../../server/contract.ts'
import { monotonicMicros } from '../../server/host/clock.ts'
import { createHost, type Host } from '../../server/host/host.ts'
import { openDataDirectory } from '../../server/host/identity.ts'
import { openLmdbStore } from '../../server/host/store-lmdb.ts'
import { openWal } from '../../server/host/wal.ts'
import { nodeWalFiles, type WalFiles } from '../../server/host/wal-files.ts'
import type { GroupReply } from '../../server/machine.ts'
import { decodeRecord, encodeRecord, slotOf } from '../../server/paxos/record.ts'
import { DEFAULT_SETTINGS } from '../../server/paxos/settings.ts'
import { createReplica, type GroupReplica } from '../../server/replica.ts'
import type { Config } from '../../server/shardmaster/config.ts'
import { createShardmasterMachine } from '../../server/shardmaster/machine.ts'
import type {
  Change,
  ShardmasterReply,
  ShardmasterRequest,
} from '../../server/shardmaster/operation.ts'
import { readApplied } from '../../server/store-meta.ts'

type Reply = ShardmasterReply | GroupReply

const SHARDS = 8
const GROUPS = 3
const SEGMENT_BYTES = 4 * 1024
/** Time passes so many times faster here: a round of the store begins every 20 ms. */
const HASTE = 50
const RETRY_MS = 20

const [folder = '', operations = '50', crashAt = '0'] = process.argv.slice(2)

function clockNow(): Now {
  return { micros: monotonicMicros() * HASTE, wallMs: Date.now() }
}

/** Stops dead before its n-th operation; with a number below 0, right after it. */
function crashing(files: WalFiles, at: number): WalFiles {
  let count = 0
  const stopAt = (isBefore: boolean): void => {
    if (at !== 0 && count === Math.abs(at) && isBefore === at > 0)
      process.kill(process.pid, 'SIGKILL')
  }
  const around = <T>(work: () => T): T => {
    count += 1
    stopAt(true)
    const result = work()
    if (result instanceof Promise) void result.then(() => stopAt(false))
    else stopAt(false)
    return result
  }
  process.on('exit', () => process.stdout.write(`operations ${count}\n`))
  return {
    ...files,
    open: (name, mode) => around(() => files.open(name, mode)),
    writeNow: (fd, buffer, position) => around(() => files.writeNow(fd, buffer, position)),
    write: (fd, buffer, position) => around(() => files.write(fd, buffer, position)),
    syncNow: fd => around(() => files.syncNow(fd)),
    sync: fd => around(() => files.sync(fd)),
    truncate: (fd, length) => around(() => files.truncate(fd, length)),
    rename: (from, to) => around(() => files.rename(from, to)),
    remove: name => around(() => files.remove(name)),
    syncDirectory: () => around(() => files.syncDirectory()),
  }
}

function fail(error: unknown): void {
  console.log(`failed ${error instanceof Error ? error.message : String(error)}`)
  process.exit(70)
}

async function start(): Promise<Host<ShardmasterRequest, Reply>> {
  const place = { cluster: 'crash', gid: 0, replica: 0, kind: 'shardmaster' } as const
  const directory = await openDataDirectory({ dir: folder, ...place })
  const log = join(folder, 'log')
  mkdirSync(log, { recursive: true, mode: 0o700 })
  let replica: GroupReplica<ShardmasterRequest, Reply> | null = null
  let host: Host<ShardmasterRequest, Reply> | null = null
  const { wal, recovered } = await openWal({
    dir: log,
    segmentBytes: SEGMENT_BYTES,
    files: crashing(nodeWalFiles(log), Number(crashAt)),
    header: () => replica?.durableState().map(encodeRecord) ?? [],
    onDurable: upTo => host?.onDurable(upTo),
    onFailure: fail,
  })
  const store = await openLmdbStore(join(folder, 'store'), { onFailure: fail })
  replica = createReplica<ShardmasterRequest, ShardmasterReply>({
    gid: 0,
    self: { replica: 0, incarnation: directory.identity.incarnation },
    peers: [0],
    settings: { ...DEFAULT_SETTINGS, retainedSlots: 4 },
    random: Math.random,
    store,
    records: recovered.map(decodeRecord),
    nowMicros: clockNow().micros,
    machine: createShardmasterMachine({ shardCount: SHARDS, partitioner: 'hash' }),
  })
  host = createHost<ShardmasterRequest, Reply>({
    replica,
    log: wal,
    store,
    transport: { send: () => undefined, flush: () => undefined },
    clock: { now: clockNow },
    overloaded: { type: 'overloaded' },
    node: { kind: 'shardmaster', cluster: 'crash', version: '0' },
    appliedSlot: () => readApplied(store),
    encodeRecord,
    slotOf,
    onEvents: () => undefined,
    onFatal: fail,
  })
  return host
}

/** Groups join, then shards move. Each operation makes one configuration: its number is the same. */
function changeOf(number: number, { shards }: Config): Change {
  if (number <= GROUPS) {
    return { op: 'join', gid: number, servers: [`http://127.0.0.1:${4000 + number}`] }
  }
  const shard = number % SHARDS
  return { op: 'move', shard, gid: 1 + ((shards[shard] ?? 0) % GROUPS) }
}

async function ask(
  host: Host<ShardmasterRequest, Reply>,
  request: ShardmasterRequest,
): Promise<Extract<Reply, { type: 'config' }>> {
  for (;;) {
    const reply = await new Promise<Reply>(done => host.submit(request, done))
    if (reply.type === 'config') return reply
    if (reply.type !== 'notLeader' && reply.type !== 'unknown' && reply.type !== 'overloaded') {
      throw new Error(JSON.stringify(reply))
    }
    await new Promise(done => setTimeout(done, RETRY_MS))
  }
}

/** Says what it finds, runs what is left of the script, and says what is acknowledged. */
async function main(): Promise<void> {
  const host = await start()
  let { config } = await ask(host, { type: 'query', num: -1 })
  console.log(`found ${config.num} ${JSON.stringify(config.shards)}`)
  for (let number = config.num + 1; number <= Number(operations); number++) {
    const session = { client: 'script', number, acked: number - 1 }
    const change = changeOf(number, config)
    const terms = { actor: 'script', reason: 'x'.repeat(200), ifConfig: null, session }
    config = (await ask(host, { type: 'change', change, ...terms })).config
    console.log(`acknowledged ${config.num} ${JSON.stringify(config.shards)}`)
  }
  await host.stop({ graceMs: 100 })
  process.exit(0)
}

main().catch(fail)
