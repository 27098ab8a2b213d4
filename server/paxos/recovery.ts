// From the records of a log back to an acceptor's state: the highest promise, in each slot the last
// entry recorded, and the watermark as far as the entries reach without a gap from the store.

import { type Ballot, compareBallots, ZERO_BALLOT } from './ballot.ts'
import { Log } from './log.ts'
import type { Formation, Slot } from './message.ts'
import type { LogRecord } from './record.ts'

export type Recovered = {
  readonly formation: Formation | null
  readonly promised: Ballot
  readonly log: Log
}

/** `applied`: the slot up to which the store has applied; it is decided. */
export function recover(records: readonly LogRecord[], applied: Slot): Recovered {
  let formation: Formation | null = null
  let promised = ZERO_BALLOT
  let watermark = applied
  const entries = new Map<Slot, { ballot: Ballot; value: Uint8Array }>()
  for (const record of records) {
    if (record.type === 'formed') formation = record.formation
    if (record.type === 'promise' || record.type === 'accept') {
      if (compareBallots(record.ballot, promised) > 0) promised = record.ballot
    }
    if (record.type === 'accept') {
      entries.set(record.slot, { ballot: record.ballot, value: record.value })
      watermark = Math.max(watermark, record.decided)
    }
    if (record.type === 'learn') {
      entries.set(record.slot, { ballot: ZERO_BALLOT, value: record.value })
      watermark = Math.max(watermark, record.slot)
    }
  }
  return { formation, promised, log: rebuild(entries, applied, watermark) }
}

function rebuild(
  entries: ReadonlyMap<Slot, { ballot: Ballot; value: Uint8Array }>,
  applied: Slot,
  watermark: Slot,
): Log {
  const log = new Log()
  let first = applied + 1
  while (entries.has(first - 1)) first -= 1
  log.first = first
  log.decided = applied
  log.highest = applied
  for (const slot of [...entries.keys()].sort((a, b) => a - b)) {
    const entry = entries.get(slot)
    if (entry !== undefined && slot >= first) log.put(slot, entry)
  }
  while (log.decided < watermark && log.get(log.decided + 1) !== undefined) log.decideNext()
  return log
}
