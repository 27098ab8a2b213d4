// Faults of the network. Clients reach every node all the time: who asks a node that is cut off from
// its peers must not be told anything old.

import type { Arena } from './arena.ts'
import type { Fault } from './faults.ts'
import { addRule, type Rule } from './network.ts'

const NEEDS = ['room', 'iptables'] as const

export const NETWORK_FAULTS: readonly Fault[] = [
  {
    name: 'cut-leader',
    summary: 'a leader is cut off from all other nodes',
    needs: NEEDS,
    round: async arena => {
      const { name } = await arena.leader()
      await cut(arena, pairs([name], without(arena, [name])))
    },
  },
  {
    name: 'cut-halves',
    summary: 'all nodes fall into two parts by chance',
    needs: NEEDS,
    round: arena => {
      const names = arena.random.shuffled(without(arena, []))
      const size = arena.random.between(1, names.length - 1)
      return cut(arena, pairs(names.slice(0, size), names.slice(size)))
    },
  },
  {
    name: 'cut-bridge',
    summary: 'only one replica of each group reaches all others',
    needs: NEEDS,
    round: arena => {
      const links = gids(arena).flatMap(gid => {
        const names = arena.random.shuffled(arena.cluster.group(gid).map(({ name }) => name))
        return pairs(names.slice(1, 2), names.slice(2))
      })
      return cut(arena, links)
    },
  },
  {
    name: 'cut-masters',
    summary: 'groups do not reach the shardmasters',
    needs: NEEDS,
    round: arena => {
      const masters = arena.cluster.group(0).map(({ name }) => name)
      return cut(arena, pairs(masters, without(arena, masters)))
    },
  },
  {
    name: 'cut-again',
    summary: 'another partition twice a second',
    needs: NEEDS,
    round: async arena => {
      for (let count = 0; count < 10 && !arena.isOver; count++) {
        const names = arena.random.shuffled(without(arena, []))
        await arena.cluster.net().heal()
        await arena.cluster.net().cut(pairs(names.slice(0, 3), names.slice(3)))
        await arena.hold(300, 700)
      }
      await mend(arena)
    },
  },
  {
    name: 'one-way',
    summary: 'nobody opens connections to a node, but it does to others; or it hears nothing',
    needs: NEEDS,
    round: oneWay,
  },
  {
    name: 'loss',
    summary: 'up to 30 % of all packets to some nodes are lost',
    needs: NEEDS,
    round: async arena => {
      const { random, cluster } = arena
      const rules = new Map<string, Rule[]>()
      for (const name of without(arena, []).filter(() => random.chance(0.5))) {
        const share = (random.between(5, 30) / 100).toFixed(2)
        const match = ['-m', 'statistic', '--mode', 'random', '--probability', share]
        addRule(rules, name, [...match, '-j', 'DROP'])
      }
      await cluster.net().apply(rules)
      await arena.hold(2_000, 6_000)
      await mend(arena)
    },
  },
  {
    name: 'reset',
    summary: 'connections to a node are refused and reset',
    needs: NEEDS,
    round: async arena => {
      const { name } = await arena.leader()
      const tcp = ['-p', 'tcp', '-j', 'REJECT', '--reject-with', 'tcp-reset']
      await arena.cluster.net().apply(new Map([[name, [tcp]]]))
      await arena.hold(1_000, 5_000)
      await mend(arena)
    },
  },
  {
    name: 'delay',
    summary: 'bytes to some nodes and back take up to 200 ms longer',
    needs: [],
    layout: { doors: true },
    round: async arena => {
      const { random } = arena
      for (const door of arena.cluster.doors.values()) {
        const maxMs = random.chance(0.5) ? random.between(5, 200) : 0
        door.delay = () => (maxMs === 0 ? 0 : (maxMs * (3 + Math.random())) / 4)
      }
      const restore = arena.later(() => {
        for (const door of arena.cluster.doors.values()) door.delay = () => 0
      })
      await arena.hold(2_000, 6_000)
      await restore()
      await arena.hold(500, 2_000)
    },
  },
]

/** First nothing at all, so that open connections end; then one direction only. */
async function oneWay(arena: Arena): Promise<void> {
  const { cluster, random } = arena
  const victim = await arena.leader()
  const others = without(arena, [victim.name])
  const rules = new Map<string, Rule[]>()
  const isDeaf = random.chance(0.3)
  for (const name of others) {
    const syn = isDeaf ? [] : ['-p', 'tcp', '--syn']
    addRule(rules, victim.name, ['-s', cluster.net().address(name), ...syn, '-j', 'DROP'])
  }
  if (!isDeaf) {
    await cluster.net().cut(pairs([victim.name], others))
    await arena.hold(1_500, 2_500)
    await cluster.net().heal()
  }
  await cluster.net().apply(rules)
  await arena.hold(2_000, 6_000)
  await mend(arena)
}

async function cut(arena: Arena, links: readonly (readonly [string, string])[]): Promise<void> {
  await arena.cluster.net().cut(links)
  await arena.hold(1_000, 5_000)
  await mend(arena)
}

async function mend(arena: Arena): Promise<void> {
  await arena.cluster.net().heal()
  await arena.hold(500, 2_500)
}

function pairs(left: readonly string[], right: readonly string[]): (readonly [string, string])[] {
  return left.flatMap(a => right.map(b => [a, b] as const))
}

function without(arena: Arena, names: readonly string[]): readonly string[] {
  return arena.cluster.members.map(({ name }) => name).filter(name => !names.includes(name))
}

function gids(arena: Arena): readonly number[] {
  return [...new Set(arena.cluster.members.map(({ gid }) => gid))]
}
