// The rows of the comparison: who is loaded how on both sides, and what the ratio ours ÷ theirs is
// wanted to be.

import type { Drive, Figures } from './drive.ts'

export const SYSTEMS = [
  ...(['shardglass', 'etcd', 'redis', 'bare', 'shardglass-unseen'] as const),
  ...(['shardglass-5', 'shardglass-filled'] as const),
] as const
export type SystemName = (typeof SYSTEMS)[number]

export type Wanted = {
  /** `perSecond` of operations; `p99` of requests; `systemMicros`: processor time of an operation. */
  readonly figure: keyof Pick<Figures, 'perSecond' | 'p99' | 'systemMicros'>
  /** Null: stated, not wanted. */
  readonly ratio: { readonly least: number } | { readonly most: number }
  readonly work: string
}

export type Row = {
  readonly name: string
  readonly clients: number
  readonly ours: RowSide
  readonly theirs: RowSide
  readonly wanted: readonly Wanted[]
  /** The rate of both is this part of what `theirs` reaches by itself. */
  readonly load?: number
  /** A replica of `ours` is looked at and started again afterwards. */
  readonly replica?: { readonly anonymousBytesMost: number; readonly startMsMost: number }
}

/** Of the large state; the small one has as many as all other rows. */
export const FILLED_KEYS = 10_000_000
export const FILLED_VALUE_BYTES = 100

export type RowSide = { readonly system: SystemName; readonly load: Drive }

const least = (ratio: number): { readonly least: number } => ({ least: ratio })
const most = (ratio: number): { readonly most: number } => ({ most: ratio })

function http(system: SystemName, op: Drive['op'], clients: number): RowSide {
  const target = system === 'etcd' ? 'etcd' : system === 'bare' ? 'http' : 'shardglass'
  return { system, load: { target, op, clients } }
}

function clerk(op: Drive['op'], clients: number): RowSide {
  return { system: 'shardglass', load: { target: 'clerk', op, clients } }
}

/** By our generator on both sides: wrk would have to hold all requests in memory. */
function ofKeys(system: SystemName, keys: number): RowSide {
  const load = { target: 'shardglass', op: 'put', clients: 64, keys, isOwn: true } as const
  return { system, load: { ...load, valueBytes: FILLED_VALUE_BYTES } }
}

/** Two clients: one process of Node's gRPC client is the limit before etcd is. */
function grpc(op: Drive['op'], clients: number, batch?: number): RowSide {
  const processes = clients >= 64 ? 2 : 1
  const load: Drive = { target: 'etcd-grpc', op, clients, processes }
  return { system: 'etcd', load: batch === undefined ? load : { ...load, batch } }
}

function throughput(work: string, ratio: number): Wanted {
  return { figure: 'perSecond', ratio: least(ratio), work }
}

const PUT_RATIOS = { 1: 1.8, 16: 3.2, 64: 4.2, 256: 4.2 } as const
const GET_RATIOS = { 1: 3, 16: 6, 64: 6, 256: 6 } as const
const CLERK_RATIOS = { 64: 4, 256: 8, 1024: 10 } as const

function entries(ratios: Readonly<Record<number, number>>): readonly (readonly [number, number])[] {
  return Object.entries(ratios).map(([clients, ratio]) => [Number(clients), ratio] as const)
}

const HTTP_ROWS: readonly Row[] = [
  ...entries(PUT_RATIOS).map(([clients, ratio]) => {
    const p99 = { figure: 'p99', ratio: most(1), work: 'p99 latency, closed loop, put' } as const
    const cpu = {
      figure: 'systemMicros',
      ratio: most(0.35),
      work: 'CPU per put, all processes',
    } as const
    return {
      ...{ name: `put-${clients}`, clients },
      ours: http('shardglass', 'put', clients),
      theirs: http('etcd', 'put', clients),
      wanted: [throughput('put, HTTP to HTTP', ratio), p99, ...(clients === 64 ? [cpu] : [])],
    }
  }),
  ...entries(GET_RATIOS).map(([clients, ratio]) => ({
    ...{ name: `get-${clients}`, clients },
    ours: http('shardglass', 'get', clients),
    theirs: http('etcd', 'get', clients),
    wanted: [throughput('linearizable get (quorum), HTTP to HTTP', ratio)],
  })),
  {
    ...{ name: 'mix-64', clients: 64 },
    ours: http('shardglass', 'mix', 64),
    theirs: http('etcd', 'mix', 64),
    wanted: [throughput('50/50 mix, HTTP to HTTP', 3.7)],
  },
  {
    ...{ name: 'open-64', clients: 64, load: 0.7 },
    ours: http('shardglass', 'put', 64),
    theirs: http('etcd', 'put', 64),
    wanted: [{ figure: 'p99', ratio: most(0.5), work: "p99 latency at etcd's 70 % load, put" }],
  },
]

