// The answer to an export (ExportTraceServiceResponse), in the encoding in which the request came.

import { ByteWriter } from './byte-stream.ts'

export type PartialSuccess = {
  /** Spans that were not stored and never will be. */
  readonly rejected: number
  readonly reason: string
}

/** An empty message says that everything is stored. */
export function exportAnswer(
  encoding: 'json' | 'protobuf',
  partial: PartialSuccess,
): string | Buffer {
  return encoding === 'json' ? asJson(partial) : asProtobuf(partial)
}

function asJson({ rejected, reason }: PartialSuccess): string {
  if (rejected === 0) return '{}'
  return JSON.stringify({
    partialSuccess: { rejectedSpans: String(rejected), errorMessage: reason },
  })
}

const PARTIAL_SUCCESS = (1 << 3) | 2
const REJECTED_SPANS = (1 << 3) | 0
const ERROR_MESSAGE = (2 << 3) | 2

function asProtobuf({ rejected, reason }: PartialSuccess): Buffer {
  if (rejected === 0) return Buffer.alloc(0)
  const inner = new ByteWriter()
  inner.number(REJECTED_SPANS)
  inner.number(rejected)
  inner.number(ERROR_MESSAGE)
  inner.text(reason)
  const outer = new ByteWriter()
  outer.number(PARTIAL_SUCCESS)
  outer.number(inner.length)
  return Buffer.concat([outer.bytes(), inner.bytes()])
}
