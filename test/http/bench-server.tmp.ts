import { KvNode, withServer } from '../support/kv-node.ts'

const node = new KvNode()
const empty = new Uint8Array(0)
let v = 0
node.backend.submit = (request, done) => {
  setImmediate(() => 0)
  done({
    type: 'ok',
    version: ++v,
    value: request.type === 'get' ? Buffer.alloc(256, 97) : empty,
    slot: v,
  })
}
node.backend.submit = (request, done) => {
  done({
    type: 'ok',
    version: ++v,
    value: request.type === 'get' ? Buffer.alloc(256, 97) : empty,
    slot: v,
  })
}
withServer(node.app, async server => {
  console.log('PORT', server.port)
  await new Promise(r => setTimeout(r, 600000))
})
