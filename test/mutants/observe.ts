// Planted bugs of what watches a cluster: alerts that would stay silent, or cry for nothing.

import type { Mutant } from './mutant.ts'

const CASES = { file: 'test/ops/observe/alert-cases.test.ts', test: 'fires in its case' }
const SCRAPED = 'test/ops/observe/local-prometheus.test.ts'

export const OBSERVE_MUTANTS: readonly Mutant[] = [
  {
    name: 'lost-quorum-not-told',
    row: 'observe',
    file: 'ops/observe/alerts-groups.ts',
    find: "expr: 'group:shardglass_failures_survived:min < 0',",
    replace: "expr: 'group:shardglass_failures_survived:min < -1',",
    by: CASES,
  },
  {
    name: 'replica-without-a-vote-counted',
    row: 'observe',
    file: 'ops/observe/recording-rules.ts',
    find: '(shardglass_paxos_is_voter or 0 * ',
    replace: '(',
    by: CASES,
  },
  {
    name: 'lagging-follower-called-an-owner',
    row: 'observe',
    file: 'ops/observe/alerts-shards.ts',
    find: ' and on (cluster, role, group, replica) shardglass_paxos_is_leader == 1) > 1',
    replace: ') > 1',
    by: CASES,
  },
  {
    name: 'timeouts-no-errors',
    row: 'observe',
    file: 'ops/observe/recording-rules.ts',
    find: "...['timeout', 'disk-full'],",
    replace: "...['disk-full'],",
    by: CASES,
  },
  {
    name: 'spare-group-not-scraped',
    row: 'observe',
    file: 'ops/observe/local-prometheus.ts',
    find: 'const JOINING = new Set([0, 1, 2])',
    replace: 'const JOINING = new Set([0, 1, 2, 3])',
    by: { file: SCRAPED, test: 'names every node once' },
  },
]
