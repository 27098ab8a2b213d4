// The shardmasters' stream of configurations (server-sent events), resumed at the next shardmaster
// whenever it breaks. Numbers go up by one, so a gap or a repeat is seen and mended here.

import { type ConfigView, decodeConfig } from './config-decode.ts'
import { type Connections, pathPrefix } from './connections.ts'
import { backoffMs, pause } from './retry.ts'

/** Streams are many and nobody waits for one: their return must not be a storm. */
const BACKOFF_MS_MAX = 400

export type WatchOptions = {
  readonly connections: Connections
  readonly shardmasters: readonly string[]
  readonly token: string
  readonly after: number
  readonly signal: AbortSignal
}

/** The server sends a comment every 15 s; a stream silent for longer is dead. */
const SILENCE_MS_MAX = 40_000

/** Every configuration after `after`, in order; ends when the signal is aborted. */
export async function* watchConfigs(options: WatchOptions): AsyncGenerator<ConfigView> {
  const { shardmasters, signal } = options
  let after = options.after
  for (let tries = 0; !signal.aborted; tries++) {
    const base = shardmasters[tries % shardmasters.length] ?? ''
    try {
      for await (const config of readStream(base, after, options)) {
        if (config.num <= after) continue
        if (config.num > after + 1) break // a gap: ask again from where we are
        after = config.num
        tries = 0
        yield config
      }
    } catch {
      // The stream broke or never began; the next shardmaster goes on with it.
    }
    await pause(backoffMs(tries, BACKOFF_MS_MAX), signal)
  }
}

async function* readStream(
  base: string,
  after: number,
  options: WatchOptions,
): AsyncGenerator<ConfigView> {
  const answer = await options.connections.pool(base).request({
    method: 'GET',
    path: `${pathPrefix(base)}/v1/config/watch?after=${after}`,
    headers: { authorization: `Bearer ${options.token}`, accept: 'text/event-stream' },
    headersTimeout: 5_000,
    bodyTimeout: SILENCE_MS_MAX,
    signal: options.signal,
  })
  if (answer.statusCode !== 200) {
    await answer.body.dump()
    return
  }
  answer.body.setEncoding('utf8') // a character may be split between chunks
  let text = ''
  for await (const chunk of answer.body) {
    text += String(chunk)
    for (let end = text.indexOf('\n\n'); end >= 0; end = text.indexOf('\n\n')) {
      const config = decodeEvent(text.slice(0, end))
      text = text.slice(end + 2)
      if (config !== null) yield config
    }
  }
}

function decodeEvent(event: string): ConfigView | null {
  const data = event
    .split('\n')
    .filter(line => line.startsWith('data:'))
    .map(line => line.slice(5).trimStart())
    .join('\n')
  return data === '' ? null : decodeConfig(JSON.parse(data))
}
