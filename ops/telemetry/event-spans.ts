// The switch from what the core tells to spans. Every event is here: one that nobody thought of does
// not compile.

import { unreachable } from '../../server/assert.ts'
import type { Event, Now } from '../../server/contract.ts'
import type { PaxosEvent } from '../../server/paxos/event.ts'
import { Acceptances } from './acceptances.ts'
import { CatchingUp } from './catching-up.ts'
import { Configurations } from './configurations.ts'
import { Elections } from './elections.ts'
import { Handoffs } from './handoffs.ts'
import { HeldSpans } from './held-spans.ts'
import { Instances } from './instances.ts'
import type { SpanContext } from './span-context.ts'

/** Told for each slot; looked at first. */
type Frequent =
  | 'acceptAnswered'
  | 'applied'
  | 'slotDecided'
  | 'acceptedLate'
  | 'slotAbandoned'
  | 'refused'
  | 'rejected'

export class EventSpans {
  readonly instances: Instances
  readonly acceptances: Acceptances
  private readonly context: SpanContext
  private readonly elections: Elections
  private readonly catchingUp: CatchingUp
  private readonly handoffs: Handoffs
  private readonly configurations: Configurations
  private readonly held: HeldSpans

  /** `startedAt`: when the process began, monotonic µs. */
  constructor(context: SpanContext, startedAt: number) {
    this.context = context
    this.held = new HeldSpans(context)
    this.acceptances = new Acceptances(context)
    this.instances = new Instances(context, this.acceptances)
    this.elections = new Elections(context)
    this.catchingUp = new CatchingUp(context, startedAt)
    this.handoffs = new Handoffs(context, this.held)
    this.configurations = new Configurations(context, this.held, this.instances)
  }

  onEvents(events: readonly Event[], now: Now): void {
    const { context } = this
    context.time.note(now)
    context.now = now.micros
    context.wallMs = now.wallMs
    for (const event of events) this.on(event)
    context.isReplay = false
    this.instances.settle()
    this.catchingUp.settle()
  }

  /** Tells what is still open as it stands. */
  stop(): void {
    this.instances.stop()
    this.handoffs.stop()
  }

  private on(event: Event): void {
    switch (event.type) {
      case 'acceptAnswered':
        return this.acceptances.onAnswered(event)
      case 'applied':
        return this.instances.onApplied(event)
      case 'slotDecided':
        return this.instances.onDecided(event)
      case 'acceptedLate':
        return this.instances.onLate(event)
      case 'slotAbandoned':
        return this.instances.onAbandoned(event)
      case 'refused':
        return this.acceptances.onRefused(event)
      case 'rejected':
        return this.instances.onRejected(event)
      default:
        return this.onRare(event)
    }
  }

  private onRare(event: Exclude<Event, { type: Frequent }>): void {
    switch (event.type) {
      case 'suspected':
        return this.elections.onSuspected(event)
      case 'electionWon':
        this.instances.onWon(event)
        return this.elections.onWon(event)
      case 'electionLost':
        return this.elections.onLost(event)
      case 'leaderChanged':
        this.elections.onLeaderChanged(event)
        if (this.context.leading !== null) this.held.release()
        return
      case 'steppedDown':
        return this.elections.onSteppedDown(event)
      case 'formed':
        return this.context.formed(event.formation)
      case 'recovered':
        // In the same step comes what the log makes the replica apply again.
        this.context.isReplay = true
        if (event.formation !== null) this.context.formed(event.formation)
        return this.catchingUp.onRecovered(event)
      case 'ready':
        return this.catchingUp.onReady()
      case 'caughtUp':
        return this.catchingUp.onCaughtUp(event)
      case 'snapshotSent':
        return this.catchingUp.onSent(event)
      case 'snapshotInstalled':
        return this.catchingUp.onInstalled(event)
      // In the span of the election or the instance; the rest is for metrics alone.
      case 'electionStarted':
      case 'resent':
      case 'readsConfirmed':
      case 'trimmed':
        return
      default:
        return this.onMachine(event)
    }
  }

  private onMachine(event: Exclude<Event, PaxosEvent>): void {
    switch (event.type) {
      case 'configHeard':
        return this.configurations.onHeard(event)
      case 'configAdopted':
        return this.configurations.onAdopted(event)
      case 'configSettled':
        return this.configurations.onSettled(event)
      case 'handoffFrozen':
        return this.handoffs.onFrozen(event)
      case 'handoffAwaited':
        return this.handoffs.onAwaited(event)
      case 'handoffChunk':
        return this.handoffs.onChunk(event)
      case 'handoffInstalled':
        return this.handoffs.onInstalled(event)
      case 'handoffAcknowledged':
        return this.handoffs.onAcknowledged(event)
      case 'handoffReleased':
        return this.handoffs.onReleased(event)
      case 'shardSwept':
        return this.handoffs.onSwept(event)
      case 'configDecided':
        return this.configurations.onDecided(event)
      case 'changeRefused':
        return this.configurations.onRefused(event)
      // For metrics alone.
      case 'requestRepeated':
      case 'sessionsRetired':
        return
      default:
        return unreachable(event)
    }
  }
}
