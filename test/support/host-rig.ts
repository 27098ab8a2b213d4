// A host around a scripted core, with every effect written down: for the host's tests.

import { setImmediate as nextTurn } from 'node:timers/promises'
import type { Input, Message, Now, Output, Replica, Sender } from '../../server/contract.ts'
import { systemClock } from '../../server/host/clock.ts'
import { createHost, type Host, type HostLog, type HostStore } from '../../server/host/host.ts'
import type { LogRecord } from '../../server/paxos/record.ts'

export type Reply = { readonly type: string }
export type Step = { readonly now: Now; readonly inputs: readonly Input<string>[] }
type Answer = (inputs: readonly Input<string>[], now: Now) => Partial<Output<Reply>>

const BALLOT = { round: 1, replica: 0, incarnation: 'aa' }
export const PEER: Sender = { gid: 1, replica: 1, incarnation: 'bb' }
export const BEAT: Message = {
  type: 'heartbeat',
  ballot: BALLOT,
  decided: 0,
  confirm: 0,
  sentAt: 0,
}
export const RECORD: LogRecord = { type: 'promise', ballot: BALLOT }
export const OVERLOADED: Reply = { type: 'overloaded' }

/** A host around a core that does what the test says. */
export type Rig = {
  readonly host: Host<string, Reply>
  readonly steps: Step[]
  /** What the host did, in order. */
  readonly effects: string[]
  readonly fatal: unknown[]
  answer: Answer
  role: 'leader' | 'follower'
  appliedSlot: number
  flushStore: () => Promise<void>
  log: HostLog | null
}

type RigOptions = {
  readonly isMemory?: boolean
  readonly recordBytes?: number
  readonly flushLog?: (rig: Rig) => void
}

export function createRig(options: RigOptions = {}): Rig {
  const record = Buffer.alloc(options.recordBytes ?? 6)
  const steps: Step[] = []
  const effects: string[] = []
  const fatal: unknown[] = []
  const replica: Replica<string, Reply> = {
    step(now, inputs) {
      steps.push({ now, inputs })
      return { ...EMPTY, ...rig.answer(inputs, now) }
    },
    status: () => ({ ...STATUS, role: rig.role }),
    durableState: () => [],
    urlOf: () => null,
  }
  const log = options.isMemory ? null : createLog(effects, () => options.flushLog?.(rig))
  const host = createHost<string, Reply>({
    replica,
    log,
    store: createStore(effects, () => rig.flushStore()),
    transport: {
      send: (to, message) => void effects.push(`send ${message.type} to ${to.length}`),
      flush: () => void effects.push('flush sends'),
    },
    clock: systemClock,
    overloaded: OVERLOADED,
    node: { kind: 'shardkv', cluster: 'c', version: '1' },
    appliedSlot: () => rig.appliedSlot,
    encodeRecord: () => record,
    slotOf: () => 7,
    onEvents: events => void effects.push(`events ${events.map(event => event.type)}`),
    onFatal: error => void fatal.push(error),
  })
  const rig: Rig = {
    host,
    steps,
    effects,
    fatal,
    answer: () => ({}),
    role: 'follower',
    appliedSlot: 0,
    flushStore: async () => {},
    log,
  }
  return rig
}

function createStore(effects: string[], flush: () => Promise<void>): HostStore {
  return {
    flush: () => {
      effects.push('flush store')
      return flush()
    },
    close: () => void effects.push('close store'),
  }
}

function createLog(effects: string[], onFlush: () => void): HostLog {
  let appended = 0
  return {
    append(payload, slot) {
      effects.push(`append ${payload.length}@${slot}`)
      appended += 1
      return appended
    },
    flush() {
      effects.push('flush log')
      onFlush()
    },
    trimBelow: slot => void effects.push(`trim ${slot}`),
    close: () => void effects.push('close log'),
  }
}

const EMPTY: Output<Reply> = {
  records: [],
  sends: [],
  replies: [],
  events: [],
  trimBelow: 0,
  wakeAt: Number.POSITIVE_INFINITY,
  isAwaited: false,
  hasMore: false,
}

const STATUS = {
  gid: 1,
  replica: 0,
  incarnation: 'aa',
  role: 'follower' as const,
  leader: null,
  leaderSilentMicros: null,
  ballot: '1.0',
  formation: null,
  slots: { first: 1, decided: 0, applied: 0, durable: 0 },
  members: [],
  isReady: true,
  log: { entries: 0, bytes: 0, inFlight: 0 },
  waiting: { commands: 0, reads: 0 },
  machine: {},
}

/** How many timers were armed meanwhile. */
export async function countTimers(work: () => Promise<void>): Promise<number> {
  const { setTimeout: real } = globalThis
  let count = 0
  const counting = (run: () => void, ms?: number) => {
    count += 1
    return real(run, ms)
  }
  globalThis.setTimeout = Object.assign(counting, real)
  try {
    await work()
  } finally {
    globalThis.setTimeout = real
  }
  return count
}

/** The types of each step's inputs, one text a step. */
export function typesOf(steps: readonly Step[]): string[] {
  return steps.map(({ inputs }) => inputs.map(input => input.type).join(' '))
}

/** Long enough for a step that is due to have happened. */
export async function turns(): Promise<void> {
  for (let count = 0; count < 4; count++) await nextTurn()
}
