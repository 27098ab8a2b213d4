// Where a replica's events go: to those who make metrics and spans of them, in the order given. What
// fails in there is a fault of the program, and ends the process like any other.

import type { Event, Now } from '../../server/contract.ts'

/** Gets the events of one step, with the time of that step. Called between two steps: be quick. */
export type EventSink = (events: readonly Event[], now: Now) => void

/** One sink that gives what it gets to all of these. */
export function fanOut(sinks: readonly EventSink[]): EventSink {
  const [only] = sinks
  if (sinks.length === 1 && only !== undefined) return only
  return (events, now) => {
    for (const sink of sinks) sink(events, now)
  }
}
