import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { until } from '../support/cluster.ts'
import { DashboardRig, TOKEN } from '../support/dashboard-rig.ts'
import { serving, simulated, statusOf, urlsOf } from '../support/simulated-asker.ts'

const test = suite('pages of the dashboard')
let rig: DashboardRig
let cookie = ''

test.before.each(async () => {
  rig = new DashboardRig()
  cookie = (await rig.login(TOKEN.admin)).cookie
})

test.after.each(async () => {
  assert.equal(rig.faults, [])
  await rig.stop()
})

const html = async (path: string) => (await rig.get(path, { cookie })).text()
const json = async (path: string) => JSON.parse(await html(path)) as Record<string, unknown>

/** What a reader sees: no markup. */
const textOf = (page: string) => page.replace(/<[^>]+>/g, ' ').replace(/\s+/g, ' ')

async function later(): Promise<void> {
  rig.nowMs += 2_000
  await rig.dashboard.services.reader.refresh()
}

test('the overview tells in words that all is well, and its twin says the same', async () => {
  const page = textOf(await html('/'))
  assert.match(
    page,
    /The shardmasters and 2 groups serve, and every replica answers\. Each of them can lose any one replica/,
  )
  const twin = await json('/overview.json')
  assert.is((twin.findings as { text: string }[])[0]?.text.slice(0, 16), 'The shardmasters')
  assert.is((twin.config as { num: number }).num, 2)
  assert.is((twin.groups as unknown[]).length, 3)
})

test('every shard is a cell with its group in words', async () => {
  const page = await html('/overview/-/map')
  for (let shard = 0; shard < 16; shard++) {
    assert.match(page, new RegExp(`<b>${shard}</b><i>g${(shard % 2) + 1}</i>`))
  }
})

test('a replica that is away, a lost majority and a silent shardmaster are said', async () => {
  const [first = '', second = ''] = urlsOf(1)
  await html('/')
  rig.cluster.statuses.delete(first)
  await later()
  const margin =
    /Group 1: 127\.0\.1\.1:4000 does not answer, and has no margin: one more failure stops it/
  assert.match(textOf(await html('/')), margin)
  assert.match(textOf(await html('/groups/1')), /not reachable, last answered 2 s ago/)
  assert.match(
    textOf(await html('/')),
    /127\.0\.1\.1:4000 does not answer: not reachable/,
    'an event',
  )
  rig.cluster.statuses.delete(second)
  await later()
  assert.match(
    textOf(await html('/')),
    /Group 1 has lost the majority: 1 of 3 answer, and its 8 shards cannot be used/,
  )
  rig.cluster.isMasterAway = true
  await later()
  const page = textOf(await html('/'))
  assert.match(
    page,
    /No shardmaster tells the configuration \(none answers\); configuration 2 is shown/,
  )
  assert.match(page, /Shards 16, one cell each/)
})

test('a node that hangs holds up no page', async () => {
  await html('/')
  const answer = rig.cluster.ask.status
  let release = (): void => undefined
  const hanging = new Promise<void>(done => {
    release = done
  })
  const [slow = ''] = urlsOf(1)
  Object.assign(rig.cluster.ask, {
    status: async (url: string, token: string) => {
      if (url === slow) await hanging
      return answer(url, token)
    },
  })
  rig.nowMs += 2_000
  const startedAt = performance.now()
  assert.match(await html('/'), /Shards/)
  assert.ok(performance.now() - startedAt < 500)
  release()
})

