// Shards on their way, from the groups' own counters: how far each is, and how fast it goes. What
// was once seen as done stays done, and counts never go back, so a bar never does either.

import type { ClusterView } from './cluster-reader.ts'
import { groupsOf } from './groups.ts'

export type Moving = {
  readonly config: number
  readonly shard: number
  readonly from: number
  readonly to: number
  /** waiting: the giver has not begun. copying: frozen there and on its way. arrived: served anew. */
  readonly phase: 'waiting' | 'copying' | 'arrived'
  readonly keys: number
  readonly bytes: number
  readonly sentKeys: number
  readonly sentBytes: number
  /** Bytes per second since the look before; null before there were two. */
  readonly rate: number | null
  readonly since: number
  readonly doneAt: number | null
}

/** Done ones are kept this long for who watches, ms; their place is then the archive. */
const KEPT_MS = 600_000
const KEPT_MAX = 20_000

export class HandoffTracker {
  private readonly known = new Map<string, Moving & { readonly lookedAt: number }>()

  /** Of one configuration, or of all: under way first, then the newest. */
  list(config: number | null = null): readonly Moving[] {
    return [...this.known.values()]
      .filter(entry => config === null || entry.config === config)
      .sort(
        (one, other) =>
          rank(one) - rank(other) || other.config - one.config || one.shard - other.shard,
      )
  }

  note(_before: ClusterView, after: ClusterView): void {
    const open = openHandoffs(after)
    for (const found of open) this.update(found, after.at)
    const stillOpen = new Set(open.map(keyOf))
    const configs = configsOf(after)
    for (const [key, entry] of this.known) {
      // It need not be seen where it went: it may have moved on between two looks. A taker that is
      // as far, and still awaited it, would have told.
      const hasPassed = (configs.get(entry.to) ?? 0) >= entry.config
      if (entry.phase !== 'arrived' && !stillOpen.has(key) && hasPassed) {
        const { keys, bytes } = entry
        this.known.set(key, {
          ...entry,
          phase: 'arrived',
          sentKeys: keys,
          sentBytes: bytes,
          rate: null,
          doneAt: after.at,
        })
      }
      // One that nobody tells of any more, as of a group that is gone, does not stay for ever.
      if (after.at - (entry.doneAt ?? entry.lookedAt) > KEPT_MS) this.known.delete(key)
    }
    for (const [oldest] of this.known) {
      if (this.known.size <= KEPT_MAX) break
      this.known.delete(oldest)
    }
  }

  private update(found: Open, at: number): void {
    const key = keyOf(found)
    const known = this.known.get(key)
    if (known?.phase === 'arrived') return
    const sentKeys = Math.max(found.sentKeys, known?.sentKeys ?? 0)
    const sentBytes = Math.max(found.sentBytes, known?.sentBytes ?? 0)
    const elapsed = known === undefined ? 0 : at - known.lookedAt
    const rate =
      known === undefined || elapsed <= 0 ? null : ((sentBytes - known.sentBytes) * 1000) / elapsed
    this.known.set(key, {
      ...found,
      keys: Math.max(found.keys, known?.keys ?? 0),
      bytes: Math.max(found.bytes, known?.bytes ?? 0),
      sentKeys,
      sentBytes,
      rate,
      since: known?.since ?? at,
      doneAt: null,
      lookedAt: at,
    })
  }
}

type Open = Omit<Moving, 'rate' | 'since' | 'doneAt'>

/** Both sides tell of a handoff; the giver knows the size. */
function openHandoffs(view: ClusterView): readonly Open[] {
  const found = new Map<string, Open>()
  for (const group of groupsOf(view)) {
    for (const { shard, phase, config, peer, keys, bytes } of group.held) {
      const isTaker = phase === 'awaited'
      if (!isTaker && (phase !== 'leaving' || peer === 0)) continue
      const from = isTaker ? peer : group.gid
      const to = isTaker ? group.gid : peer
      const key = keyOf({ config, shard })
      const sent = group.transfers.find(transfer => transfer.shard === shard)
      const known = found.get(key)
      found.set(key, {
        ...{ config, shard, from, to },
        phase:
          sent !== undefined || (isTaker && keys > 0) || known?.phase === 'copying'
            ? 'copying'
            : 'waiting',
        keys: Math.max(keys, known?.keys ?? 0),
        bytes: Math.max(bytes, known?.bytes ?? 0),
        sentKeys: Math.max(isTaker ? keys : (sent?.sentKeys ?? 0), known?.sentKeys ?? 0),
        sentBytes: Math.max(isTaker ? bytes : (sent?.sentBytes ?? 0), known?.sentBytes ?? 0),
      })
    }
  }
  return [...found.values()]
}

/** gid → the configuration that it has come to. */
function configsOf(view: ClusterView): ReadonlyMap<number, number> {
  return new Map(groupsOf(view).map(({ gid, configNum }) => [gid, configNum ?? 0]))
}

function keyOf({ config, shard }: { readonly config: number; readonly shard: number }): string {
  return `${config}/${shard}`
}

function rank({ phase }: Moving): number {
  return phase === 'copying' ? 0 : phase === 'waiting' ? 1 : 2
}
