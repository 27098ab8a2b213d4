// What the transport has done, in plain numbers that are read when metrics are scraped.

/** Why something did not reach a peer, or did not come from one. */
export type PeerFailure =
  /** Nobody listens there, or the name or URL is no good. */
  | 'refused'
  /** No answer within the deadline. */
  | 'timeout'
  /** The connection broke. */
  | 'reset'
  /** Pings on an open connection were not answered. */
  | 'silent'
  /** The peer answered with an HTTP status that means no. */
  | 'status'
  /** A frame or body that is no message; the connection is closed. */
  | 'invalid'
  /** The oldest had to make room: the peer takes too little. */
  | 'queueFull'
  /** Dropped with the queue of a peer that could not be reached. */
  | 'unreachable'
  /** Neither a URL nor a connection of its own is known. */
  | 'noRoute'
  /** Above MESSAGE_BYTES_MAX. */
  | 'tooLarge'
  /** A connection or POST with a wrong token, cluster, address or incarnation was turned away. */
  | 'stranger'
  /** Two processes with one life of a replica: the later one was turned away, here or by a peer. */
  | 'twin'

export type PeerCounters = {
  /** Type of message → how many; also `call`, `callReply`, `ping`, `pong`. */
  readonly sent: Record<string, number>
  readonly received: Record<string, number>
  readonly failures: Record<PeerFailure, number>
  sentBytes: number
  receivedBytes: number
  /** Connections opened by this side. */
  dials: number
  /** Answered pings, calls and posts, and their times in all, in µs. */
  roundTrips: number
  roundTripMicros: number
}

export function createPeerCounters(): PeerCounters {
  return {
    sent: {},
    received: {},
    failures: {
      refused: 0,
      timeout: 0,
      reset: 0,
      silent: 0,
      status: 0,
      invalid: 0,
      queueFull: 0,
      unreachable: 0,
      noRoute: 0,
      tooLarge: 0,
      stranger: 0,
      twin: 0,
    },
    sentBytes: 0,
    receivedBytes: 0,
    dials: 0,
    roundTrips: 0,
    roundTripMicros: 0,
  }
}

export function countSent(counters: PeerCounters, type: string, bytes: number): void {
  counters.sent[type] = (counters.sent[type] ?? 0) + 1
  counters.sentBytes += bytes
}

export function countReceived(counters: PeerCounters, type: string, bytes: number): void {
  counters.received[type] = (counters.received[type] ?? 0) + 1
  counters.receivedBytes += bytes
}

export function countRoundTrip(counters: PeerCounters, micros: number): void {
  counters.roundTrips += 1
  counters.roundTripMicros += micros
}
