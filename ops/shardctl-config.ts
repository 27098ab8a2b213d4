// shardctl's commands on configurations: changes and their plans, and waiting until the shards have
// arrived where a configuration puts them.

import { setTimeout as sleep } from 'node:timers/promises'
import type { ConfigView, PlanView } from '../server/client/clerk.ts'
import { isRecord } from '../server/client/problem.ts'
import type { Change } from '../server/shardmaster/operation.ts'
import { columns, nodeViews, progressOf, statusTable } from './cluster-view.ts'
import { CODE, type Session, say, show, wholeNumber } from './shardctl-session.ts'

export type ChangeFlags = {
  readonly reason?: string
  readonly ifConfig?: string
  readonly wait?: boolean
  readonly waitSeconds?: string
}

const WAIT_POLL_MS = 250

export async function change(
  session: Session,
  wanted: Change,
  flags: ChangeFlags,
): Promise<number> {
  const { reason, ifConfig } = flags
  const before = await session.shardmasters.query()
  const config = await session.shardmasters.change(wanted, {
    ...(reason === undefined ? {} : { reason }),
    ...(ifConfig === undefined ? {} : { ifConfig: wholeNumber(ifConfig, '--if-config') }),
  })
  const isSettled =
    flags.wait !== true || (await settled(session, { before, config, seconds: flags.waitSeconds }))
  show(session, config, configText(config))
  return isSettled ? CODE.ok : CODE.unavailable
}

export async function plan(session: Session, wanted: Change): Promise<number> {
  const found = await session.shardmasters.plan(wanted)
  show(session, found, planText(found))
  return CODE.ok
}

export async function config(session: Session, num: string | undefined): Promise<number> {
  const number = num === undefined ? -1 : wholeNumber(num, 'NUM', -1)
  const found = await session.shardmasters.query(number)
  show(session, found, configText(found))
  return CODE.ok
}

export async function history(session: Session, flags: { limit: string }): Promise<number> {
  const found = await session.shardmasters.history(wholeNumber(flags.limit, '--limit', 1))
  const rows = found.map(item => [String(item.num), timeOf(item), causeText(item)])
  show(session, found, columns([['CONFIG', 'DECIDED', 'CAUSE'], ...rows]))
  return CODE.ok
}

/** All nodes that are known: given ones, the local cluster's, and those of the configuration. */
export async function status(session: Session): Promise<number> {
  const latest = await session.shardmasters.query().catch(() => null)
  const members = latest === null ? [] : Object.values(latest.groups).flat()
  const urls = [...new Set([...session.knownNodes, ...members])]
  const views = await nodeViews(urls, session.token)
  const head = latest === null ? 'no shardmaster answers\n' : `${configText(latest)}\n\n`
  show(session, { config: latest, nodes: views }, head + statusTable(views))
  return latest === null ? CODE.unavailable : CODE.ok
}

/** True when all groups have adopted the configuration and no shard is on its way. */
async function settled(
  session: Session,
  wait: { before: ConfigView; config: ConfigView; seconds: string | undefined },
): Promise<boolean> {
  const { before, config: target } = wait
  const groups = { ...before.groups, ...target.groups } // one that left still gives shards away
  const gids = Object.keys(groups).map(Number)
  const urls = Object.values(groups).flat()
  const deadline =
    performance.now() + wholeNumber(wait.seconds ?? '300', '--wait-seconds', 1) * 1000
  let said = ''
  while (performance.now() < deadline) {
    const progress = progressOf(await nodeViews(urls, session.token), gids)
    if (progress !== null && progress.config >= target.num && progress.moving === 0) return true
    const text = progress === null ? 'waiting for the leaders' : progressText(progress, target)
    if (text !== said) say(text)
    said = text
    await sleep(WAIT_POLL_MS)
  }
  say('shardctl: the change is made, but its shards have not all arrived in time')
  return false
}

function progressText(progress: { config: number; moving: number }, target: ConfigView): string {
  const { config: adopted, moving } = progress
  if (adopted < target.num) return `groups are at configuration ${adopted} of ${target.num}`
  return `${moving} shard${moving === 1 ? ' is' : 's are'} still moving`
}

/** Number, cause, and per group how many shards it has and where it lives. */
export function configText(found: ConfigView): string {
  const rows = Object.entries(found.groups).map(([gid, servers]) => {
    const count = found.shards.filter(owner => owner === Number(gid)).length
    return [gid, String(count), servers.join(' ')]
  })
  const unowned = found.shards.filter(owner => owner === 0).length
  const lost = unowned === 0 ? '' : `\n${unowned} shards have no group`
  const head = `configuration ${found.num}: ${causeText(found)}`
  return `${head}\n${columns([['GROUP', 'SHARDS', 'SERVERS'], ...rows])}${lost}`
}

function causeText(found: ConfigView): string {
  const { op, actor, reason, gid, shard } = found.cause
  const who = typeof actor === 'string' && actor !== '' ? ` by ${actor}` : ''
  const why = typeof reason === 'string' && reason !== '' ? ` (${reason})` : ''
  const what = op === 'move' ? ` of shard ${shard} to group ${gid}` : ''
  return `${String(op)}${what || (gid === undefined ? '' : ` of group ${gid}`)}${who}${why}`
}

function timeOf(found: ConfigView): string {
  return found.at === 0 ? '-' : new Date(found.at).toISOString()
}

function planText(found: PlanView): string {
  const moves = Array.isArray(found.moves) ? found.moves.filter(isRecord) : []
  const groups = Array.isArray(found.groups) ? found.groups.filter(isRecord) : []
  const rows = groups.map(({ gid, before, after }) => [gid, before, after].map(String))
  const table = columns([['GROUP', 'BEFORE', 'AFTER'], ...rows])
  const lines = moves.map(({ shard, from, to, keys, bytes }) => {
    const size = keys === null || keys === undefined ? '' : `, ${keys} keys, ${bytes} bytes`
    return `shard ${shard}: ${from} → ${to}${size}`
  })
  const warnings = found.warnings.map(warning => `warning: ${warning}`)
  const head = `plan on configuration ${found.base}: ${moves.length} shards move`
  return [head, table, ...lines, ...warnings].join('\n')
}
