// What a kind of fault works with: the cluster, chance, time, and how to bring everything back.

import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import type { Random } from '../history/random.ts'
import type { ChaosCluster } from './cluster.ts'
import { command, pause } from './command.ts'
import { controlGroup } from './isolation.ts'
import type { Member } from './member.ts'
import { startStrace } from './strace.ts'

/** What was done in a run, added up. */
export type Tally = { kills: number; faults: number }

/** What must hold of a kind of fault and did not. */
export class ChaosViolation extends Error {
  override readonly name = 'ChaosViolation'
}

export class Arena {
  readonly cluster: ChaosCluster
  readonly random: Random
  readonly tally: Tally = { kills: 0, faults: 0 }
  private readonly deadline: number
  private readonly undo: (() => Promise<void> | void)[] = []

  constructor(cluster: ChaosCluster, random: Random, seconds: number) {
    this.cluster = cluster
    this.random = random
    this.deadline = performance.now() + seconds * 1_000
  }

  get isOver(): boolean {
    return performance.now() >= this.deadline
  }

  /** Between these, or less when the run's time is over. */
  hold(minMs: number, maxMs: number): Promise<void> {
    const left = Math.max(0, this.deadline - performance.now())
    return pause(Math.min(left, this.random.between(minMs, maxMs)))
  }

  /** A group by chance: mostly one with keys. */
  gid(): number {
    const gids = [...new Set(this.cluster.members.map(({ gid }) => gid))]
    return this.random.chance(0.15) ? 0 : this.random.pick(gids.filter(gid => gid > 0))
  }

  /** A running replica of a group by chance. */
  replica(gid = this.gid()): Member {
    return this.random.pick(this.cluster.group(gid).filter(({ isRunning }) => isRunning))
  }

  /** The leader of a group; while it has none, any replica. */
  async leader(gid = this.gid()): Promise<Member> {
    return (await this.cluster.leader(gid)) ?? this.replica(gid)
  }

  async kill(member: Member): Promise<void> {
    await member.kill()
    this.tally.kills += 1
  }

  /** Does this when all is brought back, if not before: whoever calls what is returned does it now. */
  later(work: () => Promise<void> | void): () => Promise<void> {
    let isDone = false
    const once = async (): Promise<void> => {
      if (isDone) return
      isDone = true
      await work()
    }
    this.undo.push(once)
    return once
  }

  /** Breaks system calls of a running process (strace's `inject=`). */
  async inject(
    member: Member,
    injection: string,
  ): Promise<{ readonly end: () => Promise<void>; readonly count: () => number }> {
    const log = join(this.cluster.room.folder, `strace-${member.pid}`)
    const tracer = await startStrace(member.pid, injection, log)
    return { end: this.later(() => tracer.detach()), count: () => tracer.injected() }
  }

  /** Moves a process to a control group of its own with these settings; null where there are none. */
  confine(
    member: Member,
    controller: 'memory' | 'cpu',
    settings: Readonly<Record<string, string>>,
  ): (() => void) | null {
    const path = controlGroup(this.cluster.room, controller, member.name)
    if (path === null) return null
    mkdirSync(path, { recursive: true })
    for (const [file, value] of Object.entries(settings)) writeFileSync(join(path, file), value)
    writeFileSync(join(path, 'cgroup.procs'), String(member.pid))
    return () => {
      if (!member.isRunning) return
      writeFileSync(join(path, '..', '..', 'cgroup.procs'), String(member.pid))
    }
  }

  /** Soft limit of open files of a running process. */
  async limitHandles(member: Member, handles: number): Promise<void> {
    await command('prlimit', ['--pid', String(member.pid), `--nofile=${handles}:`])
  }

  /** Undoes what is left of all faults and starts what does not run. */
  async heal(): Promise<void> {
    for (const work of this.undo.splice(0).reverse()) await work()
    await this.cluster.network?.heal()
    for (const member of this.cluster.members) {
      if (member.isRunning) member.signal('SIGCONT')
      else member.start()
    }
  }
}
