// `npm run observe`, and a line of Procfile.observe: Prometheus beside the local cluster, where it is
// installed. It scrapes whatever of the cluster is there; it may be started before or after it.

import { type ChildProcess, spawn, spawnSync } from 'node:child_process'
import { mkdirSync, writeFileSync } from 'node:fs'
import { dirname, join, resolve } from 'node:path'
import { fileURLToPath } from 'node:url'
import { type Life, live, Refusal, type Running } from '../life.ts'
import { type LocalCluster, localCluster } from '../local.ts'
import { ensureSecrets } from '../secrets.ts'
import { runningPlan } from './local-prometheus.ts'
import { prometheusConfig } from './prometheus-config.ts'

const RETENTION = ['--storage.tsdb.retention.time=15d', '--storage.tsdb.retention.size=1GB']
const ABSENT = 'Prometheus is not installed (Debian: apt-get install prometheus)'

/** The folder with prometheus.yml: this file is run as dist/ops/observe/start-prometheus.js. */
const OPS = resolve(dirname(fileURLToPath(import.meta.url)), '../../../ops')

async function start({ log, onFatal }: Life): Promise<Running> {
  if (spawnSync('prometheus', ['--version']).status !== 0) {
    if (process.env.SHARDGLASS_SUPERVISOR === undefined) throw new Refusal(ABSENT)
    log('warn', `${ABSENT}: the cluster runs without it`)
    const idle = setInterval(() => undefined, 60_000) // or the supervisor would try again and again
    return { stop: async () => clearInterval(idle) }
  }
  const cluster = localCluster()
  const address = `127.0.0.1:${cluster.ports.prometheus}`
  const child = startPrometheus(writeConfig(cluster), address)
  const ended = new Promise<void>(done => child.on('close', () => done()))
  const onEnd = (code: number | null): void => {
    onFatal(new Error(`Prometheus ended with code ${code}; see the lines above`))
  }
  child.on('error', onFatal)
  child.on('close', onEnd)
  log('info', 'Prometheus scrapes the cluster', { page: `http://${address}/alerts` })
  const stop = (): Promise<void> => {
    child.off('close', onEnd)
    child.kill('SIGTERM')
    return ended
  }
  return { stop }
}

type Place = { readonly config: string; readonly data: string }

function writeConfig(cluster: LocalCluster): Place {
  const clusterId = ensureSecrets(cluster)
  const config = resolve(cluster.folder, 'prometheus.yml')
  writeFileSync(config, prometheusConfig(runningPlan(cluster, clusterId, OPS)))
  const data = join(resolve(cluster.folder), 'prometheus')
  mkdirSync(data, { recursive: true })
  return { config, data }
}

function startPrometheus({ config, data }: Place, address: string): ChildProcess {
  const args = [
    `--config.file=${config}`,
    `--storage.tsdb.path=${data}`,
    `--web.listen-address=${address}`,
    '--enable-feature=exemplar-storage',
    '--log.level=warn',
    ...RETENTION,
  ]
  return spawn('prometheus', args, { stdio: ['ignore', 'inherit', 'inherit'] })
}

await live('prometheus', start)
