// `GET /v1/targets` on shardmasters: whom Prometheus is to scrape, in the form of its http_sd. It follows
// joins and leaves by itself. What this replica has applied is told, whoever leads: discovery must
// not end with a quorum.

import { jsonAnswer, type Route } from '../../server/http/route.ts'
import type { Config } from '../../server/shardmaster/config.ts'

export type TargetGroup = {
  readonly targets: readonly string[]
  readonly labels: Readonly<Record<string, string>>
}

export type TargetOptions = {
  readonly cluster: string
  /** Base URLs by replica id. */
  readonly shardmasters: readonly string[]
  /** The latest configuration; null before the first. */
  readonly config: () => Config | null
}

export function targetsRoute(options: TargetOptions): Route {
  return {
    method: 'GET',
    path: '/v1/targets',
    role: 'reader',
    scope: 'node',
    mayChange: false,
    query: [],
    doc: {
      operationId: 'targets',
      summary: 'All nodes of the cluster, as service discovery for Prometheus (http_sd)',
      responses: { 200: { description: 'a list of targets with their labels' } },
    },
    handle: () => jsonAnswer(targetsOf(options)),
  }
}

/** Shardmasters, and the replicas of all groups in the configuration. */
export function targetsOf({
  cluster,
  shardmasters,
  config,
}: TargetOptions): readonly TargetGroup[] {
  const groups = Object.entries(config()?.groups ?? {})
  const masters = shardmasters.map((url, replica) =>
    target(url, { cluster, role: 'shardmaster', group: '0', replica: String(replica) }),
  )
  const members = groups.flatMap(([group, servers]) =>
    servers.map((url, replica) =>
      target(url, { cluster, role: 'shardkv', group, replica: String(replica) }),
    ),
  )
  return [...masters, ...members]
}

function target(url: string, labels: Readonly<Record<string, string>>): TargetGroup {
  const { host, protocol, pathname } = new URL(url)
  const __metrics_path__ = `${pathname.replace(/\/+$/, '')}/metrics`
  const scheme = protocol.slice(0, -1)
  return { targets: [host], labels: { ...labels, __metrics_path__, __scheme__: scheme } }
}
