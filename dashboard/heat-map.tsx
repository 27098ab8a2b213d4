// Which shards are asked for, and when: shards downwards, time to the right, darker where it is more.

import { clock, short } from './format.ts'
import { markup } from './html.ts'
import { Empty, Panel } from './layout.tsx'
import type { Heat } from './metrics-reader.ts'

const LEVELS = 5
/** Looks at the right edge. */
const COLUMNS = 120
const HOTTEST = 5

export function HeatMap({
  heat,
  shards,
}: {
  readonly heat: readonly Heat[]
  readonly shards: number
}) {
  const shown = heat.slice(-COLUMNS)
  const max = Math.max(0, ...shown.flatMap(({ rates }) => [...rates.values()]))
  const [first, last] = [shown[0], shown.at(-1)]
  if (first === undefined || last === undefined || max === 0) {
    return (
      <Panel title="Hot shards" note="key operations by shard">
        <Empty>
          No key operation was seen yet, or there are too many shards for nodes to count by shard.
        </Empty>
      </Panel>
    )
  }
  const hottest = [...last.rates].sort((one, other) => other[1] - one[1]).slice(0, HOTTEST)
  return (
    <Panel title="Hot shards" note={`darker is more; at most ${short(max)} operations per second`}>
      {markup(picture(shown, shards, max))}
      <p class="dim">{`${clock(first.at).slice(0, 8)} to ${clock(last.at).slice(0, 8)}, shard 0 at the top.`}</p>
      <p>
        {'Now: '}
        {hottest.length === 0 ? 'none' : null}
        {hottest.map(([shard, rate]) => (
          <>
            <a href={`/reconfigure?shard=${shard}`}>{`shard ${shard}`}</a> {`${short(rate)}/s `}
          </>
        ))}
      </p>
    </Panel>
  )
}

/** One path per level: a square each would be thousands of elements. */
function picture(shown: readonly Heat[], shards: number, max: number): string {
  const offset = COLUMNS - shown.length
  const paths = Array.from({ length: LEVELS }, () => '')
  for (const [column, { rates }] of shown.entries()) {
    for (const [shard, rate] of rates) {
      const level = levelOf(rate, max)
      paths[level] += `M${offset + column} ${shard}h1v1h-1z`
    }
  }
  const drawn = paths.map((path, level) => `<path class="heat${level + 1}" d="${path}"/>`)
  const label = `Operations by shard and time; the hottest shards are listed below`
  return `<svg class="heat" viewBox="0 0 ${COLUMNS} ${Math.max(1, shards)}" preserveAspectRatio="none" role="img" aria-label="${label}">${drawn.join('')}</svg>`
}

/** 0 to 4, by orders of magnitude: a shard that is ten times hotter is not to hide all others. */
export function levelOf(rate: number, max: number): number {
  const share = Math.log1p(rate) / Math.log1p(max)
  return Math.min(LEVELS - 1, Math.max(0, Math.ceil(share * LEVELS) - 1))
}
