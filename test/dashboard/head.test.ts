import type { Browser, Page } from 'playwright-core'
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { CHROMIUM, launchBrowser, watchedPage } from '../support/browser.ts'
import { DashboardRig, TOKEN } from '../support/dashboard-rig.ts'
import { simulated } from '../support/simulated-asker.ts'

const all = suite('head of the dashboard')
const test = CHROMIUM === undefined ? () => undefined : all
if (CHROMIUM === undefined) {
  console.log('SKIPPED: the head of the dashboard in a browser: Chromium is not installed')
}

const ORIGIN = 'http://127.0.0.1:4400'
const LONG = 'a-cluster-whose-name-is-as-long-as-people-make-them-eu-central-1'

/** Pages in which this link is cut off, by the window or by what is around it. */
const CLIPPED = `[...document.querySelectorAll('.head nav a')].filter(link => {
  const [own, around] = [link, link.closest('nav')].map(e => e.getBoundingClientRect())
  return own.right > Math.min(innerWidth, around.right) + 0.5 || own.left < around.left - 0.5
}).map(link => link.textContent)`

/** What else of the head is not whole inside the window, or lies over its neighbour. */
const OVERLAPPING = `(() => {
  const parts = [...document.querySelectorAll('.brand, .head nav, .who > *')]
  const boxes = parts.map(part => part.getBoundingClientRect())
  return parts.filter((part, index) => boxes[index].right > innerWidth || boxes.some((other, at) =>
    at > index && other.top < boxes[index].bottom && other.bottom > boxes[index].top
      && other.left < boxes[index].right - 0.5 && other.right > boxes[index].left + 0.5,
  )).map(part => part.className || part.tagName)
})()`

/** The pages of the rig, in a browser that reaches nothing else. */
async function opened(browser: Browser, rig: DashboardRig, cookie: string): Promise<Page> {
  const { page } = await watchedPage(browser, ORIGIN, { hasScripts: true })
  await page.route('**/*', async route => {
    const { pathname, search } = new URL(route.request().url())
    if (pathname.endsWith('/live')) return route.abort()
    const response = await rig.get(pathname + search, { cookie })
    const body = Buffer.from(await response.arrayBuffer())
    const headers = Object.fromEntries(response.headers)
    return route.fulfill({ status: response.status, headers, body })
  })
  return page
}

test('no page is cut off in the navigation, however long the names beside it', async () => {
  const cluster = simulated(16, 2)
  for (const [url, status] of cluster.statuses)
    cluster.statuses.set(url, { ...status, cluster: LONG })
  const rig = new DashboardRig(cluster)
  const browser = await launchBrowser()
  try {
    const { cookie } = await rig.login(TOKEN.admin)
    const page = await opened(browser, rig, cookie)
    await page.goto(`${ORIGIN}/settings`)
    assert.is(await page.locator('.cluster').innerText(), LONG)
    assert.is(await page.locator('.head nav a').count(), 10)
    for (const width of [1920, 1440, 1360, 1280, 1200, 1153, 1152, 1100, 1024, 961]) {
      await page.setViewportSize({ width, height: 800 })
      assert.equal(await page.evaluate(CLIPPED), [], `${width} px`)
      assert.equal(await page.evaluate(OVERLAPPING), [], `${width} px`)
    }
  } finally {
    await browser.close()
    await rig.stop()
  }
})

all('the rig names its cluster', async () => {
  const rig = new DashboardRig()
  const { cookie } = await rig.login(TOKEN.admin)
  assert.match(await (await rig.get('/settings', { cookie })).text(), />simulated<\/span>/)
  await rig.stop()
})

all.run()
