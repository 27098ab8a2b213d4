// The few file operations that the log needs, all inside one folder, so that a test can put a disk
// in their place that is full, fails, writes short or loses power. Names are plain file names.

import fs from 'node:fs'
import path from 'node:path'
import { promisify } from 'node:util'

/** A folder of log files. Everything throws, or rejects with, a system error with a `code`. */
export interface WalFiles {
  list(): readonly string[]
  /** Opens for reading and writing; `create` demands that the file is not there yet. */
  open(name: string, mode: 'create' | 'existing'): number
  size(fd: number): number
  /** Fills `buffer` from `position`; fewer bytes than asked for only at the end of the file. */
  read(fd: number, buffer: Uint8Array, position: number): Promise<number>
  /** Writes some or all of `buffer`; returns how much. Nothing is durable until a sync. */
  writeNow(fd: number, buffer: Uint8Array, position: number): number
  write(fd: number, buffer: Uint8Array, position: number): Promise<number>
  /** fdatasync: after an error the state of the file is unknown, it must not be tried again. */
  syncNow(fd: number): void
  sync(fd: number): Promise<void>
  truncate(fd: number, length: number): void
  close(fd: number): void
  rename(from: string, to: string): void
  remove(name: string): void
  /** Makes what was created, renamed and removed so far durable. */
  syncDirectory(): Promise<void>
}

const read = promisify(fs.read)
const write = promisify(fs.write)
const sync = promisify(fs.fdatasync)
const syncAll = promisify(fs.fsync)

/** The real thing. */
export function nodeWalFiles(folder: string): WalFiles {
  const at = (name: string) => path.join(folder, name)
  return {
    list: () => fs.readdirSync(folder),
    open: (name, mode) => fs.openSync(at(name), mode === 'create' ? 'wx+' : 'r+', 0o600),
    size: fd => fs.fstatSync(fd).size,
    read: async (fd, buffer, position) =>
      (await read(fd, buffer, 0, buffer.length, position)).bytesRead,
    writeNow: (fd, buffer, position) => fs.writeSync(fd, buffer, 0, buffer.length, position),
    write: async (fd, buffer, position) =>
      (await write(fd, buffer, 0, buffer.length, position)).bytesWritten,
    syncNow: fd => fs.fdatasyncSync(fd),
    sync,
    truncate: (fd, length) => fs.ftruncateSync(fd, length),
    close: fd => fs.closeSync(fd),
    rename: (from, to) => fs.renameSync(at(from), at(to)),
    remove: name => fs.unlinkSync(at(name)),
    syncDirectory: () => syncDirectory(folder),
  }
}

/** Makes a folder's entries durable: a file's own sync does not cover its name. */
export async function syncDirectory(folder: string): Promise<void> {
  const fd = fs.openSync(folder, 'r')
  try {
    await syncAll(fd)
  } finally {
    fs.closeSync(fd)
  }
}

/** Writes all of `buffer`: a write may be short without an error, on a disk that is nearly full. */
export async function writeFully(
  files: WalFiles,
  fd: number,
  buffer: Uint8Array,
  position: number,
): Promise<void> {
  for (let done = 0; done < buffer.length; ) {
    const count = await files.write(fd, buffer.subarray(done), position + done)
    done += progress(count)
  }
}

/** The same, blocking. */
export function writeFullyNow(
  files: WalFiles,
  fd: number,
  buffer: Uint8Array,
  position: number,
): void {
  for (let done = 0; done < buffer.length; ) {
    done += progress(
      files.writeNow(fd, done === 0 ? buffer : buffer.subarray(done), position + done),
    )
  }
}

/** Whether it may work again later: no space, no quota, no free file handle. */
export function isOutOfRoom(error: unknown): boolean {
  const code = error instanceof Error && 'code' in error ? error.code : null
  return code === 'ENOSPC' || code === 'EDQUOT' || code === 'EMFILE' || code === 'ENFILE'
}

function progress(count: number): number {
  if (count > 0) return count
  throw Object.assign(new Error('a write of the log made no progress'), { code: 'ENOSPC' })
}
