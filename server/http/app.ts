// The apps of the two kinds of node: the table of routes on Hono's router, and the one gate before
// all of them. In the order of the gate: target, origin, token, role, query; then the handler.

import type { HttpBindings } from '@hono/node-server'
import { RESPONSE_ALREADY_SENT } from '@hono/node-server/utils/response'
import { type Context, Hono } from 'hono'
import { type Auth, type Grant, roleProblem } from './auth.ts'
import { isProblem } from './decode.ts'
import {
  type Answer,
  type Exchange,
  type ExchangeShared,
  type NodeObjects,
  newShared,
} from './exchange.ts'
import type { KvRoutesOptions } from './kv-answer.ts'
import { kvRoutes } from './kv-routes.ts'
import { NodeExchange } from './node-exchange.ts'
import { type Problem, problem, problemAnswer } from './problem.ts'
import { type Call, matchesPath, type Route, routePath } from './route.ts'
import { SHARDKV_SCHEMAS, SHARDMASTER_SCHEMAS } from './schemas.ts'
import { type ShardmasterRoutesOptions, shardmasterRoutes } from './shardmaster-routes.ts'
import { type StatusRoutesOptions, statusRoutes } from './status-routes.ts'
import { parseQuery, splitTarget, targetProblem } from './target.ts'
import { Traffic } from './traffic.ts'
import { WebExchange } from './web-exchange.ts'

/** Node's objects are absent where the app is called without a server. */
type Env = { Bindings: Partial<HttpBindings> }

export type AppOptions = StatusRoutesOptions & {
  readonly auth: Auth
  /** An error that no handler expected; a broken invariant is to end the process. */
  readonly onFault: (error: unknown) => void
  /** Hosts, as in a Host header, that an absolute request target may name. */
  readonly ownHosts?: readonly string[]
  /** Another bound than ANSWER_TIMEOUT_MS, for tests. */
  readonly answerTimeoutMs?: number
  /** Routes of other parts of the node, such as metrics; they name their roles as well. */
  readonly moreRoutes?: readonly Route[]
  /** Where requests are counted; its reader's, or one of its own. */
  readonly traffic?: Traffic
}

export type HttpApp = {
  readonly hono: Hono<Env>
  readonly routes: readonly Route[]
  readonly auth: Auth
  readonly onFault: (error: unknown) => void
  readonly traffic: Traffic
  /** Ends the event streams, which would keep a closing server waiting. */
  endStreams(): void
  /** Serves a request of a hot route; false for all others, which are Hono's. */
  serveHot(objects: NodeObjects): boolean
}

export function createShardkvApp(given: AppOptions & Omit<KvRoutesOptions, 'traffic'>): HttpApp {
  const options = { ...given, traffic: given.traffic ?? new Traffic() }
  const routes: Route[] = [...kvRoutes(options), ...(options.moreRoutes ?? [])]
  const title = 'Shardglass key/value node'
  const api = { title, routes: () => routes, schemas: SHARDKV_SCHEMAS }
  routes.push(...statusRoutes(options, api))
  return createApp(options, routes)
}

export function createShardmasterApp(options: AppOptions & ShardmasterRoutesOptions): HttpApp {
  const routes: Route[] = [...shardmasterRoutes(options), ...(options.moreRoutes ?? [])]
  const api = {
    title: 'Shardglass shardmaster',
    routes: () => routes,
    schemas: SHARDMASTER_SCHEMAS,
  }
  routes.push(...statusRoutes(options, api))
  return createApp(options, routes)
}

function isOpen(route: Route): boolean {
  return routePath(route.path).isPrefix
}

/** What the gate needs, whatever is behind it. */
export type GateOptions = Omit<AppOptions, keyof StatusRoutesOptions>

type Gate = {
  readonly options: GateOptions
  readonly shared: ExchangeShared
  readonly isOwnHost: (host: string) => boolean
}

