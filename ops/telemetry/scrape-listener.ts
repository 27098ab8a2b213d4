// `/metrics` on a listener of its own, without a token, where the operator asks for it (`--metrics-listen`):
// for scrapers that cannot keep one. Nothing else is there.

import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import { HEADERS_TIMEOUT_MS } from '../../server/limits.ts'
import { Refusal } from '../life.ts'
import type { Log } from '../log.ts'
import type { MetricRegistry } from './metric-registry.ts'
import { formatFor, headersOf } from './metrics-route.ts'

type Address = { readonly host: string; readonly port: number }
export type ScrapeListener = { readonly port: number; close(): Promise<void> }

/** Null where none is wanted. */
export async function openScrapes(
  registry: MetricRegistry,
  address: Address | undefined,
  log: Log,
): Promise<ScrapeListener | null> {
  if (address === undefined) return null
  try {
    const listener = await listenForScrapes(registry, address)
    const host = address.host.includes(':') ? `[${address.host}]` : address.host
    log('info', 'metrics without a token', { url: `http://${host}:${listener.port}` })
    return listener
  } catch (cause) {
    const { host, port } = address
    throw new Refusal(`cannot listen on ${host}:${port} for metrics`, { cause })
  }
}

/** Scrapers that may be connected at once. */
const SCRAPERS_MAX = 16

/** A listener for `/metrics` alone. Rejects where the address cannot be had. */
export async function listenForScrapes(
  registry: MetricRegistry,
  address: Address,
): Promise<ScrapeListener> {
  const server = createServer({ headersTimeout: HEADERS_TIMEOUT_MS }, (incoming, outgoing) => {
    answer(registry, incoming, outgoing).catch(error => outgoing.destroy(error))
  })
  server.maxConnections = SCRAPERS_MAX
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject)
    server.listen(address, () => {
      server.off('error', reject)
      resolve()
    })
  })
  const bound = server.address()
  const close = (): Promise<void> =>
    new Promise(resolve => {
      server.close(() => resolve())
      server.closeAllConnections()
    })
  return { port: bound !== null && typeof bound === 'object' ? bound.port : 0, close }
}

async function answer(
  registry: MetricRegistry,
  incoming: IncomingMessage,
  outgoing: ServerResponse,
): Promise<void> {
  incoming.resume()
  const isAsked = incoming.url === '/metrics' && ['GET', 'HEAD'].includes(incoming.method ?? '')
  if (!isAsked) {
    outgoing.writeHead(404, { 'Content-Type': 'text/plain' }).end('only GET /metrics is here\n')
    return
  }
  const format = formatFor(incoming.headers.accept)
  const body = await registry.scrape(format)
  outgoing.writeHead(200, [...headersOf(format)]).end(body)
}
