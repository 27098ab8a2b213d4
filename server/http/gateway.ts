// A request's way through the cluster: the local replica first, then the leader or the group that a
// refusal names, then a pause and again, with the same request number, until there is an answer or
// the deadline. A called replica runs the request or refuses; nothing is passed on a second time.
// Once an attempt may have had an effect, no later refusal can promise that there was none.

import type { Backend, PeerCaller, Unreachable } from '../backend.ts'
import type { Address } from '../contract.ts'
import {
  ATTEMPT_TIMEOUT_MS,
  BACKOFF_MS_MAX,
  BACKOFF_MS_MIN,
  OWN_CHECK_MS,
  VISITS_MAX,
} from './bounds.ts'
import type { Deadlines, Waiting } from './deadlines.ts'
import type { Attempt } from './request-trace.ts'

/** What a reply asks of the gateway. */
export type Judgement =
  | { readonly type: 'final' }
  /** Definite; another replica of the same group leads. */
  | { readonly type: 'leader'; readonly leader: number | null }
  /** Definite; another group serves it, in this configuration. */
  | {
      readonly type: 'group'
      readonly config: number
      readonly gid: number
      readonly servers: readonly string[]
    }
  /** Definite; no group serves it in this configuration. Final unless the configuration is new. */
  | { readonly type: 'nowhere'; readonly config: number }
  | { readonly type: 'again'; readonly isDefinite: boolean }

/** What differs between the kinds of node. */
export type GatewayRules<Request, Reply> = {
  judge(reply: Reply): Judgement
  /** Whether a lost attempt may have had an effect. */
  mayChange(request: Request): boolean
}

export type GatewayOptions<Request, Reply> = {
  readonly backend: Backend<Request, Reply>
  readonly peers: PeerCaller<Request, Reply>
  readonly self: { readonly gid: number; readonly replica: number }
  /** Ids of the replicas of this group, this one included. */
  readonly replicas: readonly number[]
  readonly deadlines: Deadlines
  readonly onFault: (error: unknown) => void
  readonly nowMs?: () => number
  readonly random?: () => number
}

export type ExecuteOptions = {
  /** Counted from now. */
  readonly deadlineMs: number
  /** Only the local replica, once: its refusals are the answer. */
  readonly isDirect: boolean
}

/**
 * Called exactly once. `reply` is the answer or, at the deadline, the last refusal; null when there
 * was none. `isDefinite` false: a write may have happened, or may happen yet. `attempts`: the first few
 * that were not the own replica's answer, in order. `tries`: how often any replica was asked.
 */
export type OnOutcome<Reply> = (
  reply: Reply | null,
  isDefinite: boolean,
  attempts: readonly Attempt[],
  tries: number,
) => void

export interface Gateway<Request, Reply> {
  execute(request: Request, options: ExecuteOptions, onOutcome: OnOutcome<Reply>): void
}

export function createForwarder<Request, Reply extends { readonly type: string }>(
  options: GatewayOptions<Request, Reply>,
  rules: GatewayRules<Request, Reply>,
): Gateway<Request, Reply> {
  const context: Context<Request, Reply> = {
    ...options,
    rules,
    nowMs: options.nowMs ?? (() => performance.now()),
    random: options.random ?? Math.random,
    leaderHints: new Map(),
  }
  return {
    execute(request, executeOptions, onOutcome) {
      new Errand(context, request, executeOptions, onOutcome).start()
    },
  }
}

type Context<Request, Reply> = Required<GatewayOptions<Request, Reply>> & {
  readonly rules: GatewayRules<Request, Reply>
  /** gid of another group → position of the server that answered last. */
  readonly leaderHints: Map<number, number>
}

/** Servers of one group, and which of them to ask next. */
type Visit = {
  readonly gid: number
  /** Base URLs; null for the own group, whose replicas are known by number. */
  readonly servers: readonly string[] | null
  /** Replica numbers, those not asked yet in order. */
  readonly left: number[]
}

/** Nearly all requests share it: their own replica answers. */
const NO_ATTEMPTS: readonly Attempt[] = []
/** Enough to see what went wrong. */
const ATTEMPTS_NOTED = 32

/** Given up before it answered: it may have an effect yet. */
const LEFT: Unreachable = { type: 'unreachable', isDefinite: false }

