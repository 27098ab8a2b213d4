import { createServer } from 'node:https'
import type { TLSSocket } from 'node:tls'
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import type { Message } from '../../server/contract.ts'
import { shardkvCalls } from '../../server/host/call-schema.ts'
import type { PeerTls } from '../../server/host/peer-dial.ts'
import { createTransport, type TransportMode } from '../../server/host/transport.ts'
import { listen, until } from '../support/peer-node.ts'
import { selfSigned } from '../support/self-signed.ts'

const test = suite('transport over TLS')

const BEAT: Message = {
  type: 'heartbeat',
  ballot: { round: 1, replica: 0, incarnation: 'aa' },
  decided: 1,
  confirm: 0,
  sentAt: 0,
}
const RECEIVER = { gid: 1, replica: 1 }
const trusted = selfSigned()
const other = selfSigned()
const open: (() => Promise<void> | void)[] = []

test.after.each(async () => {
  for (const close of open.splice(0)) await close()
})

function create(replica: number, mode: TransportMode, url: string | null, tls: PeerTls | null) {
  const received: Message[] = []
  const transport = createTransport({
    self: { gid: 1, replica, incarnation: 'aa' },
    cluster: 'test',
    peerToken: 'secret',
    mode,
    calls: shardkvCalls,
    tls,
    resolve: () => url,
    onMessage: (_, message) => void received.push(message),
    onCall: (_, done) => done({ type: 'overloaded' }),
  })
  open.push(() => transport.close())
  return { transport, received }
}

/** A replica that takes in only who shows the trusted certificate. */
async function startReceiver() {
  const node = create(1, 'channel', null, null)
  const { key, cert } = trusted
  const server = createServer({ key, cert, ca: cert, requestCert: true, rejectUnauthorized: true })
  const sockets = new Set<TLSSocket>()
  server.on('secureConnection', socket => sockets.add(socket))
  server.on('tlsClientError', () => {})
  server.on('upgrade', (request, socket, head) =>
    node.transport.handleUpgrade(request, socket, head),
  )
  server.on('request', async (request, response) => {
    const chunks: Buffer[] = []
    for await (const chunk of request) chunks.push(chunk)
    const type = (request.url ?? '').replace('/peer/', '')
    const answer = await node.transport.handlePost(type, request.headers, Buffer.concat(chunks))
    response.writeHead(answer.status, answer.headers).end(answer.body)
  })
  const port = await listen(server)
  open.push(async () => {
    for (const socket of sockets) socket.destroy()
    await new Promise(resolve => server.close(resolve))
  })
  return { ...node, url: `https://127.0.0.1:${port}` }
}

for (const mode of ['channel', 'post'] as const) {
  test(`peers that show a certificate of the cluster talk by ${mode}`, async () => {
    const receiver = await startReceiver()
    const tls = { ...trusted, ca: trusted.cert }
    const sender = create(0, mode, receiver.url, tls)
    sender.transport.send([RECEIVER], BEAT)
    await until(() => receiver.received.length === 1, 'the message')
    assert.equal(receiver.received, [BEAT])
    const get = { type: 'get', key: 'k', consistency: 'stale' } as const
    assert.equal(await sender.transport.call(RECEIVER, get, 2_000), { type: 'overloaded' })
  })

  const STRANGERS: readonly (readonly [string, PeerTls])[] = [
    ['no certificate', { ca: trusted.cert }],
    ['another certificate', { ...other, ca: trusted.cert }],
    ['trust in another certificate only', { ...trusted, ca: other.cert }],
  ]
  for (const [what, tls] of STRANGERS) {
    test(`a peer with ${what} gets nothing through by ${mode}`, async () => {
      const receiver = await startReceiver()
      const sender = create(0, mode, receiver.url, tls)
      sender.transport.send([RECEIVER], BEAT)
      const { failures } = sender.transport.counters
      await until(() => failures.refused + failures.reset > 0, 'the failure')
      assert.equal(receiver.received, [])
    })
  }
}

test.run()
