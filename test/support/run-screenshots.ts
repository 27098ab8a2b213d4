// `npm run screenshots`: every page, light and dark, on a desk and on a phone, of a real cluster that
// has something to show, into the folder screenshots/. With --readme also the small pictures that the
// README shows.

import { mkdirSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import type { Browser, Page } from 'playwright-core'
import { ArchiveClient } from '../../ops/archive/client.ts'
import { nodeViews, progressOf } from '../../ops/cluster-view.ts'
import { CHROMIUM, launchBrowser, watchedPage } from './browser.ts'
import { until } from './cluster.ts'
import { DashboardSite } from './dashboard-site.ts'
import { pagesOf } from './screenshot-pages.ts'

const FOLDER = 'screenshots'
const PICTURES = 'dashboard/pictures'
const KEYS = 900
const LOAD_MS = 22_000

async function main(): Promise<void> {
  if (CHROMIUM === undefined) throw new Error('Chromium is not installed')
  rmSync(FOLDER, { recursive: true, force: true })
  mkdirSync(FOLDER)
  const site = await DashboardSite.start()
  const browser = await launchBrowser()
  try {
    await fill(site)
    const { config, slot } = await events(site)
    for (const isDark of [false, true]) {
      for (const isPhone of [false, true])
        await shoot(browser, site, { isDark, isPhone, config, slot })
    }
    if (process.argv.includes('--readme')) await takePictures(browser, site, slot)
  } finally {
    await browser.close()
    await site.stop()
  }
}

/** Keys of different sizes, so that the pages have numbers. */
async function fill(site: DashboardSite): Promise<void> {
  const clerk = site.cluster.clerk()
  for (let first = 0; first < KEYS; first += 30) {
    const keys = Array.from({ length: 30 }, (_, index) => first + index)
    await Promise.all(
      keys.map(key => clerk.put(`user/${key}`, 'v'.repeat(200 + ((key * 37) % 1_800)))),
    )
  }
  await clerk.put('greeting', 'hello, shards')
}

/** Changes, so that there is a past; resolves to a configuration and a slot to open. */
async function events(site: DashboardSite): Promise<{ config: number; slot: number }> {
  const masters = site.cluster.shardmasters()
  const servers = site.cluster.group(3).map(({ url }) => url)
  await masters.join(3, servers, { reason: 'more room before the sale' })
  const urls = [1, 2, 3].flatMap(gid => site.cluster.group(gid)).map(({ url }) => url)
  await until('settled', async () => {
    const progress = progressOf(await nodeViews(urls, site.token), [1, 2, 3])
    return progress !== null && progress.config >= 3 && progress.moving === 0
  })
  await masters.move(5, 2, { reason: 'hot shard away from group 1' })
  const archive = new ArchiveClient({ url: site.archiveUrl, token: site.token })
  let slot = 0
  await until('an instance and a handoff in the archive', async () => {
    const found = await archive.instances({ gid: 1, origin: 'own', limit: 1 })
    const moves = await archive.handoffs({ config: 3, limit: 1 })
    slot = found.type === 'found' ? (found.value.instances[0]?.slot ?? 0) : 0
    return slot > 0 && moves.type === 'found' && moves.value.handoffs.length > 0
  })
  await archive.close()
  return { config: 3, slot }
}

/** Clients that ask for a few keys more than for others. */
async function load(site: DashboardSite, ms: number): Promise<void> {
  const clerk = site.cluster.clerk()
  const until = performance.now() + ms
  for (let round = 0; performance.now() < until; round++) {
    const hot = clerk.put(`user/${round % 3}`, `round ${round}`)
    const reads = [7, 31, 110].map(step => clerk.get(`user/${(round * step) % KEYS}`))
    await Promise.all([hot, ...reads])
    await sleep(15)
  }
}

type View = {
  readonly isDark: boolean
  readonly isPhone: boolean
  readonly config: number
  readonly slot: number
}

async function shoot(browser: Browser, site: DashboardSite, view: View): Promise<void> {
  const { page, context } = await watchedPage(browser, site.url, view)
  const suffix = `${view.isPhone ? 'phone' : 'desk'}-${view.isDark ? 'dark' : 'light'}`
  await page.goto(`${site.url}/login`)
  await page.screenshot({ path: join(FOLDER, `login-${suffix}.png`) })
  await page.fill('[name=token]', site.token)
  await page.click('button')
  await page.locator('.map').waitFor()
  // Two looks at the metrics make the first point of a chart.
  if (!view.isDark && !view.isPhone) await load(site, LOAD_MS)
  for (const [name, path] of pagesOf(view)) {
    await page.goto(site.url + path)
    await page.screenshot({ path: join(FOLDER, `${name}-${suffix}.png`), fullPage: true })
    console.log(`${FOLDER}/${name}-${suffix}.png`)
  }
  await context.close()
}

/** What is at the top of three pages, in a format that keeps them small. */
async function takePictures(browser: Browser, site: DashboardSite, slot: number): Promise<void> {
  mkdirSync(PICTURES, { recursive: true })
  const { page, context } = await watchedPage(browser, site.url)
  await page.goto(`${site.url}/login`)
  await page.fill('[name=token]', site.token)
  await page.click('button')
  await page.locator('.map').waitFor()
  // So that its lines are of requests, not of the pages that were opened for the pictures.
  await load(site, LOAD_MS)
  const session = await context.newCDPSession(page)
  const wanted = [
    ['overview', '/', 540],
    ['plan', '/reconfigure/plan?op=leave&gid=1', 600],
    ['instance', `/groups/1/instances/${slot}`, 600],
  ] as const
  for (const [name, path, height] of wanted) {
    await page.setViewportSize({ width: 1180, height })
    await page.goto(site.url + path)
    await page.locator('main').waitFor()
    if (name === 'instance') await openQuorum(page, site)
    const format = { format: 'webp', quality: 55 } as const
    const { data } = await session.send('Page.captureScreenshot', format)
    writeFileSync(join(PICTURES, `${name}.webp`), Buffer.from(data, 'base64'))
    console.log(`${PICTURES}/${name}.webp`)
  }
  await context.close()
}

/** To the step at which a quorum has it. */
async function openQuorum(page: Page, site: DashboardSite): Promise<void> {
  const step = page
    .locator('tr')
    .filter({ hasText: /a quorum has it/ })
    .locator('a')
  await page.goto(`${site.url}${await step.first().getAttribute('href')}`)
}

await main()
