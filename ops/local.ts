// The local cluster: which processes it has, and what follows from a name for its ports, its place
// on disk and its neighbours. One base port moves all, so that two clusters can run side by side.

import { join } from 'node:path'

export type LocalNode = {
  /** `sm1` … `sm3`, `kv1a` … `kv3c`. */
  readonly name: string
  readonly kind: 'shardmaster' | 'shardkv'
  /** 0 for shardmasters. */
  readonly gid: number
  readonly replica: number
  readonly port: number
  readonly url: string
}

export type LocalService = { readonly name: string; readonly port: number; readonly url: string }

export type LocalCluster = {
  readonly folder: string
  readonly nodes: readonly LocalNode[]
  /** By replica id. */
  readonly shardmasters: readonly string[]
  readonly files: {
    readonly adminToken: string
    /** For Prometheus. */
    readonly readerToken: string
    readonly tokens: string
    readonly peerToken: string
    readonly cluster: string
  }
  /** File with a link that logs in to the dashboard once. */
  readonly loginLink: string
  /** Keeps the traces of all nodes. */
  readonly archive: LocalService
  /** Processes beside the nodes, one of each. */
  readonly services: readonly LocalService[]
  readonly ports: {
    readonly archive: number
    readonly prometheus: number
    readonly dashboard: number
  }
}

const BASE_PORT = 4100
/** The last port is base + 300, and 65,535 is the highest there is. */
const BASE_PORT_MAX = 65_200
const REPLICAS = ['a', 'b', 'c']
const GROUPS = [1, 2, 3]
/** These join at the first start; the third group is a running spare. */
const JOINING = new Set([1, 2])

/** SHARDGLASS_BASE_PORT moves the ports, SHARDGLASS_DATA the folder (default `./data`). */
export function localCluster(env: NodeJS.ProcessEnv = process.env): LocalCluster {
  const base = basePort(env.SHARDGLASS_BASE_PORT)
  const folder = env.SHARDGLASS_DATA || 'data'
  const shardmasters = REPLICAS.map((_, replica) =>
    node({ name: `sm${replica + 1}`, kind: 'shardmaster', gid: 0, replica }, base + replica + 1),
  )
  const shardkvs = GROUPS.flatMap(gid =>
    REPLICAS.map((letter, replica) => {
      const port = base + 100 + 10 * gid + replica + 1
      return node({ name: `kv${gid}${letter}`, kind: 'shardkv', gid, replica }, port)
    }),
  )
  const archive = service('archive', base + 200)
  return {
    folder,
    nodes: [...shardmasters, ...shardkvs],
    shardmasters: shardmasters.map(({ url }) => url),
    files: {
      adminToken: join(folder, 'admin.token'),
      readerToken: join(folder, 'reader.token'),
      tokens: join(folder, 'tokens.json'),
      peerToken: join(folder, 'peer.token'),
      cluster: join(folder, 'cluster.id'),
    },
    loginLink: join(folder, 'dashboard', 'login.link'),
    archive,
    services: [archive, service('dashboard', base + 300)],
    ports: { archive: base + 200, prometheus: base + 290, dashboard: base + 300 },
  }
}

/** The flags with which a process of this name is started; null where there is no such name. */
export function localFlags(
  cluster: LocalCluster,
  name: string,
  clusterId: string,
): readonly string[] | null {
  if (name === cluster.archive.name) return archiveFlags(cluster)
  const self = cluster.nodes.find(candidate => candidate.name === name)
  if (self === undefined) return null
  const peers = cluster.nodes.filter(({ gid }) => gid === self.gid)
  const flags = [
    ...['--cluster', clusterId, '--replica', String(self.replica)],
    ...['--listen', `127.0.0.1:${self.port}`, '--data', join(cluster.folder, name)],
    ...['--peers', peers.map(({ replica, url }) => `${replica}=${url}`).join(',')],
    ...['--tokens-file', cluster.files.tokens, '--peer-token-file', cluster.files.peerToken],
    ...['--name', name, '--archive', `http://127.0.0.1:${cluster.ports.archive}`],
  ]
  if (self.kind === 'shardmaster') return flags
  const joins = JOINING.has(self.gid) ? ['--auto-join'] : []
  const shardmasters = cluster.shardmasters.join(',')
  return [...flags, '--gid', String(self.gid), '--shardmasters', shardmasters, ...joins]
}

function archiveFlags({ archive, folder, files }: LocalCluster): readonly string[] {
  return [
    ...['--listen', `127.0.0.1:${archive.port}`, '--data', join(folder, archive.name)],
    ...['--tokens-file', files.tokens, '--peer-token-file', files.peerToken],
    ...['--name', archive.name],
  ]
}

/** Throws RangeError with a sentence for people. */
function basePort(text: string | undefined): number {
  if (text === undefined || text === '') return BASE_PORT
  const port = Number(text)
  if (Number.isInteger(port) && port >= 1024 && port <= BASE_PORT_MAX) return port
  throw new RangeError(`SHARDGLASS_BASE_PORT is to be 1024–${BASE_PORT_MAX}, not "${text}"`)
}

function service(name: string, port: number): LocalService {
  return { name, port, url: `http://127.0.0.1:${port}` }
}

function node(fields: Omit<LocalNode, 'port' | 'url'>, port: number): LocalNode {
  return { ...fields, port, url: `http://127.0.0.1:${port}` }
}
