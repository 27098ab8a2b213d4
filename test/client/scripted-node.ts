// A node that answers what a test tells it to: a real HTTP server on a free port, with a list of the
// requests that it got.

import { createServer, type IncomingMessage, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'

export type Got = {
  readonly method: string
  readonly target: string
  readonly headers: IncomingMessage['headers']
  readonly body: string
}

/** `reset`: the connection is cut without an answer; `silence`: nothing ever comes. */
export type Said =
  | { readonly status: number; readonly headers?: Record<string, string>; readonly body?: string }
  | 'reset'
  | 'silence'

export type ScriptedNode = {
  readonly url: string
  readonly got: Got[]
  answer: (request: Got, count: number) => Said
  close(): Promise<void>
}

export async function scriptedNode(answer: ScriptedNode['answer']): Promise<ScriptedNode> {
  const got: Got[] = []
  const server = createServer((request, response) => {
    const chunks: Buffer[] = []
    request.on('data', chunk => chunks.push(chunk))
    request.on('end', () => {
      const { method = '', url = '', headers } = request
      const seen = { method, target: url, headers, body: Buffer.concat(chunks).toString() }
      got.push(seen)
      const said = node.answer(seen, got.length)
      if (said === 'reset') request.socket.destroy()
      else if (said !== 'silence') response.writeHead(said.status, said.headers).end(said.body)
    })
  })
  const url = await listening(server)
  const node: ScriptedNode = { url, got, answer, close: () => closed(server) }
  return node
}

export function refusal(status: number, code: string, members: object = {}): Said {
  const headers = { 'content-type': 'application/problem+json' }
  const body = JSON.stringify({ type: `urn:shardglass:${code}`, detail: code, ...members })
  return { status, headers, body }
}

/** A shardmaster that always gives this configuration of two shards. */
export function configOf(
  num: number,
  shards: readonly number[],
  groups: Readonly<Record<string, readonly string[]>>,
): Said {
  const config = { num, shards, groups, partitioner: 'first-byte', cause: { op: 'init' }, at: 0 }
  return { status: 200, body: JSON.stringify(config) }
}

function listening(server: Server): Promise<string> {
  return new Promise(resolve => {
    server.listen(0, '127.0.0.1', () => {
      const { port } = server.address() as AddressInfo
      resolve(`http://127.0.0.1:${port}`)
    })
  })
}

function closed(server: Server): Promise<void> {
  return new Promise(resolve => {
    server.close(() => resolve())
    server.closeAllConnections()
  })
}
