// Puts one node together: storage, the replica's core, transport, host, gateway and HTTP server, and
// takes it apart again in the right order. What differs between the kinds of node is passed in.

import { InvariantError } from '../server/assert.ts'
import type { Backend, PeerCaller } from '../server/backend.ts'
import type { Address, Replica } from '../server/contract.ts'
import type { CallSchema } from '../server/host/call-schema.ts'
import { systemClock } from '../server/host/clock.ts'
import { createHost, type Host } from '../server/host/host.ts'
import { createTransport, type Transport } from '../server/host/transport.ts'
import type { AppOptions, HttpApp } from '../server/http/app.ts'
import { createAuth, decodeTokens, hashToken } from '../server/http/auth.ts'
import { Deadlines } from '../server/http/deadlines.ts'
import type { GatewayOptions } from '../server/http/gateway.ts'
import { Lanes } from '../server/http/lanes.ts'
import { leaderRoutes } from '../server/http/leader-routes.ts'
import type { RequestTrace } from '../server/http/request-trace.ts'
import type { Route } from '../server/http/route.ts'
import { type HttpServer, startHttpServer } from '../server/http/server.ts'
import type { StatusRoutesOptions } from '../server/http/status-routes.ts'
import type { GroupReply, Machine } from '../server/machine.ts'
import { encodeRecord, slotOf } from '../server/paxos/record.ts'
import { DEFAULT_SETTINGS } from '../server/paxos/settings.ts'
import { createReplica } from '../server/replica.ts'
import { describe, type Life, Refusal, type Running } from './life.ts'
import type { ShardkvOptions, ShardmasterOptions } from './options.ts'
import { readSecret } from './secrets.ts'
import { openStorage, type Storage } from './storage.ts'
import type { MetricRegistry } from './telemetry/metric-registry.ts'
import { metricsRoute } from './telemetry/metrics-route.ts'
import type { OwnSources } from './telemetry/node-metrics.ts'
import { type Counted, NodeTelemetry } from './telemetry/node-telemetry.ts'
import { openScrapes } from './telemetry/scrape-listener.ts'
import { type EventSink, fanOut } from './telemetry/telemetry.ts'
import { startTracing, type Tracing } from './telemetry/tracing.ts'
import { followTokens } from './tokens-file.ts'
import { twinWarning } from './twin-warning.ts'
import { version } from './version.ts'

/** What the routes of a node stand on. */
export type AppParts<Request, Reply> = AppOptions &
  StatusRoutesOptions & {
    readonly gatewayOptions: GatewayOptions<Request, Reply>
    readonly backend: Backend<Request, Reply>
    readonly lanes: Lanes
    readonly trace: RequestTrace | undefined
  }

export type NodeParts<Request, Reply> = {
  readonly kind: 'shardmaster' | 'shardkv'
  readonly gid: number
  readonly options: ShardmasterOptions | ShardkvOptions
  readonly machine: Machine<Request, Reply>
  readonly calls: CallSchema<Request, Reply | GroupReply>
  readonly overloaded: Reply
  /** URL of a replica of another group, where the machine does not know it. */
  readonly urlOf: (address: Address) => string | null
  readonly createApp: (parts: AppParts<Request, Reply | GroupReply>) => HttpApp
  /** The metrics that this kind of node alone has. */
  readonly ownMetrics: (counted: Counted) => OwnSources
  /** Routes of this kind of node beside its API. */
  readonly moreRoutes?: readonly Route[]
  /** Who else is told what happens. */
  readonly onEvents?: EventSink
}

export type StartedNode<Request, Reply> = Running & {
  readonly host: Host<Request, Reply>
  readonly peers: PeerCaller<Request, Reply>
  readonly incarnation: string
  readonly peerToken: string
  readonly port: number
}

/** Time for handing the leadership over, and then for requests under way, in ms. */
const HAND_OVER_MS = 1_500
const REQUESTS_MS = 500
/** For the last spans, ms. */
const SPANS_MS = 600

