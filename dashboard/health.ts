// How the cluster stands, in sentences that say what to do.

import type { ConfigView } from '../server/client/clerk.ts'
import type { ClusterView } from './cluster-reader.ts'
import { plural, ranges, whole } from './format.ts'
import { appliedOf, type GroupView } from './groups.ts'
import { answers, type NodeView } from './node-status.ts'

export type Level = 'ok' | 'note' | 'warn' | 'bad'

/** One sentence on how something stands; the link tells more. */
export type Finding = { readonly level: Level; readonly text: string; readonly href: string | null }

/** The whole cluster in sentences, the worst first; one good sentence when there is nothing. */
export function healthOf(view: ClusterView, groups: readonly GroupView[]): readonly Finding[] {
  const found: Finding[] = []
  if (view.configError !== null) {
    const known =
      view.config === null ? '' : `; configuration ${view.config.num} is shown, the last one seen`
    found.push({
      level: 'bad',
      text: `No shardmaster tells the configuration (${view.configError})${known}.`,
      href: '/groups/0',
    })
  }
  for (const group of groups) found.push(...findingsOf(group))
  if (view.config !== null) found.push(...shardFindings(view.config))
  const order: readonly Level[] = ['bad', 'warn', 'note', 'ok']
  found.sort((one, other) => order.indexOf(one.level) - order.indexOf(other.level))
  if (found.some(({ level }) => level === 'bad' || level === 'warn')) return found
  return [{ level: 'ok', text: allWell(groups), href: null }, ...found]
}

function allWell(groups: readonly GroupView[]): string {
  const members = groups.filter(({ isMember }) => isMember)
  const spared = Math.min(...members.map(({ answering, majority }) => answering - majority))
  const margin = spared === 1 ? 'any one replica' : `any ${spared} replicas`
  const served = plural(members.length - 1, 'group')
  const well = `The shardmasters and ${served} serve, and every replica answers.`
  return spared > 0 ? `${well} Each of them can lose ${margin}.` : well
}

/** What there is to say about one group; nothing when all is well. */
export function findingsOf(group: GroupView): readonly Finding[] {
  if (!group.isMember) return spareFindings(group)
  if (group.replicas.length === 0) return []
  if (group.answering < group.majority) return [lostMajority(group)]
  const found = [...silentFindings(group), ...laggingFindings(group)]
  if (group.leader !== null) return found
  const text = `${titleOf(group)} ${hasOf(group)} no leader at the moment; an election takes about a second.`
  return [{ level: 'bad', text, href: hrefOf(group) }, ...found]
}

function lostMajority(group: GroupView): Finding {
  const { gid, replicas, answering, assigned } = group
  const shards = plural(assigned.length, 'shard')
  const loss = gid === 0 ? 'no change can be made' : `its ${shards} cannot be used`
  const count = `${answering} of ${replicas.length} answer`
  const advice = `Start ${silentOf(group).join(', ')} again.`
  const text = `${titleOf(group)} ${hasOf(group)} lost the majority: ${count}, and ${loss}. ${advice}`
  return { level: 'bad', text, href: hrefOf(group) }
}

function silentFindings(group: GroupView): readonly Finding[] {
  const { gid, answering, majority } = group
  const silent = silentOf(group)
  if (silent.length === 0) return []
  const who = gid === 0 ? 'them' : 'it'
  const margin =
    answering === majority ? `, and ${hasOf(group)} no margin: one more failure stops ${who}` : ''
  const verb = silent.length === 1 ? 'does' : 'do'
  const text = `${titleOf(group)}: ${silent.join(', ')} ${verb} not answer${margin}.`
  return [{ level: 'warn', text, href: hrefOf(group) }]
}

/** Slots behind the leader from which a replica is more of a weight than a help. */
const LAG_SLOTS = 1_000

function laggingFindings(group: GroupView): readonly Finding[] {
  const found: Finding[] = []
  const warn = (nodes: readonly NodeView[], what: string): void => {
    if (nodes.length === 0) return
    const names = nodes.map(({ name }) => name).join(', ')
    found.push({ level: 'warn', text: `${titleOf(group)}: ${names} ${what}`, href: hrefOf(group) })
  }
  const live = group.replicas.filter(answers)
  const strangers = live.filter(({ status }) => status?.role === 'stranger')
  warn(strangers, 'lost its disk; it learns from the others and has no vote.')
  const decided = group.decided ?? 0
  const behind = live.filter(node => decided - appliedOf(node) > LAG_SLOTS)
  warn(behind, `is more than ${whole(LAG_SLOTS)} slots behind.`)
  return found
}

function silentOf({ replicas }: GroupView): readonly string[] {
  return replicas.filter(node => !answers(node)).map(node => node.name)
}

function titleOf({ name }: GroupView): string {
  return name === 'shardmasters' ? 'The shardmasters' : name.charAt(0).toUpperCase() + name.slice(1)
}

function hasOf({ gid }: GroupView): string {
  return gid === 0 ? 'have' : 'has'
}

function hrefOf({ gid }: GroupView): string {
  return `/groups/${gid}`
}

function spareFindings(group: GroupView): readonly Finding[] {
  const { held, answering, replicas, isSafeToStop, hasLeft } = group
  const note = (text: string, href: string): readonly Finding[] => [{ level: 'note', text, href }]
  if (answering === 0) return []
  const title = titleOf(group)
  if (isSafeToStop && hasLeft) {
    const names = replicas.map(({ name }) => name).join(', ')
    const text = `${title} has left and holds nothing any more: it is safe to stop ${names}.`
    return note(text, hrefOf(group))
  }
  if (held.length > 0) {
    const shards = plural(held.length, 'shard')
    return note(`${title} has left and still holds ${shards}: do not stop it yet.`, hrefOf(group))
  }
  return note(`${title} runs as a spare: it can join.`, '/reconfigure')
}

function shardFindings(config: ConfigView): readonly Finding[] {
  const lost = config.shards.flatMap((gid, shard) => (gid === 0 ? [shard] : []))
  if (lost.length === 0) return []
  const which = lost.length > 20 ? plural(lost.length, 'shard') : `shards ${ranges(lost)}`
  return [{ level: 'bad', text: `No group owns ${which}: let a group join.`, href: '/reconfigure' }]
}
