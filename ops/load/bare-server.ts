// A server that does nothing but answer: what the generator and HTTP by themselves cost. On Node's own
// HTTP, or with Hono, which reads the body as its handlers usually do.

import { createServer, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { getRequestListener } from '@hono/node-server'
import { Hono } from 'hono'

export const BARE_KINDS = ['node', 'hono'] as const
export type BareKind = (typeof BARE_KINDS)[number]

const VALUE = Buffer.alloc(256, 'v')

export type BareServer = { readonly url: string; close(): void }

export async function startBareServer(kind: BareKind): Promise<BareServer> {
  const server = kind === 'hono' ? honoServer() : nodeServer()
  await new Promise<void>(resolve => server.listen(0, '127.0.0.1', resolve))
  const { port } = server.address() as AddressInfo
  const close = (): void => {
    server.close()
    server.closeAllConnections()
  }
  return { url: `http://127.0.0.1:${port}`, close }
}

function nodeServer(): Server {
  return createServer((request, response) => {
    request
      .on('data', () => {})
      .on('end', () => {
        const isRead = request.method === 'GET'
        response.writeHead(200, ['Content-Length', isRead ? String(VALUE.length) : '0'])
        response.end(isRead ? VALUE : undefined)
      })
  })
}

function honoServer(): Server {
  const app = new Hono()
  app.put('/v1/kv/:key', async context => {
    await context.req.text()
    return context.body(null, 204)
  })
  app.get('/v1/kv/:key', context => context.body(new Uint8Array(VALUE)))
  return createServer(getRequestListener(app.fetch))
}