export async function startNode<Request, Reply>(
  parts: NodeParts<Request, Reply>,
  life: Life,
): Promise<StartedNode<Request, Reply | GroupReply>> {
  const { kind, gid, options } = parts
  const tokens = decodeTokens(readSecret(options.tokensFile))
  const peerToken = readSecret(options.peerTokenFile)
  const telemetry = new NodeTelemetry(gid)
  const tracing = await tracingOf(parts, peerToken, life)
  const node = new Assembly(parts, life, { telemetry, tracing })
  const storage = await openStorage({
    node: options,
    kind,
    gid,
    header: () => node.header(),
    onDurable: upTo => node.host?.onDurable(upTo),
    onFailure: error => node.fail(error),
    metrics: telemetry.storage,
  })
  node.assemble(storage, peerToken)
  const auth = createAuth({ tokens, peerHash: hashToken(peerToken) })
  const registry = node.registry(storage)
  const server = await node.serve(auth, registry)
  const scrapes = await openScrapes(registry, options.metricsListen, life.log)
  const following = followTokens(options.tokensFile, auth, life.log)
  const started = node.started(storage, server, peerToken)
  return {
    ...started,
    stop: async () => {
      following.stop()
      await started.stop()
      await scrapes?.close()
    },
  }
}

/** Null: no traces are wanted. */
async function tracingOf<Request, Reply>(
  { kind, gid, options }: NodeParts<Request, Reply>,
  peerToken: string,
  { log }: Life,
): Promise<Tracing | null> {
  const { name, cluster, replica, traces, archive = null, reads } = options
  if (traces === 'off') return null
  return await startTracing({
    resource: { cluster, kind, name, gid, replica, version },
    peerToken,
    archive,
    ratio: options.traceSample,
    slowMs: options.traceSlowMs,
    reads,
    isDeep: options.deepTrace,
    log,
  })
}

/** The parts know each other through it while they are made. */
class Assembly<Request, Reply> {
  host: Host<Request, Reply | GroupReply> | null = null
  private replica: Replica<Request, Reply | GroupReply> | null = null
  private transport: Transport<Request, Reply | GroupReply> | null = null
  private readonly parts: NodeParts<Request, Reply>
  private readonly life: Life
  private readonly telemetry: NodeTelemetry
  private readonly tracing: Tracing | null
  private readonly deadlines = new Deadlines()

  constructor(
    parts: NodeParts<Request, Reply>,
    life: Life,
    watched: { readonly telemetry: NodeTelemetry; readonly tracing: Tracing | null },
  ) {
    this.parts = parts
    this.life = life
    this.telemetry = watched.telemetry
    this.tracing = watched.tracing
  }

  header(): readonly Uint8Array[] {
    return this.replica?.durableState().map(encodeRecord) ?? []
  }

  fail(error: unknown): void {
    if (this.host === null) this.life.onFatal(error)
    else this.host.fail(error)
  }

  assemble(storage: Storage, peerToken: string): void {
    const { kind, gid, options, machine, calls, overloaded } = this.parts
    const { store, wal, records, incarnation } = storage
    const { replica, cluster } = options
    const core = createReplica<Request, Reply>({
      gid,
      self: { replica, incarnation },
      peers: options.peers.map((_, id) => id),
      settings: { ...DEFAULT_SETTINGS, readPath: options.reads },
      random: Math.random,
      store,
      records,
      nowMicros: systemClock.now().micros,
      machine,
    })
    this.replica = core
    const transport = createTransport<Request, Reply | GroupReply>({
      self: { gid, replica, incarnation },
      cluster,
      peerToken,
      mode: options.peerTransport,
      calls,
      resolve: address => this.resolve(address),
      onMessage: (from, message) => this.host?.deliver(from, message),
      onCall: (request, done) => this.host?.submit(request, done),
      onRoundTrip: (_, micros) => this.telemetry.onRoundTrip(micros),
      onTwin: twinWarning(this.life.log),
    })
    this.transport = transport
    this.host = createHost<Request, Reply | GroupReply>({
      replica: core,
      log: wal,
      store: {
        flush: () => this.telemetry.storage.timed(() => store.flush()),
        close: () => store.close(),
      },
      transport,
      clock: systemClock,
      overloaded,
      node: { kind, cluster, version },
      appliedSlot: () => core.applied,
      encodeRecord,
      slotOf,
      onEvents: fanOut(this.sinks()),
      onFatal: this.life.onFatal,
    })
  }

