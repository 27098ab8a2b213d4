// Ballots: totally ordered, durable before use, never issued twice. The incarnation keeps a replica
// whose disk was emptied from issuing a ballot again that its former life used under the same id.

/** Round first, then replica, then incarnation (one life of a data directory, as hex digits). */
export type Ballot = {
  readonly round: number
  readonly replica: number
  readonly incarnation: string
}

/** Below every ballot that is ever issued. */
export const ZERO_BALLOT: Ballot = { round: 0, replica: 0, incarnation: '' }

/** Negative when a is lower, 0 when they are the same, positive when a is higher. */
export function compareBallots(a: Ballot, b: Ballot): number {
  if (a.round !== b.round) return a.round - b.round
  if (a.replica !== b.replica) return a.replica - b.replica
  if (a.incarnation === b.incarnation) return 0
  return a.incarnation < b.incarnation ? -1 : 1
}

/** `round.replica`, as people read it in pages and traces. */
export function formatBallot(ballot: Ballot): string {
  return `${ballot.round}.${ballot.replica}`
}
