// Why the archive may have nothing of an instance: from what it says about itself and its group.

import type { ArchiveClient } from '../archive/client.ts'
import { bytesText, durationText, timeText } from './figures.ts'

export async function absentInstance(
  archive: ArchiveClient,
  gid: number,
  slot: number,
): Promise<string> {
  const [status, newest] = await Promise.all([
    archive.status(),
    archive.instances({ gid, limit: 1 }),
  ])
  const lines = [`the archive has nothing of slot ${slot} of group ${gid}. It may be that`]
  const known = newest.type === 'found' ? newest.value.instances[0] : undefined
  if (newest.type === 'found' && known === undefined) {
    lines.push(
      `  - there is no such group, or none of its nodes sends here: it has no instance at all`,
    )
  } else if (known !== undefined && slot > known.slot) {
    const when = timeText(known.startMicros)
    lines.push(`  - it is not decided yet: the newest here is slot ${known.slot}, of ${when}`)
  } else {
    lines.push('  - it was decided by a leader that died before it had sent its span (200 ms)')
  }
  if (status.type === 'found' && status.value.oldestMicros !== null) {
    const { oldestMicros, bytes, bounds } = status.value
    const age = durationText(bounds.ageMsMax * 1000)
    lines.push(
      `  - it is older than what is kept: since ${timeText(oldestMicros)}, now ${bytesText(bytes)}` +
        ` (at most ${bytesText(bounds.bytesMax)}, ${age})`,
    )
  }
  lines.push(
    '  - its span was dropped while the archive was away: then the node counted it in',
    '    shardglass_trace_spans_total{result="dropped"} or {result="failed"}',
  )
  return lines.join('\n')
}
