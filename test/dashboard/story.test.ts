import type { Browser, Page } from 'playwright-core'
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import {
  axeFindings,
  CHROMIUM,
  launchBrowser,
  tabTo,
  type Watched,
  watchedPage,
} from '../support/browser.ts'
import { until } from '../support/cluster.ts'
import { DashboardSite } from '../support/dashboard-site.ts'
import { OpenDashboards } from '../support/open-dashboards.ts'
import { costOf } from '../support/process-cost.ts'

const all = suite('the dashboard in a browser')
/** What needs one; without it the file still shows that all three kinds of process come up. */
const test = CHROMIUM === undefined ? () => undefined : all
if (CHROMIUM === undefined) {
  console.log('SKIPPED: the dashboard in a browser: Chromium is not installed')
}
let site: DashboardSite
let browser: Browser
let watched: Watched
let page: Page

const EVIL = '"><img src=x onerror=alert(1)><script>alert(2)</script>\u202e'

all.before(async () => {
  site = await DashboardSite.start()
  if (CHROMIUM === undefined) return
  browser = await launchBrowser()
  watched = await watchedPage(browser, site.url)
  page = watched.page
})

all.after(async () => {
  await browser?.close()
  await site?.stop()
})

const bodyText = () => page.innerText('main')
const sees = (text: RegExp, timeoutMs = 15_000) => {
  return page.locator('main').filter({ hasText: text }).waitFor({ timeout: timeoutMs })
}
const press = (name: RegExp) => page.getByRole('button', { name }).first().click()

/** Waits until all shards of the configuration shown are where it puts them. */
const settled = () => sees(/Settled: every shard is where this configuration puts it/, 30_000)

all('the dashboard of a real cluster asks for a token', async () => {
  const response = await fetch(`${site.url}/login`)
  assert.is(response.status, 200)
  assert.match(await response.text(), /Log in with a token of the cluster/)
})

test('the link logs in, and the overview is live', async () => {
  await page.goto(site.loginLink)
  await sees(/The shardmasters and 2 groups serve, and every replica answers/)
  await sees(/Group 3 runs as a spare: it can join/)
  await page.locator('#pulse[data-state=live]').waitFor()
  assert.is(await page.locator('.map .cell').count(), 64)
})

test('group 3 joins after a preview, and its shards arrive', async () => {
  await page.getByRole('link', { name: 'Reconfigure' }).click()
  await press(/Plan the join/)
  await sees(/21 shards; fewer than 21 cannot even out the groups/)
  await page.getByLabel(/Reason/).fill('more room')
  await press(/Join group 3: 21 shards move/)
  await page.waitForURL(/\/configs\/3$/)
  await settled()
  assert.match(await bodyText(), /join of group 3 by test \(more room\)/)
  await page.getByRole('link', { name: 'Overview' }).click()
  await page.locator('.map .cell.g3').nth(20).waitFor()
})

test('a shard is moved from the map', async () => {
  await page.locator('.map .cell.g1 a').first().click()
  await page.waitForURL(/\/reconfigure\?shard=\d+$/)
  assert.is(await page.locator('input[name=shard]:checked').count(), 1)
  await page.locator('select[name=gid]').last().selectOption({ label: 'group 3' })
  await press(/Plan the move/)
  await press(/Move shard \d+ to group 3: 1 shard moves/)
  await page.waitForURL(/\/configs\/4$/)
  await settled()
})

test('a plan on a configuration that has moved on is refused, and made anew', async () => {
  await page.goto(`${site.url}/reconfigure/plan?op=move&gid=2&shard=1`)
  const { shardmasters } = { shardmasters: site.cluster.shardmasters() }
  await shardmasters.move(2, 3)
  await press(/Move shard 1 to group 2/)
  await sees(/The plan was made on configuration 4, and 5 is the latest now\. Nothing was changed/)
  assert.is((await shardmasters.query()).num, 5)
})

test('what would lose data is refused, saying why', async () => {
  const servers = site.cluster
    .group(2)
    .map(({ url }) => url)
    .join(' ')
  await page.goto(
    `${site.url}/reconfigure/plan?op=join&gid=9&servers=${encodeURIComponent(servers)}`,
  )
  await sees(/is of group 2, not of group 9/)
  assert.is(await page.getByRole('button', { name: /Join group 9/ }).count(), 0)
  await page.goto(`${site.url}/reconfigure/plan?op=join&gid=9&servers=http://127.0.0.1:1`)
  await sees(/Only 0 of 1 servers answer, and a majority is needed/)
  await page.goto(`${site.url}/reconfigure/plan?op=move&gid=77&shard=1`)
  await sees(/This cannot be planned.*there is no group 77/s)
})

