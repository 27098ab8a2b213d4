import { createServer, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { DashboardRig, TOKEN } from '../support/dashboard-rig.ts'
import { MASTERS, simulated, statusOf, urlsOf } from '../support/simulated-asker.ts'

const test = suite('keys of the dashboard')
let rig: DashboardRig
let node: Server
let url = ''
/** What the one key holds at version 7, and the requests that came for it. */
let value = Buffer.alloc(0)
let status = 200
let asked: string[] = []

test.before.each(async () => {
  value = Buffer.from('old')
  status = 200
  asked = []
  node = createServer((request, response) => {
    asked.push(`${request.method} ${request.headers['if-match'] ?? '-'}`)
    response.writeHead(status, { etag: '"7"' })
    response.end(status === 200 && request.method === 'GET' ? value : undefined)
  })
  await new Promise<void>(done => node.listen(0, '127.0.0.1', done))
  url = `http://127.0.0.1:${(node.address() as AddressInfo).port}`
  const cluster = simulated(16, 2)
  for (const other of urlsOf(1)) cluster.statuses.delete(other)
  const groups = { ...cluster.config.groups, 1: [url] }
  cluster.config = { ...cluster.config, num: 3, groups }
  cluster.statuses.set(url, statusOf(1, 0, []))
  const closed = { name: 'closed', url: 'http://127.0.0.1:9' }
  const nodes = [{ name: 'sm1', url: MASTERS[0] ?? '' }, closed, { name: 'kv1a', url }]
  rig = new DashboardRig(cluster, null, nodes)
})

test.after.each(async () => {
  assert.equal(rig.faults, [])
  await rig.stop()
  node.close()
  node.closeAllConnections()
})

async function formFor(cookie: string) {
  const page = await (await rig.get('/keys?key=a', { cookie })).text()
  const chosen = /<select name="condition".*?<option value="([^"]*)" selected/s.exec(page)?.[1]
  const isHex =
    /<option value="hex" selected[^>]*>\s*hexadecimal\s*<\/option>\s*<\/select>\s*<\/label>\s*<label>\s*Only/.test(
      page,
    )
  const text = /<textarea[^>]*>\n?(.*?)<\/textarea>/s.exec(page)?.[1] ?? ''
  return { page, chosen, isHex, text }
}

test('a value is edited as it is: as text, or as hexadecimal where a text field would change it', async () => {
  const { cookie } = await rig.login(TOKEN.writer)
  const told = async (text: string) => {
    value = Buffer.from(text, 'latin1')
    const { chosen, isHex, text: shown } = await formFor(cookie)
    assert.is(chosen, '7')
    return isHex ? `hex ${shown}` : shown
  }
  assert.is(await told('a\tb\nc'), 'a\tb\nc')
  for (const text of ['a\0b', 'a\r\nb', 'a\x1bb', 'a\x7f', '\xff'])
    assert.is(await told(text), `hex ${Buffer.from(text, 'latin1').toString('hex')}`)
})

test('what is not shown is not replaced before a condition is chosen', async () => {
  const { cookie, csrf } = await rig.login(TOKEN.writer)
  value = Buffer.alloc(64 * 1024 + 1, 'a')
  const large = await formFor(cookie)
  assert.is(large.chosen, '')
  assert.is(large.text, '')
  assert.match(large.page, /too large to be edited here; what you put replaces it whole/)
  status = 503
  const unknown = await formFor(cookie)
  assert.is(unknown.chosen, '')
  assert.match(unknown.page, /is not known; what you put replaces it whole/)
  status = 200
  const put = { csrf, key: 'a', op: 'put', value: '', as: 'text' }
  assert.is((await rig.post('/keys', { ...put, condition: '' }, { cookie })).status, 400)
  assert.is((await rig.post('/keys', put, { cookie })).status, 400)
  assert.not.ok(asked.some(line => line.startsWith('PUT')))
  assert.is((await rig.post('/keys', { ...put, condition: 'any' }, { cookie })).status, 303)
  assert.is((await rig.post('/keys', { ...put, condition: '7' }, { cookie })).status, 303)
  assert.equal(
    asked.filter(line => line.startsWith('PUT')),
    ['PUT -', 'PUT "7"'],
  )
})

test('a token of one prefix finds its keys also while nobody who may look is there', async () => {
  const { cookie } = await rig.login(TOKEN.prefixed)
  const { page } = await formFor(cookie)
  assert.match(page, /<pre[^>]*>old<\/pre>/)
  assert.equal(asked, ['GET -'])
})

test.run()
