// What the dashboard knows of the cluster: the latest configuration and every node's status, asked
// for once a second while somebody looks, for all who look together. An answer that does not come
// within its second is shown as such; the last one that came stays, with its age.

import { EventEmitter } from 'node:events'
import { type ConfigView, ShardglassError, ShardmasterClient } from '../server/client/clerk.ts'
import { Connections } from '../server/client/connections.ts'
import { hostOf } from './format.ts'
import { HandoffTracker } from './handoff-tracker.ts'
import { MetricsReader } from './metrics-reader.ts'
import { decodeStatus, type NodeStatus, type NodeView } from './node-status.ts'
import { Observations } from './observations.ts'

export type KnownNode = { readonly name: string; readonly url: string }

export type ClusterReaderOptions = {
  readonly shardmasters: readonly string[]
  /** Nodes known beside those of the configuration: spares, and names for all. */
  readonly nodes: readonly KnownNode[]
  /** A token that may read; null: nobody is logged in, and nothing is asked. */
  readonly token: () => string | null
  readonly nowMs: () => number
  readonly onFault: (error: unknown) => void
  /** One status, in ms. */
  readonly timeoutMs?: number
  /** Another source of statuses than the network, for the simulation of large clusters. */
  readonly ask?: Asker
}

export type Asker = {
  config(token: string): Promise<ConfigView>
  /** The newest configurations, newest first. */
  history(token: string, limit: number): Promise<readonly ConfigView[]>
  status(url: string, token: string): Promise<{ status: NodeStatus } | { error: string }>
}

export type ClusterView = {
  /** Grows with every look. */
  readonly version: number
  /** ms since 1970. */
  readonly at: number
  /** The latest that was seen; null: none yet. */
  readonly config: ConfigView | null
  /** Why no shardmaster tells the configuration now; null: one does. */
  readonly configError: string | null
  /** The newest few configurations, newest first. */
  readonly recent: readonly ConfigView[]
  /** Shardmasters first, then by group and replica as far as known. */
  readonly nodes: readonly NodeView[]
}

const STATUS_TIMEOUT_MS = 1_000
const WATCHED_MS = 1_000
/** With open sessions that nobody looks at, so that charts have no gap. */
const UNWATCHED_MS = 15_000
/** Who asked for something this long ago is still looking. */
const INTEREST_MS = 12_000
/** A page does not wait longer for a new look: what is known is shown, with its age. */
const PATIENCE_MS = 1_500
/** As old as a view gets while a node takes all of its second. */
const RECENT_MS = 3_000
const RECENT = 50
/** A node of a group that left is asked for so long after its last answer. */
const DEPARTED_MS = 30_000

export class ClusterReader {
  readonly changes = new EventEmitter()
  readonly observations = new Observations()
  readonly handoffs = new HandoffTracker()
  readonly metrics: MetricsReader
  view: ClusterView = { version: 0, at: 0, config: null, configError: null, recent: [], nodes: [] }
  private readonly options: ClusterReaderOptions
  private readonly connections = new Connections({ perNode: 1 })
  private readonly asker: Asker
  private masters: { readonly token: string; readonly client: ShardmasterClient } | null = null
  private looking: Promise<void> | null = null
  private timer: NodeJS.Timeout | null = null
  private interestAt = Number.NEGATIVE_INFINITY
  private isClosed = false

  constructor(options: ClusterReaderOptions) {
    this.options = options
    this.changes.setMaxListeners(0)
    this.metrics = new MetricsReader({ connections: this.connections, nowMs: options.nowMs })
    this.asker = options.ask ?? {
      config: token => this.master(token).query(-1, { timeoutMs: 1_000 }),
      history: (token, limit) => this.master(token).history(limit, { timeoutMs: 1_000 }),
      status: (url, token) => this.askStatus(url, token),
    }
  }

  /**
   * A view of the last seconds at once, while the next look is on its way; where there is none, the
   * next one, but not for longer than a page may wait: a node that hangs must not hold up pages.
   */
  async current(): Promise<ClusterView> {
    const now = this.options.nowMs()
    this.interestAt = now
    const age = now - this.view.at
    if (age <= WATCHED_MS + 250) {
      this.schedule()
      return this.view
    }
    const looked = this.look()
    if (age <= RECENT_MS) return this.view
    const patience = new Promise<void>(resolve => setTimeout(resolve, PATIENCE_MS).unref())
    await Promise.race([looked, patience])
    return this.view
  }

  /** Looks at once: something was changed just now. */
  async refresh(): Promise<void> {
    this.interestAt = this.options.nowMs()
    await this.looking
    await this.look()
  }

  /** Somebody has a page open. */
  keepLooking(): void {
    this.interestAt = this.options.nowMs()
    this.schedule()
  }

  async close(): Promise<void> {
    this.isClosed = true
    if (this.timer !== null) clearTimeout(this.timer)
    await Promise.all([this.connections.close(), this.masters?.client.close()])
  }

  private look(): Promise<void> {
    this.looking ??= this.lookOnce()
      .catch(this.options.onFault)
      .finally(() => {
        this.looking = null
        this.schedule()
      })
    return this.looking
  }

  private schedule(): void {
    if (this.isClosed || this.timer !== null || this.looking !== null) return
    const isWatched = this.options.nowMs() - this.interestAt < INTEREST_MS
    const delay = isWatched ? WATCHED_MS : UNWATCHED_MS
    this.timer = setTimeout(() => {
      this.timer = null
      if (this.options.token() !== null) void this.look()
      else this.interestAt = Number.NEGATIVE_INFINITY // nobody is logged in: no look, no timer
    }, delay)
    this.timer.unref()
  }

