// How many requests a second the HTTP side alone carries, over a replica that answers at once, and
// beside it a bare node:http server under the same load: on a busy machine only the ratio counts.
// tsx makes every closure dearer than the compiled code does: as built, figures are better.
// Run: node --import tsx test/http/throughput.ts [seconds] [connections]

import { spawn } from 'node:child_process'
import { createServer } from 'node:http'
import { type AddressInfo, connect } from 'node:net'
import { KvNode, TOKENS, withServer } from '../support/kv-node.ts'

const BODY = 'x'.repeat(256)
const EMPTY = Buffer.alloc(0)
const [, , first = '3', second = '64', role, port = '0', method = 'PUT'] = process.argv

if (role === 'client') drive(Number(port), method, { seconds: +first, connections: +second })
else await compare()

async function compare(): Promise<void> {
  const node = new KvNode()
  const value = Buffer.from(BODY)
  let version = 0
  node.backend.submit = (request, done) => {
    version += 1
    done({ type: 'ok', version, value: request.type === 'get' ? value : EMPTY, slot: version })
  }
  await withServer(node.app, async server => {
    for (const wanted of ['PUT', 'GET']) await measure('shardglass', server.port, wanted)
  })
  const bare = createServer((request, response) => {
    request
      .on('data', () => {})
      .on('end', () => {
        response.writeHead(200, ['Content-Length', request.method === 'GET' ? '256' : '0'])
        response.end(request.method === 'GET' ? value : EMPTY)
      })
  })
  await new Promise<void>(resolve => bare.listen(0, '127.0.0.1', resolve))
  const { port: barePort } = bare.address() as AddressInfo
  for (const wanted of ['PUT', 'GET']) await measure('node:http ', barePort, wanted)
  bare.closeAllConnections()
  bare.close()
}

/** The clients run in a process of their own; here the server's CPU is counted. */
async function measure(name: string, at: number, wanted: string): Promise<void> {
  await load(at, wanted, '1') // warms up the code
  const before = process.cpuUsage()
  const { done, perSecond } = await load(at, wanted, first)
  const { user, system } = process.cpuUsage(before)
  const micros = ((user + system) / done).toFixed(1)
  console.log(`${name} ${wanted}: ${Math.round(perSecond)} requests/s, ${micros} µs of CPU each`)
}

type Result = { readonly done: number; readonly perSecond: number }

async function load(at: number, wanted: string, seconds: string): Promise<Result> {
  const args = ['--import', 'tsx', 'test/http/throughput.ts', seconds, second, 'client', String(at)]
  const client = spawn(process.execPath, [...args, wanted], {
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  let output = ''
  client.stdout.on('data', chunk => {
    output += chunk
  })
  await new Promise(resolve => client.on('close', resolve))
  return JSON.parse(output)
}

/** One request after the other on each of many keep-alive connections. */
function drive(at: number, wanted: string, terms: { seconds: number; connections: number }): void {
  const startedAt = performance.now()
  let done = 0
  for (let index = 0; index < terms.connections; index++) {
    const body = wanted === 'PUT' ? BODY : ''
    const head = `${wanted} /v1/kv/key-${index} HTTP/1.1\r\nHost: 127.0.0.1\r\n`
    const length = body === '' ? '' : `Content-Length: ${body.length}\r\n`
    const auth = `Authorization: Bearer ${TOKENS.admin}\r\n`
    const request = Buffer.from(`${head}${auth}${length}\r\n${body}`)
    const socket = connect(at, '127.0.0.1', () => socket.write(request))
    socket.setNoDelay(true)
    socket.on('data', chunk => {
      if (chunk[9] !== 0x32) throw new Error(chunk.toString())
      done += 1
      socket.write(request)
    })
  }
  setTimeout(() => {
    const perSecond = done / ((performance.now() - startedAt) / 1000)
    console.log(JSON.stringify({ done, perSecond }))
    process.exit()
  }, terms.seconds * 1000)
}
