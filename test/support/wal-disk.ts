// A disk in memory under the log, which keeps apart what was written and what is durable. It can
// lose power before any operation, fail, fill up and write short.

import type { WalFiles } from '../../server/host/wal-files.ts'

/** What a power cut leaves of the writes that no sync covered. */
export type Loss = 'nothing' | 'everything' | 'torn'

/** The power has gone: this and every later operation. */
export class PowerCut extends Error {
  override readonly name = 'PowerCut'
}

type Change =
  | { readonly type: 'write'; readonly at: number; readonly bytes: Buffer }
  | { readonly type: 'truncate'; readonly length: number }

type Inode = { content: Buffer; durable: Buffer; unsynced: Change[] }

const SECTOR = 64

export class WalDisk implements WalFiles {
  /** Every operation that changes something, by name, in order. */
  readonly operations: string[] = []
  /** Called before each operation; throw to make it fail, return a number to shorten a write. */
  onOperation: (operation: string, bytes: number) => number | undefined = () => undefined
  /** The power goes before the operation of this number (from 1). */
  cutBefore = Number.POSITIVE_INFINITY
  private names = new Map<string, Inode>()
  private durableNames = new Map<string, Inode>()
  private readonly opened = new Map<number, Inode>()
  private nextFd = 3

  /** The disk as found after a power cut. `random` in [0, 1) decides what a torn write keeps. */
  afterPowerCut(lost: Loss, random: () => number): WalDisk {
    const disk = new WalDisk()
    const isOld = lost === 'everything' || (lost === 'torn' && random() < 0.5)
    const names = isOld ? this.durableNames : this.names
    for (const [name, inode] of names) {
      const content = survivor(inode, lost, random)
      disk.names.set(name, { content, durable: Buffer.from(content), unsynced: [] })
    }
    disk.durableNames = new Map(disk.names)
    return disk
  }

  get openCount(): number {
    return this.opened.size
  }

  /** A file's bytes, to look at or to damage. */
  content(name: string): Buffer {
    return this.inode(name).content
  }

  put(name: string, content: Buffer): void {
    const inode = { content: Buffer.from(content), durable: Buffer.from(content), unsynced: [] }
    this.names.set(name, inode)
    this.durableNames.set(name, inode)
  }

  delete(name: string): void {
    this.names.delete(name)
    this.durableNames.delete(name)
  }

  clone(): WalDisk {
    return this.afterPowerCut('nothing', () => 0)
  }

  list(): readonly string[] {
    return [...this.names.keys()]
  }

  open(name: string, mode: 'create' | 'existing'): number {
    if (mode === 'create') {
      this.operate(`create ${name}`)
      if (this.names.has(name)) throw systemError('EEXIST')
      this.names.set(name, { content: Buffer.alloc(0), durable: Buffer.alloc(0), unsynced: [] })
    }
    const fd = this.nextFd++
    this.opened.set(fd, this.inode(name))
    return fd
  }

  size(fd: number): number {
    return this.file(fd).content.length
  }

  async read(fd: number, buffer: Uint8Array, position: number): Promise<number> {
    return this.file(fd).content.copy(buffer, 0, position)
  }

  writeNow(fd: number, buffer: Uint8Array, position: number): number {
    const count = this.operate('write', buffer.length) ?? buffer.length
    const bytes = Buffer.from(buffer.subarray(0, count))
    apply(this.file(fd), { type: 'write', at: position, bytes })
    return count
  }

  async write(fd: number, buffer: Uint8Array, position: number): Promise<number> {
    return this.writeNow(fd, buffer, position)
  }

  syncNow(fd: number): void {
    this.operate('sync')
    const inode = this.file(fd)
    inode.durable = Buffer.from(inode.content)
    inode.unsynced = []
  }

  async sync(fd: number): Promise<void> {
    this.syncNow(fd)
  }

  truncate(fd: number, length: number): void {
    this.operate('truncate')
    apply(this.file(fd), { type: 'truncate', length })
  }

  close(fd: number): void {
    this.opened.delete(fd)
  }

  rename(from: string, to: string): void {
    this.operate(`rename ${from} ${to}`)
    const inode = this.inode(from)
    this.names.delete(from)
    this.names.set(to, inode)
  }

  remove(name: string): void {
    this.operate(`remove ${name}`)
    this.inode(name)
    this.names.delete(name)
  }

  async syncDirectory(): Promise<void> {
    this.operate('syncDirectory')
    this.durableNames = new Map(this.names)
  }

  private operate(operation: string, bytes = 0): number | undefined {
    if (this.operations.length + 1 >= this.cutBefore) throw new PowerCut('no power')
    this.operations.push(operation)
    return this.onOperation(operation.split(' ')[0] ?? operation, bytes)
  }

  private inode(name: string): Inode {
    const inode = this.names.get(name)
    if (inode === undefined) throw systemError('ENOENT')
    return inode
  }

  private file(fd: number): Inode {
    const inode = this.opened.get(fd)
    if (inode === undefined) throw systemError('EBADF')
    return inode
  }
}

/** An error as the operating system gives it. */
export function systemError(code: string): Error {
  return Object.assign(new Error(code), { code })
}

/** Numbers in [0, 1), the same for the same seed. */
export function randomFrom(seed: number): () => number {
  let state = seed >>> 0
  return () => {
    state = (state + 0x9e3779b9) >>> 0
    let mixed = Math.imul(state ^ (state >>> 16), 0x21f0aaad)
    mixed = Math.imul(mixed ^ (mixed >>> 15), 0x735a2d97)
    return ((mixed ^ (mixed >>> 15)) >>> 0) / 2 ** 32
  }
}

function apply(inode: Inode, change: Change): void {
  inode.content = changed(inode.content, change)
  inode.unsynced.push(change)
}

function changed(content: Buffer, change: Change): Buffer {
  if (change.type === 'truncate') {
    const result = Buffer.alloc(change.length)
    content.copy(result)
    return result
  }
  const end = change.at + change.bytes.length
  const result = end > content.length ? Buffer.concat([content], end) : content
  change.bytes.copy(result, change.at)
  return result
}

function survivor(inode: Inode, lost: Loss, random: () => number): Buffer {
  if (lost === 'nothing') return Buffer.from(inode.content)
  if (lost === 'everything') return Buffer.from(inode.durable)
  let content: Buffer = Buffer.from(inode.durable)
  for (const change of inode.unsynced) {
    if (change.type === 'truncate') {
      if (random() < 0.5) content = changed(content, change)
      continue
    }
    for (let done = 0; done < change.bytes.length; done += SECTOR) {
      const bytes = change.bytes.subarray(done, done + SECTOR)
      if (random() < 0.5) content = changed(content, { type: 'write', at: change.at + done, bytes })
    }
  }
  return content
}
