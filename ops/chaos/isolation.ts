// A room of its own for what is broken on purpose: the tool starts itself again in new namespaces for
// processes, network and mounts. Whatever happens to it, the kernel then takes away with the room what
// was made in there: processes, networks, mounts. What the kernel leaves (a folder, control groups)
// carries the tool's process id, and is swept once that process is gone.

import { spawn } from 'node:child_process'
import { existsSync, mkdirSync, mkdtempSync, readdirSync, rmdirSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { isAlive } from '../life.ts'
import { command, hasProgram } from './command.ts'

const PREFIX = 'shardglass-chaos-'
const HOME = 'SHARDGLASS_CHAOS_HOME'
const CONTROLLERS = ['/sys/fs/cgroup/memory', '/sys/fs/cgroup/cpu']

/** A folder for this run's data. `isOwn`: networks, mounts and processes are not the machine's. */
export type Room = { readonly folder: string; readonly id: string; readonly isOwn: boolean }

/** Why there can be no room of its own; null if there can. */
export function noRoomReason(): string | null {
  if (process.platform !== 'linux') return 'needs Linux'
  if (process.getuid?.() !== 0) return 'needs root'
  for (const program of ['unshare', 'nsenter', 'ip', 'mount']) {
    if (!hasProgram(program)) return `needs ${program}`
  }
  return null
}

/**
 * Runs `main` in a room of its own where there can be one, else where it is. Returns the exit code.
 */
export async function inRoom(main: (room: Room) => Promise<number>): Promise<number> {
  const home = process.env[HOME]
  if (home !== undefined) return main(await enter(home))
  sweep()
  const folder = mkdtempSync(join(tmpdir(), `${PREFIX}${process.pid}-`))
  try {
    if (noRoomReason() === null) return await startInside(folder)
    return await main({ folder, id: String(process.pid), isOwn: false })
  } finally {
    rmSync(folder, { recursive: true, force: true })
    removeControlGroups(`${PREFIX}${process.pid}`)
  }
}

function startInside(folder: string): Promise<number> {
  const flags = ['--net', '--mount', '--pid', '--fork', '--kill-child', '--mount-proc']
  const self = [process.execPath, ...process.execArgv, ...process.argv.slice(1)]
  const child = spawn('unshare', [...flags, ...self], {
    env: { ...process.env, [HOME]: folder },
    stdio: ['pipe', 'inherit', 'inherit'], // the inner one ends when this pipe does
  })
  const tell = (): void => void child.stdin?.end()
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.on(signal, tell)
  return new Promise((resolve, reject) => {
    child.on('error', reject)
    child.on('close', code => resolve(code ?? 1))
  })
}

async function enter(folder: string): Promise<Room> {
  const end = (): void => process.exit(130)
  process.stdin.on('end', end).on('error', end).resume()
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.on(signal, end)
  await command('ip', ['link', 'set', 'dev', 'lo', 'up'])
  mkdirSync('/run/netns', { recursive: true })
  await command('mount', ['-t', 'tmpfs', 'none', '/run/netns'])
  const id = folder.slice(folder.lastIndexOf(PREFIX) + PREFIX.length).split('-')[0] ?? '0'
  return { folder, id, isOwn: true }
}

/** A control group of this run; null where the machine has none of this kind (version 1). */
export function controlGroup(
  room: Room,
  controller: 'memory' | 'cpu',
  name: string,
): string | null {
  const root = `/sys/fs/cgroup/${controller}`
  if (!existsSync(join(root, 'cgroup.procs'))) return null
  const path = join(root, `${PREFIX}${room.id}`, name)
  mkdirSync(path, { recursive: true })
  return path
}

/** Why there are no control groups of this kind; null if there are. */
export function controlGroupReason(controller: 'memory' | 'cpu'): string | null {
  const isThere = existsSync(`/sys/fs/cgroup/${controller}/cgroup.procs`)
  return isThere ? null : `needs the ${controller} control group (version 1)`
}

/** Takes away what runs left that were killed themselves. */
function sweep(): void {
  const places = [tmpdir(), ...CONTROLLERS.filter(path => existsSync(path))]
  for (const place of places) {
    for (const name of readdirSync(place)) {
      const pid = /^shardglass-chaos-(\d+)/.exec(name)?.[1]
      if (pid === undefined || isAlive(Number(pid))) continue
      if (place === tmpdir()) rmSync(join(place, name), { recursive: true, force: true })
      else removeControlGroups(name)
    }
  }
}

function removeControlGroups(name: string): void {
  for (const root of CONTROLLERS) {
    const top = join(root, name)
    if (!existsSync(top)) continue
    const inner = readdirSync(top, { withFileTypes: true }).filter(entry => entry.isDirectory())
    for (const path of [...inner.map(entry => join(top, entry.name)), top]) {
      try {
        rmdirSync(path)
      } catch {
        // a process in it is not quite gone: the next run sweeps it
      }
    }
  }
}
