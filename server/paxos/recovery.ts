// From the records of a log back to an acceptor's state: the highest promise, in each slot the last
// entry recorded, and the watermark as far as the entries reach without a gap from the store.
// Records are in order: a watermark speaks for all entries recorded before it, and a crash keeps a
// first part of the records, so it never keeps a watermark without them.

import { type Ballot, compareBallots, ZERO_BALLOT } from './ballot.ts'
import { Log } from './log.ts'
import type { Formation, Slot } from './message.ts'
import type { LogRecord } from './record.ts'

export type Recovered = {
  readonly formation: Formation | null
  readonly promised: Ballot
  readonly log: Log
}

type Entry = {
  readonly ballot: Ballot
  readonly value: Uint8Array
  /** Its slot is decided, but nobody said whether with this value: a snapshot told only the state. */
  isDoubtful: boolean
}

type Entries = ReadonlyMap<Slot, Entry>

/** `applied`: the slot up to which the store has applied; it is decided. */
export function recover(records: readonly LogRecord[], applied: Slot): Recovered {
  let formation: Formation | null = null
  let promised = ZERO_BALLOT
  let watermark = 0
  const entries = new Map<Slot, Entry>()
  for (const record of records) {
    if (record.type === 'formed') formation = record.formation
    if (record.type === 'promise' || record.type === 'accept') {
      if (compareBallots(record.ballot, promised) > 0) promised = record.ballot
    }
    if (record.type === 'accept') {
      const { slot, ballot, value } = record
      // Only open slots are accepted: below the watermark, it was one that a restart had lost.
      entries.set(slot, { ballot, value, isDoubtful: slot <= watermark })
      watermark = Math.max(watermark, record.decided)
    }
    if (record.type === 'learn') {
      entries.set(record.slot, { ballot: ZERO_BALLOT, value: record.value, isDoubtful: false })
      watermark = Math.max(watermark, record.slot)
    }
    if (record.type === 'installed') doubt(entries, watermark + 1, record.slot)
  }
  return { formation, promised, log: rebuild(entries, applied, watermark) }
}

/** They stay as what this acceptor accepted, which it must not forget; they are not decided. */
function doubt(entries: Entries, from: Slot, to: Slot): void {
  for (const [slot, entry] of entries) if (slot >= from && slot <= to) entry.isDoubtful = true
}

/**
 * Of what the store has applied, only what the log itself says to be decided is kept for others: the
 * store may be durable further than the log, which then still holds an older value.
 */
function rebuild(entries: Entries, applied: Slot, watermark: Slot): Log {
  const isDecided = (slot: Slot) => {
    const entry = entries.get(slot)
    return entry !== undefined && !entry.isDoubtful && slot <= watermark
  }
  const log = new Log()
  let first = applied + 1
  while (isDecided(first - 1)) first -= 1
  log.first = first
  log.decided = applied
  log.highest = applied
  for (const slot of [...entries.keys()].sort((a, b) => a - b)) {
    const entry = entries.get(slot)
    if (entry === undefined || slot < first) continue
    log.put(slot, { ballot: entry.ballot, value: entry.value })
  }
  while (isDecided(log.decided + 1)) log.decideNext()
  return log
}
