// Planted bugs in how a connection is doubted, replaced and dialled.

import type { Mutant } from './mutant.ts'

const CUTS = 'test/host/transport-cuts.test.ts'

export const CUT_MUTANTS: readonly Mutant[] = [
  {
    name: 'cut-connection-kept',
    row: 'G4',
    file: 'server/host/peer-channel.ts',
    find: '    this.askedAt ??= now\n    if (now - this.askedAt >= PEER_SILENT_MS) this.beginDoubt(now)',
    replace: '    this.askedAt ??= now',
    by: { file: CUTS, test: 'carries nothing any more' },
  },
  {
    name: 'cut-connection-not-noticed-when-heard',
    row: 'G4',
    file: 'server/host/peer-channel.ts',
    find: '    if (now - this.askedAt >= PEER_SILENT_MS) this.beginDoubt(now)\n    this.askedAt = null',
    replace: '    this.askedAt = null',
    by: { file: CUTS, test: 'looks after its own' },
  },
  {
    name: 'doubted-connection-written-to',
    row: 'G4',
    file: 'server/host/peer-channel.ts',
    find: ' || this.queue.length === 0 || this.isDoubted) return',
    replace: ' || this.queue.length === 0) return',
    by: { file: CUTS, test: 'sent while it is doubted' },
  },
  {
    name: 'patient-after-a-cut',
    row: 'G4',
    file: 'server/host/peer-channel.ts',
    find: 'const { leastRoundTripMicros: least } = this.current',
    replace: 'const least = this.current.roundTripMicros ?? 0',
    by: { file: CUTS, test: 'a round trip that lay in a cut' },
  },
  {
    name: 'doubted-way-only',
    row: 'G4',
    file: 'server/host/peer-channels.ts',
    find: 'if (own === undefined || own.heardAt < doubtedAt) return channel',
    replace: 'if (own === undefined || doubtedAt > 0) return channel',
    by: { file: CUTS, test: 'the connection on which the other is heard' },
  },
  {
    name: 'unheard-way-used',
    row: 'G4',
    file: 'server/host/peer-channels.ts',
    find: 'if (own === undefined || own.heardAt < doubtedAt) return channel',
    replace: 'if (own === undefined) return channel',
    by: { file: CUTS, test: 'one on which nothing is heard either' },
  },
  {
    name: 'slow-way-dialled-anew',
    row: 'G4',
    file: 'server/host/peer-channel.ts',
    find: 'Math.max(PEER_DOUBT_MS, (2 * (least ?? 0)) / 1_000)',
    replace: 'PEER_DOUBT_MS + 0 * (least ?? 0)',
    by: { file: CUTS, test: 'a way on which all takes long' },
  },
  {
    name: 'connected-dial-waited-for',
    row: 'G4',
    file: 'server/host/peer-dial.ts',
    find: '    attempts.add(request)\n',
    replace:
      "    attempts.add(request)\n    request.on('socket', s => s.once('connect', () => clearInterval(this.again)))\n",
    by: { file: CUTS, test: 'a dial that was connected' },
  },
  {
    name: 'dial-waits-for-tcp',
    row: 'G4',
    file: 'server/host/peer-dial.ts',
    find: 'setInterval(() => this.attempt(), PEER_CONNECT_AGAIN_MS)',
    replace: 'setInterval(() => {}, PEER_CONNECT_AGAIN_MS)',
    by: { file: CUTS, test: 'first packet was lost' },
  },
]