/** An app of any routes behind the same gate. */
export function createApp(options: GateOptions, routes: readonly Route[]): HttpApp {
  const { answerTimeoutMs, traffic = new Traffic() } = options
  const shared = newShared({ answerTimeoutMs, traffic })
  const gate: Gate = { options, shared, isOwnHost: ownHost(options.ownHosts ?? []) }
  const hono = new Hono<Env>({
    strict: true,
    // The raw path: decoding or normalising it here would take a key to another route.
    getPath: (request, context) => splitTarget(rawTarget(request, context?.env)).path,
  })
  // To the router `/v1/kv/*` matches `/v1/kv` too: the exact ones come first.
  const inOrder = [...routes].sort((one, other) => Number(isOpen(one)) - Number(isOpen(other)))
  for (const route of inOrder) {
    const { prefix, isPrefix } = routePath(route.path)
    hono.on(route.method, isPrefix ? `${prefix}*` : prefix, context => serve(gate, route, context))
  }
  hono.notFound(context => serveUnknown(gate, routes, context))
  hono.onError((error, context) => {
    options.onFault(error)
    const exchange = exchangeOf(context, shared)
    exchange.begin('other')
    return answered(exchange, problemAnswer(FAULT, mayChange(exchange)))
  })
  const endStreams = (): void => {
    shared.isClosing = true
    for (const stream of shared.streams) stream.abort()
  }
  const hot = hotRoutes(routes)
  return {
    hono,
    routes,
    auth: options.auth,
    onFault: options.onFault,
    traffic,
    endStreams,
    serveHot: objects => serveHot(gate, hot, objects),
  }
}

/** Hono's handler of a route. The answer may come after this returned. */
function serve(gate: Gate, route: Route, context: Context<Env>): Response | Promise<Response> {
  const exchange = exchangeOf(context, gate.shared)
  admit(gate, route, exchange)
  return responseOf(exchange)
}

/** Lets a request in or refuses it; whatever is thrown on the way is answered. */
function admit(gate: Gate, route: Route, exchange: Exchange): void {
  exchange.begin(route.op ?? 'other')
  const fault = (error: unknown): void => {
    gate.options.onFault(error)
    exchange.answer(problemAnswer(FAULT, route.mayChange))
  }
  const attempt = (work: () => void): void => {
    try {
      work()
    } catch (error) {
      fault(error)
    }
  }
  attempt(() => {
    const result = admitted(gate, route, exchange, attempt)
    if (result === null) return
    if (!(result instanceof Promise)) return exchange.answer(toAnswer(result, route))
    result.then(found => exchange.answer(toAnswer(found, route)), fault)
  })
}

function admitted(
  gate: Gate,
  route: Route,
  exchange: Exchange,
  attempt: Call['attempt'],
): ReturnType<Route['handle']> {
  const entry = targetProblem(exchange.target, gate.isOwnHost) ?? originProblem(exchange, route)
  if (entry !== null) return entry
  const grant = grantFor(gate.options.auth, exchange, route)
  if (grant !== null && isProblem(grant)) return grant
  const target = splitTarget(exchange.target)
  const query = parseQuery(target.query, route.query)
  if (isProblem(query)) return query
  return route.handle({ exchange, grant, path: target.path, query, attempt })
}

/**
 * The way of the hottest routes past Hono, to the same gate and handler: its context, web objects and
 * promise are a tenth of what a small request costs in all. False: not one of them.
 */
function serveHot(gate: Gate, hot: readonly HotRoute[], objects: NodeObjects): boolean {
  const { method, url } = objects.incoming
  if (url === undefined) return false
  for (const { route, prefix } of hot) {
    if (route.method !== method || !url.startsWith(prefix)) continue
    admit(gate, route, new NodeExchange(objects, gate.shared))
    return true
  }
  return false
}

type HotRoute = { readonly route: Route; readonly prefix: string }

