// The thread that writes: inflates and decodes what nodes sent, and stores what came in together in one
// transaction. A batch is answered when its transaction is written, never before.

import { parentPort, workerData } from 'node:worker_threads'
import { gunzipSync } from 'node:zlib'
import { decodeJsonSpans } from './otlp-json.ts'
import { ProtobufDecoder } from './otlp-protobuf.ts'
import { BadBody, INFLATED_BYTES_MAX, type Received, SPANS_MAX } from './otlp-span.ts'
import { NoRoom, Shelf, type Stored } from './shelf.ts'
import type { Delivery, DeliveryResult, FromWriter, ToWriter, WriterData } from './thread.ts'

/** What comes within this time is written together: fewer, larger transactions and blocks. */
const GATHER_MS = 20
/** … unless so much is waiting. */
const GATHER_BYTES = 1024 * 1024
/** Decoded spans, and inflated bytes, that are held before they are written: what is sent is small, what
 * comes out of it need not be. As much as one request may have, so at most two of the largest. */
const HELD_SPANS_MAX = SPANS_MAX
const HELD_BYTES_MAX = INFLATED_BYTES_MAX
/** How often it looks for spans that have become too old. */
const TIDY_MS = 5_000

type Decoded = { readonly id: number; readonly received: Received; readonly bytes: number }
type Result = { readonly id: number; readonly result: DeliveryResult }

class Writer {
  private readonly shelf: Shelf
  private readonly protobuf = new ProtobufDecoder()
  private waiting: Delivery[] = []
  private waitingBytes = 0
  private gathering: NodeJS.Timeout | null = null

  constructor(data: WriterData) {
    const onNote = (text: string): void => post({ type: 'note', text })
    this.shelf = new Shelf({ ...data, nowMs: Date.now, onNote })
    this.tidy()
    post({ type: 'segments', segments: this.shelf.segments() })
    setInterval(() => {
      if (this.tidy()) post({ type: 'segments', segments: this.shelf.segments() })
    }, TIDY_MS)
  }

  onMessage(message: ToWriter): void {
    if (message.type === 'close') return this.close()
    this.waiting.push(message.delivery)
    this.waitingBytes += message.delivery.body.length
    if (this.waitingBytes >= GATHER_BYTES) return this.flush()
    this.gathering ??= setTimeout(() => this.flush(), GATHER_MS)
  }

  private flush(): void {
    if (this.gathering !== null) clearTimeout(this.gathering)
    this.gathering = null
    const deliveries = this.waiting
    this.waiting = []
    this.waitingBytes = 0
    if (deliveries.length === 0) return
    let results: Result[] = []
    let decoded: Decoded[] = []
    for (const delivery of deliveries) {
      const found = this.decoded(delivery)
      if ('result' in found) results.push(found)
      else decoded.push(found)
      if (!isMuch(decoded)) continue
      this.write(decoded, results)
      results = []
      decoded = []
    }
    if (results.length > 0 || decoded.length > 0) this.write(decoded, results)
  }

  /** One transaction; tells what became of it, and of what was refused before. */
  private write(decoded: readonly Decoded[], refused: readonly Result[]): void {
    const startedAt = performance.now()
    const results = [...refused, ...this.stored(decoded)]
    const seconds = (performance.now() - startedAt) / 1000
    this.tidy()
    post({ type: 'results', results, segments: this.shelf.segments(), seconds })
  }

  private decoded({ id, encoding, isGzip, body }: Delivery): Decoded | Result {
    try {
      const bytes = isGzip ? inflated(body) : Buffer.from(body.buffer, body.byteOffset, body.length)
      const received = encoding === 'json' ? decodeJsonSpans(bytes) : this.protobuf.decode(bytes)
      return { id, received, bytes: bytes.length }
    } catch (error) {
      if (!(error instanceof BadBody)) throw error
      const { isTooLarge, message: reason } = error
      return { id, result: { type: 'bad', isTooLarge, reason } }
    }
  }

  private stored(decoded: readonly Decoded[]): readonly Result[] {
    if (decoded.length === 0) return []
    let counts: readonly Stored[]
    try {
      counts = this.shelf.store(decoded.map(({ received }) => received.spans))
    } catch (error) {
      if (!(error instanceof NoRoom)) throw error
      return decoded.map(({ id }) => ({ id, result: { type: 'noRoom' } }))
    }
    return decoded.map(({ id, received }, at) => {
      const count = counts[at] ?? { stored: 0, duplicate: 0, expired: 0, rejected: 0 }
      const rejected = count.rejected + received.rejected
      const reason = received.reason || reasonOf(count)
      return { id, result: { type: 'stored', ...count, rejected, reason } }
    })
  }

  /** On a full disk a segment cannot be ended; what is too old leaves all the same, next time. */
  private tidy(): boolean {
    try {
      return this.shelf.tidy()
    } catch (error) {
      if (!(error instanceof NoRoom)) throw error
      return false
    }
  }

  private close(): void {
    this.flush()
    this.shelf.close()
    post({ type: 'closed' })
    process.exit(0) // this thread alone
  }
}

function isMuch(decoded: readonly Decoded[]): boolean {
  const spans = decoded.reduce((sum, { received }) => sum + received.spans.length, 0)
  const bytes = decoded.reduce((sum, one) => sum + one.bytes, 0)
  return spans >= HELD_SPANS_MAX || bytes >= HELD_BYTES_MAX
}

function reasonOf({ expired, rejected }: Stored): string {
  if (rejected > 0) return 'a span starts too far in the future: is the clock right?'
  return expired > 0 ? 'a span is older than what the archive keeps' : ''
}

/** Never more than the bound, however small it came. */
function inflated(body: Uint8Array): Buffer {
  try {
    return gunzipSync(body, { maxOutputLength: INFLATED_BYTES_MAX })
  } catch (error) {
    const code = error instanceof Error && 'code' in error ? error.code : ''
    if (code === 'ERR_BUFFER_TOO_LARGE') {
      throw new BadBody(`the body exceeds ${INFLATED_BYTES_MAX} bytes when inflated`, true)
    }
    throw new BadBody('the body is not gzip, as its Content-Encoding says')
  }
}

function post(message: FromWriter): void {
  parentPort?.postMessage(message)
}

const writer = new Writer(workerData)
parentPort?.on('message', (message: ToWriter) => writer.onMessage(message))
