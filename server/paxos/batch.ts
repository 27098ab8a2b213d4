// What stands in one slot: a batch of commands with the wall time at which its leader cut it. An
// empty value is a noop. The bytes are made once and serve the log and all followers.

import { ByteReader, ByteWriter, DecodeError } from '../bytes.ts'

export type Batch = { readonly wallMs: number; readonly commands: readonly Uint8Array[] }

const BATCH = 1

export function encodeBatch(batch: Batch): Uint8Array {
  let size = 24
  for (const command of batch.commands) size += command.length + 5
  const writer = new ByteWriter(size).u8(BATCH).uint(batch.wallMs).uint(batch.commands.length)
  for (const command of batch.commands) writer.bytes(command)
  return writer.done()
}

export function decodeBatch(value: Uint8Array): Batch {
  if (value.length === 0) return { wallMs: 0, commands: [] }
  const reader = new ByteReader(value)
  const kind = reader.u8()
  if (kind !== BATCH) throw new DecodeError(`value of an unknown kind ${kind}`)
  const wallMs = reader.uint()
  const commands: Uint8Array[] = []
  for (let left = reader.uint(); left > 0; left--) commands.push(reader.bytes())
  reader.end()
  return { wallMs, commands }
}
