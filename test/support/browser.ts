// Debian's Chromium, and a page in it that notes everything that must not happen: errors on the
// console, what the page's own rules forbade, and requests to anybody else.

import { existsSync } from 'node:fs'
import { createRequire } from 'node:module'
import { type Browser, type BrowserContext, chromium, type Page } from 'playwright-core'

export const CHROMIUM = ['/usr/bin/chromium', '/usr/bin/chromium-browser'].find(path =>
  existsSync(path),
)

export function launchBrowser(): Promise<Browser> {
  const args = ['--no-sandbox', '--disable-dev-shm-usage', '--disable-gpu']
  return chromium.launch({ executablePath: CHROMIUM ?? '', args })
}

export type ViewOptions = {
  readonly isDark?: boolean
  readonly isPhone?: boolean
  readonly hasScripts?: boolean
}

/** A page, and what went wrong on it so far. */
export type Watched = {
  readonly context: BrowserContext
  readonly page: Page
  readonly faults: string[]
}

/** `ownUrl`: the only place that may be asked for anything. */
export async function watchedPage(
  browser: Browser,
  ownUrl: string,
  options: ViewOptions = {},
): Promise<Watched> {
  const { isDark = false, isPhone = false, hasScripts = true } = options
  const context = await browser.newContext({
    viewport: isPhone ? { width: 390, height: 844 } : { width: 1360, height: 860 },
    colorScheme: isDark ? 'dark' : 'light',
    javaScriptEnabled: hasScripts,
    deviceScaleFactor: isPhone ? 2 : 1,
  })
  const page = await context.newPage()
  const faults: string[] = []
  page.on('console', message => {
    if (message.type() === 'error' || message.type() === 'warning')
      faults.push(`console: ${message.text()}`)
  })
  page.on('pageerror', error => faults.push(`error: ${error.message}`))
  page.on('request', request => {
    const url = request.url()
    if (!url.startsWith(`${ownUrl}/`) && url !== ownUrl) faults.push(`request: ${url}`)
  })
  page.setDefaultTimeout(15_000)
  return { context, page, faults }
}

const axePath = createRequire(import.meta.url).resolve('axe-core/axe.min.js')

/** What axe calls serious or worse, one line each. Its own script is let past the page's rules. */
export async function axeFindings(page: Page): Promise<readonly string[]> {
  await page.evaluate(await import('node:fs/promises').then(fs => fs.readFile(axePath, 'utf8')))
  return page.evaluate(async () => {
    const { axe } = globalThis as unknown as {
      axe: { run(): Promise<{ violations: Violation[] }> }
    }
    type Violation = {
      id: string
      impact: string
      nodes: { html: string; failureSummary: string }[]
    }
    const { violations } = await axe.run()
    return violations
      .filter(({ impact }) => impact === 'serious' || impact === 'critical')
      .flatMap(({ id, nodes }) =>
        nodes
          .slice(0, 3)
          .map(node => `${id}: ${node.html.slice(0, 160)} ${node.failureSummary.slice(0, 200)}`),
      )
  })
}

/** Presses Tab until the element has the focus, as somebody without a mouse does. */
export async function tabTo(page: Page, selector: string): Promise<void> {
  const wanted = page.locator(selector).first()
  await wanted.waitFor()
  for (let presses = 0; presses < 150; presses++) {
    await page.keyboard.press('Tab')
    if (await wanted.evaluate(element => element === element.ownerDocument.activeElement)) return
  }
  throw new Error(`not reached by Tab: ${selector}`)
}