class Errand<Request, Reply extends { readonly type: string }> implements Waiting {
  due = 0
  before: Waiting | null = null
  after: Waiting | null = null
  private readonly context: Context<Request, Reply>
  private readonly request: Request
  private readonly isDirect: boolean
  private readonly deadlineAt: number
  private readonly onOutcome: OnOutcome<Reply>
  private isOver = false
  /** An attempt is under way whose effect is not known yet. */
  private isTrying = false
  /** An earlier attempt ended without saying whether it had an effect. */
  private mayHaveRun = false
  private pauses = 0
  private pauseTimer: NodeJS.Timeout | null = null
  private newestConfig = -1
  private refusal: Reply | null = null
  private attempts: readonly Attempt[] = NO_ATTEMPTS
  private tries = 0
  /** When the own replica was asked last, ms. */
  private askedAt: number
  private readonly startedAt: number

  constructor(
    context: Context<Request, Reply>,
    request: Request,
    options: ExecuteOptions,
    onOutcome: OnOutcome<Reply>,
  ) {
    this.context = context
    this.request = request
    this.isDirect = options.isDirect
    this.startedAt = context.nowMs()
    this.askedAt = this.startedAt
    this.deadlineAt = this.startedAt + options.deadlineMs
    this.onOutcome = onOutcome
  }

  start(): void {
    this.context.deadlines.add(this, this.deadlineAt)
    this.tryLocally()
  }

  onDeadline(): void {
    if (this.isTrying && this.context.rules.mayChange(this.request)) this.mayHaveRun = true
    this.finish(this.isTrying ? null : this.refusal)
  }

  private tryLocally(): void {
    this.isTrying = true
    // The first time costs no look at the clock.
    if (this.tries > 0) this.askedAt = this.context.nowMs()
    this.tries += 1
    this.context.backend.submit(this.request, reply => this.onLocalReply(reply))
  }

  private onLocalReply(reply: Reply): void {
    if (this.isOver) return
    this.isTrying = false
    const judgement = this.context.rules.judge(reply)
    if (judgement.type === 'final') return this.finish(reply)
    this.noteAttempt(this.context.self, reply.type, this.askedAt)
    this.note(reply, judgement)
    if (this.isDirect) return this.finish(reply)
    const visit = this.visitAfter(judgement)
    if (visit === 'nowhere') return this.finish(reply)
    if (visit === null) return this.pause()
    this.visit(visit).catch(error => {
      this.context.onFault(error)
      if (this.context.rules.mayChange(this.request)) this.mayHaveRun = true
      this.finish(null)
    })
  }

  /** Asks one replica after the other, following what they say. */
  private async visit(first: Visit): Promise<void> {
    let visit = first
    for (let count = 0; count < VISITS_MAX; count++) {
      const replica = visit.left.shift()
      if (replica === undefined) break
      const reply = await this.call(visit, replica)
      if (this.isOver) return
      if (reply === null) continue
      const judgement = this.context.rules.judge(reply)
      if (judgement.type !== 'leader') this.context.leaderHints.set(visit.gid, replica)
      if (judgement.type === 'final') return this.finish(reply)
      this.note(reply, judgement)
      if (judgement.type === 'leader') {
        if (!this.follow(visit, judgement.leader)) break
        continue
      }
      const next = this.visitAfter(judgement)
      if (next === 'nowhere') return this.finish(reply)
      if (next === null || next.gid === visit.gid) break
      visit = next
    }
    this.pause()
  }

  /** Puts the named leader first. False when it is this replica, which is asked after a pause. */
  private follow(visit: Visit, leader: number | null): boolean {
    if (leader === null) return true
    if (visit.servers !== null) {
      if (leader < visit.servers.length) moveFirst(visit.left, leader)
      return true
    }
    if (leader === this.context.self.replica) return false
    moveFirst(visit.left, leader)
    return true
  }

  /** Null when no reply came; whether that is definite has been noted. */
  private async call(visit: Visit, replica: number): Promise<Reply | null> {
    const { context } = this
    const url = visit.servers?.[replica]
    const target = url === undefined ? { gid: visit.gid, replica } : { url }
    const askedAt = context.nowMs()
    const leftMs = this.deadlineAt - askedAt
    this.isTrying = true
    this.tries += 1
    const timeoutMs = Math.max(1, Math.min(leftMs, ATTEMPT_TIMEOUT_MS))
    const asked = context.peers.call(target, this.request, timeoutMs)
    const reply = await (visit.servers === null ? this.orOwn(asked, replica) : asked)
    this.isTrying = false
    this.noteAttempt({ gid: visit.gid, replica }, reply.type, askedAt)
    if (!isUnreachable(reply)) return reply
    if (context.leaderHints.get(visit.gid) === replica) context.leaderHints.delete(visit.gid)
    if (!reply.isDefinite && context.rules.mayChange(this.request)) this.mayHaveRun = true
    return null
  }