function hotRoutes(routes: readonly Route[]): readonly HotRoute[] {
  const hot = routes.filter(route => route.isHot === true)
  return hot.map(route => ({ route, prefix: routePath(route.path).prefix }))
}

/** What failed unexpectedly may have had its effect before. */
const FAULT = problem('internal', 'an unexpected error; the log of the node tells more', {
  outcome: 'unknown',
})

function toAnswer(found: Answer | Problem, route: Route): Answer {
  return 'code' in found ? problemAnswer(found, route.mayChange) : found
}

const PEER_GRANT: Grant = { name: 'peer', role: 'reader', keyPrefix: '' }

/** Null on public routes, where no token is looked at. */
function grantFor(auth: Auth, exchange: Exchange, route: Route): Grant | Problem | null {
  if (route.role === 'public') return null
  const caller = {
    authorization: exchange.header('authorization'),
    remoteAddress: exchange.remoteAddress,
    connection: exchange.connection,
  }
  if (route.isForPeers === true && auth.isPeer(caller)) return PEER_GRANT
  const grant = auth.authenticate(caller)
  if (isProblem(grant)) return grant
  if (route.scope === 'node' && grant.keyPrefix !== '') {
    return problem('forbidden', 'the token is for keys of one prefix alone')
  }
  return roleProblem(grant, route.role) ?? grant
}

/** A browser page of elsewhere has no business here, even if it came by a token. */
function originProblem(exchange: Exchange, route: Route): Problem | null {
  if (!route.mayChange) return null
  const site = exchange.header('sec-fetch-site')
  if (site === undefined || site === 'same-origin' || site === 'none') return null
  return problem('forbidden', 'requests of other sites are refused')
}

function serveUnknown(gate: Gate, routes: readonly Route[], context: Context<Env>) {
  const exchange = exchangeOf(context, gate.shared)
  exchange.begin('other')
  const wrong = targetProblem(exchange.target, gate.isOwnHost)
  const found = wrong ?? noRouteProblem(routes, exchange)
  return answered(exchange, problemAnswer(found, mayChange(exchange)))
}

function mayChange({ method }: Exchange): boolean {
  return method !== 'GET' && method !== 'HEAD'
}

function noRouteProblem(routes: readonly Route[], exchange: Exchange): Problem {
  const { path } = splitTarget(exchange.target)
  const methods = routes.filter(route => matchesPath(route.path, path)).map(route => route.method)
  if (methods.length === 0) return problem('not-found', 'there is no such resource')
  const allowed = new Set<string>(methods)
  if (allowed.has('GET')) allowed.add('HEAD')
  const allow = [...allowed].join(', ')
  return problem('method-not-allowed', `allowed here: ${allow}`, { headers: ['Allow', allow] })
}

function exchangeOf(context: Context<Env>, shared: ExchangeShared): Exchange {
  const { incoming, outgoing } = context.env ?? {}
  if (incoming === undefined || outgoing === undefined) {
    return new WebExchange(context.req.raw, shared)
  }
  return new NodeExchange({ incoming, outgoing }, shared)
}

/** Hono's side of an exchange that is answered on Node's own response. */
function responseOf(exchange: Exchange): Response | Promise<Response> {
  return exchange instanceof WebExchange ? exchange.response : RESPONSE_ALREADY_SENT
}

function answered(exchange: Exchange, answer: Answer): Response | Promise<Response> {
  exchange.answer(answer)
  return responseOf(exchange)
}

function rawTarget(request: Request, env: Partial<HttpBindings> | undefined): string {
  const target = env?.incoming?.url
  if (target !== undefined) return target
  const url = new URL(request.url)
  return url.pathname + url.search
}

function ownHost(configured: readonly string[]): (host: string) => boolean {
  const own = new Set(configured.map(host => host.toLowerCase()))
  return host => {
    const name = host.toLowerCase()
    return own.has(name) || /^(localhost|\[::1\]|127(\.\d{1,3}){3})(:\d{1,5})?$/.test(name)
  }
}
