// The other end of a channel, played by hand: for what no replica would do.

import { createServer, request } from 'node:http'
import { connect } from 'node:net'
import type { Duplex } from 'node:stream'
import { keepSockets, listen, type PeerNode } from './peer-node.ts'

/** A listener that is no replica. */
export type Raw = {
  readonly url: string
  readonly chunks: Buffer[]
  close(): Promise<void>
}

/**
 * `mute`: never answers; `open`: opens channels and only reads; `deaf`: does not even read.
 * `greeting` is written together with the handshake.
 */
export async function startRaw(
  kind: 'mute' | 'open' | 'deaf',
  replica = 1,
  greeting: Uint8Array = new Uint8Array(0),
): Promise<Raw> {
  const server = createServer()
  const sockets = keepSockets(server)
  const chunks: Buffer[] = []
  server.on('upgrade', (_request, socket: Duplex) => {
    socket.on('error', () => socket.destroy())
    if (kind === 'mute') return
    const headers = `Shardglass-Cluster: test\r\nShardglass-Gid: 1\r\nShardglass-Replica: ${replica}`
    const head =
      'HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: shardglass-peer'
    const handshake = `${head}\r\n${headers}\r\nShardglass-Incarnation: ff\r\n\r\n`
    socket.write(Buffer.concat([Buffer.from(handshake), greeting]))
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
      headers: headersOf(from),
    })
    upgrade.on('upgrade', (_response, socket) => resolve(socket))
    upgrade.on('response', response => reject(new Error(`status ${response.statusCode}`)))
    upgrade.on('error', reject)
    upgrade.end()
  })
}

/** The same, with the first bytes right behind the handshake. */
export function dialAndWrite(node: PeerNode, first: Uint8Array): Duplex {
  const socket = connect(node.port, '127.0.0.1')
  const lines = Object.entries(headersOf({ gid: 1, replica: 4 })).map(
    ([name, value]) => `${name}: ${value}\r\n`,
  )
  const handshake = `GET /peer/channel HTTP/1.1\r\nhost: x\r\n${lines.join('')}\r\n`
  socket.write(Buffer.concat([Buffer.from(handshake), first]))
  return socket
}

function headersOf(from: { readonly gid: number; readonly replica: number }) {
  return {
    connection: 'Upgrade',
    upgrade: 'shardglass-peer',
    authorization: 'Bearer secret',
    'shardglass-cluster': 'test',
    'shardglass-gid': String(from.gid),
    'shardglass-replica': String(from.replica),
    'shardglass-incarnation': 'ee',
  }
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
