// `GET /metrics` of a node, for readers. scrape-listener.ts has the way without a token.

import type { Route } from '../../server/http/route.ts'
import { CONTENT_TYPES, type Format, type MetricRegistry } from './metric-registry.ts'

export function metricsRoute(registry: MetricRegistry): Route {
  return {
    method: 'GET',
    path: '/metrics',
    role: 'reader',
    scope: 'node',
    mayChange: false,
    query: [],
    doc: {
      operationId: 'metrics',
      summary:
        'Metrics of this node for Prometheus; OpenMetrics with exemplars where it is accepted',
      responses: { 200: { description: 'a line for each series' } },
    },
    handle: async call => {
      const format = formatFor(call.exchange.header('accept'))
      return { status: 200, headers: headersOf(format), body: await registry.scrape(format) }
    },
  }
}

/** The plain format, unless OpenMetrics is named and not liked less. */
export function formatFor(accept: string | undefined): Format {
  let openMetrics = 0
  let text = 0
  for (const range of (accept ?? '').split(',')) {
    const [type = '', ...parameters] = range.split(';').map(part => part.trim().toLowerCase())
    const weight = Number(parameters.find(part => part.startsWith('q='))?.slice(2) ?? 1)
    if (!(weight > 0)) continue
    if (type === 'application/openmetrics-text') openMetrics = Math.max(openMetrics, weight)
    if (type === 'text/plain') text = Math.max(text, weight)
  }
  return openMetrics > 0 && openMetrics >= text ? 'openMetrics' : 'text'
}

export function headersOf(format: Format): readonly string[] {
  const plain = ['Cache-Control', 'no-store', 'X-Content-Type-Options', 'nosniff']
  return ['Content-Type', CONTENT_TYPES[format], ...plain]
}
