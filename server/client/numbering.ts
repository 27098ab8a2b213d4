// The client's half of at-most-once. Requests are numbered in lanes, each a client id of its own; a
// server forgets the replies of numbers that a lane says are over, so numbers out at once stay near
// to each other. A lane with an old request still under way is left alone until that one is over.

import { randomBytes } from 'node:crypto'
import { CLIENT_OUTSTANDING_MAX } from '../limits.ts'

/** One or more consecutive numbers, held until each of them was released. */
export type Numbers = {
  readonly client: string
  readonly first: number
  readonly count: number
}

/** `out`: numbers under way, with how many of each are not yet released, oldest first. */
type Lane = { readonly client: string; next: number; readonly out: Map<Numbers, number> }

export class Numbering {
  private readonly prefix = `c-${randomBytes(16).toString('hex')}`
  private readonly lanes: Lane[] = []
  private readonly laneOf = new Map<Numbers, Lane>()

  /** A batch larger than the usual span gets a lane in which nothing else is under way. */
  take(count: number): Numbers {
    const lane = this.lanes.find(candidate => hasRoom(candidate, count)) ?? this.open()
    const numbers: Numbers = { client: lane.client, first: lane.next, count }
    lane.next += count
    lane.out.set(numbers, count)
    this.laneOf.set(numbers, lane)
    return numbers
  }

  /** All numbers of this lane up to the returned one are over: they never come again. */
  acked(numbers: Numbers): number {
    return ackedOf(this.laneOf.get(numbers))
  }

  /** One of them is answered, or will never be sent again. */
  release(numbers: Numbers): void {
    const lane = this.laneOf.get(numbers)
    const left = (lane?.out.get(numbers) ?? 0) - 1
    if (left > 0) {
      lane?.out.set(numbers, left)
      return
    }
    lane?.out.delete(numbers)
    this.laneOf.delete(numbers)
  }

  private open(): Lane {
    const lane: Lane = { client: `${this.prefix}-${this.lanes.length}`, next: 1, out: new Map() }
    this.lanes.push(lane)
    return lane
  }
}

function hasRoom(lane: Lane, count: number): boolean {
  return lane.out.size === 0 || lane.next + count - 1 - ackedOf(lane) <= CLIENT_OUTSTANDING_MAX
}

/** Numbers were taken in order, so the first one still out is the lowest. */
function ackedOf(lane: Lane | undefined): number {
  if (lane === undefined) return 0
  for (const oldest of lane.out.keys()) return oldest.first - 1
  return lane.next - 1
}
