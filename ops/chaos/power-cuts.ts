// Power cuts under load, over and over, on one disk on which everything depends: a group of a single
// replica. Every write that was answered must be there after each. The control is the same with syncs
// that only claim to have happened: it must lose something, or the cuts prove nothing.

import { Connections } from '../../server/client/connections.ts'
import { isRecord } from '../../server/client/problem.ts'
import { ChaosCluster } from './cluster.ts'
import { eventually, pause } from './command.ts'
import type { Room } from './isolation.ts'
import type { Member } from './member.ts'
import { straced } from './strace.ts'

/** `lost`: answered writes that were gone, in words; the node refusing its damaged disk counts too. */
export type Cycle = { readonly answered: number; readonly ms: number; readonly lost: string[] }

const WRITERS = 16
const KEYS_PER_WRITER = 20
const READY_MS_MAX = 90_000
const LIE = ['fdatasync:retval=0', 'fsync:retval=0']

/** What one writer knows of one key: numbers rise with each write. */
type Known = { answered: number; tried: number }

export class PowerCuts {
  private readonly cluster: ChaosCluster
  private readonly member: Member
  private readonly lies: boolean
  private readonly known = new Map<string, Known>()
  private readonly connections = new Connections({ perNode: WRITERS })

  private constructor(cluster: ChaosCluster, lies: boolean) {
    this.cluster = cluster
    this.lies = lies
    this.member = cluster.member('kv1-0')
  }

  static async start(room: Room, options: { readonly lies: boolean }): Promise<PowerCuts> {
    const layout = { disks: true }
    const cluster = await ChaosCluster.start({ room, layout, sizes: [1, 1], joining: [1] })
    const cuts = new PowerCuts(cluster, options.lies)
    await cuts.comeBack()
    return cuts
  }

  /** Writes for a while, cuts the power, starts again, and reads everything. */
  async cycle(loadMs: number): Promise<Cycle> {
    const startedAt = performance.now()
    const { disk } = this.member.fields
    const before = this.answered()
    const writing = Array.from({ length: WRITERS }, (_, writer) => this.write(writer, loadMs))
    await pause(loadMs)
    this.member.isEndExpected = true
    await disk?.cutPower()
    await this.member.kill()
    await Promise.all(writing)
    await disk?.unmount()
    await disk?.mount()
    const answered = this.answered() - before
    this.member.start(this.lies ? straced(LIE) : [])
    const lost = (await this.comeBack()) ? await this.missing() : [this.member.output.slice(-600)]
    return { answered, ms: performance.now() - startedAt, lost }
  }

  async stop(): Promise<void> {
    await this.connections.close()
    await this.cluster.stop()
  }

  /** Whether it serves again; false where it ends by itself: it refuses what it finds. */
  private async comeBack(): Promise<boolean> {
    this.member.isEndExpected = true
    let isServing = false
    const isDecided = await eventually(
      async () => {
        isServing = this.member.isRunning && (await this.put('probe', '0'))
        return isServing || !this.member.isRunning
      },
      READY_MS_MAX,
      10,
    )
    if (!isDecided) throw new Error(`not back in ${READY_MS_MAX} ms: ${this.member.output}`)
    return isServing
  }

  /** Goes on until the node is gone. */
  private async write(writer: number, loadMs: number): Promise<void> {
    const deadline = performance.now() + loadMs + 1_000
    for (let turn = 0; performance.now() < deadline; turn++) {
      const key = `w${writer}-${turn % KEYS_PER_WRITER}`
      const known = this.known.get(key) ?? { answered: 0, tried: 0 }
      this.known.set(key, known)
      known.tried += 1
      const number = known.tried
      if (!(await this.put(key, String(number)))) return
      known.answered = number
    }
  }

  private async put(key: string, body: string): Promise<boolean> {
    const request = { method: 'PUT', path: `/v1/kv/${key}`, headers: this.headers, body } as const
    const limits = { timeoutMs: 1_000 }
    const answer = await this.connections.exchange(this.member.url, request, limits)
    return answer.type === 'answer' && answer.status === 204
  }

  /** Keys with an older value than the last one that was answered, or with one never written. */
  private async missing(): Promise<string[]> {
    const keys = [...this.known.keys()]
    const ops = keys.map(key => ({ op: 'get', key }))
    const headers = { ...this.headers, 'content-type': 'application/json' }
    const body = JSON.stringify({ ops })
    const request = { method: 'POST', path: '/v1/batch', headers, body } as const
    const limits = { timeoutMs: 10_000 }
    const answer = await this.connections.exchange(this.member.url, request, limits)
    if (answer.type === 'failed' || answer.status !== 200) return ['nothing can be read']
    const parsed: unknown = JSON.parse(answer.body.toString())
    const results = isRecord(parsed) && Array.isArray(parsed.results) ? parsed.results : []
    return keys.flatMap((key, index) => {
      const { answered = 0, tried = 0 } = this.known.get(key) ?? {}
      const value = Number(results[index]?.value ?? 0)
      if (value >= answered && value <= tried) return []
      return [`${key} is ${value}, answered was ${answered}`]
    })
  }

  private answered(): number {
    return [...this.known.values()].reduce((sum, { answered }) => sum + answered, 0)
  }

  private get headers(): Record<string, string> {
    return { authorization: `Bearer ${this.cluster.token}`, 'shardglass-timeout-ms': '900' }
  }
}
