// Request numbers of the node's own, for writes whose client gave none: so that the node can repeat
// them at another replica and each still runs at most once. A lane is a client id with numbers that
// run apart by at most CLIENT_OUTSTANDING_MAX; a slow number blocks its lane, and another is taken.

import { randomBytes } from 'node:crypto'
import { CLIENT_OUTSTANDING_MAX } from '../limits.ts'
import type { RequestId } from '../session.ts'
import { LANES_MAX } from './bounds.ts'
import { problem } from './problem.ts'

/** One number in use. */
export type Ticket = { readonly session: RequestId; readonly lane: Lane }

type Lane = {
  readonly client: string
  /** Highest number handed out. */
  last: number
  /** All numbers up to here are answered or given up: they are never sent again. */
  acked: number
  /** Number modulo its length → whether it is over, of the numbers above `acked`. */
  readonly over: Uint8Array
  isAvailable: boolean
}

export class Lanes {
  private readonly newClient: () => string
  private readonly lanesMax: number
  /** Lanes with room; the last is taken first, so that few are in use. */
  private readonly available: Lane[] = []
  private count = 0

  constructor(
    newClient: () => string = () => `n-${randomBytes(16).toString('hex')}`,
    lanesMax: number = LANES_MAX,
  ) {
    this.newClient = newClient
    this.lanesMax = lanesMax
  }

  /** Null when too many writes are under way. */
  begin(): Ticket | null {
    const lane = this.available.at(-1) ?? this.open()
    if (lane === null) return null
    lane.last += 1
    if (!hasRoom(lane)) {
      lane.isAvailable = false
      this.available.pop()
    }
    return { session: { client: lane.client, number: lane.last, acked: lane.acked }, lane }
  }

  /** The number is answered for good, or given up: it must not be sent again. */
  end(ticket: Ticket): void {
    const { lane, session } = ticket
    lane.over[session.number % CLIENT_OUTSTANDING_MAX] = 1
    for (;;) {
      const next = (lane.acked + 1) % CLIENT_OUTSTANDING_MAX
      if (lane.over[next] !== 1) break
      lane.over[next] = 0
      lane.acked += 1
    }
    if (lane.isAvailable || !hasRoom(lane)) return
    lane.isAvailable = true
    this.available.push(lane)
  }

  private open(): Lane | null {
    if (this.count >= this.lanesMax) return null
    this.count += 1
    const client = this.newClient()
    const over = new Uint8Array(CLIENT_OUTSTANDING_MAX)
    const lane: Lane = { client, last: 0, acked: 0, over, isAvailable: true }
    this.available.push(lane)
    return lane
  }
}

function hasRoom(lane: Lane): boolean {
  return lane.last - lane.acked < CLIENT_OUTSTANDING_MAX
}

/** The client's number, or one of the node's own; null when none is free. */
export function numberFor(
  lanes: Lanes,
  given: RequestId | null,
): { readonly session: RequestId; readonly ticket: Ticket | null } | null {
  if (given !== null) return { session: given, ticket: null }
  const ticket = lanes.begin()
  return ticket === null ? null : { session: ticket.session, ticket }
}

export const TOO_MANY_WRITES = problem('overloaded', 'too many writes are under way on this node')
