// Numbered configurations: which group owns which shard. Config 0 has no groups and every shard at
// gid 0. A configuration never changes once it is decided; the next one has the next number.

import { type ByteString, fnv1a } from '../bytes.ts'

/** How a key finds its shard. `first-byte` is the original course's rule. */
export type Partitioner = 'hash' | 'first-byte'

/** What made a configuration, and who asked for it, why. */
export type Cause =
  | { readonly op: 'init' }
  | {
      readonly op: 'join'
      readonly gid: number
      readonly servers: readonly string[]
      readonly actor: string
      readonly reason: string
    }
  | { readonly op: 'leave'; readonly gid: number; readonly actor: string; readonly reason: string }
  | {
      readonly op: 'move'
      readonly shard: number
      readonly gid: number
      readonly actor: string
      readonly reason: string
    }

export type Config = {
  readonly num: number
  /** shard → owner's gid, 0 when no group exists. */
  readonly shards: readonly number[]
  /**
   * shard → the last group other than 0 that owned it, 0 if none ever did. Where all groups left
   * and another joins, the newcomer fetches the data from here: nothing is lost in between.
   */
  readonly holders: readonly number[]
  /** gid (as a decimal string) → base URLs of its replicas; the position is the replica id. */
  readonly groups: Readonly<Record<string, readonly string[]>>
  readonly partitioner: Partitioner
  readonly cause: Cause
  /** Wall time of the decision, in ms since 1970, as logged by the leader. */
  readonly at: number
}

export function initialConfig(shardCount: number, partitioner: Partitioner): Config {
  const shards = new Array<number>(shardCount).fill(0)
  return { num: 0, shards, holders: shards, groups: {}, partitioner, cause: { op: 'init' }, at: 0 }
}

/** The shard of a key given as the characters of its UTF-8 bytes. */
export function shardOf(key: ByteString, partitioner: Partitioner, shardCount: number): number {
  const hash = partitioner === 'hash' ? fnv1a(key) : key.charCodeAt(0)
  return hash % shardCount
}
