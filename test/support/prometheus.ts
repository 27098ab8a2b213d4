// A real Prometheus on a free port with its data in a folder of the test.

import { type ChildProcess, spawn, spawnSync } from 'node:child_process'
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { freePorts, until } from './cluster.ts'

export type Sample = {
  readonly labels: Readonly<Record<string, string>>
  /** The last one; NaN and infinities as they are. */
  readonly value: number
}

export type FiringAlert = {
  readonly name: string
  readonly labels: Readonly<Record<string, string>>
  readonly annotations: Readonly<Record<string, string>>
}

export type Target = {
  readonly url: string
  readonly labels: Readonly<Record<string, string>>
  readonly isUp: boolean
  readonly error: string
}

export const hasPrometheus = spawnSync('prometheus', ['--version']).status === 0

export class Prometheus {
  output = ''
  private readonly url: string
  private readonly child: ChildProcess

  private constructor(url: string, child: ChildProcess) {
    this.url = url
    this.child = child
    for (const stream of [child.stdout, child.stderr]) {
      stream?.on('data', (chunk: Buffer) => {
        this.output += chunk.toString()
      })
    }
  }

  static async start(folder: string, config: string): Promise<Prometheus> {
    const [port] = await freePorts(1, 27_500)
    const file = join(folder, 'prometheus.yml')
    writeFileSync(file, config)
    const args = [
      `--config.file=${file}`,
      `--storage.tsdb.path=${join(folder, 'prometheus')}`,
      `--web.listen-address=127.0.0.1:${port}`,
      '--enable-feature=exemplar-storage',
      '--log.level=warn',
    ]
    const child = spawn('prometheus', args, { stdio: ['ignore', 'pipe', 'pipe'] })
    const prometheus = new Prometheus(`http://127.0.0.1:${port}`, child)
    await until('Prometheus ready', async () => {
      if (child.exitCode !== null) throw new Error(prometheus.output)
      const answer = await fetch(`${prometheus.url}/-/ready`).catch(() => null)
      return answer?.status === 200
    })
    return prometheus
  }

  /** Now; or, with a range, over so many seconds until now: the last value of each series. */
  async query(expr: string, rangeSeconds = 0): Promise<readonly Sample[]> {
    const end = Date.now() / 1000
    const range = { start: String(end - rangeSeconds), end: String(end), step: '1' }
    const params = rangeSeconds === 0 ? {} : range
    const path = rangeSeconds === 0 ? '/api/v1/query' : '/api/v1/query_range'
    const { result } = (await this.get(path, { query: expr, ...params })) as {
      readonly result: readonly RawSeries[]
    }
    return result.map(({ metric, value, values }) => {
      const [, text] = value ?? values?.at(-1) ?? []
      return { labels: metric, value: text === undefined ? Number.NaN : numberOf(text) }
    })
  }

  /** What `label_values(selector, label)` is in a dashboard. */
  async labelValues(label: string, selector: string): Promise<readonly string[]> {
    const path = `/api/v1/label/${label}/values`
    return (await this.get(path, { 'match[]': selector })) as readonly string[]
  }

  async exemplars(expr: string): Promise<readonly Readonly<Record<string, string>>[]> {
    const end = Date.now() / 1000
    const params = { query: expr, start: String(end - 600), end: String(end) }
    const found = (await this.get('/api/v1/query_exemplars', params)) as readonly {
      readonly exemplars: readonly { readonly labels: Readonly<Record<string, string>> }[]
    }[]
    return found.flatMap(({ exemplars }) => exemplars.map(({ labels }) => labels))
  }

  async firing(): Promise<readonly FiringAlert[]> {
    const { alerts } = (await this.get('/api/v1/alerts', {})) as {
      readonly alerts: readonly (Omit<FiringAlert, 'name'> & { readonly state: string })[]
    }
    return alerts
      .filter(({ state }) => state === 'firing')
      .map(({ labels, annotations }) => ({ name: labels.alertname ?? '', labels, annotations }))
  }

  async targets(): Promise<readonly Target[]> {
    const { activeTargets } = (await this.get('/api/v1/targets', {})) as {
      readonly activeTargets: readonly {
        readonly scrapeUrl: string
        readonly labels: Readonly<Record<string, string>>
        readonly health: string
        readonly lastError: string
      }[]
    }
    return activeTargets.map(({ scrapeUrl, labels, health, lastError }) => {
      return { url: scrapeUrl, labels, isUp: health === 'up', error: lastError }
    })
  }

  /** Rules that could not be evaluated, with what Prometheus says. */
  async ruleErrors(): Promise<readonly string[]> {
    const { groups } = (await this.get('/api/v1/rules', {})) as {
      readonly groups: readonly {
        readonly rules: readonly { readonly name: string; readonly lastError?: string }[]
      }[]
    }
    const rules = groups.flatMap(group => group.rules)
    return rules.filter(({ lastError }) => lastError).map(r => `${r.name}: ${r.lastError}`)
  }

  stop(): Promise<void> {
    return new Promise(done => {
      if (this.child.exitCode !== null) return done()
      this.child.once('close', () => done())
      this.child.kill('SIGKILL')
    })
  }

  private async get(path: string, params: Readonly<Record<string, string>>): Promise<unknown> {
    const answer = await fetch(`${this.url}${path}?${new URLSearchParams(params)}`)
    const body = (await answer.json()) as { status: string; data: unknown; error?: string }
    if (body.status !== 'success') throw new Error(`${path} ${params.query}: ${body.error}`)
    return body.data
  }
}

type RawSeries = {
  readonly metric: Readonly<Record<string, string>>
  readonly value?: readonly [number, string]
  readonly values?: readonly (readonly [number, string])[]
}

function numberOf(text: string): number {
  if (text === '+Inf') return Number.POSITIVE_INFINITY
  return text === '-Inf' ? Number.NEGATIVE_INFINITY : Number(text)
}
