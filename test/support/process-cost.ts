// What processes cost: processor time and memory, as Linux counts them for each process.

import { readdirSync, readFileSync } from 'node:fs'

export type ProcessCost = {
  readonly pid: number
  /** Its command line, words separated by spaces. */
  readonly command: string
  /** Ticks (hundredths of a second) of user and system time since its start. */
  readonly ticks: number
  readonly rssBytes: number
}

/** The process and all below it. */
export function processTree(root: number): readonly number[] {
  const children = new Map<number, number[]>()
  for (const pid of readdirSync('/proc').map(Number).filter(Number.isInteger)) {
    const parent = Number(fieldsOf(pid)[PARENT] ?? 0)
    children.set(parent, [...(children.get(parent) ?? []), pid])
  }
  const tree = [root]
  for (const pid of tree) tree.push(...(children.get(pid) ?? []))
  return tree
}

/** Null when there is no such process any more. */
export function costOf(pid: number): ProcessCost | null {
  const fields = fieldsOf(pid)
  if (fields.length === 0) return null
  const command = read(pid, 'cmdline').split('\0').join(' ').trim()
  const ticks = Number(fields[USER_TICKS]) + Number(fields[SYSTEM_TICKS])
  const kilobytes = /^VmRSS:\s+(\d+) kB$/m.exec(read(pid, 'status'))?.[1] ?? '0'
  return { pid, command, ticks, rssBytes: Number(kilobytes) * 1024 }
}

/** Places among the fields of `stat` behind the name (proc(5)). */
const PARENT = 1
const USER_TICKS = 11
const SYSTEM_TICKS = 12

function fieldsOf(pid: number): readonly string[] {
  const stat = read(pid, 'stat')
  return stat === '' ? [] : stat.slice(stat.lastIndexOf(')') + 2).split(' ')
}

function read(pid: number, file: string): string {
  try {
    return readFileSync(`/proc/${pid}/${file}`, 'utf8')
  } catch {
    return '' // it has ended
  }
}
