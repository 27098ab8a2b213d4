// A bare server as a process of its own: prints its address, and ends with who started it.
// start-bare.js [node | hono]

import { startBareServer } from './bare-server.ts'

const kind = process.argv[2] === 'hono' ? 'hono' : 'node'
const server = await startBareServer(kind)
console.log(server.url)
process.stdin.resume()
process.stdin.on('end', () => process.exit(0))
