// What all makers of spans need to know of the replica that they watch.

import { monotonicMicros } from '../../server/host/clock.ts'
import type { Ballot } from '../../server/paxos/ballot.ts'
import type { Formation } from '../../server/paxos/message.ts'
import type { LogName } from '../trace/span-model.ts'
import type { Spans } from './span.ts'
import { WallTime } from './wall-time.ts'

/** Clocks of replicas differ, and a command may wait for its application. */
const OLD_MS = 10_000

export class SpanContext {
  readonly cluster: string
  readonly gid: number
  readonly replica: number
  readonly spans: Spans
  /** Monotonic µs, the clock of the core. */
  readonly clock: () => number
  readonly time = new WallTime()
  /** Of the step whose events are being looked at: µs, monotonic, and wall time, ms. */
  now = 0
  wallMs = 0
  /** The ballot of the leader that was heard of last. */
  leader: Ballot | null = null
  /** The ballot under which this replica leads. */
  leading: Ballot | null = null
  /** These events are of commands that a restarted replica applies again. */
  isReplay = false
  log: LogName
  members = 0

  constructor(options: {
    readonly cluster: string
    readonly gid: number
    readonly replica: number
    readonly spans: Spans
    readonly clock?: () => number
  }) {
    this.cluster = options.cluster
    this.gid = options.gid
    this.replica = options.replica
    this.spans = options.spans
    this.clock = options.clock ?? monotonicMicros
    this.log = { cluster: this.cluster, gid: this.gid, formation: '' }
  }

  get quorum(): number {
    return Math.floor(this.members / 2) + 1
  }

  formed({ id, members }: Formation): void {
    const { cluster, gid } = this
    this.log = { cluster, gid, formation: id }
    this.members = members.length
  }

  /** Whether a command that was logged then is old news: whoever led then has told of it. */
  isOld(loggedMs: number): boolean {
    return this.isReplay || Math.abs(this.wallMs - loggedMs) > OLD_MS
  }

  /** µs since 1970 of an applied command: now, or when it was logged if that was long ago. */
  timeOf(loggedMs: number): number {
    return this.isOld(loggedMs) ? loggedMs * 1000 : this.time.of(this.now)
  }

  /** Names this replica, and with it the author of a span, in computed ids. */
  get author(): string {
    return `${this.gid}/${this.replica}`
  }
}