  /**
   * What the called replica of the own group says, unless the own replica knows better by then: the
   * outcome itself, or another leader. Silence may mean a leader that has lost its followers.
   */
  private orOwn(
    asked: Promise<Reply | Unreachable>,
    replica: number,
  ): Promise<Reply | Unreachable> {
    return new Promise((resolve, reject) => {
      const timer = setInterval(() => {
        if (this.isOver) return finish(LEFT)
        this.context.backend.submit(this.request, reply => {
          const judgement = this.context.rules.judge(reply)
          if (judgement.type === 'final') finish(reply)
          const isElsewhere = judgement.type === 'leader' && judgement.leader !== null
          if (isElsewhere && judgement.leader !== replica) finish(LEFT)
        })
      }, OWN_CHECK_MS)
      const finish = (reply: Reply | Unreachable) => {
        clearInterval(timer)
        resolve(reply)
      }
      asked.then(finish, error => {
        clearInterval(timer)
        reject(error)
      })
    })
  }

  /** Keeps what a refusal says about the past: an effect that is possible stays possible. */
  private note(reply: Reply, judgement: Judgement): void {
    this.refusal = reply
    if (judgement.type === 'again' && !judgement.isDefinite) this.mayHaveRun = true
  }

  private noteAttempt(whom: Address, outcome: string, askedAt: number): void {
    if (this.attempts.length >= ATTEMPTS_NOTED) return
    const afterMs = askedAt - this.startedAt
    const tookMs = this.context.nowMs() - askedAt
    this.attempts = [...this.attempts, { ...whom, afterMs, tookMs, outcome }]
  }

  /** Whom to ask after a refusal: a group's servers, nobody for now (null), or nobody at all. */
  private visitAfter(judgement: Judgement): Visit | null | 'nowhere' {
    const { self, replicas } = this.context
    switch (judgement.type) {
      case 'leader': {
        const left = replicas.filter(replica => replica !== self.replica)
        if (judgement.leader !== null && judgement.leader !== self.replica) {
          moveFirst(left, judgement.leader)
        }
        return { gid: self.gid, servers: null, left }
      }
      case 'group': {
        if (judgement.gid === self.gid || judgement.config < this.newestConfig) return null
        this.newestConfig = judgement.config
        return this.visitGroup(judgement.gid, judgement.servers)
      }
      case 'nowhere': {
        if (judgement.config <= this.newestConfig) return 'nowhere'
        this.newestConfig = judgement.config
        return null
      }
      default:
        return null
    }
  }

  private visitGroup(gid: number, servers: readonly string[]): Visit {
    const { leaderHints, random } = this.context
    const start = Math.floor(random() * servers.length)
    const left = servers.map((_, index) => (start + index) % servers.length)
    const hint = leaderHints.get(gid)
    if (hint !== undefined && hint < servers.length) moveFirst(left, hint)
    return { gid, servers, left }
  }

  private pause(): void {
    const ceiling = Math.min(BACKOFF_MS_MAX, BACKOFF_MS_MIN * 2 ** Math.min(this.pauses, 10))
    this.pauses += 1
    const waitMs = ceiling / 2 + (this.context.random() * ceiling) / 2
    this.pauseTimer = setTimeout(() => {
      this.pauseTimer = null
      this.tryLocally()
    }, waitMs)
  }

  private finish(reply: Reply | null): void {
    if (this.isOver) return
    this.isOver = true
    this.context.deadlines.remove(this)
    if (this.pauseTimer !== null) clearTimeout(this.pauseTimer)
    const isAnswer = reply !== null && this.context.rules.judge(reply).type === 'final'
    this.onOutcome(reply, isAnswer || !this.mayHaveRun, this.attempts, this.tries)
  }
}

function isUnreachable(reply: { readonly type: string }): reply is Unreachable {
  return reply.type === 'unreachable'
}

function moveFirst(list: number[], wanted: number): void {
  const at = list.indexOf(wanted)
  if (at >= 0) list.splice(at, 1)
  list.unshift(wanted)
}
