// A real job: a tree of real files, path → contents, goes in through the plain HTTP API of whichever
// node, while shards move, groups come and go, and every leader is killed with -9; then all of it is
// read back and compared byte for byte.

import { readdirSync, readFileSync, statSync } from 'node:fs'
import { join, relative } from 'node:path'
import { Connections } from '../../server/client/connections.ts'
import { VALUE_BYTES_MAX } from '../../server/limits.ts'
import { type TestCluster, TOKEN, until } from './cluster.ts'

export type Job = {
  readonly files: readonly { readonly key: string; readonly path: string }[]
  readonly bytes: number
}

export type JobReport = {
  readonly files: number
  readonly bytes: number
  readonly loadSeconds: number
  readonly readSeconds: number
  readonly retries: number
  readonly killed: readonly string[]
  readonly configs: number
  /** Keys whose value is not what was put. */
  readonly wrong: readonly string[]
}

/** Files below a folder, in order of their paths, until `bytesMax` is reached. */
export function filesBelow(folder: string, bytesMax: number): Job {
  const files: { key: string; path: string }[] = []
  let bytes = 0
  const entries = readdirSync(folder, { recursive: true, withFileTypes: true })
  for (const entry of entries) {
    if (!entry.isFile()) continue
    const path = join(entry.parentPath ?? entry.path, entry.name)
    const { size } = statSync(path)
    const key = relative(folder, path)
    if (size > VALUE_BYTES_MAX || Buffer.byteLength(key) > 1000) continue
    if (bytes + size > bytesMax) break
    bytes += size
    files.push({ key, path })
  }
  return { files, bytes }
}

const AT_ONCE = 16
const TRIES_MAX = 200

export async function runJob(cluster: TestCluster, job: Job): Promise<JobReport> {
  const client = new Client(cluster)
  const killed: string[] = []
  try {
    const startedAt = performance.now()
    const loading = inParallel(job.files, async (file, index) => {
      await client.put(file.key, readFileSync(file.path), index + 1)
    })
    const configs = await disturb(cluster, killed)
    await loading
    const loadedAt = performance.now()
    const wrong: string[] = []
    await inParallel(job.files, async file => {
      const found = await client.get(file.key)
      if (found === null || !found.equals(readFileSync(file.path))) wrong.push(file.key)
    })
    return {
      files: job.files.length,
      bytes: job.bytes,
      loadSeconds: (loadedAt - startedAt) / 1000,
      readSeconds: (performance.now() - loadedAt) / 1000,
      retries: client.retries,
      killed,
      configs,
      wrong,
    }
  } finally {
    await client.close()
  }
}

/** Join of group 3, 20 moves, leave of group 1, and in between kill -9 of all four leaders. */
async function disturb(cluster: TestCluster, killed: string[]): Promise<number> {
  const masters = cluster.shardmasters(30_000)
  const urls = cluster.group(3).map(({ url }) => url)
  await until('groups 1 and 2 have joined', async () => {
    const { groups } = await masters.query()
    return groups['1'] !== undefined && groups['2'] !== undefined
  })
  let config = await masters.join(3, urls)
  for (let count = 0; count < 20; count++) {
    const shard = (count * 7) % config.shards.length
    const others = [1, 2, 3].filter(gid => gid !== config.shards[shard])
    config = await masters.move(shard, others[count % 2] ?? 1)
    if (count % 5 !== 2) continue
    const { name } = await cluster.leader([0, 1, 2, 3][Math.floor(count / 5)] ?? 0)
    await cluster.kill(name)
    killed.push(name)
    cluster.restart(name)
  }
  const { num } = await masters.leave(1)
  await until(`configuration ${num} settled`, () => isSettled(cluster, num), 120_000)
  return num
}

async function isSettled(cluster: TestCluster, num: number): Promise<boolean> {
  for (const gid of [1, 2, 3]) {
    const status = await cluster.status((await cluster.leader(gid)).name)
    const machine = status?.machine as
      | { config?: number; phases?: Record<string, number> }
      | undefined
    if (machine?.config === undefined || machine.config < num) return false
    const { awaited = 1, leaving = 1, releasing = 1 } = machine.phases ?? {}
    if (awaited + leaving + releasing > 0) return false
  }
  return true
}

async function inParallel<T>(
  items: readonly T[],
  work: (item: T, index: number) => Promise<void>,
): Promise<void> {
  let next = 0
  const worker = async (): Promise<void> => {
    for (let index = next++; index < items.length; index = next++) {
      const item = items[index]
      if (item !== undefined) await work(item, index)
    }
  }
  await Promise.all(Array.from({ length: AT_ONCE }, worker))
}

/** As curl with a loop around it: any node, the same number until there is a definite answer. */
class Client {
  retries = 0
  private readonly cluster: TestCluster
  private readonly connections = new Connections({ perNode: 8 })
  private turn = 0

  constructor(cluster: TestCluster) {
    this.cluster = cluster
  }

  async put(key: string, body: Buffer, number: number): Promise<void> {
    // A client of its own for each file: its number never falls out of a window.
    const headers = { 'idempotency-key': `job-${number}/1` }
    await this.ask('PUT', key, { headers, body }, [204])
  }

  async get(key: string): Promise<Buffer | null> {
    const { status, body } = await this.ask('GET', key, { headers: {} }, [200, 404])
    return status === 200 ? body : null
  }

  async close(): Promise<void> {
    await this.connections.close()
  }

  private async ask(
    method: 'GET' | 'PUT',
    key: string,
    parts: { headers: Record<string, string>; body?: Buffer },
    wanted: readonly number[],
  ): Promise<{ status: number; body: Buffer }> {
    const headers = { ...parts.headers, authorization: `Bearer ${TOKEN}` }
    const path = `/v1/kv?key=${encodeURIComponent(key)}`
    const { body } = parts
    const request = { method, path, headers, ...(body === undefined ? {} : { body }) }
    for (let tries = 0; tries < TRIES_MAX; tries++) {
      const nodes = this.cluster.nodes.filter(({ gid, isRunning }) => gid > 0 && isRunning)
      const node = nodes[this.turn++ % nodes.length]
      if (node === undefined) throw new Error('no node runs')
      const answer = await this.connections.exchange(node.url, request, { timeoutMs: 15_000 })
      if (answer.type === 'answer' && wanted.includes(answer.status)) return answer
      if (answer.type === 'answer' && answer.status < 500 && answer.status !== 429) {
        throw new Error(`${method} ${key}: ${answer.status} ${answer.body}`)
      }
      this.retries += 1
      await new Promise(done => setTimeout(done, 50))
    }
    throw new Error(`${method} ${key}: no answer in ${TRIES_MAX} tries`)
  }
}