  private async lookOnce(): Promise<void> {
    const token = this.options.token()
    if (token === null || this.isClosed) return
    const before = this.view
    const departed = departedOf(before)
    const [found, views] = await Promise.all([
      this.configOrError(token),
      this.statuses([...new Set([...urlsOf(this.options, before.config), ...departed])], token),
    ])
    const config = newest(before.config, found.config)
    const known = new Set(views.map(({ url }) => url))
    const others = urlsOf(this.options, config).filter(url => !known.has(url))
    const late = others.length === 0 ? [] : await this.statuses(others, token)
    const wanted = new Set([...urlsOf(this.options, config), ...departed])
    const nodes = [...views, ...late].filter(({ url }) => wanted.has(url)).sort(byPlace)
    const recent = await this.recent(before, config, token)
    const at = this.options.nowMs()
    const version = before.version + 1
    this.view = { version, at, config, configError: found.error, recent, nodes }
    this.observations.note(before, this.view)
    this.handoffs.note(before, this.view)
    if (this.options.ask === undefined) this.metrics.look(nodes, token)
    this.changes.emit('look')
  }

  private async configOrError(
    token: string,
  ): Promise<{ readonly config: ConfigView | null; readonly error: string | null }> {
    try {
      return { config: await this.asker.config(token), error: null }
    } catch (error) {
      if (!(error instanceof ShardglassError)) throw error
      return { config: null, error: error.detail }
    }
  }

  private async statuses(urls: readonly string[], token: string): Promise<readonly NodeView[]> {
    return Promise.all(
      urls.map(async url => {
        const before = this.view.nodes.find(node => node.url === url)
        const found = await this.asker.status(url, token)
        const name = this.options.nodes.find(node => node.url === url)?.name ?? hostOf(url)
        const at = this.options.nowMs()
        if ('status' in found) return { url, name, status: found.status, seenAt: at, error: null }
        const { status = null, seenAt = null } = before ?? {}
        return { url, name, status, seenAt, error: found.error }
      }),
    )
  }

  /** Asked for again only when there is a newer one; large clusters tell fewer. */
  private async recent(
    before: ClusterView,
    config: ConfigView | null,
    token: string,
  ): Promise<readonly ConfigView[]> {
    if (config === null || before.recent[0]?.num === config.num) return before.recent
    const limit = config.shards.length > 1_000 ? 5 : RECENT
    try {
      return await this.asker.history(token, limit)
    } catch (error) {
      if (!(error instanceof ShardglassError)) throw error
      return before.recent
    }
  }

  private master(token: string): ShardmasterClient {
    if (this.masters?.token === token) return this.masters.client
    void this.masters?.client.close()
    const { shardmasters } = this.options
    const client = new ShardmasterClient({ shardmasters, token, attemptTimeoutMs: 800 })
    this.masters = { token, client }
    return client
  }

  private async askStatus(
    url: string,
    token: string,
  ): Promise<{ status: NodeStatus } | { error: string }> {
    const headers = { authorization: `Bearer ${token}` }
    const request = { method: 'GET', path: '/v1/status', headers } as const
    const timeoutMs = this.options.timeoutMs ?? STATUS_TIMEOUT_MS
    const answer = await this.connections.exchange(url, request, { timeoutMs })
    if (answer.type === 'failed') return { error: FAILED[answer.reason] }
    if (answer.status === 401) return { error: 'it does not know this token' }
    if (answer.status !== 200) return { error: `it answers with status ${answer.status}` }
    const status = decodeStatus(parsed(answer.body))
    return status === null ? { error: 'its answer is not understood' } : { status }
  }
}

const FAILED = {
  timeout: 'no answer within a second',
  aborted: 'not asked',
  unreachable: 'not reachable',
} as const

function urlsOf(options: ClusterReaderOptions, config: ConfigView | null): readonly string[] {
  const members = config === null ? [] : Object.values(config.groups).flat()
  return [...new Set([...options.shardmasters, ...members, ...options.nodes.map(({ url }) => url)])]
}

/**
 * Of groups that left: for as long as they answer, somebody wants to know if they may stop. One
 * answer that is late is no goodbye.
 */
function departedOf(before: ClusterView): readonly string[] {
  if (before.config === null) return []
  return before.nodes
    .filter(({ status, seenAt }) => {
      const isRecent = before.at - (seenAt ?? Number.NEGATIVE_INFINITY) <= DEPARTED_MS
      return status !== null && status.gid > 0 && isRecent
    })
    .map(({ url }) => url)
}

/** A shardmaster that lags behind must not take a page back in time. */
function newest(before: ConfigView | null, found: ConfigView | null): ConfigView | null {
  if (found === null) return before
  return before !== null && before.num > found.num ? before : found
}

function byPlace(one: NodeView, other: NodeView): number {
  const gid = (node: NodeView) => node.status?.gid ?? Number.MAX_SAFE_INTEGER
  const replica = (node: NodeView) => node.status?.replica ?? Number.MAX_SAFE_INTEGER
  return gid(one) - gid(other) || replica(one) - replica(other) || (one.name < other.name ? -1 : 1)
}

function parsed(body: Buffer): unknown {
  try {
    return JSON.parse(body.toString('utf8'))
  } catch {
    return null // judged as not understood
  }
}
