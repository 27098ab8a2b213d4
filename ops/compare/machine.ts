// What the figures were measured on: without it they say little.

import { spawnSync } from 'node:child_process'
import {
  closeSync,
  fdatasyncSync,
  ftruncateSync,
  openSync,
  readFileSync,
  rmSync,
  writeSync,
} from 'node:fs'
import os from 'node:os'
import { join } from 'node:path'

const SYNCS = 200
const SYNC_BYTES = 4096
const SYNC_FILE_BYTES = SYNCS * SYNC_BYTES

/** Lines of text. */
export function describeMachine(folder: string): readonly string[] {
  const [cpu] = os.cpus()
  const gib = (os.totalmem() / 2 ** 30).toFixed(0)
  return [
    `${os.cpus().length} × ${cpu?.model.trim() ?? 'unknown processor'}, ${gib} GiB, ${systemName()}`,
    `disk: fdatasync of 4 KiB in a file made beforehand ${syncMs(folder).toFixed(2)} ms (median of ${SYNCS})`,
    `Node ${process.versions.node}; ${firstLine('etcd', ['--version'])}; ${redisVersion()}; ${wrkVersion()}`,
  ]
}

/** Waiting of others for a processor: figures of a busy machine are worth less. */
export function busyness(): string {
  return `load average at the start: ${os.loadavg()[0]?.toFixed(1)}`
}

function systemName(): string {
  try {
    const text = readFileSync('/etc/os-release', 'utf8')
    return `${/^PRETTY_NAME="?([^"\n]+)/m.exec(text)?.[1] ?? os.type()}, Linux ${os.release()}`
  } catch {
    return `${os.type()} ${os.release()}` // not Linux
  }
}

function syncMs(folder: string): number {
  const path = join(folder, 'sync-probe')
  const file = openSync(path, 'w', 0o600)
  const block = Buffer.alloc(SYNC_BYTES, 1)
  const times: number[] = []
  try {
    ftruncateSync(file, SYNC_FILE_BYTES)
    for (let at = 0; at < SYNC_FILE_BYTES; at += SYNC_BYTES)
      writeSync(file, block, 0, SYNC_BYTES, at)
    fdatasyncSync(file)
    for (let at = 0; at < SYNC_FILE_BYTES; at += SYNC_BYTES) {
      const startedAt = performance.now()
      writeSync(file, block, 0, SYNC_BYTES, at)
      fdatasyncSync(file)
      times.push(performance.now() - startedAt)
    }
  } finally {
    closeSync(file)
    rmSync(path)
  }
  return times.sort((a, b) => a - b)[SYNCS / 2] ?? Number.NaN
}

function firstLine(program: string, args: readonly string[]): string {
  const { stdout, stderr } = spawnSync(program, args, { encoding: 'utf8' })
  return (stdout || stderr || `no ${program}`).split('\n')[0]?.trim() ?? ''
}

function redisVersion(): string {
  return (
    /v=[\d.]+/.exec(firstLine('redis-server', ['--version']))?.[0].replace('v=', 'Redis ') ??
    'no Redis'
  )
}

function wrkVersion(): string {
  return /wrk \S+/.exec(firstLine('wrk', ['-v']))?.[0] ?? 'no wrk'
}
