// Planted bugs of metrics: what is counted wrong, twice, or for ever.

import type { Mutant } from './mutant.ts'

const EVENTS = 'test/ops/telemetry/event-metrics.test.ts'
const REGISTRY = 'test/ops/telemetry/metric-registry.test.ts'
const TRAFFIC = 'test/http/traffic.test.ts'
const SESSIONS = 'test/shardkv/session-counts.test.ts'

export const METRIC_MUTANTS: readonly Mutant[] = [
  {
    name: 'request-of-a-lost-client-in-flight-for-ever',
    row: 'metrics',
    file: 'server/http/node-exchange.ts',
    find: 'if (this.passing !== null) this.shared.traffic.leave()',
    replace: '',
    by: { file: TRAFFIC, test: 'until its client goes away' },
  },
  {
    name: 'mark-of-a-foreign-slot',
    row: 'metrics',
    file: 'server/http/traffic.ts',
    find: ' || group !== this.gid',
    replace: '',
    by: { file: TRAFFIC, test: "another group's slot marks nothing" },
  },
  {
    name: 'intervals-that-do-not-add-up',
    row: 'metrics',
    file: 'ops/telemetry/metric-registry.ts',
    find: 'count += counts[place] ?? 0',
    replace: 'count = counts[place] ?? 0',
    by: { file: REGISTRY, test: 'buckets add up' },
  },
  {
    name: 'counter-comes-up-with-its-first-value',
    row: 'metrics',
    file: 'ops/telemetry/metric-registry.ts',
    find: 'combinations.length > ZEROS_MAX',
    replace: 'combinations.length > 0',
    by: { file: REGISTRY, test: 'before they have a value' },
  },
  {
    name: 'finished-handoff-ages-for-ever',
    row: 'metrics',
    file: 'ops/telemetry/shard-metrics.ts',
    find: 'if (!onTheWay.has(shard)) this.moving.delete(shard)',
    replace: 'onTheWay.add(shard)',
    by: { file: EVENTS, test: 'by whatever way it ends' },
  },
  {
    name: 'own-data-back-counts-as-handoff',
    row: 'metrics',
    file: 'ops/telemetry/shard-metrics.ts',
    find: 'if (from === 0 || from === this.gid) return',
    replace: '',
    by: { file: EVENTS, test: 'took nothing over' },
  },
  {
    name: 'late-answer-of-another-slot',
    row: 'metrics',
    file: 'ops/telemetry/paxos-metrics.ts',
    find: '(timing.at - (this.recentProposedAt[place] ?? timing.at))',
    replace: '(timing.at - (this.recentProposedAt[0] ?? timing.at))',
    by: { file: EVENTS, test: 'answers late' },
  },
  {
    name: 'swept-sessions-counted',
    row: 'metrics',
    file: 'server/shardkv/machine.ts',
    find: 'this.state.sessions.add(shard, -sessions)',
    replace: '',
    by: { file: SESSIONS, test: 'gone when it is swept' },
  },
]
