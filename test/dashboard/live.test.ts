import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { until } from '../support/cluster.ts'
import { DashboardRig, TOKEN } from '../support/dashboard-rig.ts'
import { urlsOf } from '../support/simulated-asker.ts'

const test = suite('live parts of the dashboard')
let rig: DashboardRig
let cookie = ''

test.before.each(async () => {
  rig = new DashboardRig()
  cookie = (await rig.login(TOKEN.reader)).cookie
})

test.after.each(async () => {
  assert.equal(rig.faults, [])
  await rig.stop()
})

type Listener = { text: string; isOver: boolean; leave(): Promise<void> }

async function listen(path: string): Promise<Listener> {
  const response = await rig.get(path, { cookie })
  assert.is(response.status, 200)
  assert.is(response.headers.get('content-type'), 'text/event-stream')
  const reader = response.body!.getReader()
  const listener: Listener = { text: '', isOver: false, leave: () => reader.cancel() }
  const read = async (): Promise<void> => {
    for (let next = await reader.read(); !next.done; next = await reader.read()) {
      listener.text += Buffer.from(next.value).toString()
    }
    listener.isOver = true
  }
  void read()
  return listener
}

async function look(): Promise<void> {
  rig.nowMs += 2_000
  await rig.dashboard.services.reader.refresh()
}

test('what changed is sent whole, the rest not again', async () => {
  const listener = await listen('/overview/-/live')
  await until('the first beat', () => listener.text.includes('event: beat'))
  await look()
  await until('all parts', () => listener.text.includes('#p-events'))
  for (const part of ['health', 'map', 'groups', 'config', 'events']) {
    assert.match(
      listener.text,
      new RegExp(`<hx-partial hx-target="#p-${part}" hx-swap="outerMorph"><div id="p-${part}"`),
    )
  }
  listener.text = ''
  rig.cluster.statuses.delete(urlsOf(1)[0] ?? '')
  await look()
  await until('the news', () => listener.text.includes('#p-health'))
  assert.match(listener.text, /127\.0\.1\.1:4000 does not answer/)
  assert.not.match(listener.text, /#p-map/, 'the map is as it was')
  await listener.leave()
})

test('who leaves is forgotten, and who comes back is served', async () => {
  for (let times = 0; times < 3; times++) {
    const listener = await listen('/groups/1/-/live')
    await until('a beat', () => listener.text.includes('event: beat'))
    await listener.leave()
    await look()
  }
  assert.is(rig.dashboard.services.reader.changes.listenerCount('look'), 0)
})

test('a stream ends with its token, also where nobody looks any more', async () => {
  const listener = await listen('/overview/-/live')
  rig.auth.replaceTokens([])
  await until('its end', () => listener.isOver, 15_000)
})

test('a logout ends the streams of its session, and of no other', async () => {
  const own = await rig.login(TOKEN.reader)
  const other = await listen('/overview/-/live')
  cookie = own.cookie
  const listener = await listen('/overview/-/live')
  assert.is((await rig.post('/logout', { csrf: own.csrf }, { cookie })).status, 303)
  await until('its end', () => listener.isOver, 15_000)
  assert.not(other.isOver)
  await other.leave()
})

test('a HEAD is told of a stream, and opens none', async () => {
  const head = { method: 'HEAD', headers: { host: '127.0.0.1:4400', cookie } }
  const request = new Request('http://127.0.0.1:4400/overview/-/live', head)
  const response = await rig.dashboard.app.hono.fetch(request)
  assert.is(response.headers.get('content-type'), 'text/event-stream')
  assert.is(rig.dashboard.services.reader.changes.listenerCount('look'), 0)
})

test('there is a bound on streams, and the page then asks by itself', async () => {
  const listeners = await Promise.all(Array.from({ length: 300 }, () => listen('/groups/-/live')))
  assert.is((await rig.get('/groups/-/live', { cookie })).status, 503)
  assert.is((await rig.get('/groups/-/groups', { cookie })).status, 200)
  rig.dashboard.app.endStreams()
  await until('all ended', () => listeners.every(({ isOver }) => isOver))
})

test.run()
