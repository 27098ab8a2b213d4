// How a shardmaster's commands stand in the log, and how a change's outcome is kept in a session.
// A command carries all that its effect depends on, also the bounds of an expiry: replicas of
// different versions then still do the same.

import { unreachable } from '../assert.ts'
import { ByteReader, ByteWriter, DecodeError, fnv1aBytes } from '../bytes.ts'
import type { RequestId } from '../session.ts'
import type { RefusalKind } from './change.ts'
import type { Partitioner } from './config.ts'
import { decodeChange, partitioner, record, text } from './decode.ts'
import type { Change } from './operation.ts'

export type Command =
  /** Makes configuration 0; the first one counts. */
  | { readonly type: 'init'; readonly shardCount: number; readonly partitioner: Partitioner }
  | {
      readonly type: 'change'
      readonly change: Change
      readonly actor: string
      readonly reason: string
      readonly ifConfig: number | null
      /** See ChangeFacts. */
      readonly lastLeaveKeys: number | null
      readonly session: RequestId
    }
  /** Looks at `limit` sessions after client `after` ('' for the first). */
  | {
      readonly type: 'expire'
      readonly after: string
      readonly limit: number
      readonly idleMs: number
      readonly forgetMs: number
    }

export type ChangeCommand = Extract<Command, { type: 'change' }>
export type ExpireCommand = Extract<Command, { type: 'expire' }>

/** What became of a change: the part of the answer that is kept for repeated requests. */
export type Outcome =
  | { readonly type: 'config'; readonly num: number; readonly isNew: boolean }
  | {
      readonly type: 'refused'
      readonly kind: RefusalKind
      readonly detail: string
      readonly latest: number
    }
  | { readonly type: 'conditionFailed'; readonly latest: number }

const KINDS = ['init', 'change', 'expire'] as const
const OUTCOMES = ['config', 'refused', 'conditionFailed'] as const
const REFUSALS = ['unknown-group', 'conflict', 'bad-request'] as const

export function encodeCommand(command: Command): Uint8Array {
  const writer = new ByteWriter(128).u8(KINDS.indexOf(command.type))
  switch (command.type) {
    case 'init':
      return writer.uint(command.shardCount).text(command.partitioner).done()
    case 'change': {
      const { session, change, actor, reason } = command
      writer.byteString(session.client).uint(session.number).uint(session.acked)
      writeMaybe(writer, command.ifConfig)
      writeMaybe(writer, command.lastLeaveKeys)
      return writer.json({ change, actor, reason }).done()
    }
    case 'expire':
      writer.byteString(command.after).uint(command.limit)
      return writer.uint(command.idleMs).uint(command.forgetMs).done()
    default:
      return unreachable(command)
  }
}

/** Throws a DecodeError where the bytes are not one whole command. */
export function decodeCommand(bytes: Uint8Array): Command {
  const reader = new ByteReader(bytes)
  const kind = KINDS[reader.u8()]
  if (kind === undefined) throw new DecodeError('kind of command')
  const command = readCommand(reader, kind)
  reader.end()
  return command
}

/** Identifies what a change asks for; actor and reason may differ from one try to the next. */
export function fingerprintOf(command: Pick<ChangeCommand, 'change' | 'ifConfig'>): number {
  const { change, ifConfig } = command
  const more = change.op === 'join' ? change.servers : change.op === 'move' ? [change.shard] : []
  return fnv1aBytes(Buffer.from(JSON.stringify([change.op, change.gid, ifConfig, ...more]), 'utf8'))
}

export function encodeOutcome(outcome: Outcome): Uint8Array {
  const writer = new ByteWriter(16).u8(OUTCOMES.indexOf(outcome.type))
  switch (outcome.type) {
    case 'config':
      return writer
        .uint(outcome.num)
        .u8(outcome.isNew ? 1 : 0)
        .done()
    case 'refused':
      writer.uint(outcome.latest).u8(REFUSALS.indexOf(outcome.kind))
      return writer.text(outcome.detail).done()
    case 'conditionFailed':
      return writer.uint(outcome.latest).done()
    default:
      return unreachable(outcome)
  }
}

export function decodeOutcome(bytes: Uint8Array): Outcome {
  const reader = new ByteReader(bytes)
  const outcome = readOutcome(reader, OUTCOMES[reader.u8()])
  reader.end()
  return outcome
}

function readOutcome(reader: ByteReader, type: Outcome['type'] | undefined): Outcome {
  if (type === undefined) throw new DecodeError('type of outcome')
  const num = reader.uint()
  if (type === 'config') return { type, num, isNew: reader.u8() === 1 }
  if (type === 'conditionFailed') return { type, latest: num }
  const kind = REFUSALS[reader.u8()]
  if (kind === undefined) throw new DecodeError('kind of outcome')
  return { type, kind, detail: reader.text(), latest: num }
}

function readCommand(reader: ByteReader, type: Command['type']): Command {
  switch (type) {
    case 'init':
      return { type, shardCount: reader.uint(), partitioner: partitioner(reader.text()) }
    case 'change': {
      const session = { client: reader.byteString(), number: reader.uint(), acked: reader.uint() }
      const ifConfig = readMaybe(reader)
      const lastLeaveKeys = readMaybe(reader)
      const json = record(reader.json())
      const asked = { actor: text(json.actor), reason: text(json.reason) }
      return { type, change: decodeChange(json.change), ...asked, ifConfig, lastLeaveKeys, session }
    }
    case 'expire': {
      const step = { after: reader.byteString(), limit: reader.uint() }
      return { type, ...step, idleMs: reader.uint(), forgetMs: reader.uint() }
    }
    default:
      return unreachable(type)
  }
}

/** Null as 0, all else one higher. */
function writeMaybe(writer: ByteWriter, value: number | null): void {
  writer.uint(value === null ? 0 : value + 1)
}

function readMaybe(reader: ByteReader): number | null {
  const value = reader.uint()
  return value === 0 ? null : value - 1
}
