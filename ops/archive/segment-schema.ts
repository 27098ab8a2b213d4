// The tables of one segment: a SQLite file with the spans of some hours. Its version is SQLite's
// `user_version`; a file of an older version is brought up to date, step by step, when it is opened, and
// one of a newer version is left alone.

import Database from 'better-sqlite3'
import { SPAN } from '../trace/span-model.ts'

export type Db = Database.Database

/** Names that nearly all spans have; each segment gives them the first numbers, in this order. */
export const COMMON_NAMES = [SPAN.instance, SPAN.request, SPAN.accept] as const

/**
 * Step n makes version n + 1 out of version n. Never change one that was released: add the next.
 *
 * blocks: what spans hold (span-block.ts); `first` is the id of its first span. spans: what is asked for,
 * `start` in µs after the segment's base, `trace` the first 48 bits of the trace id, names and
 * outcomes as numbers of texts. `name > 3` tells the rare spans from the common ones.
 */
export const STEPS: readonly string[] = [
  `CREATE TABLE facts (key TEXT PRIMARY KEY, value INTEGER NOT NULL) STRICT, WITHOUT ROWID;
   CREATE TABLE texts (id INTEGER PRIMARY KEY, text TEXT NOT NULL UNIQUE) STRICT;
   ${COMMON_NAMES.map((name, at) => `INSERT INTO texts VALUES (${at + 1}, '${name}');`).join(' ')}
   CREATE TABLE blocks (
     first INTEGER PRIMARY KEY, count INTEGER NOT NULL,
     start_min INTEGER NOT NULL, start_max INTEGER NOT NULL, data BLOB NOT NULL
   ) STRICT;
   CREATE INDEX blocks_by_time ON blocks (start_max);
   CREATE TABLE spans (
     id INTEGER PRIMARY KEY, trace INTEGER NOT NULL, name INTEGER NOT NULL,
     start INTEGER NOT NULL, duration INTEGER NOT NULL, gid INTEGER, slot INTEGER,
     shard INTEGER, config INTEGER, outcome INTEGER, origin INTEGER
   ) STRICT;
   CREATE INDEX spans_by_trace ON spans (trace);
   CREATE INDEX spans_by_slot ON spans (gid, slot) WHERE slot IS NOT NULL;
   CREATE INDEX spans_by_duration ON spans (name, duration);
   CREATE INDEX rare_spans_by_shard ON spans (shard, config) WHERE shard IS NOT NULL AND name > 3;
   CREATE INDEX rare_spans_by_start ON spans (name, start) WHERE name > 3;`,
]

export const SCHEMA_VERSION = STEPS.length

/** The file is of a later release; nothing in it was touched. */
export class NewerSegment extends Error {
  override readonly name = 'NewerSegment'
}

export type OpenOptions = {
  /**
   * `full`: each batch is synced to the disk. `normal`: written, and synced now and then; kill -9
   * loses nothing, a power cut the batches of the last seconds.
   */
  readonly sync: 'normal' | 'full'
  /** How large the segment is to become. */
  readonly bytesMax: number
  readonly steps?: readonly string[]
}

const PAGE_BYTES = 4096
/** The log is written back when it is half as long as the segment: a page that changes often is then
 * written once, and both together stay within bounds. At most this: it is read at a start. */
const CHECKPOINT_PAGES_MAX = 4_000
const CACHE_KIB = 32 * 1024

/** Opens for writing, makes what is missing, and brings an older file up to date. */
export function openSegment(path: string, options: OpenOptions): Db {
  const db = new Database(path)
  try {
    db.pragma(`page_size = ${PAGE_BYTES}`)
    db.pragma('journal_mode = WAL')
    db.pragma(`synchronous = ${options.sync.toUpperCase()}`)
    const half = Math.floor(options.bytesMax / PAGE_BYTES / 2)
    db.pragma(`wal_autocheckpoint = ${Math.min(CHECKPOINT_PAGES_MAX, half)}`)
    db.pragma(`cache_size = -${CACHE_KIB}`)
    migrate(db, options.steps ?? STEPS)
  } catch (error) {
    db.close()
    throw error
  }
  return db
}

/** An empty file whose lock goes with the process, however it ends. Throws SQLITE_BUSY. */
export function lockFolder(path: string): Db {
  const db = new Database(path, { timeout: 0 })
  try {
    db.exec('BEGIN EXCLUSIVE')
  } catch (error) {
    db.close()
    throw error
  }
  return db
}

/** For reading alone; each of many has a small cache, and reads the file by mapping it. */
export function openForReading(path: string): Db {
  const db = new Database(path, { readonly: true, fileMustExist: true })
  db.pragma('cache_size = -512')
  db.pragma(`mmap_size = ${256 * 1024 * 1024}`)
  return db
}

/** One transaction per step, so that a stop in between leaves a whole version. */
function migrate(db: Db, steps: readonly string[]): void {
  const version = versionOf(db)
  if (version > steps.length) {
    throw new NewerSegment(`${db.name} has version ${version}, this release knows ${steps.length}`)
  }
  for (let next = version; next < steps.length; next++) {
    db.transaction(() => {
      db.exec(steps[next] ?? '')
      db.pragma(`user_version = ${next + 1}`)
    })()
  }
}

/** Of the file when its log is written back. */
export function bytesOf(db: Db): number {
  return Number(db.pragma('page_count', { simple: true })) * PAGE_BYTES
}

export function versionOf(db: Db): number {
  return Number(db.pragma('user_version', { simple: true }))
}
