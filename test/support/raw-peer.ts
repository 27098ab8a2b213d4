// The other end of a channel, played by hand: for what no replica would do.

import { createServer, request } from 'node:http'
import type { Duplex } from 'node:stream'
import { keepSockets, listen, type PeerNode } from './peer-node.ts'

/** A listener that is no replica. */
export type Raw = {
  readonly url: string
  readonly chunks: Buffer[]
  close(): Promise<void>
}

/** `mute`: never answers; `open`: opens channels and only reads; `deaf`: does not even read. */
export async function startRaw(kind: 'mute' | 'open' | 'deaf', replica = 1): Promise<Raw> {
  const server = createServer()
  const sockets = keepSockets(server)
  const chunks: Buffer[] = []
  server.on('upgrade', (_request, socket: Duplex) => {
    socket.on('error', () => socket.destroy())
    if (kind === 'mute') return
    const headers = `Shardglass-Cluster: test\r\nShardglass-Gid: 1\r\nShardglass-Replica: ${replica}`
    const head =
      'HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: shardglass-peer'
    socket.write(`${head}\r\n${headers}\r\nShardglass-Incarnation: ff\r\n\r\n`)
    if (kind === 'open') socket.on('data', (chunk: Buffer) => chunks.push(chunk))
    else socket.pause()
  })
  const port = await listen(server)
  return {
    url: `http://127.0.0.1:${port}`,
    chunks,
    async close() {
      for (const socket of sockets) socket.destroy()
      await new Promise(resolve => server.close(resolve))
    },
  }
}

/** A channel to a node, opened by hand. */
export async function dialRaw(node: PeerNode, from = { gid: 1, replica: 4 }): Promise<Duplex> {
  return new Promise((resolve, reject) => {
    const upgrade = request(`${node.url}/peer/channel`, {
      agent: false,
      headers: {
        connection: 'Upgrade',
        upgrade: 'shardglass-peer',
        authorization: 'Bearer secret',
        'shardglass-cluster': 'test',
        'shardglass-gid': from.gid,
        'shardglass-replica': from.replica,
        'shardglass-incarnation': 'ee',
      },
    })
    upgrade.on('upgrade', (_response, socket) => resolve(socket))
    upgrade.on('response', response => reject(new Error(`status ${response.statusCode}`)))
    upgrade.on('error', reject)
    upgrade.end()
  })
}

/** Resolves when the other side has closed it. */
export async function closed(socket: Duplex): Promise<void> {
  socket.resume()
  socket.on('error', () => socket.destroy())
  if (!socket.closed) await new Promise(resolve => socket.once('close', resolve))
}

/** A frame with this header and nothing else. */
export function rawFrame(header: string): Buffer {
  const bytes = Buffer.from(header)
  const lengths = Buffer.alloc(8)
  lengths.writeUInt32LE(4 + bytes.length, 0)
  lengths.writeUInt32LE(bytes.length, 4)
  return Buffer.concat([lengths, bytes])
}
