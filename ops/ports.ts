// Whether the local cluster's ports are free, and whether its nodes serve.

import { createConnection, createServer } from 'node:net'
import { Connections } from '../server/client/connections.ts'

type Holder = { readonly name: string; readonly port: number }
type Addressed = Holder & { readonly url: string }

const HOST = '127.0.0.1'
const CONNECT_MS = 1_000

/** Those whose port somebody else holds. */
export async function takenPorts(holders: readonly Holder[]): Promise<readonly Holder[]> {
  const free = await Promise.all(holders.map(({ port }) => canListen(port)))
  return holders.filter((_, index) => free[index] === false)
}

/** Those on whose port somebody answers. */
export async function answeringNodes(holders: readonly Holder[]): Promise<readonly Holder[]> {
  const open = await Promise.all(holders.map(({ port }) => canConnect(port)))
  return holders.filter((_, index) => open[index] === true)
}

/** The nodes that are not ready (no leader, not caught up, or not there). */
export async function unreadyNodes(nodes: readonly Addressed[]): Promise<readonly Addressed[]> {
  const connections = new Connections({ perNode: 1 })
  const request = { method: 'GET', path: '/readyz', headers: {} } as const
  try {
    const answers = await Promise.all(
      nodes.map(({ url }) => connections.exchange(url, request, { timeoutMs: CONNECT_MS })),
    )
    return nodes.filter((_, index) => {
      const answer = answers[index]
      return answer?.type !== 'answer' || answer.status !== 200
    })
  } finally {
    await connections.close()
  }
}

function canListen(port: number): Promise<boolean> {
  return new Promise(resolve => {
    const server = createServer()
    server.once('error', () => resolve(false))
    server.listen({ host: HOST, port }, () => server.close(() => resolve(true)))
  })
}

function canConnect(port: number): Promise<boolean> {
  return new Promise(resolve => {
    const socket = createConnection({ host: HOST, port, timeout: CONNECT_MS })
    const finish = (isOpen: boolean): void => {
      socket.destroy()
      resolve(isOpen)
    }
    socket.once('connect', () => finish(true))
    socket.once('error', () => finish(false))
    socket.once('timeout', () => finish(true)) // held by something that does not answer
  })
}