test('keys and values of any kind are characters on the page', async () => {
  await page.goto(`${site.url}/keys`)
  await page.getByLabel('Key', { exact: true }).fill(EVIL)
  await press(/Look up/)
  await sees(/This key is absent/)
  await page.locator('textarea[name=value]').fill(`${EVIL}\nsecond line`)
  await press(/^Put$/)
  await sees(/Written\./)
  const shown = await page.locator('pre').innerText()
  assert.is(shown, `${EVIL.replace('\u202e', '\\u{202e}')}\nsecond line`)
  assert.is((await site.cluster.clerk().get(EVIL))?.value.toString(), `${EVIL}\nsecond line`)
  await page.locator('textarea[name=value]').fill('newer')
  await site.cluster.clerk().put(EVIL, 'from elsewhere')
  await press(/^Put$/)
  await sees(/Nothing was changed/)
  assert.is((await site.cluster.clerk().get(EVIL))?.value.toString(), 'from elsewhere')
  await page.goto(`${site.url}/keys?key=${encodeURIComponent(EVIL)}&as=hex`)
  await sees(/000000 {2}66 72 6f 6d/)
  await press(/^Delete$/)
  await sees(/This key is absent/)
})

/** Of the instance and the handoff that the story opened. */
let instancePath = ''
let handoffPath = ''

test('a handoff is opened, and an instance replayed step by step with the keyboard', async () => {
  await page.goto(`${site.url}/handoffs?config=3`)
  await page.locator('tbody th a').first().waitFor()
  await page.locator('tbody th a').first().click()
  await sees(/clients were refused for/)
  await sees(/all of it is in the log of a majority/)
  handoffPath = new URL(page.url()).pathname
  await page.goto(`${site.url}/instances?gid=2&origin=own`)
  await page.locator('tbody th a').first().click()
  await page.waitForURL(/\/groups\/2\/instances\/\d+/)
  instancePath = new URL(page.url()).pathname
  await page.goto(`${site.url}${instancePath}?step=0`)
  const seen = [await page.locator('p.now').innerText()]
  for (let step = 1; ; step++) {
    await page.locator('input[type=range]').focus()
    if ((await page.locator('#step-on').count()) === 0) break
    const moved = page.waitForURL(new RegExp(`step=${step}$`))
    await Promise.all([moved, page.keyboard.press('ArrowRight')])
    seen.push(await page.locator('p.now').innerText())
  }
  const told = seen.join('\n')
  assert.match(told, /The leader sent its accept to all acceptors/)
  assert.ok(seen.filter(text => /had it on its disk/.test(text)).length >= 2, told)
  assert.match(told, /with 2 of them a quorum has it/)
  assert.match(told, /the value is decided for ever/)
  assert.match(told, /ran the commands/)
})

test('a killed leader is seen within two seconds, and its successor', async () => {
  await page.goto(`${site.url}/`)
  await page.locator('#pulse[data-state=live]').waitFor()
  const leader = await site.cluster.leader(2)
  await site.cluster.kill(leader.name)
  await sees(new RegExp(`Group 2: ${leader.name} does not answer, and has no margin`), 2_000)
  await sees(new RegExp(`leads group 2 now, after ${leader.name}`))
  site.cluster.restart(leader.name)
  await site.cluster.ready([leader.name])
  await sees(/every replica answers/)
})

test('the leader steps down on request, on a page that tells the disk of each replica', async () => {
  const before = await site.cluster.leader(3)
  await page.goto(`${site.url}/groups/3`)
  await sees(/(?:[\d.]+ [KMGT]iB · [\d.]+ [KMGT]iB free of [\d.]+ [KMGT]iB.*){3}/s)
  await press(/Let the leader step down/)
  await until('another leader', async () => (await site.cluster.leader(3)).name !== before.name)
})

test('one travels in time, and compares', async () => {
  await page.goto(`${site.url}/configs`)
  await page.getByRole('link', { name: 'Travel in time' }).click()
  await page.locator('input[type=range]').focus()
  await Promise.all([page.waitForURL(/num=0/), page.keyboard.press('Home')])
  await sees(/the beginning/)
  assert.is(await page.locator('.map .cell.g0').count(), 64)
  await page.goto(`${site.url}/configs/2..3`)
  await sees(/21 shards in other places/)
  assert.is(await page.locator('.cell.marked').count(), 21)
})

test('a token is made, works at once, and is revoked', async () => {
  await page.goto(`${site.url}/settings`)
  await page.getByLabel(/Name/).fill('night-shift')
  await press(/Make it/)
  await sees(/The token night-shift is made/)
  const token = await page.locator('.notice pre').innerText()
  const other = await watchedPage(browser, site.url)
  await other.page.goto(`${site.url}/login`)
  await other.page.fill('[name=token]', token)
  await other.page.click('button')
  await other.page.locator('.map').waitFor()
  await page.getByRole('button', { name: 'Revoke night-shift' }).click()
  await sees(/revoke the token night-shift/)
  await other.page.waitForURL(/\/login$/)
  await other.context.close()
})