const CLIENT_ROWS: readonly Row[] = [
  ...entries({ 64: 2.7, 256: 2.3 }).map(([clients, ratio]) => ({
    ...{ name: `put-grpc-${clients}`, clients },
    ours: http('shardglass', 'put', clients),
    theirs: grpc('put', clients),
    wanted: [throughput("put, plain HTTP against etcd's gRPC", ratio)],
  })),
  ...entries(CLERK_RATIOS).map(([clients, ratio]) => ({
    ...{ name: `clerk-put-${clients}`, clients },
    ours: clerk('put', clients),
    theirs: grpc('put', clients),
    wanted: [throughput("put, Clerk against etcd's gRPC", ratio)],
  })),
  {
    ...{ name: 'clerk-get-256', clients: 256 },
    ours: clerk('get', 256),
    theirs: grpc('get', 256),
    wanted: [throughput('linearizable get, Clerk against gRPC', 25)],
  },
  {
    ...{ name: 'batch-16', clients: 16 },
    ours: {
      system: 'shardglass',
      load: { target: 'shardglass', op: 'put', clients: 16, batch: 64 },
    },
    theirs: grpc('put', 16, 64),
    wanted: [throughput('64 puts in one request, against a gRPC transaction of 64', 3.7)],
  },
]

const OTHER_ROWS: readonly Row[] = [
  ...[16, 64].map(clients => ({
    ...{ name: `redis-${clients}`, clients },
    ours: http('shardglass', 'put', clients),
    theirs: { system: 'redis', load: { target: 'redis', op: 'put', clients } } as const,
    wanted: [throughput('put, HTTP, against Redis 1 + 2, fsync always, SET + WAIT 1', 1)],
  })),
  {
    ...{ name: 'bare-256', clients: 256 },
    ours: http('shardglass', 'put', 256),
    theirs: http('bare', 'put', 256),
    wanted: [throughput('put, HTTP, against a bare Hono PUT that does nothing', 0.6)],
  },
  {
    ...{ name: 'seen-64', clients: 64 },
    ours: http('shardglass', 'put', 64),
    theirs: http('shardglass-unseen', 'put', 64),
    wanted: [throughput('tracing every instance + metrics, against both off, put', 0.93)],
  },
  {
    ...{ name: 'keys-64', clients: 64 },
    ours: ofKeys('shardglass-filled', FILLED_KEYS),
    theirs: ofKeys('shardglass', 1_000),
    wanted: [throughput('10⁷ keys against 10³ (values 100 B), put', 0.85)],
    replica: { anonymousBytesMost: 400e6, startMsMost: 3_000 },
  },
  {
    ...{ name: 'replicas-64', clients: 64 },
    ours: http('shardglass-5', 'put', 64),
    theirs: http('shardglass', 'put', 64),
    wanted: [throughput('5 replicas against 3, put', 0.75)],
  },
]

export const ROWS: readonly Row[] = [...HTTP_ROWS, ...CLIENT_ROWS, ...OTHER_ROWS]

/** Those whose name is, or begins with, one of these; all for none. */
export function rowsNamed(names: readonly string[]): readonly Row[] {
  if (names.length === 0) return ROWS
  return ROWS.filter(({ name }) =>
    names.some(wanted => name === wanted || name.startsWith(`${wanted}-`)),
  )
}
