// shardctl's commands on keys.

import { isUtf8 } from 'node:buffer'
import type { WriteCondition } from '../server/client/clerk.ts'
import {
  CODE,
  readInput,
  type Session,
  say,
  show,
  UsageError,
  wholeNumber,
} from './shardctl-session.ts'

export type ConditionFlags = {
  readonly ifVersion?: string
  readonly ifAbsent?: boolean
  readonly ifPresent?: boolean
}

/** Raw bytes to standard output; a terminal gets a newline after them. */
export async function get(
  session: Session,
  key: string,
  flags: { stale?: boolean },
): Promise<number> {
  const consistency = flags.stale === true ? 'stale' : 'linearizable'
  const entry = await session.clerk.get(key, { consistency })
  if (entry === null) return absent(session, key)
  if (session.isJson) show(session, { key, version: entry.version, ...jsonValue(entry.value) }, '')
  else process.stdout.write(entry.value)
  if (!session.isJson && process.stdout.isTTY) process.stdout.write('\n')
  return CODE.ok
}

export async function put(
  session: Session,
  key: string,
  value: string,
  flags: ConditionFlags,
): Promise<number> {
  const options = conditionOf(flags)
  const { version } = await session.clerk.put(key, await readValue(value), options)
  show(session, { key, version }, `version ${version}`)
  return CODE.ok
}

export async function putHash(session: Session, key: string, value: string): Promise<number> {
  const { previous, version } = await session.clerk.putHash(key, await readValue(value))
  if (session.isJson) show(session, { key, version, previous: jsonValue(previous) }, '')
  else process.stdout.write(previous)
  if (!session.isJson && process.stdout.isTTY) process.stdout.write('\n')
  return CODE.ok
}

export async function del(session: Session, key: string, flags: ConditionFlags): Promise<number> {
  const wasThere = await session.clerk.delete(key, conditionOf(flags))
  if (!wasThere) return absent(session, key)
  show(session, { key, deleted: true }, 'deleted')
  return CODE.ok
}

function absent(session: Session, key: string): number {
  if (session.isJson) show(session, { key, value: null }, '')
  else say('shardctl: no such key')
  return CODE.notMet
}

async function readValue(argument: string): Promise<Uint8Array> {
  return argument === '-' ? await readInput() : Buffer.from(argument, 'utf8')
}

function jsonValue(value: Buffer): { value: string } | { base64: string } {
  return isUtf8(value) ? { value: value.toString('utf8') } : { base64: value.toString('base64') }
}

function conditionOf(flags: ConditionFlags): { condition?: WriteCondition } {
  const { ifVersion, ifAbsent, ifPresent } = flags
  const given = [ifVersion !== undefined, ifAbsent === true, ifPresent === true].filter(Boolean)
  if (given.length > 1) throw new UsageError('only one of the conditions can be given')
  if (ifAbsent === true) return { condition: { ifAbsent } }
  if (ifPresent === true) return { condition: { ifPresent } }
  if (ifVersion === undefined) return {}
  return { condition: { ifVersion: wholeNumber(ifVersion, '--if-version') } }
}
