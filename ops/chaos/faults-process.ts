// Faults of processes, clocks and the machine's resources.

import { type Arena, ChaosViolation } from './arena.ts'
import { eventually } from './command.ts'
import type { Fault } from './faults.ts'
import type { Member } from './member.ts'

export const PROCESS_FAULTS: readonly Fault[] = [
  {
    name: 'kill-replica',
    summary: 'kill -9 of any replica',
    needs: [],
    round: arena => killAndRestart(arena, [arena.replica()]),
  },
  {
    name: 'kill-leader',
    summary: 'kill -9 of a leader',
    needs: [],
    round: async arena => killAndRestart(arena, [await arena.leader()]),
  },
  {
    name: 'kill-group',
    summary: 'kill -9 of all replicas of a group at once',
    needs: [],
    round: async arena => {
      await killAndRestart(arena, arena.cluster.group(arena.gid()))
      if (arena.random.chance(0.7)) await arena.cluster.ready(10_000)
    },
  },
  {
    name: 'kill-all',
    summary: 'kill -9 of all processes at once',
    needs: [],
    round: async arena => {
      await killAndRestart(arena, arena.cluster.members)
      await arena.cluster.ready(15_000)
    },
  },
  {
    name: 'pause-replica',
    summary: 'SIGSTOP of any replica for up to 5 s',
    needs: [],
    round: arena => pauseFor(arena, arena.replica(), 5_000),
  },
  {
    name: 'pause-leader',
    summary: 'SIGSTOP of a leader for up to 5 s',
    needs: [],
    round: async arena => pauseFor(arena, await arena.leader(), 5_000),
  },
  {
    name: 'flicker',
    summary: 'SIGSTOP and SIGCONT of leaders several times a second',
    needs: [],
    round: async arena => {
      for (let count = 0; count < 8 && !arena.isOver; count++) {
        await pauseFor(arena, await arena.leader(), 600)
      }
    },
  },
]

async function killAndRestart(arena: Arena, members: readonly Member[]): Promise<void> {
  const running = members.filter(({ isRunning }) => isRunning)
  await Promise.all(running.map(member => arena.kill(member)))
  await arena.hold(0, 2_000)
  for (const member of running) if (!member.isRunning) member.start()
  await arena.hold(300, 2_000)
}

async function pauseFor(arena: Arena, member: Member, maxMs: number): Promise<void> {
  member.signal('SIGSTOP')
  await arena.hold(maxMs / 10, maxMs)
  member.signal('SIGCONT')
  await arena.hold(maxMs / 20, maxMs / 3)
}

/** Jumps of the wall clock, in seconds. */
const JUMPS = [-86_400, -3_600, -5, 5, 3_600, 86_400, 30 * 86_400] as const

export const CLOCK_FAULTS: readonly Fault[] = [
  {
    name: 'clock-jump',
    summary: 'wall clocks jump, back and forth, up to 30 days',
    needs: ['faketime'],
    layout: { clocks: true },
    round: async arena => {
      const { cluster, random } = arena
      const members = random.chance(0.3) ? cluster.members : [await arena.leader()]
      for (const member of members) cluster.setClock(member, random.pick(JUMPS))
      await arena.hold(500, 3_000)
      if (random.chance(0.5)) for (const member of members) cluster.setClock(member, 0)
    },
  },
]

export const RESOURCE_FAULTS: readonly Fault[] = [
  {
    name: 'out-of-memory',
    summary: 'the kernel kills a process that wants more memory',
    needs: ['room', 'memory-group'],
    round: outOfMemory,
  },
  {
    name: 'out-of-handles',
    summary: 'a process can open no more files and connections',
    needs: ['prlimit'],
    round: outOfHandles,
  },
  {
    name: 'starved-cpu',
    summary: 'a leader gets a tenth of a processor',
    needs: ['room', 'cpu-group'],
    round: async arena => {
      const settings = { 'cpu.cfs_period_us': '100000', 'cpu.cfs_quota_us': '10000' }
      const release = arena.confine(await arena.leader(), 'cpu', settings)
      if (release === null) throw new Error('no control groups')
      const restore = arena.later(release)
      await arena.hold(2_000, 6_000)
      await restore()
      await arena.hold(500, 2_000)
    },
  },
]

const LITTLE_MEMORY = String(1024 * 1024)

async function outOfMemory(arena: Arena): Promise<void> {
  const member = await arena.leader()
  const settings = { 'memory.limit_in_bytes': LITTLE_MEMORY }
  member.isEndExpected = true
  const release = arena.confine(member, 'memory', settings)
  if (release === null) throw new Error('no control groups')
  const restore = arena.later(release)
  if (await eventually(() => !member.isRunning || arena.isOver, 15_000)) {
    if (!member.isRunning) arena.tally.kills += 1
  }
  await restore()
  await arena.hold(200, 1_500)
  if (!member.isRunning) member.start()
  else if (!arena.isOver) throw new ChaosViolation(`${member.name} was not killed without memory`)
  await arena.hold(500, 2_000)
}

async function outOfHandles(arena: Arena): Promise<void> {
  const member = await arena.leader()
  const { handlesMax } = member
  await arena.limitHandles(member, member.handles + 1)
  const restore = arena.later(async () => {
    if (member.isRunning) await arena.limitHandles(member, handlesMax)
  })
  await arena.hold(2_000, 6_000)
  await restore()
  await arena.hold(500, 2_000)
}
