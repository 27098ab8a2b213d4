// Configurations by number. One that was decided never changes, so each is asked for once.

import type { ConfigView } from '../server/client/clerk.ts'

const KEPT = 256

export class ConfigCache {
  private readonly ask: (num: number) => Promise<ConfigView>
  private readonly known = new Map<number, ConfigView>()

  constructor(ask: (num: number) => Promise<ConfigView>) {
    this.ask = ask
  }

  /** Null when there is none of that number. Rejects with a ShardglassError. */
  async get(num: number): Promise<ConfigView | null> {
    const known = this.known.get(num)
    if (known !== undefined) return known
    const found = await this.ask(num)
    // A number above the latest is answered with the latest.
    this.put(found)
    return found.num === num ? found : null
  }

  put(config: ConfigView): void {
    this.known.set(config.num, config)
    const [oldest] = this.known.keys()
    if (this.known.size > KEPT && oldest !== undefined) this.known.delete(oldest)
  }
}
