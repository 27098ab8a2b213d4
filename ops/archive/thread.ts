// The archive's two threads, and what is said between them and the main one. One writes, one reads: the
// main thread only speaks HTTP, so that neither a large batch nor a long search makes others wait.

import { Worker } from 'node:worker_threads'
import type { Question } from './question.ts'
import type { Readable } from './search.ts'
import type { Bounds, SegmentView, Stored } from './shelf.ts'

/** A body of POST /v1/traces as it came. */
export type Delivery = {
  readonly id: number
  readonly encoding: 'json' | 'protobuf'
  readonly isGzip: boolean
  readonly body: Uint8Array
}

export type DeliveryResult =
  /** Durable; `rejected` includes what was malformed, and `reason` says why. */
  | ({ readonly type: 'stored'; readonly reason: string } & Stored)
  | { readonly type: 'bad'; readonly isTooLarge: boolean; readonly reason: string }
  | { readonly type: 'noRoom' }

export type WriterData = Bounds & {
  readonly folder: string
  readonly sync: 'normal' | 'full'
}

export type ToWriter =
  | { readonly type: 'store'; readonly delivery: Delivery }
  | { readonly type: 'close' }

export type FromWriter =
  | { readonly type: 'segments'; readonly segments: readonly SegmentView[] }
  | {
      readonly type: 'results'
      readonly results: readonly { readonly id: number; readonly result: DeliveryResult }[]
      readonly segments: readonly SegmentView[]
      /** Of the transaction. */
      readonly seconds: number
    }
  | { readonly type: 'note'; readonly text: string }
  | { readonly type: 'closed' }

export type ToReader =
  | { readonly type: 'segments'; readonly segments: readonly Readable[] }
  | { readonly type: 'ask'; readonly id: number; readonly question: Question }
  | { readonly type: 'close' }

export type FromReader =
  /** Null: there is nothing of that name. */
  | { readonly type: 'answer'; readonly id: number; readonly json: string | null }
  | { readonly type: 'failed'; readonly id: number; readonly reason: string }

/** From a build it is a file; from source, TypeScript needs its loader in the new thread too. */
export function startThread(name: 'writer-thread' | 'reader-thread', workerData: unknown): Worker {
  if (!import.meta.url.endsWith('.ts')) {
    return new Worker(new URL(`${name}.js`, import.meta.url), { workerData })
  }
  const loader = JSON.stringify(import.meta.resolve('tsx/esm/api'))
  const file = JSON.stringify(new URL(`${name}.ts`, import.meta.url).href)
  const code = `import(${loader}).then(tsx => { tsx.register(); return import(${file}) })`
  return new Worker(code, { eval: true, workerData })
}
