// What the pages stand on. Everything that asks the cluster in somebody's name takes their session,
// and so their token.

import { ArchiveClient } from '../ops/archive/client.ts'
import { Silence } from '../ops/archive/silence.ts'
import { ShardmasterClient } from '../server/client/clerk.ts'
import type { Connections } from '../server/client/connections.ts'
import type { Audit } from './audit.ts'
import type { ClusterReader } from './cluster-reader.ts'
import { ConfigCache } from './config-cache.ts'

export type Services = {
  readonly reader: ClusterReader
  readonly clients: Clients
  readonly connections: Connections
  /** Base URLs of nodes that serve keys, for tokens that may not see which those are now. */
  readonly keyNodes: readonly string[]
  readonly audit: Audit
  /** Null where the dashboard may not change it. */
  readonly tokensFile: string | null
  readonly nowMs: () => number
  /** Where Grafana is; null: nowhere. */
  readonly grafana: string | null
}

export type TokenClients = {
  readonly archive: ArchiveClient | null
  readonly shardmasters: ShardmasterClient
  readonly configs: ConfigCache
}

/** Tokens whose clients are kept open. */
const KEPT = 50

/** One set of clients per token, the ones not used for longest closed first. */
export class Clients {
  private readonly urls: {
    readonly shardmasters: readonly string[]
    readonly archive: string | null
  }
  /** An archive that hangs holds up one page once, and not everybody's pages again and again. */
  private readonly silence = new Silence()
  private readonly byToken = new Map<string, TokenClients>()

  constructor(urls: { readonly shardmasters: readonly string[]; readonly archive: string | null }) {
    this.urls = urls
  }

  of(token: string): TokenClients {
    const known = this.byToken.get(token)
    const clients = known ?? this.open(token)
    this.byToken.delete(token)
    this.byToken.set(token, clients)
    const [oldest] = this.byToken.keys()
    if (this.byToken.size > KEPT && oldest !== undefined) void this.drop(oldest)
    return clients
  }

  async close(): Promise<void> {
    await Promise.all([...this.byToken.keys()].map(token => this.drop(token)))
  }

  private open(token: string): TokenClients {
    const { silence } = this
    const { shardmasters, archive } = this.urls
    const client = new ShardmasterClient({
      shardmasters,
      token,
      attemptTimeoutMs: 1_000,
      timeoutMs: 5_000,
    })
    return {
      archive: archive === null ? null : new ArchiveClient({ url: archive, token, silence }),
      shardmasters: client,
      configs: new ConfigCache(num => client.query(num, { timeoutMs: 2_000 })),
    }
  }

  private async drop(token: string): Promise<void> {
    const clients = this.byToken.get(token)
    this.byToken.delete(token)
    await Promise.all([clients?.archive?.close(), clients?.shardmasters.close()])
  }
}
