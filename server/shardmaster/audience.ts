// Who is told of new configurations: clients that watch, and groups whose poll is kept open. Any
// replica tells what it has applied, since a decided configuration never changes; one that lags
// tells later. Nobody waits longer than CONFIG_POLL_MS without an answer.

import type { Address } from '../contract.ts'
import { CONFIG_POLLS_MAX, WATCHES_MAX } from '../limits.ts'
import type { MachineContext } from '../machine.ts'
import type { ConfigHistory } from './history.ts'
import type { ShardmasterReply } from './operation.ts'
import { type Waiter, Waiting } from './waiting.ts'

type Context = MachineContext<ShardmasterReply>

/** Watching clients and polling groups of one replica. */
export class Audience {
  private readonly history: ConfigHistory
  /** By request id. */
  private readonly watches = new Waiting<number, number>(WATCHES_MAX)
  /** By address, as text. */
  private readonly polls = new Waiting<string, Address>(CONFIG_POLLS_MAX)
  /** The newest configuration that those who wait were told of. */
  private toldNum = -1

  constructor(history: ConfigHistory) {
    this.history = history
  }

  get counts(): { readonly watches: number; readonly polls: number } {
    return { watches: this.watches.size, polls: this.polls.size }
  }

  /** µs of the monotonic clock; at once where a snapshot brought what somebody waits for. */
  get wakeAt(): number {
    const { watches, polls } = this
    const isNews = this.history.latestNum > this.toldNum
    if (isNews && watches.size + polls.size > 0) return 0
    return Math.min(watches.firstDeadline, polls.firstDeadline)
  }

  /** A client wants the configuration after `after`; −1 and below: any. */
  onWatch(id: number, after: number, context: Context): void {
    const waiter = { who: id, after: Math.max(after, -1) }
    if (waiter.after < this.history.latestNum) {
      this.answerWatch(waiter, context)
      return
    }
    const dropped = this.watches.add(id, waiter, context.now.micros)
    if (dropped !== null) context.reply(dropped.who, { type: 'overloaded' })
  }

  /** A group wants the configurations after `after`. Its newest poll counts. */
  onPoll(who: Address, after: number, context: Context): void {
    const key = `${who.gid}/${who.replica}`
    const waiter = { who, after: Math.max(after, -1) }
    if (waiter.after < this.history.latestNum) {
      this.polls.delete(key)
      this.answerPolls([waiter], context)
      return
    }
    const dropped = this.polls.add(key, waiter, context.now.micros)
    if (dropped !== null) this.answerPolls([dropped], context)
  }

  /** Answers all whose next configuration is there. */
  tellNews(context: Context): void {
    const { latestNum } = this.history
    if (latestNum <= this.toldNum) return
    this.toldNum = latestNum
    this.answerPolls(this.polls.takeBehind(latestNum), context)
    for (const watch of this.watches.takeBehind(latestNum)) this.answerWatch(watch, context)
  }

  /** Answers all who have waited long enough. */
  tellLate(context: Context): void {
    const { micros } = context.now
    this.answerPolls(this.polls.takeLate(micros), context)
    for (const watch of this.watches.takeLate(micros)) this.answerWatch(watch, context)
  }

  private answerWatch({ who, after }: Waiter<number>, context: Context): void {
    const next = this.history.read(context.store, after + 1)
    const config = next ?? this.history.latest
    if (config === null) context.reply(who, { type: 'notLeader', leader: null })
    else context.reply(who, { type: 'config', config, isNew: next !== null })
  }

  /** One message for all that lack the same configurations. */
  private answerPolls(polls: readonly Waiter<Address>[], context: Context): void {
    const addresses = new Map<number, Address[]>()
    for (const { who, after } of polls) {
      const others = addresses.get(after)
      if (others === undefined) addresses.set(after, [who])
      else others.push(who)
    }
    // Before configuration 0 is there, nothing is lost by saying so: it gives nothing to anyone.
    const latest = Math.max(this.history.latestNum, 0)
    for (const [after, to] of addresses) {
      const configs = this.history.after(context.store, after)
      context.send(to, { type: 'configs', after, configs, latest })
    }
  }
}
