// The map of shards: a cell each, coloured by its group and marked with its number. Where there are
// more than a screen can name, one picture in which each is a small square.

import { bytes, plural, whole } from './format.ts'
import type { GroupView } from './groups.ts'
import { escapeText, type Html, markup } from './html.ts'
import { colourOf } from './layout.tsx'

export type Cell = {
  readonly shard: number
  /** As the configuration says; 0: none. */
  readonly gid: number
  /** steady, or on its way from another group. */
  readonly phase: 'steady' | 'waiting' | 'moving'
  /** Where the data still is. */
  readonly from: number | null
  readonly keys: number | null
  readonly bytes: number | null
}

const NAMED_MAX = 1_024
const COLUMNS = 125

/** Assigned by the configuration; where it really is, by what the groups hold. */
export function cellsOf(shards: readonly number[], groups: readonly GroupView[]): readonly Cell[] {
  const serving = new Map<number, { gid: number; keys: number; bytes: number }>()
  const awaited = new Map<number, { from: number; keys: number }>()
  for (const group of groups) {
    for (const { shard, phase, peer, keys, bytes: size } of group.held) {
      if (phase === 'serving') serving.set(shard, { gid: group.gid, keys, bytes: size })
      if (phase === 'awaited') awaited.set(shard, { from: peer, keys })
      if (phase === 'leaving' && !serving.has(shard))
        serving.set(shard, { gid: group.gid, keys, bytes: size })
    }
  }
  return shards.map((gid, shard) => {
    const place = serving.get(shard)
    const isHere = place === undefined || place.gid === gid
    const waits = awaited.get(shard)
    const isMoving = waits !== undefined && waits.keys > 0
    return {
      shard,
      gid,
      phase: isHere && waits === undefined ? 'steady' : isMoving ? 'moving' : 'waiting',
      from: waits?.from ?? (isHere ? null : (place?.gid ?? null)),
      keys: place?.keys ?? null,
      bytes: place?.bytes ?? null,
    }
  })
}

export type MapOptions = {
  readonly cells: readonly Cell[]
  /** Where a cell leads; null: nowhere. */
  readonly href: ((shard: number) => string) | null
  /** Cells to set off: those that differ between two configurations. */
  readonly marked?: ReadonlySet<number>
}

export function shardMap({ cells, href, marked }: MapOptions): Html {
  if (cells.length > NAMED_MAX) return markup(picture(cells))
  const items = cells.map(cell => {
    const { shard, gid, phase, from } = cell
    const mark = marked?.has(shard) === true ? ' marked' : ''
    const where = from === null || from === gid ? `g${gid}` : `g${from}→g${gid}`
    const inner = `<b>${shard}</b><i>${gid === 0 ? 'none' : where}</i>`
    const title = escapeText(titleOf(cell))
    const link = href === null ? inner : `<a href="${escapeText(href(shard))}">${inner}</a>`
    return `<li class="cell g${colourOf(gid)} ${phase}${mark}" title="${title}">${link}</li>`
  })
  return markup(`<ol class="map" aria-label="Shards">${items.join('')}</ol>`)
}

function titleOf({ shard, gid, phase, from, keys, bytes: size }: Cell): string {
  const owner = gid === 0 ? 'no group' : `group ${gid}`
  const way =
    phase === 'steady'
      ? ''
      : `, ${phase === 'moving' ? 'on its way' : 'waiting'} from group ${from ?? '?'}`
  const amount = keys === null ? '' : `, ${plural(keys, 'key')}, ${bytes(size)}`
  return `shard ${shard}: ${owner}${way}${amount}`
}

/** One path per colour: ten thousand elements would be a megabyte, and slow. */
function picture(cells: readonly Cell[]): string {
  const columns = Math.min(COLUMNS, Math.ceil(Math.sqrt(cells.length * 2)))
  const rows = Math.ceil(cells.length / columns)
  const paths = new Map<string, string>()
  for (let at = 0; at < cells.length; ) {
    const first = cells[at]
    if (first === undefined) break
    const tone = toneOf(first)
    const row = Math.floor(at / columns)
    let end = at + 1
    while (end < cells.length && Math.floor(end / columns) === row && toneOf(cells[end]) === tone)
      end += 1
    const run = `M${at % columns} ${row}h${end - at}v.9h-${end - at}z`
    paths.set(tone, (paths.get(tone) ?? '') + run)
    at = end
  }
  const drawn = [...paths].map(([tone, path]) => `<path class="${tone}" d="${path}"/>`)
  const moving = cells.filter(({ phase }) => phase !== 'steady').length
  const label = `${whole(cells.length)} shards by group, ${whole(moving)} on their way`
  return `<svg class="bigmap" viewBox="0 0 ${columns} ${rows}" role="img" aria-label="${label}">${drawn.join('')}</svg>`
}

function toneOf(cell: Cell | undefined): string {
  return cell === undefined
    ? ''
    : `g${colourOf(cell.gid)}${cell.phase === 'steady' ? '' : ' moving'}`
}
