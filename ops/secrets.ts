// Secrets of the local cluster, made at its first start. All its processes start at once, so each
// file is written aside and linked to its name: the first one wins and the others read what it made.

import { createHash, randomBytes } from 'node:crypto'
import {
  closeSync,
  fsyncSync,
  linkSync,
  mkdirSync,
  openSync,
  readFileSync,
  statSync,
  unlinkSync,
  writeSync,
} from 'node:fs'
import type { LocalCluster } from './local.ts'

/** Makes what is missing. Returns the cluster's id. */
export function ensureSecrets(cluster: LocalCluster): string {
  const { folder, files } = cluster
  mkdirSync(folder, { recursive: true, mode: 0o700 })
  refuseIfOpen(folder)
  const admin = createOnce(files.adminToken, () => `sg_${randomBytes(32).toString('base64url')}`)
  createOnce(files.peerToken, () => `sgp_${randomBytes(32).toString('base64url')}`)
  const reader = createOnce(files.readerToken, () => `sg_${randomBytes(32).toString('base64url')}`)
  createOnce(files.tokens, () => tokenRecords({ admin, reader }))
  return createOnce(files.cluster, () => `local-${randomBytes(6).toString('hex')}`)
}

/** The first word of a secret's file; throws when it can be read by others. */
export function readSecret(path: string): string {
  refuseIfOpen(path)
  return readFileSync(path, 'utf8').trim()
}

/** The content of the file, made by `make` if there was none; the same for all who ask. */
export function createOnce(path: string, make: () => string): string {
  const known = readIfThere(path)
  if (known !== null) return known
  const aside = `${path}.${process.pid}.${randomBytes(4).toString('hex')}`
  const file = openSync(aside, 'wx', 0o600)
  try {
    writeSync(file, `${make()}\n`)
    fsyncSync(file)
  } finally {
    closeSync(file)
  }
  try {
    linkSync(aside, path)
  } catch (error) {
    if (!isCode(error, 'EEXIST')) throw error // otherwise another process was first
  } finally {
    unlinkSync(aside)
  }
  return readSecret(path)
}

/** Tokens are kept as hashes: who reads this file cannot use them. */
function tokenRecords(tokens: { readonly admin: string; readonly reader: string }): string {
  const records = Object.entries(tokens).map(([role, token]) => {
    return { name: role, role, hash: createHash('sha256').update(token).digest('hex') }
  })
  return JSON.stringify(records, null, 2)
}

function readIfThere(path: string): string | null {
  try {
    return readSecret(path)
  } catch (error) {
    if (isCode(error, 'ENOENT')) return null
    throw error
  }
}

function refuseIfOpen(path: string): void {
  const { mode } = statSync(path)
  if ((mode & 0o077) === 0) return
  const sentence = `${path} can be read by other users; run: chmod go-rwx ${path}`
  throw new Error(sentence)
}

/** Whether an error of the file system has this code. */
export function isCode(error: unknown, code: string): boolean {
  return error instanceof Error && 'code' in error && error.code === code
}
