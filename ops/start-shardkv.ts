// One replica of a shardkv group. Everything is configured by flags or environment variables: see
// --help.

import type { ByteString } from '../server/bytes.ts'
import { shardkvCalls } from '../server/host/call-schema.ts'
import { createShardkvApp } from '../server/http/app.ts'
import { createGateway } from '../server/http/gateways.ts'
import type { KeyPlace } from '../server/http/kv-answer.ts'
import { createShardkvMachine, type ShardkvMachine } from '../server/shardkv/machine.ts'
import type { ShardkvRequest } from '../server/shardkv/operation.ts'
import type { ShardkvReply } from '../server/shardkv/reply.ts'
import { startAutoJoin } from './auto-join.ts'
import { type Life, live, type Running } from './life.ts'
import { startNode } from './node.ts'
import { nameOf, shardkvOptions } from './options.ts'
import { heldFor } from './telemetry/metric-sources.ts'
import { READING_MS } from './telemetry/node-telemetry.ts'
import { shardkvSources } from './telemetry/shardkv-metrics.ts'

const argv = process.argv.slice(2)

async function start(life: Life): Promise<Running> {
  const options = shardkvOptions(argv)
  const { gid, shardmasters } = options
  const machine = createShardkvMachine({ gid, shardmasters: shardmasters.length })
  const node = await startNode<ShardkvRequest, ShardkvReply>(
    {
      kind: 'shardkv',
      gid,
      options,
      machine,
      calls: shardkvCalls,
      overloaded: { type: 'overloaded' },
      ownMetrics: ({ traffic, events, nowMicros }) =>
        shardkvSources({
          status: heldFor(READING_MS, () => machine.status()),
          shardCount: () => machine.config()?.shards.length ?? 0,
          shards: events.shards,
          traffic,
          nowMicros,
        }),
      urlOf: address => (address.gid === 0 ? (shardmasters[address.replica] ?? null) : null),
      createApp: parts =>
        createShardkvApp({
          ...parts,
          gateway: createGateway(parts.gatewayOptions),
          describe: key => placeOf(machine, key),
        }),
    },
    life,
  )
  life.log('info', 'serving', { url: options.advertise, gid, replica: options.replica })
  if (!options.autoJoin) return node
  const autoJoin = startAutoJoin({ ...node, options, log: life.log })
  return {
    stop: async () => {
      autoJoin.stop()
      await node.stop()
    },
  }
}

function placeOf(machine: ShardkvMachine, key: ByteString): KeyPlace {
  const place = machine.describe(key)
  if (place === null) return { config: 0, shard: 0, group: 0, servers: [] }
  const { config, shard, gid } = place
  return { config, shard, group: gid, servers: machine.config()?.groups[String(gid)] ?? [] }
}

await live(nameOf(argv, 'shardkv'), start)
