// `npm start`: the local cluster from the Procfile. Checks the ports, runs the Procfile under
// foreman, says once what is up and what to try, and on Ctrl-C leaves no process behind.

import { type ChildProcess, spawn } from 'node:child_process'
import { existsSync } from 'node:fs'
import { createRequire } from 'node:module'
import { dirname, join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { ShardmasterClient } from '../server/client/clerk.ts'
import { haveAdopted, nodeViews, progressOf } from './cluster-view.ts'
import { describe } from './life.ts'
import { type LocalCluster, localCluster } from './local.ts'
import { answeringNodes, takenPorts, unreadyNodes } from './ports.ts'
import { ensureSecrets, readSecret } from './secrets.ts'

const READY_SECONDS_MAX = 60
const POLL_MS = 250
/** The supervisors give their processes 4 s; after this nothing is waited for. */
const STOP_MS_MAX = 4_700
/** The cluster is up by then; only the pages are waited for. */
const DASHBOARD_MS_MAX = 10_000
const GROUPS_JOINING = [1, 2]

/** The folder with the Procfile: above the built files. */
const ROOT = join(dirname(fileURLToPath(import.meta.url)), '..', '..')

async function main(): Promise<void> {
  process.chdir(ROOT)
  const cluster = localCluster()
  const taken = await takenPorts([...cluster.nodes, ...cluster.services])
  if (taken.length > 0) throw new Error(takenText(taken.map(({ name, port }) => `${name} ${port}`)))
  ensureSecrets(cluster)
  const foreman = startForeman()
  const stopped = stopOnSignal(foreman)
  const isOver = (): boolean => foreman.exitCode !== null || foreman.signalCode !== null
  await Promise.race([stopped, announce(cluster, isOver)])
  process.exitCode = await stopped
}

/** In a process group of its own: a Ctrl-C of the terminal reaches us alone, and we pass on one. */
function startForeman(): ChildProcess {
  const script = createRequire(import.meta.url).resolve('foreman/nf.js')
  const env = { ...process.env, SHARDGLASS_STARTER: String(process.pid) }
  const args = [script, '--procfile', join(ROOT, 'Procfile'), 'start']
  return spawn(process.execPath, args, {
    env,
    detached: true,
    stdio: ['ignore', 'inherit', 'inherit'],
  })
}

/** Resolves to the exit code once foreman and all below it are gone. */
function stopOnSignal(foreman: ChildProcess): Promise<number> {
  return new Promise((resolve, reject) => {
    let isStopping = false
    let killer: NodeJS.Timeout | null = null
    const stop = (): void => {
      if (isStopping) return
      isStopping = true
      console.log('\nstopping …')
      foreman.kill('SIGINT')
      killer = setTimeout(() => endGroup(foreman), STOP_MS_MAX)
    }
    for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.on(signal, stop)
    const parent = process.ppid
    const watch = setInterval(() => {
      if (process.ppid !== parent) stop() // npm, or the terminal, is gone
    }, POLL_MS * 2)
    foreman.on('error', reject)
    foreman.on('close', () => {
      clearInterval(watch)
      if (killer !== null) clearTimeout(killer)
      endGroup(foreman)
      console.log(isStopping ? 'stopped' : 'the cluster ended by itself; see above')
      resolve(isStopping ? 0 : 1)
    })
  })
}

function endGroup({ pid }: ChildProcess): void {
  try {
    if (pid !== undefined) process.kill(-pid, 'SIGKILL')
  } catch {
    // nobody is left: as it should be
  }
}

/** Waits until the cluster serves, then says what is there. */
async function announce(cluster: LocalCluster, isOver: () => boolean): Promise<void> {
  const { shardmasters, files, nodes, archive } = cluster
  const client = new ShardmasterClient({ shardmasters, token: readSecret(files.adminToken) })
  const deadline = performance.now() + READY_SECONDS_MAX * 1000
  try {
    while (!isOver()) {
      await sleep(POLL_MS)
      const unready = await unreadyNodes([...nodes, archive])
      if (unready.length === 0 && (await isServing(cluster, client))) {
        console.log(welcome(cluster, await loginLink(cluster)))
        return
      }
      if (performance.now() < deadline) continue
      const names = unready.map(({ name }) => name).join(', ') || 'the first configuration'
      console.log(`not ready after ${READY_SECONDS_MAX} s: ${names}; see the lines above`)
      return
    }
  } finally {
    await client.close()
  }
}

/** The groups have joined, each of their nodes knows it, and the shards are where they belong. */
async function isServing(cluster: LocalCluster, client: ShardmasterClient): Promise<boolean> {
  const config = await client.query(-1, { timeoutMs: 2_000 }).catch(() => null)
  if (config === null || !GROUPS_JOINING.every(gid => config.groups[String(gid)])) return false
  const members = cluster.nodes.filter(({ gid }) => GROUPS_JOINING.includes(gid))
  const urls = members.map(({ url }) => url)
  const views = await nodeViews(urls, readSecret(cluster.files.adminToken))
  return haveAdopted(views, config.num) && progressOf(views, GROUPS_JOINING)?.moving === 0
}

/** A link that logs in once, from the dashboard itself; null while it does not serve. */
async function loginLink(cluster: LocalCluster): Promise<string | null> {
  const deadline = performance.now() + DASHBOARD_MS_MAX
  const dashboard = cluster.services.filter(({ name }) => name === 'dashboard')
  while (performance.now() < deadline) {
    const isUp = (await answeringNodes(dashboard)).length > 0
    if (isUp && existsSync(cluster.loginLink)) return readSecret(cluster.loginLink)
    await sleep(POLL_MS)
  }
  return null
}

function welcome(cluster: LocalCluster, link: string | null): string {
  const urls = (gid: number): readonly string[] =>
    cluster.nodes.filter(node => node.gid === gid).map(({ url }) => url)
  const [, first = '', second = ''] = [0, 1, 2].map(gid => urls(gid)[0])
  const { adminToken } = cluster.files
  const token = `-H "Authorization: Bearer $(cat ${adminToken})"`
  const settings = ['SHARDGLASS_BASE_PORT', 'SHARDGLASS_DATA'].flatMap(name => {
    const value = process.env[name]
    return value === undefined || value === '' ? [] : [`${name}=${value} `]
  })
  return `
Shardglass is up: 3 shardmasters, groups 1 and 2 of 3 replicas each, group 3 as a running spare.
  dashboard     ${link ?? `does not answer yet; its link will be in ${cluster.loginLink}`}
                (this link logs in once; the next one is then in ${cluster.loginLink})
  keys          ${urls(1).join(' ')} (any node answers for any key)
                ${urls(2).join(' ')}
  shardmasters  ${cluster.shardmasters.join(' ')}
  admin token   ${adminToken}
  API           ${first}/docs
  archive       ${cluster.archive.url}/docs (a trace of every Paxos instance and handoff)
  metrics       npm run observe starts Prometheus beside it; dashboards for Grafana are in grafana/

Try, in another terminal, in ${ROOT}:
  curl -X PUT ${token} --data-binary hello ${first}/v1/kv/greeting
  curl ${token} ${second}/v1/kv/greeting
  ${settings.join('')}npx shardctl join 3 ${urls(3).join(' ')} --wait

Ctrl-C stops the cluster; its data stays in ${cluster.folder}/ (npm run reset removes it).
`
}

function takenText(taken: readonly string[]): string {
  return `these ports are in use: ${taken.join(', ')}
Is the cluster running already? Otherwise move all ports: SHARDGLASS_BASE_PORT=5100 npm start`
}

try {
  await main()
} catch (error) {
  console.error(`npm start: ${describe(error)}`)
  process.exitCode = 1
}
