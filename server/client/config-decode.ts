// Configurations and plans as the shardmasters' JSON carries them, checked before they are used.

import type { Config, Partitioner } from '../shardmaster/config.ts'
import type { Plan } from '../shardmaster/operation.ts'
import { isRecord } from './problem.ts'

/** The parts of a configuration that a client relies on; the rest is shown to people as it came. */
export type ConfigView = Pick<Config, 'num' | 'shards' | 'groups' | 'partitioner'> & {
  readonly cause: Readonly<Record<string, unknown>>
  /** Wall time of the decision in ms since 1970, 0 where unknown. */
  readonly at: number
}

/** A plan as it came, with the parts that are used checked. */
export type PlanView = Pick<Plan, 'base' | 'warnings'> & Readonly<Record<string, unknown>>

/** Null when it is not a configuration. */
export function decodeConfig(value: unknown): ConfigView | null {
  if (!isRecord(value)) return null
  const { num, shards, groups, partitioner, cause, at } = value
  if (typeof num !== 'number' || !isNumbers(shards) || shards.length === 0) return null
  if (!isPartitioner(partitioner) || !isRecord(groups)) return null
  const decoded: Record<string, readonly string[]> = {}
  for (const [gid, servers] of Object.entries(groups)) {
    if (!isTexts(servers)) return null
    decoded[gid] = servers
  }
  return {
    num,
    shards,
    groups: decoded,
    partitioner,
    cause: isRecord(cause) ? cause : {},
    at: typeof at === 'number' ? at : 0,
  }
}

/** Null when it is not a plan. */
export function decodePlan(value: unknown): PlanView | null {
  if (!isRecord(value)) return null
  const { base, warnings } = value
  if (typeof base !== 'number' || !isTexts(warnings)) return null
  return { ...value, base, warnings }
}

function isPartitioner(value: unknown): value is Partitioner {
  return value === 'hash' || value === 'first-byte'
}

function isNumbers(value: unknown): value is number[] {
  return Array.isArray(value) && value.every(item => typeof item === 'number')
}

function isTexts(value: unknown): value is string[] {
  return Array.isArray(value) && value.every(item => typeof item === 'string')
}
