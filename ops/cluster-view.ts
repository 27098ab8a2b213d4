// What all nodes say about themselves, gathered for people: status of each, and which shards of a
// configuration are not yet where they belong.

import { type Answer, Connections } from '../server/client/connections.ts'
import { isRecord } from '../server/client/problem.ts'

export type NodeView = {
  readonly url: string
  /** Null when the node gave no status; `error` says why. */
  readonly status: Readonly<Record<string, unknown>> | null
  readonly error: string | null
}

const STATUS_TIMEOUT_MS = 2_000

/** Asks all at once; a node that is down costs no more than the timeout. */
export async function nodeViews(
  urls: readonly string[],
  token: string,
): Promise<readonly NodeView[]> {
  const connections = new Connections({ perNode: 1 })
  const headers = { authorization: `Bearer ${token}` }
  const request = { method: 'GET', path: '/v1/status', headers } as const
  try {
    return await Promise.all(
      urls.map(async url => {
        const limits = { timeoutMs: STATUS_TIMEOUT_MS }
        return viewOf(url, await connections.exchange(url, request, limits))
      }),
    )
  } finally {
    await connections.close()
  }
}

/** One line per node, in columns. */
export function statusTable(views: readonly NodeView[]): string {
  const head = [
    'NODE',
    'GROUP',
    'REPLICA',
    'ROLE',
    'READY',
    'LEADER',
    'APPLIED',
    'CONFIG',
    'SHARDS',
  ]
  const rows = views.map(({ url, status, error }) => {
    if (status === null) return [url, '-', '-', error ?? 'down', 'no', '-', '-', '-', '-']
    const machine = isRecord(status.machine) ? status.machine : {}
    const slots = isRecord(status.slots) ? status.slots : {}
    const group = status.kind === 'shardmaster' ? 'masters' : text(status.gid)
    const ready = status.isReady === true ? 'yes' : 'no'
    const place = [url, group, text(status.replica), text(status.role), ready, text(status.leader)]
    return [...place, text(slots.applied), text(machine.config), text(shardCount(machine.shards))]
  })
  return columns([head, ...rows])
}

/** Left-aligned columns, two spaces apart. */
export function columns(rows: readonly (readonly string[])[]): string {
  const widths: number[] = []
  for (const row of rows) {
    for (const [index, cell] of row.entries()) {
      widths[index] = Math.max(widths[index] ?? 0, cell.length)
    }
  }
  return rows
    .map(row =>
      row
        .map((cell, index) => cell.padEnd(widths[index] ?? 0))
        .join('  ')
        .trimEnd(),
    )
    .join('\n')
}

/** Of the leaders of the groups concerned: the lowest configuration adopted, and shards on the way. */
export type Progress = { readonly config: number; readonly moving: number }

/** How far the handoffs are. Null while not every group of `gids` has a leader that says so. */
export function progressOf(views: readonly NodeView[], gids: readonly number[]): Progress | null {
  let config = Number.POSITIVE_INFINITY
  const moving = new Set<unknown>() // a shard on its way is known to its giver and to its receiver
  for (const gid of gids) {
    const leader = views.find(({ status }) => status?.gid === gid && status.role === 'leader')
    const machine = leader?.status?.machine
    if (!isRecord(machine) || typeof machine.config !== 'number') return null
    config = Math.min(config, machine.config)
    for (const shard of movingShards(machine.shards)) moving.add(shard)
  }
  return { config, moving: moving.size }
}

/** Whether each of these nodes, leaders or not, has adopted configuration `num`. */
export function haveAdopted(views: readonly NodeView[], num: number): boolean {
  return views.every(({ status }) => {
    const machine = status?.machine
    return isRecord(machine) && typeof machine.config === 'number' && machine.config >= num
  })
}

/** What is frozen for a group that does not exist waits for the next one to join: not on its way. */
function movingShards(shards: unknown): readonly unknown[] {
  const states = Array.isArray(shards) ? shards.filter(isRecord) : []
  return states
    .filter(({ phase, peer }) => phase === 'awaited' || (phase === 'leaving' && peer !== 0))
    .map(({ shard }) => shard)
}

function shardCount(shards: unknown): unknown {
  if (Array.isArray(shards)) return shards.length
  return isRecord(shards) ? Object.keys(shards).length : shards
}

function viewOf(url: string, answer: Answer): NodeView {
  if (answer.type === 'failed') return { url, status: null, error: answer.reason }
  if (answer.status !== 200) return { url, status: null, error: `http-${answer.status}` }
  try {
    const status: unknown = JSON.parse(answer.body.toString('utf8'))
    return isRecord(status) ? { url, status, error: null } : { url, status: null, error: 'odd' }
  } catch {
    return { url, status: null, error: 'not-json' }
  }
}

function text(value: unknown): string {
  return typeof value === 'string' || typeof value === 'number' ? String(value) : '-'
}
