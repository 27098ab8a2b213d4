// Says that a data directory is used by two processes: whoever copied it must hear of it, but not ten
// times a second.

import type { Sender } from '../server/contract.ts'
import type { Log } from './log.ts'

const EVERY_MS = 60_000

/** For `onTwin` of the transport. */
export function twinWarning(log: Log, nowMs = () => performance.now()) {
  let saidAt = Number.NEGATIVE_INFINITY
  return (peer: Sender | null): void => {
    if (nowMs() - saidAt < EVERY_MS) return
    saidAt = nowMs()
    const who = peer === null ? 'this replica' : `replica ${peer.gid}/${peer.replica}`
    const text = `${who} runs twice: its data directory was copied and started, stop one of the two`
    log('error', text, peer === null ? {} : { incarnation: peer.incarnation })
  }
}
