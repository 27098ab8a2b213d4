// The project's own client: all callers of one process share a Clerk, as the requests of a service do.

import { Clerk } from '../../server/client/clerk.ts'
import type { LoadOp, LoadPlan } from './plan.ts'
import { type Caller, keyName, sampleValue, type Target } from './target.ts'

export class ClerkTarget implements Target {
  trouble: string | null = null
  private readonly plan: LoadPlan
  private readonly clerk: Clerk
  private readonly value: string

  constructor(plan: LoadPlan) {
    this.plan = plan
    this.value = sampleValue(plan.value)
    const { token = '', timeout: timeoutMs } = plan
    this.clerk = new Clerk({ shardmasters: plan.url.split(','), token, timeoutMs })
  }

  async callers(count: number): Promise<readonly Caller[]> {
    await this.clerk.config()
    const caller: Caller = { run: (op, key, done) => this.run(op, key, done) }
    return Array.from({ length: count }, () => caller)
  }

  close(): Promise<void> {
    return this.clerk.close()
  }

  private run(op: LoadOp, key: number, done: (isGood: boolean) => void): void {
    const onGood = (): void => done(true)
    this.operation(op, key).then(onGood, (error: unknown) => {
      this.trouble ??= String(error)
      done(false)
    })
  }

  private operation(op: LoadOp, key: number): Promise<unknown> {
    const { clerk, plan, value } = this
    if (plan.batch > 1) return this.batch(op, key)
    const name = keyName(plan, key)
    if (op === 'get') return clerk.get(name)
    return op === 'put' ? clerk.put(name, value) : clerk.putHash(name, value)
  }

  private async batch(op: LoadOp, key: number): Promise<void> {
    const { clerk, plan, value } = this
    const operations = Array.from({ length: plan.batch }, (_, index) => {
      const name = keyName(plan, key + index)
      return op === 'get' ? ({ op, key: name } as const) : ({ op, key: name, value } as const)
    })
    for (const result of await clerk.batch(operations)) {
      if (result.type === 'failed') throw result.error
    }
  }
}