  registry({ store, wal }: Storage): MetricRegistry {
    const { host, transport } = this
    if (host === null || transport === null) throw new Error('the node is not assembled')
    const parts = {
      name: this.parts.options.name,
      status: () => host.status(),
      waiting: () => host.waiting,
      counters: host.counters,
      transport,
      store,
      wal,
      traces: () => this.tracing?.counters() ?? null,
    }
    return this.telemetry.registry(parts, this.parts.ownMetrics(this.telemetry))
  }

  async serve(auth: AppOptions['auth'], registry: MetricRegistry): Promise<HttpServer> {
    const { host, transport } = this
    if (host === null || transport === null) throw new Error('the node is not assembled')
    const { gid, options } = this.parts
    const onFault = (error: unknown): void => this.onFault(error)
    const app = this.parts.createApp({
      auth,
      onFault,
      ownHosts: [new URL(options.advertise).host],
      status: () => host.status(),
      version,
      backend: host,
      lanes: new Lanes(),
      traffic: this.telemetry.traffic,
      trace: this.tracing?.requests,
      moreRoutes: [
        ...leaderRoutes({ status: () => host.status(), handOver: () => host.handOver() }),
        ...(this.tracing?.routes ?? []),
        metricsRoute(registry),
        ...(this.parts.moreRoutes ?? []),
      ],
      gatewayOptions: {
        backend: host,
        peers: transport,
        self: { gid, replica: options.replica },
        replicas: options.peers.map((_, id) => id),
        deadlines: this.deadlines,
        onFault,
      },
    })
    try {
      return await startHttpServer({
        app,
        ...options.listen,
        onPeerPost: (type, headers, body) => transport.handlePost(type, headers, body),
        onUpgrade: (request, socket, head) => transport.handleUpgrade(request, socket, head),
      })
    } catch (cause) {
      const { host: name, port } = options.listen
      throw new Refusal(`cannot listen on ${name}:${port}`, { cause })
    }
  }

  started(
    storage: Storage,
    server: HttpServer,
    peerToken: string,
  ): StartedNode<Request, Reply | GroupReply> {
    const { host, transport } = this
    if (host === null || transport === null) throw new Error('the node is not assembled')
    const stop = async (): Promise<void> => {
      await host.stop({ graceMs: HAND_OVER_MS })
      await server.close({ graceMs: REQUESTS_MS })
      await this.tracing?.stop(SPANS_MS)
      transport.close()
      this.deadlines.close()
      this.telemetry.stop()
      await storage.release()
    }
    const { incarnation } = storage
    return { host, peers: transport, incarnation, peerToken, port: server.port, stop }
  }

  private sinks(): readonly EventSink[] {
    const sinks = [this.telemetry.events.sink, this.parts.onEvents, this.tracing?.onEvents]
    return sinks.filter(sink => sink !== undefined)
  }

  private resolve(address: Address): string | null {
    const { gid, options, urlOf } = this.parts
    if (address.gid === gid) return options.peers[address.replica] ?? null
    return urlOf(address) ?? this.replica?.urlOf(address) ?? null
  }

  /** A handler failed: a broken invariant ends the process, anything else concerns one request. */
  private onFault(error: unknown): void {
    if (error instanceof InvariantError) this.fail(error)
    else this.life.log('error', 'a request failed unexpectedly', { error: describe(error) })
  }
}
