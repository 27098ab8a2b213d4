// Faults of disks.

import { type Arena, ChaosViolation } from './arena.ts'
import { eventually } from './command.ts'
import type { Fault } from './faults.ts'
import type { Member } from './member.ts'

const ON_DISKS = { needs: ['room', 'ext4'], layout: { disks: true } } as const

export const DISK_FAULTS: readonly Fault[] = [
  {
    name: 'full-disk',
    summary: "a replica's disk is full",
    ...ON_DISKS,
    hasBallast: true,
    round: async arena => {
      const members = arena.random.chance(0.3)
        ? arena.cluster.group(arena.gid())
        : [await arena.leader()]
      const restore = arena.later(() => {
        for (const { fields } of members) fields.disk?.free()
      })
      for (const { fields } of members) await fields.disk?.fill()
      await arena.hold(4_000, 10_000)
      await restore()
      await arena.hold(1_000, 3_000)
    },
  },
  {
    name: 'slow-disk',
    summary: "a leader's disk takes 300 ms to 3 s for each sync",
    needs: ['strace'],
    round: async arena => {
      const micros = arena.random.between(300, 3_000) * 1_000
      const injection = await arena.inject(await arena.leader(), `fdatasync:delay_enter=${micros}`)
      await arena.hold(3_000, 8_000)
      await injection.end()
      await arena.hold(500, 2_000)
    },
  },
  {
    name: 'sync-error',
    summary: 'a sync fails: the process must stop by itself',
    needs: ['strace'],
    round: syncError,
  },
  {
    name: 'power-cut',
    summary: "the power of one replica's machine is cut",
    ...ON_DISKS,
    round: async arena => powerCut(arena, [await arena.leader()]),
  },
  {
    name: 'power-cut-all',
    summary: 'the power of all machines is cut at once',
    ...ON_DISKS,
    round: async arena => {
      await powerCut(arena, arena.cluster.members)
      await arena.cluster.ready(15_000)
    },
  },
]

async function syncError(arena: Arena): Promise<void> {
  const member = await arena.leader()
  member.isEndExpected = true
  const injection = await arena.inject(member, 'fdatasync,fsync:error=EIO')
  await eventually(() => !member.isRunning || arena.isOver, 10_000)
  const hasFailed = injection.count() > 0
  if (hasFailed) await Promise.race([member.gone(), arena.hold(2_000, 2_000)])
  await injection.end()
  if (hasFailed && member.isRunning) {
    throw new ChaosViolation(`${member.name} goes on after a sync that failed`)
  }
  await arena.hold(200, 1_500)
  if (!member.isRunning) member.start()
  await arena.hold(500, 2_000)
}

async function powerCut(arena: Arena, members: readonly Member[]): Promise<void> {
  const running = members.filter(({ isRunning }) => isRunning)
  for (const member of running) member.isEndExpected = true
  await Promise.all(running.map(({ fields }) => fields.disk?.cutPower()))
  await Promise.all(running.map(member => arena.kill(member)))
  await Promise.all(running.map(({ fields }) => fields.disk?.unmount()))
  const restore = arena.later(async () => {
    for (const { fields } of running) await fields.disk?.mount()
  })
  await arena.hold(200, 2_000)
  await restore()
  for (const member of running) member.start()
  await arena.hold(500, 2_500)
}