test('a group tells the disk of each replica, as its metrics have it', async () => {
  const node = createServer((_request, response) => {
    response.end(
      ['wal_bytes 1048576', 'store_bytes 1048576', 'disk_free_bytes 3221225472']
        .concat('disk_size_bytes 4294967296')
        .map(line => `shardglass_${line}\n`)
        .join(''),
    )
  })
  await new Promise<void>(done => node.listen(0, '127.0.0.1', done))
  const url = `http://127.0.0.1:${(node.address() as AddressInfo).port}`
  const [first = '', ...others] = urlsOf(1)
  rig.cluster.config = {
    ...rig.cluster.config,
    num: 3,
    groups: { ...rig.cluster.config.groups, 1: [url, ...others] },
  }
  rig.cluster.statuses.set(url, statusOf(1, 0, []))
  rig.cluster.statuses.delete(first)
  await later()
  const { view, metrics } = rig.dashboard.services.reader
  assert.match(await html('/groups/1'), /<th scope="col" class="num">Disk</)
  assert.not.match(textOf(await html('/groups/1')), /free of/, 'nobody has told yet')
  metrics.look(
    view.nodes.filter(other => other.url === url),
    TOKEN.reader,
  )
  await until('its metrics', () => metrics.diskOf(url) !== undefined)
  assert.match(textOf(await html('/groups/1')), /2 MiB · 3 GiB free of 4 GiB/)
  const { disks } = await json('/groups/1.json')
  assert.equal(disks, { [url]: { used: 2 ** 21, free: 3 * 2 ** 30, size: 4 * 2 ** 30 } })
  node.close()
  node.closeAllConnections()
})

test('an archive that hangs holds up one page once, whoever asks', async () => {
  const hanging = createServer(() => undefined)
  await new Promise<void>(done => hanging.listen(0, '127.0.0.1', done))
  const url = `http://127.0.0.1:${(hanging.address() as AddressInfo).port}`
  const other = new DashboardRig(simulated(16, 2), url)
  const cookies = [await other.login(TOKEN.admin), await other.login(TOKEN.reader)]
  const lookAt = async (path: string, headers: { readonly cookie: string }) => {
    const startedAt = performance.now()
    const text = await (await other.get(path, { cookie: headers.cookie })).text()
    assert.match(text, /The archive did not answer in time/, path)
    return performance.now() - startedAt
  }
  await lookAt('/handoffs', cookies[0]!)
  for (const path of ['/handoffs', '/groups/1', '/groups/1/-/events', '/instances']) {
    for (const headers of cookies) {
      const took = await lookAt(path, headers)
      assert.ok(took < 1_000, `${path}: ${took} ms`)
    }
  }
  assert.equal(other.faults, [])
  await other.stop()
  hanging.close()
  hanging.closeAllConnections()
})

test('a new leader is an event', async () => {
  await html('/')
  const [first = '', second = ''] = urlsOf(2)
  const held = rig.cluster.statuses.get(first)?.machine.shards ?? []
  rig.cluster.statuses.set(first, { ...statusOf(2, 0, held), role: 'follower' })
  rig.cluster.statuses.set(second, { ...statusOf(2, 1, held), role: 'leader', ballot: '2.1' })
  await later()
  assert.match(
    textOf(await html('/')),
    /127\.0\.2\.2:4000 leads group 2 now, after 127\.0\.2\.1:4000/,
  )
})

test('a shard on its way is shown with what was sent, and arrives', async () => {
  await html('/')
  const giver = { ...serving(0), phase: 'leaving', config: 3, peer: 2, keys: 100, bytes: 1_000 }
  const taker = { ...serving(0), phase: 'awaited', config: 3, peer: 1, keys: 40, bytes: 400 }
  const others = (gid: number) =>
    rig.cluster.config.shards.flatMap((owner, shard) =>
      owner === gid && shard > 0 ? [serving(shard)] : [],
    )
  const shards = rig.cluster.config.shards.with(0, 2)
  rig.cluster.config = {
    ...rig.cluster.config,
    num: 3,
    shards,
    cause: { op: 'move', shard: 0, gid: 2, actor: 'boss' },
  }
  const transfer = {
    shard: 0,
    config: 3,
    to: 2,
    keys: 100,
    bytes: 1_000,
    sentKeys: 50,
    sentBytes: 500,
  }
  const put = (gid: number, held: ReturnType<typeof serving>[]) => {
    for (const [replica, url] of urlsOf(gid).entries()) {
      const status = statusOf(gid, replica, held)
      const handoffs = gid === 1 && held.includes(giver) ? [transfer] : []
      rig.cluster.statuses.set(url, {
        ...status,
        machine: { ...status.machine, config: 3, handoffs },
      })
    }
  }
  put(1, [giver, ...others(1)])
  put(2, [taker, ...others(2)])
  await later()
  assert.match(await html('/overview/-/map'), /<b>0<\/b><i>g1→g2<\/i>/)
  assert.match(textOf(await html('/handoffs')), /being copied 500 B of 1000 B, 100 keys/)
  put(1, [{ ...giver, bytes: 400 }, ...others(1)])
  put(2, [{ ...taker, bytes: 100 }, ...others(2)])
  await later()
  assert.match(textOf(await html('/handoffs')), /500 B of 1000 B/, 'a new leader may know less')
  put(1, others(1))
  put(2, [serving(0), ...others(2)])
  await later()
  assert.match(await html('/overview/-/map'), /<b>0<\/b><i>g2<\/i>/)
  assert.match(textOf(await html('/handoffs')), /Every shard is where it belongs/)
  const [moved] = rig.dashboard.services.reader.handoffs.list(3)
  assert.is(moved?.phase, 'arrived')
  assert.is(moved?.sentBytes, 1_000)
})

