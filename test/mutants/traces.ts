// Bugs that would make the traces lie by leaving something out.

import type { Mutant } from './mutant.ts'

const TOLD = 'test/paxos/told.test.ts'
const EXPORT = 'test/telemetry/export.test.ts'
const INSTANCES = 'test/telemetry/instances.test.ts'
const HANDOFFS = 'test/telemetry/handoffs.test.ts'

export const TRACE_MUTANTS: readonly Mutant[] = [
  {
    name: 'newest-held-span-dropped',
    row: 'G10',
    file: 'ops/telemetry/held-spans.ts',
    find: '    if (this.held.length >= HELD_MAX) this.held.shift()',
    replace: '    if (this.held.length >= HELD_MAX) return',
    by: { file: 'test/telemetry/held-spans.test.ts', test: 'the newest are kept' },
  },
  {
    name: 'late-answer-untold',
    row: 'G10',
    file: 'server/paxos/proposer.ts',
    find: "    return state.effects.event({ type: 'acceptedLate', slot, ballot, timing })",
    replace: '    return void ballot',
    by: { file: TOLD, test: 'who answers later' },
  },
  {
    name: 'learned-slot-untold',
    row: 'G10',
    file: 'server/paxos/proposer.ts',
    find: '  tellDecided(state, leadership.ballot, slot, inFlight)\n  decideInOrder',
    replace: '  decideInOrder',
    by: { file: TOLD, test: 'learns from another replica' },
  },
  {
    name: 'abandoned-slot-untold',
    row: 'G10',
    file: 'server/paxos/proposer.ts',
    find: '    tellLeft(state, leadership.ballot, slot, inFlight, reason)',
    replace: '    void slot',
    by: { file: TOLD, test: 'a deposed leader' },
  },
  {
    name: 'dropped-span-uncounted',
    row: 'G10',
    file: 'ops/telemetry/span-queue.ts',
    find: '      this.counters[source.name].dropped += 1\n',
    replace: '',
    by: { file: EXPORT, test: 'a full queue' },
  },
  {
    name: 'batch-under-way-lost-at-the-stop',
    row: 'G10',
    file: 'ops/telemetry/span-export.ts',
    find: "      if (sent === 'hurry') continue",
    replace: "      if (sent === 'hurry') return",
    by: { file: EXPORT, test: 'an attempt that hangs' },
  },
  {
    name: 'repeated-answer-counted-for-another',
    row: 'P6',
    file: 'ops/telemetry/instance-record.ts',
    find: '    if (this.late?.some(({ replica }) => replica === timing.replica)) return false\n',
    replace: '',
    by: { file: INSTANCES, test: 'an acceptor that was away' },
  },
  {
    name: 'span-of-a-dead-leader-lost',
    row: 'G10',
    file: 'ops/telemetry/event-spans.ts',
    find: '        if (this.context.leading !== null) this.held.release()',
    replace: '',
    by: { file: HANDOFFS, test: 'a follower keeps silent' },
  },
  {
    name: 'old-news-told-as-new',
    row: 'G10',
    file: 'ops/telemetry/span-context.ts',
    find: '    return this.isReplay || Math.abs(this.wallMs - loggedMs) > OLD_MS',
    replace: '    return Math.abs(this.wallMs - loggedMs) > OLD_MS',
    by: { file: HANDOFFS, test: 'old news' },
  },
]