test('group 1 leaves after its name was typed, and is then safe to stop', async () => {
  await page.goto(`${site.url}/reconfigure/plan?op=leave&gid=1`)
  const apply = page.getByRole('button', { name: /Let group 1 leave/ })
  await apply.click()
  assert.match(page.url(), /plan/, 'the browser asks for the word')
  await page.getByLabel(/to confirm/).fill('group 1')
  await apply.click()
  await page.waitForURL(/\/configs\/6$/)
  await settled()
  await sees(/group 1 has left and holds nothing any more: it is safe to stop/i, 30_000)
})

test('the whole change of a shard by keyboard alone', async () => {
  await page.goto(`${site.url}/`)
  await page.keyboard.press('Tab')
  assert.is(await page.evaluate('document.activeElement.textContent.trim()'), 'Skip to the page')
  await tabTo(page, 'nav a[href="/reconfigure"]')
  await page.keyboard.press('Enter')
  await page.waitForURL(/\/reconfigure$/)
  await tabTo(page, 'input[name=shards]')
  await page.keyboard.type('5')
  await page.keyboard.press('Tab')
  await page.keyboard.type('group 3')
  await page.keyboard.press('Tab')
  await page.keyboard.press('Enter')
  await page.waitForURL(/\/plan/)
  await tabTo(page, 'form[action="/reconfigure/apply"] button')
  await page.keyboard.press('Enter')
  await page.waitForURL(/\/configs\/\d+$/)
  await settled()
})

const paths = () => [
  '/',
  '/reconfigure',
  '/reconfigure/plan?op=move&gid=2&shard=1',
  '/configs',
  '/configs/3',
  '/configs/2..3',
  '/groups',
  '/groups/0',
  '/groups/2',
  '/instances',
  instancePath,
  '/handoffs',
  handoffPath,
  '/traces',
  '/keys?key=a',
  '/charts',
  '/settings',
  '/runbook',
]

for (const isDark of [false, true]) {
  test(`axe finds nothing serious on any page, ${isDark ? 'dark' : 'light'}`, async () => {
    const { page: other, context } = await watchedPage(browser, site.url, { isDark })
    await other.goto(`${site.url}/login`)
    assert.equal(await axeFindings(other), [], '/login')
    await other.fill('[name=token]', site.token)
    await other.click('button')
    for (const path of paths()) {
      await other.goto(site.url + path)
      assert.equal(await axeFindings(other), [], path)
    }
    await context.close()
  })
}

test('every page works without scripts: the same words, and a change as well', async () => {
  const plain = await watchedPage(browser, site.url, { hasScripts: false })
  await plain.page.goto(`${site.url}/login`)
  await plain.page.fill('[name=token]', site.token)
  await plain.page.click('button')
  for (const path of paths()) {
    const response = await plain.page.goto(site.url + path)
    assert.is(response?.status(), 200, path)
    assert.ok((await plain.page.innerText('main')).length > 40, path)
  }
  await plain.page.goto(`${site.url}/reconfigure/plan?op=move&gid=2&shard=9`)
  await plain.page.getByRole('button', { name: /Move shard 9/ }).click()
  await plain.page.waitForURL(/\/configs\/\d+$/)
  assert.equal(plain.faults, [])
  await plain.context.close()
})

test('no page is wider than a phone', async () => {
  const phone = await watchedPage(browser, site.url, { isPhone: true })
  await phone.page.goto(`${site.url}/login`)
  await phone.page.fill('[name=token]', site.token)
  await phone.page.click('button')
  for (const path of paths()) {
    await phone.page.goto(site.url + path)
    const wide = await phone.page.evaluate('document.documentElement.scrollWidth')
    assert.ok(Number(wide) <= 390, `${path}: ${wide} px`)
  }
  await phone.context.close()
})

all('fifty open dashboards cost less than a twentieth of a core', async () => {
  const dashboards = await OpenDashboards.open(site, 50)
  await until('all are open', () => dashboards.haveHeard(1))
  const [startedAt, before] = [performance.now(), costOf(site.pidOf('dashboard'))]
  await until('ten seconds of beats', () => dashboards.haveHeard(5))
  const after = costOf(site.pidOf('dashboard'))
  const seconds = (performance.now() - startedAt) / 1000
  const share = ((after?.ticks ?? 0) - (before?.ticks ?? 0)) / 100 / seconds
  await dashboards.close()
  console.log(`fifty open dashboards: ${(share * 100).toFixed(1)} % of a core`)
  assert.ok(share > 0 && share < 0.05, `${share} of a core over ${seconds} s`)
})

test('an archive that is away is said within two seconds, and blocks nothing', async () => {
  await site.endArchive()
  for (const path of ['/', '/groups/2', '/handoffs', '/instances', '/traces']) {
    const startedAt = performance.now()
    await page.goto(site.url + path)
    assert.ok(performance.now() - startedAt < 2_000, path)
    if (path !== '/') assert.match(await bodyText(), /The archive is not there/, path)
  }
})

test('through all of that: no error, nothing forbidden, nobody else asked', () => {
  assert.equal(
    watched.faults.filter(fault => !/status of 4(?:03|09|12)/.test(fault)),
    [],
  )
})

all.run()
