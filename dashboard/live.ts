// One stream of server-sent events per open page: after every look at the cluster each part of the
// page that has changed is sent whole. What two people see alike is rendered once for both.

import type { ClusterReader } from './cluster-reader.ts'
import { rendered } from './html.ts'
import { type AnyPage, loaded, Missing, type PageContext } from './page.ts'
import { partOf } from './part.tsx'
import type { Sessions } from './session.ts'

const STREAMS_MAX = 300
/** So that the page knows that the stream is alive, and that it ends also where nobody looks. */
const BEAT_MS = 3_000

type Parts = ReadonlyMap<string, string>

export class LiveStreams {
  private readonly reader: ClusterReader
  private readonly sessions: Sessions
  private readonly ends = new Set<() => void>()
  /** URL of a page → its parts at one version of the view. */
  private readonly shared = new Map<
    string,
    { readonly version: number; readonly parts: Promise<Parts> }
  >()
  private readonly onFault: (error: unknown) => void
  private isClosing = false

  constructor(parts: {
    readonly reader: ClusterReader
    readonly sessions: Sessions
    readonly onFault: (error: unknown) => void
  }) {
    this.reader = parts.reader
    this.sessions = parts.sessions
    this.onFault = parts.onFault
  }

  get isFull(): boolean {
    return this.isClosing || this.ends.size >= STREAMS_MAX
  }

  close(): void {
    this.isClosing = true
    for (const end of this.ends) end()
  }

  /** The events of one open page, until it is left or its session is over. */
  stream(url: string, page: AnyPage, context: PageContext): ReadableStream<Uint8Array> {
    const { reader, sessions, ends, onFault } = this
    let stop = (): void => undefined
    let release = (): boolean => false
    return new ReadableStream<Uint8Array>({
      start: control => {
        const sent = new Map<string, string>()
        let isBusy = false
        const say = (text: string): void => control.enqueue(Buffer.from(text))
        // What is not read is of no use piled up.
        const isOver = (): boolean =>
          !sessions.isValid(context.session) || (control.desiredSize ?? 0) < -20
        const beat = (): void => (isOver() ? stop() : say('event: beat\ndata: .\n\n'))
        const beats = setInterval(beat, BEAT_MS)
        const look = async (): Promise<void> => {
          if (isBusy) return
          if (isOver()) return stop()
          reader.keepLooking()
          isBusy = true
          const parts = await this.parts(url, page, context).finally(() => {
            isBusy = false
          })
          if (!ends.has(stop)) return
          const news = [...parts].filter(([name, html]) => sent.get(name) !== html)
          for (const [name, html] of news) sent.set(name, html)
          if (news.length > 0) say(eventOf(news))
        }
        const onLook = (): void => void look().catch(onFault)
        release = () => {
          reader.changes.off('look', onLook)
          clearInterval(beats)
          return ends.delete(stop)
        }
        stop = () => {
          if (release()) control.close()
        }
        ends.add(stop)
        reader.changes.on('look', onLook)
        say('retry: 1000\n\n')
        beat()
        reader.keepLooking()
      },
      // It is closed by then, and must not be closed again.
      cancel: () => void release(),
    })
  }

  private parts(url: string, page: AnyPage, context: PageContext): Promise<Parts> {
    const { version } = this.reader.view
    const known = this.shared.get(url)
    if (known?.version === version) return known.parts
    const parts = partsOf(url, page, context)
    this.shared.set(url, { version, parts })
    for (const [other, entry] of this.shared)
      if (entry.version < version - 5) this.shared.delete(other)
    return parts
  }
}

async function partsOf(url: string, page: AnyPage, context: PageContext): Promise<Parts> {
  const found = new Map<string, string>()
  const model = await loaded(page, context)
  if (model instanceof Missing) return found
  for (const name of page.partNames) {
    found.set(name, await rendered(partOf(model, name, context, url)))
  }
  return found
}

function eventOf(news: readonly (readonly [string, string])[]): string {
  const html = news.map(
    ([name, text]) =>
      `<hx-partial hx-target="#p-${name}" hx-swap="outerMorph">${text}</hx-partial>`,
  )
  return `data: ${html.join('').replaceAll('\n', '\ndata: ')}\n\n`
}
