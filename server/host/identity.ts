// Whose data a directory holds. A directory that was emptied and filled again is another life of its
// replica, with another incarnation: it must not vote under the old one, whose promises it has lost.
// So the identity is written once, durably, before anything else, and never guessed again.

import { randomBytes } from 'node:crypto'
import fs from 'node:fs'
import path from 'node:path'
import { lockFolder } from './identity-lock.ts'
import { syncDirectory } from './wal-files.ts'

/** What a data directory was made for. `incarnation`: 16 hex digits, new for each directory. */
export type Identity = {
  readonly cluster: string
  readonly gid: number
  readonly replica: number
  readonly kind: 'shardmaster' | 'shardkv'
  readonly incarnation: string
}

export type DataDirectoryOptions = Omit<Identity, 'incarnation'> & { readonly dir: string }

/** An open data directory: locked, and its identity checked. */
export type DataDirectory = {
  readonly identity: Identity
  /** It was made just now. */
  readonly isNew: boolean
  /** Folders for the log and the store; they are there. */
  readonly logDir: string
  readonly storeDir: string
  /** Lets go of the lock; log and store must be closed by then. */
  release(): Promise<void>
}

/** The directory must not be used; the message says what to do. Nothing was changed. */
export class DataDirectoryError extends Error {
  override readonly name = 'DataDirectoryError'
}

const FORMAT = 1
const FILE = 'identity.json'
const FOLDERS = ['log', 'store'] as const

/** Opens the data directory, making it (mode 0700) if it is not there or empty. */
export async function openDataDirectory(options: DataDirectoryOptions): Promise<DataDirectory> {
  const { dir } = options
  await makePrivate(dir)
  const release = await lockFolder(dir)
  if (release === null) refuse(dir, 'is in use by another process')
  try {
    const found = readIdentity(dir)
    if (found !== null) compare(dir, found, options)
    const identity = found ?? (await writeIdentity(options))
    const [logDir, storeDir] = FOLDERS.map(name => path.join(dir, name))
    if (logDir === undefined || storeDir === undefined) throw new Error('two folders')
    for (const folder of [logDir, storeDir]) fs.mkdirSync(folder, { recursive: true, mode: 0o700 })
    await syncDirectory(dir)
    return { identity, isNew: found === null, logDir, storeDir, release }
  } catch (error) {
    await release()
    throw error
  }
}

async function makePrivate(dir: string): Promise<void> {
  const made = fs.mkdirSync(dir, { recursive: true, mode: 0o700 })
  if (made !== undefined) await syncDirectory(path.dirname(made))
  const { mode } = fs.statSync(dir)
  if ((mode & 0o077) === 0) return
  const shown = (mode & 0o777).toString(8).padStart(4, '0')
  refuse(dir, `is open to other users (mode ${shown}); it holds everything: chmod 700 it`)
}

/** Null in a directory without data. */
function readIdentity(dir: string): Identity | null {
  const file = path.join(dir, FILE)
  if (!fs.existsSync(file)) {
    const left = FOLDERS.filter(name => fs.existsSync(path.join(dir, name)))
    if (left.length === 0) return null
    refuse(dir, `holds data (${left.join(', ')}) but no ${FILE}: restore that, or start empty`)
  }
  return parseIdentity(dir, fs.readFileSync(file, 'utf8'))
}

function parseIdentity(dir: string, text: string): Identity {
  let value: unknown
  try {
    value = JSON.parse(text)
  } catch {
    value = null
  }
  if (typeof value !== 'object' || value === null) refuse(dir, `has a damaged ${FILE}`)
  const fields = new Map<string, unknown>(Object.entries(value))
  const format = fields.get('format')
  if (format !== FORMAT) {
    refuse(dir, `has format ${format}; this program knows ${FORMAT}: written by a newer version?`)
  }
  const cluster = fields.get('cluster')
  const gid = fields.get('gid')
  const replica = fields.get('replica')
  const kind = fields.get('kind')
  const incarnation = fields.get('incarnation')
  const isWhole =
    typeof cluster === 'string' &&
    typeof gid === 'number' &&
    typeof replica === 'number' &&
    (kind === 'shardmaster' || kind === 'shardkv') &&
    typeof incarnation === 'string' &&
    /^[0-9a-f]{16}$/.test(incarnation)
  if (!isWhole) refuse(dir, `has a damaged ${FILE}`)
  return { cluster, gid, replica, kind, incarnation }
}

function compare(dir: string, found: Identity, wanted: DataDirectoryOptions): void {
  for (const field of ['cluster', 'kind', 'gid', 'replica'] as const) {
    if (found[field] === wanted[field]) continue
    refuse(dir, `belongs to ${field} ${found[field]}, not ${wanted[field]}`)
  }
}

/** Whole or not at all: written beside, made durable, renamed. */
async function writeIdentity(options: DataDirectoryOptions): Promise<Identity> {
  const { dir, cluster, gid, replica, kind } = options
  const incarnation = randomBytes(8).toString('hex')
  const identity: Identity = { cluster, gid, replica, kind, incarnation }
  const file = path.join(dir, FILE)
  const text = `${JSON.stringify({ format: FORMAT, ...identity }, null, 2)}\n`
  const fd = fs.openSync(`${file}.new`, 'w', 0o600)
  try {
    fs.writeFileSync(fd, text)
    fs.fsyncSync(fd)
  } finally {
    fs.closeSync(fd)
  }
  fs.renameSync(`${file}.new`, file)
  await syncDirectory(dir)
  return identity
}

function refuse(dir: string, why: string): never {
  throw new DataDirectoryError(`data directory ${dir} ${why}`)
}
