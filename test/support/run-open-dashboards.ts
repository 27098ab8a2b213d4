// npm run dashboards -- [--pairs 8] [--seconds 4] [--open 50]: what open dashboards cost a loaded
// cluster. Puts by 64 clients in a closed loop, without and with them, turn about; prints both rates
// of each pair, their ratio, and the median of these. The load is a process of its own, so that
// reading the streams does not slow it down itself; all of it shares this machine.

import { execFile } from 'node:child_process'
import { parseArgs, promisify } from 'node:util'
import { until } from './cluster.ts'
import { DashboardSite } from './dashboard-site.ts'
import { OpenDashboards } from './open-dashboards.ts'
import { costOf } from './process-cost.ts'

const CLIENTS = 64
const run = promisify(execFile)

type Run = {
  readonly perSecond: number
  /** Of one core, by the dashboard's process. */
  readonly share: number
}

async function puts(site: DashboardSite, seconds: number): Promise<Run> {
  const ticks = () => costOf(site.pidOf('dashboard'))?.ticks ?? 0
  const [before, startedAt] = [ticks(), performance.now()]
  const { stdout } = await run(process.execPath, [
    ...['dist/ops/load/run-load.js', '--json', '--target', 'clerk', '--clients', String(CLIENTS)],
    ...['--url', site.cluster.shardmasterUrls.join(','), '--token', site.token],
    ...['--seconds', String(seconds)],
  ])
  const share = (ticks() - before) / 100 / ((performance.now() - startedAt) / 1000)
  const result: { perSecond: number; failed: number } = JSON.parse(stdout)
  if (result.failed > 0) throw new Error(`${result.failed} puts failed`)
  return { perSecond: result.perSecond, share }
}

async function putsWatched(site: DashboardSite, seconds: number, count: number): Promise<Run> {
  const dashboards = await OpenDashboards.open(site, count)
  try {
    await until('all are open', () => dashboards.haveHeard(1))
    return await puts(site, seconds)
  } finally {
    await dashboards.close()
  }
}

function median(numbers: readonly number[]): number {
  const sorted = [...numbers].sort((one, other) => one - other)
  const middle = (sorted.length - 1) / 2
  return ((sorted[Math.floor(middle)] ?? 0) + (sorted[Math.ceil(middle)] ?? 0)) / 2
}

async function measure(site: DashboardSite, pairs: number, seconds: number, count: number) {
  const ratios: number[] = []
  await puts(site, seconds) // the first run of a new cluster is slower
  console.log('puts/s without   with   ratio   the dashboard, of a core without   with')
  for (let pair = 0; pair < pairs; pair++) {
    const without = await puts(site, seconds)
    const watched = await putsWatched(site, seconds, count)
    const ratio = watched.perSecond / without.perSecond
    ratios.push(ratio)
    const rates = [without, watched].map(({ perSecond }) => Math.round(perSecond))
    const shares = [without, watched].map(({ share }) => `${(share * 100).toFixed(1)} %`)
    console.log(`${rates.join('   ')}   ${ratio.toFixed(3)}   ${shares.join('   ')}`)
  }
  const range = `${Math.min(...ratios).toFixed(3)} to ${Math.max(...ratios).toFixed(3)}`
  console.log(
    `${count} open dashboards: ${median(ratios).toFixed(3)} of the put rate without them ` +
      `(median of ${pairs} pairs, ${range})`,
  )
}

const { values } = parseArgs({
  options: {
    pairs: { type: 'string', default: '8' },
    seconds: { type: 'string', default: '4' },
    open: { type: 'string', default: '50' },
  },
})
const site = await DashboardSite.start()
try {
  await measure(site, Number(values.pairs), Number(values.seconds), Number(values.open))
} finally {
  await site.stop()
}
