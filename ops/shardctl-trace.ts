// shardctl trace: what happened in a slot, in a move of a shard, to a request; what was slow; the
// cluster's history. All of it from the archive, which is asked and never written.

import type { HandoffLine, InstanceLine } from './archive/answers.ts'
import { ArchiveClient, type Found } from './archive/client.ts'
import { columns, nodeViews } from './cluster-view.ts'
import { escaped } from './log.ts'
import { CODE, type Session, say, show, UsageError, wholeNumber } from './shardctl-session.ts'
import { absentInstance } from './trace/absence.ts'
import { bytesText, durationText, timeText } from './trace/figures.ts'
import { handoffText, instanceText, requestText, slowestPart } from './trace/trace-text.ts'
import { movesUnderWay, type UnderWay, underWayText } from './trace/under-way.ts'

/** For the shardmasters: what is on its way is said beside what the archive has. */
const ASK_MS = 1_000

export type SinceFlags = {
  readonly since: string
  readonly until?: string
  readonly group?: string
  readonly limit: string
}

export async function instance(session: Session, place: string): Promise<number> {
  const match = /^(\d{1,10})\/(\d{1,16})$/.exec(place)
  if (match === null)
    throw new UsageError(`an instance is GROUP/SLOT, such as 1/4711, not "${place}"`)
  const [gid, slot] = [wholeNumber(match[1] ?? '', 'GROUP'), wholeNumber(match[2] ?? '', 'SLOT')]
  return asked(session, async archive => {
    const found = await archive.instance(gid, slot)
    if (found.type === 'absent') {
      return absent(session, await absentInstance(archive, gid, slot))
    }
    return shown(session, found, ({ spans }) => instanceText(gid, slot, spans, width()))
  })
}

export async function handoff(
  session: Session,
  shardText: string | undefined,
  flags: { readonly config?: string; readonly limit: string },
): Promise<number> {
  const shard = shardText === undefined ? undefined : wholeNumber(shardText, 'SHARD')
  const config = flags.config === undefined ? undefined : wholeNumber(flags.config, '--config')
  const limit = wholeNumber(flags.limit, '--limit', 1)
  const now = (await movesNow(session)).filter(move => shard === undefined || move.shard === shard)
  if (!session.isJson && now.length > 0) process.stdout.write(`${underWayText(now)}\n`)
  return asked(session, async archive => {
    const query = {
      ...(shard === undefined ? {} : { shard }),
      ...(config === undefined ? {} : { config }),
    }
    const list = await archive.handoffs({ ...query, limit: shard === undefined ? limit : 1 })
    if (list.type !== 'found') return failed(session, list)
    const isUnderWay = now.some(move => config === undefined || move.config === config)
    const [newest] = list.value.handoffs
    if (newest === undefined) {
      const which = shard === undefined ? 'no handoff' : `no handoff of shard ${shard}`
      const at = config === undefined ? '' : ` at configuration ${config}`
      const code = absent(session, `the archive has ${which}${at}`)
      return isUnderWay ? CODE.ok : code
    }
    if (shard === undefined) return shown(session, list, value => handoffTable(value.handoffs))
    const whole = await archive.handoff(newest.config, shard)
    return shown(session, whole, ({ spans }) => handoffText(newest, spans, width()))
  })
}

export async function slow(
  session: Session,
  flags: SinceFlags & { readonly minMs?: string },
): Promise<number> {
  const minMs = flags.minMs === undefined ? 0 : Number(flags.minMs)
  if (!(minMs >= 0)) throw new UsageError(`--min-ms is to be a number, not "${flags.minMs}"`)
  return asked(session, async archive => {
    const query = {
      ...intervalOf(flags),
      order: 'slowest',
      minMicros: Math.round(minMs * 1000),
    } as const
    const found = await archive.instances(query)
    return shown(session, found, ({ instances }) =>
      instances.length === 0 ? 'no instance in that time' : slowTable(instances),
    )
  })
}

export async function request(session: Session, id: string): Promise<number> {
  // A traceparent, as answers carry it, has the id inside.
  const traceId = /^[0-9a-f]{2}-([0-9a-f]{32})-/.exec(id)?.[1] ?? id.toLowerCase()
  if (!/^[0-9a-f]{32}$/.test(traceId)) {
    throw new UsageError('a request is named by its trace id (32 hex digits) or its traceparent')
  }
  return asked(session, async archive => {
    const found = await archive.request(traceId)
    if (found.type === 'absent') {
      const text = `the archive has no trace ${traceId}
Requests leave a trace when they were slow or failed, when their caller's traceparent says so (flag
01), and otherwise one in so many by draw. Exporters write every second or so: it may be on its way.`
      return absent(session, text)
    }
    return shown(session, found, value => requestText(value, width()))
  })
}

