// What an acceptor makes durable before it answers, byte for byte as in the log. Recovery is the
// fold of these records: the highest promise, per slot the entry with the highest ballot, and the
// highest decided watermark.

import { ByteReader, ByteWriter, DecodeError } from '../bytes.ts'
import type { Ballot } from './ballot.ts'
import type { Formation, Slot } from './message.ts'

export type LogRecord =
  | { readonly type: 'formed'; readonly formation: Formation }
  | { readonly type: 'promise'; readonly ballot: Ballot }
  /** Accepted under `ballot`; `decided` is the acceptor's own watermark at that time. */
  | {
      readonly type: 'accept'
      readonly slot: Slot
      readonly ballot: Ballot
      readonly value: Uint8Array
      readonly decided: Slot
    }
  /** Learned as decided by catching up, without having accepted it. */
  | { readonly type: 'learn'; readonly slot: Slot; readonly value: Uint8Array }
  /**
   * A snapshot as of this slot replaced the store. Entries recorded before it, above the watermark
   * of that time, were never learned to be decided here: some hold values that lost.
   */
  | { readonly type: 'installed'; readonly slot: Slot }

const FORMED = 1
const PROMISE = 2
const ACCEPT = 3
const LEARN = 4
const INSTALLED = 5

/** The slot that a record belongs to, 0 for those that belong to none. */
export function slotOf(record: LogRecord): Slot {
  return 'slot' in record ? record.slot : 0
}

export function encodeRecord(record: LogRecord): Uint8Array {
  switch (record.type) {
    case 'formed':
      return new ByteWriter().u8(FORMED).json(record.formation).done()
    case 'promise':
      return writeBallot(new ByteWriter(32).u8(PROMISE), record.ballot).done()
    case 'accept': {
      const writer = new ByteWriter(64 + record.value.length).u8(ACCEPT).uint(record.slot)
      return writeBallot(writer, record.ballot).uint(record.decided).bytes(record.value).done()
    }
    case 'learn':
      return new ByteWriter(16 + record.value.length)
        .u8(LEARN)
        .uint(record.slot)
        .bytes(record.value)
        .done()
    case 'installed':
      return new ByteWriter(16).u8(INSTALLED).uint(record.slot).done()
  }
}

/** Throws DecodeError on anything that `encodeRecord` does not write, newer kinds included. */
export function decodeRecord(bytes: Uint8Array): LogRecord {
  const reader = new ByteReader(bytes)
  const record = readRecord(reader)
  reader.end()
  return record
}

function readRecord(reader: ByteReader): LogRecord {
  const kind = reader.u8()
  if (kind === FORMED) return { type: 'formed', formation: readFormation(reader.json()) }
  if (kind === PROMISE) return { type: 'promise', ballot: readBallot(reader) }
  if (kind === ACCEPT) {
    const slot = reader.uint()
    const ballot = readBallot(reader)
    const decided = reader.uint()
    return { type: 'accept', slot, ballot, decided, value: reader.bytes() }
  }
  if (kind === LEARN) return { type: 'learn', slot: reader.uint(), value: reader.bytes() }
  if (kind === INSTALLED) return { type: 'installed', slot: reader.uint() }
  throw new DecodeError(`record of an unknown kind ${kind}: written by a newer version?`)
}

function writeBallot(writer: ByteWriter, ballot: Ballot): ByteWriter {
  return writer.uint(ballot.round).uint(ballot.replica).byteString(ballot.incarnation)
}

function readBallot(reader: ByteReader): Ballot {
  return { round: reader.uint(), replica: reader.uint(), incarnation: reader.byteString() }
}

function readFormation(value: unknown): Formation {
  const members: { replica: number; incarnation: string }[] = []
  if (isObject(value) && typeof value.id === 'string' && Array.isArray(value.members)) {
    for (const member of value.members) {
      if (!isObject(member)) throw new DecodeError('formation: member')
      const { replica, incarnation } = member
      if (typeof replica !== 'number' || typeof incarnation !== 'string') {
        throw new DecodeError('formation: member')
      }
      members.push({ replica, incarnation })
    }
    return { id: value.id, members }
  }
  throw new DecodeError('formation')
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null
}
