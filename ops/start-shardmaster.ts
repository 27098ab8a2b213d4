// One shardmaster. Everything is configured by flags or environment variables: see --help.

import { shardmasterCalls } from '../server/host/call-schema.ts'
import { createShardmasterApp } from '../server/http/app.ts'
import { createShardmasterGateway } from '../server/http/gateways.ts'
import { createShardmasterMachine } from '../server/shardmaster/machine.ts'
import type { ShardmasterReply, ShardmasterRequest } from '../server/shardmaster/operation.ts'
import { type Life, live, type Running } from './life.ts'
import { startNode } from './node.ts'
import { nameOf, shardmasterOptions } from './options.ts'
import { shardmasterSources } from './telemetry/shardmaster-metrics.ts'
import { targetsRoute } from './telemetry/targets-route.ts'

const argv = process.argv.slice(2)

async function start(life: Life): Promise<Running> {
  const options = shardmasterOptions(argv)
  const { cluster, shards, partitioner, joinHosts } = options
  const machine = createShardmasterMachine({ shardCount: shards, partitioner })
  const config = () => machine.config()
  const node = await startNode<ShardmasterRequest, ShardmasterReply>(
    {
      kind: 'shardmaster',
      gid: 0,
      options,
      machine,
      calls: shardmasterCalls,
      overloaded: { type: 'overloaded' },
      ownMetrics: ({ events }) =>
        shardmasterSources({
          config,
          sessions: () => machine.status().sessions,
          events: events.shards,
        }),
      moreRoutes: [targetsRoute({ cluster, shardmasters: options.peers, config })],
      urlOf: () => null,
      createApp: parts =>
        createShardmasterApp({
          ...parts,
          gateway: createShardmasterGateway(parts.gatewayOptions),
          allowedHosts: joinHosts,
        }),
    },
    life,
  )
  life.log('info', 'serving', { url: options.advertise, replica: options.replica })
  return node
}

await live(nameOf(argv, 'shardmaster'), start)