export async function timeline(session: Session, flags: SinceFlags): Promise<number> {
  return asked(session, async archive => {
    const found = await archive.timeline(intervalOf(flags))
    return shown(session, found, ({ entries }) => {
      if (entries.length === 0) return 'nothing in that time'
      const rows = entries.map(entry => [
        timeText(entry.startMicros),
        groupText(entry.gid),
        escaped(entry.node),
        durationText(entry.durationMicros),
        escaped(entry.text),
      ])
      return columns([['WHEN', 'GROUP', 'NODE', 'TOOK', 'WHAT'], ...rows])
    })
  })
}

/** What the cluster itself says; nothing where it does not answer. */
async function movesNow(session: Session): Promise<readonly UnderWay[]> {
  const latest = await session.shardmasters.query(-1, { timeoutMs: ASK_MS }).catch(() => null)
  const members = latest === null ? [] : Object.values(latest.groups).flat()
  const urls = [...new Set([...session.knownNodes, ...members])]
  return movesUnderWay(await nodeViews(urls, session.token))
}

function intervalOf(flags: SinceFlags) {
  const { since, until, group, limit } = flags
  return {
    from: since,
    ...(until === undefined ? {} : { to: until }),
    ...(group === undefined ? {} : { gid: wholeNumber(group, '--group') }),
    limit: wholeNumber(limit, '--limit', 1),
  }
}

function handoffTable(handoffs: readonly HandoffLine[]): string {
  const rows = handoffs.map(line => [
    String(line.shard),
    String(line.config),
    `${groupText(line.from)} → ${groupText(line.to)}`,
    timeText(line.startMicros),
    durationText(line.durationMicros),
    line.pauseMicros === null ? '-' : durationText(line.pauseMicros),
    String(line.keys ?? '-'),
    line.bytes === null ? '-' : bytesText(line.bytes),
    escaped(line.outcome ?? '-'),
  ])
  const head = ['SHARD', 'CONFIG', 'GROUPS', 'STARTED', 'TOOK', 'PAUSE', 'KEYS', 'SIZE', 'OUTCOME']
  return columns([head, ...rows])
}

function slowTable(instances: readonly InstanceLine[]): string {
  const rows = instances.map(line => [
    durationText(line.durationMicros),
    `${line.gid}/${line.slot}`,
    timeText(line.startMicros),
    escaped(line.node),
    String(line.commands ?? '-'),
    escaped(line.origin ?? '-'),
    slowestPart(line),
  ])
  const head = ['TOOK', 'INSTANCE', 'STARTED', 'LEADER', 'COMMANDS', 'ORIGIN', 'MOST OF IT']
  return columns([head, ...rows])
}

function groupText(gid: number | null): string {
  if (gid === null) return '-'
  return gid === 0 ? 'masters' : String(gid)
}

/** Runs a question against the archive of this session, and closes the connection to it. */
async function asked(
  session: Session,
  work: (archive: ArchiveClient) => Promise<number>,
): Promise<number> {
  const { archiveUrl, token, timeoutMs } = session
  const archive = new ArchiveClient({ url: archiveUrl, token, timeoutMs })
  try {
    return await work(archive)
  } finally {
    await archive.close()
  }
}

function shown<T extends object>(
  session: Session,
  found: Found<T>,
  text: (value: T) => string,
): number {
  if (found.type !== 'found') return failed(session, found)
  show(session, found.value, session.isJson ? '' : text(found.value))
  return CODE.ok
}

function failed(session: Session, found: Exclude<Found<unknown>, { type: 'found' }>): number {
  const { reason } = found
  if (session.isJson)
    say(JSON.stringify({ code: found.type === 'failed' ? found.code : 'absent', detail: reason }))
  else say(`shardctl: ${reason} (${session.archiveUrl}; --archive names another)`)
  if (found.type === 'absent') return CODE.notMet
  return found.code === 'refused' ? CODE.refused : CODE.unavailable
}

/** With the reasons that there may be, for a program in the shape that failures have. */
function absent(session: Session, detail: string): number {
  say(session.isJson ? JSON.stringify({ code: 'absent', detail }) : detail)
  return CODE.notMet
}

/** Undefined where nobody looks at a terminal. */
function width(): number | undefined {
  return process.stdout.isTTY ? process.stdout.columns : undefined
}
