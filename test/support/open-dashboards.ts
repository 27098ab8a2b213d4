// Many open dashboards of a site: the live stream of its overview, read as browsers do.

import type { DashboardSite } from './dashboard-site.ts'

export class OpenDashboards {
  /** Of each, heard so far. */
  readonly beats: number[]
  private readonly control = new AbortController()
  private readonly streams: readonly Promise<void>[]

  static async open(site: DashboardSite, count: number): Promise<OpenDashboards> {
    return new OpenDashboards(site.url, await site.login(), count)
  }

  private constructor(url: string, cookie: string, count: number) {
    this.beats = Array.from({ length: count }, () => 0)
    const init = { headers: { cookie }, signal: this.control.signal }
    this.streams = this.beats.map(async (_, index) => {
      const { body } = await fetch(`${url}/overview/-/live`, init)
      const reader = body!.pipeThrough(new TextDecoderStream()).getReader()
      for (let next = await reader.read(); !next.done; next = await reader.read()) {
        if (next.value.includes('event: beat')) this.beats[index]! += 1
      }
    })
    for (const stream of this.streams) stream.catch(() => undefined)
  }

  haveHeard(count: number): boolean {
    return this.beats.every(beat => beat >= count)
  }

  async close(): Promise<void> {
    this.control.abort()
    await Promise.allSettled(this.streams)
  }
}
