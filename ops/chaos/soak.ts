// A cluster under a steady load for a long time, and what its processes hold meanwhile: memory, open
// files and sockets, log, disk. Memory is judged by the slope of a straight line through all that was measured
// after a warm-up.

import { readdirSync, readFileSync, statSync } from 'node:fs'
import { join } from 'node:path'
import { isRecord } from '../../server/client/problem.ts'
import type { ChaosCluster } from './cluster.ts'
import type { Member } from './member.ts'

/** One look at one process. */
export type Sample = {
  readonly name: string
  /** Minutes since the beginning. */
  readonly minute: number
  readonly rssMegabytes: number
  readonly files: number
  readonly sockets: number
  readonly diskMegabytes: number
  /** Entries of the log that are kept in memory, and their bytes. */
  readonly logEntries: number
  readonly logBytes: number
}

const MEGABYTE = 1024 * 1024

export async function sampleAll(cluster: ChaosCluster, minute: number): Promise<readonly Sample[]> {
  const views = await cluster.views()
  return cluster.members.map((member, index) => {
    const log = views[index]?.status?.log
    const numbers = isRecord(log) ? log : {}
    const { files, handles } = member
    return {
      name: member.name,
      minute,
      rssMegabytes: rssOf(member),
      files,
      sockets: handles - files,
      diskMegabytes: bytesBelow(member.fields.folder) / MEGABYTE,
      logEntries: Number(numbers.entries ?? 0),
      logBytes: Number(numbers.bytes ?? 0),
    }
  })
}

function rssOf(member: Member): number {
  const text = readFileSync(`/proc/${member.pid}/status`, 'utf8')
  return Number(/VmRSS:\s+(\d+)/.exec(text)?.[1] ?? 0) / 1024
}

/** What the files below a folder take on the disk; they come and go meanwhile. */
function bytesBelow(folder: string): number {
  let bytes = 0
  for (const entry of readdirSync(folder, { withFileTypes: true, recursive: true })) {
    if (!entry.isFile()) continue
    const path = join(entry.parentPath ?? entry.path, entry.name)
    bytes += (statSync(path, { throwIfNoEntry: false })?.blocks ?? 0) * 512
  }
  return bytes
}

export type SoakLine = {
  readonly name: string
  readonly rssFirst: number
  readonly rssLast: number
  /** MB per hour. */
  readonly rssSlope: number
  /** Least and most, after the warm-up. */
  readonly files: readonly [number, number]
  readonly sockets: readonly [number, number]
  readonly diskMegabytes: readonly [number, number]
  readonly logEntriesMax: number
  readonly logMegabytesMax: number
}

/** One line for each process. */
export function summaryOf(samples: readonly Sample[], warmUpMinutes: number): readonly SoakLine[] {
  const names = [...new Set(samples.map(({ name }) => name))]
  return names.map(name => {
    const own = samples.filter(one => one.name === name && one.minute >= warmUpMinutes)
    const span = (of: (sample: Sample) => number): readonly [number, number] => {
      const values = own.map(of)
      return [Math.min(...values), Math.max(...values)]
    }
    return {
      name,
      rssFirst: own[0]?.rssMegabytes ?? 0,
      rssLast: own.at(-1)?.rssMegabytes ?? 0,
      rssSlope: 60 * slopeOf(own.map(({ minute, rssMegabytes }) => [minute, rssMegabytes])),
      files: span(({ files }) => files),
      sockets: span(({ sockets }) => sockets),
      diskMegabytes: span(({ diskMegabytes }) => diskMegabytes),
      logEntriesMax: span(({ logEntries }) => logEntries)[1],
      logMegabytesMax: span(({ logBytes }) => logBytes)[1] / MEGABYTE,
    }
  })
}

/** Of the straight line with the least squares. */
export function slopeOf(points: readonly (readonly [number, number])[]): number {
  const count = points.length
  const meanX = points.reduce((sum, [x]) => sum + x, 0) / count
  const meanY = points.reduce((sum, [, y]) => sum + y, 0) / count
  const spread = points.reduce((sum, [x]) => sum + (x - meanX) ** 2, 0)
  const common = points.reduce((sum, [x, y]) => sum + (x - meanX) * (y - meanY), 0)
  return spread === 0 ? 0 : common / spread
}
