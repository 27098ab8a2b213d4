// Room for a round, made before LMDB writes. A write of LMDB that the disk refuses overruns a buffer of
// the package (mdb.c prints its message into 100 bytes) and ends the process sooner or later; so the
// file is lengthened here first, by zeros, far enough for any page that the round can need. LMDB uses
// pages beyond its last one whatever is in them.

import fs from 'node:fs'
import type { LmdbFile, StateNumber } from './store-lmdb-file.ts'
import { unpackPiece } from './store-lmdb-piece.ts'
import { isOutOfRoom } from './wal-files.ts'

export type Piece = { readonly state: StateNumber; readonly bytes: Uint8Array }

/** What changes, as far as it takes room. */
export type Changes = {
  readonly count: number
  /** Of keys and values that share pages, with what LMDB keeps beside them. */
  readonly sharedBytes: number
  /** Pages of values that have their own. */
  readonly ownPages: number
}

const PAGE_BYTES = 4096
/** An entry of more than about half a page has its value in pages of its own: both count near there. */
const SHARED_BYTES_MAX = 2_200
const OWN_BYTES_MIN = 1_800
const ENTRY_BYTES = 24
/** Page numbers in one page of LMDB's list of free pages, fewer than there can be. */
const FREED_PER_PAGE = 400
const SPARE_PAGES = 16
const STEP_BYTES = 1024 * 1024

export function changesOf(pieces: readonly Piece[]): Changes {
  let count = 0
  let sharedBytes = 0
  let ownPages = 0
  for (const { bytes } of pieces) {
    unpackPiece(bytes, (key, value) => {
      const length = value?.length ?? 0
      count += 1
      const entry = ENTRY_BYTES + key.length + length
      sharedBytes += entry > SHARED_BYTES_MAX ? entry - length : entry
      if (entry > OWN_BYTES_MIN) ownPages += Math.ceil((length + ENTRY_BYTES) / PAGE_BYTES)
    })
  }
  return { count, sharedBytes, ownPages }
}

/** An open data file that can be lengthened. */
export class FileRoom {
  private readonly file: LmdbFile
  private readonly fd: number

  constructor(file: LmdbFile, path: string) {
    this.file = file
    this.fd = fs.openSync(path, 'r+')
  }

  /** Whether these changes, as one transaction, find room; if not, nothing is taken. */
  has(changes: Changes): boolean {
    const { lastPage, treePages } = this.pages()
    // A page is copied when an entry in it changes, and may be split in two halves.
    const split = Math.ceil((2 * changes.sharedBytes) / PAGE_BYTES)
    const copied = Math.min(2 * changes.count, treePages)
    const freed = (copied + changes.ownPages + lastPage) / FREED_PER_PAGE
    const pages = copied + 2 * split + changes.ownPages + Math.ceil(freed) + SPARE_PAGES
    return this.lengthenTo((lastPage + 1 + pages) * PAGE_BYTES)
  }

  close(): void {
    fs.closeSync(this.fd)
  }

  private lengthenTo(bytes: number): boolean {
    const { size } = fs.fstatSync(this.fd)
    const zeros = Buffer.alloc(Math.min(STEP_BYTES, Math.max(0, bytes - size)))
    try {
      for (let at = size; at < bytes; ) {
        at += fs.writeSync(this.fd, zeros, 0, Math.min(zeros.length, bytes - at), at)
      }
      return true
    } catch (error) {
      if (!isOutOfRoom(error)) throw error
      fs.ftruncateSync(this.fd, size) // others may make better use of it
      return false
    }
  }

  /** The last page of the file that was ever used, and how many pages trees have but for values. */
  private pages(): { readonly lastPage: number; readonly treePages: number } {
    const { root, meta, states } = this.file
    const trees = [root, meta, ...states].map(tree => numbersOf(tree.getStats()))
    const pages = trees.map(
      stats => of(stats, 'treeBranchPageCount') + of(stats, 'treeLeafPageCount'),
    )
    const treePages = pages.reduce((sum, count) => sum + count, 0)
    return { lastPage: of(trees[0] ?? {}, 'lastPageNumber'), treePages }
  }
}

type Numbers = Readonly<Record<string, unknown>>

function numbersOf(stats: object): Numbers {
  return { ...stats }
}

function of(stats: Numbers, name: string): number {
  const value = stats[name]
  if (typeof value !== 'number') throw new Error(`LMDB does not tell ${name}`)
  return value
}