test('what others wrote is text on every page that shows it', async () => {
  const evil = `"><img src=x onerror=alert(1)></script><script>alert(2)</script>`
  const hidden = 'a\u202eb\u0000c\u200dd'
  rig.cluster.config = {
    ...rig.cluster.config,
    num: 3,
    cause: { op: 'join', gid: 2, actor: evil, reason: evil + hidden },
  }
  for (const [url, status] of rig.cluster.statuses) {
    rig.cluster.statuses.set(url, {
      ...status,
      cluster: evil,
      role: evil,
      ballot: evil,
      incarnation: evil,
    })
  }
  const paths = [
    '/',
    '/groups',
    '/groups/1',
    '/groups/0',
    '/reconfigure',
    '/handoffs',
    '/instances',
    '/settings',
    `/keys?key=${encodeURIComponent(evil)}`,
    `/reconfigure/plan?op=${encodeURIComponent(evil)}&gid=1`,
  ]
  for (const path of paths) {
    const page = await html(path)
    assert.not.match(page, /<img src=x/, path)
    assert.not.match(page, /<script>alert/, path)
    for (const sign of hidden.replace(/\w/g, '')) assert.not.ok(page.includes(sign), path)
  }
  assert.match(await html('/'), /a\\u\{202e\}b\\u\{0\}c\\u\{200d\}d/)
})

test('what is not there is said in a sentence, as a page, as JSON and as a part', async () => {
  for (const [path, status] of [
    ['/nothing', 404],
    ['/groups/77', 404],
    ['/groups/x', 404],
    ['/traces/zz', 400],
    ['/overview/-/nothing', 404],
    ['/assets/x.js', 404],
  ] as const) {
    const response = await rig.get(path, { cookie })
    assert.is(response.status, status, path)
    assert.match(await response.text(), /role="alert"/)
  }
  assert.is((await rig.get('/groups/77.json', { cookie })).status, 404)
  assert.match(await html('/groups/77.json'), /^\{"error":"No group of that number/)
})

test('ten thousand shards and three hundred groups stay a page, below a megabyte and half a second', async () => {
  await rig.stop()
  rig = new DashboardRig(simulated(10_000, 300))
  cookie = (await rig.login(TOKEN.admin)).cookie
  await html('/')
  for (const path of ['/', '/groups', '/reconfigure', '/groups/5', '/overview/-/map']) {
    // The best of three: the machine may have other things to do.
    let [page, ms] = ['', Number.POSITIVE_INFINITY]
    for (let times = 0; times < 3; times++) {
      const startedAt = performance.now()
      page = await html(path)
      ms = Math.min(ms, performance.now() - startedAt)
    }
    assert.ok(page.length < 1_000_000, `${path}: ${page.length} bytes`)
    assert.ok(ms < 500, `${path}: ${ms} ms`)
  }
  assert.match(await html('/'), /10,000 shards by group, 0 on their way/)
})

test('at 64 shards the overview is small', async () => {
  await rig.stop()
  rig = new DashboardRig(simulated(64, 3))
  cookie = (await rig.login(TOKEN.admin)).cookie
  let size = Buffer.byteLength(await html('/'))
  for (const [, path = ''] of (await html('/')).matchAll(/(?:src|href)="(\/assets\/[^"]+)"/g)) {
    const response = await rig.get(path, { cookie, 'accept-encoding': 'gzip' })
    size += (await response.arrayBuffer()).byteLength
    assert.match(response.headers.get('cache-control') ?? '', /immutable/)
  }
  assert.ok(size < 100_000, `${size} bytes over the wire`)
})

test.run()
