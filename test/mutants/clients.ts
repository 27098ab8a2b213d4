// Planted bugs of the gateway, the client library and the HTTP edge.

import type { Mutant } from './mutant.ts'

const GATEWAY = 'test/http/gateway.test.ts'
const AUTH = 'test/http/auth.test.ts'
const DECODE = 'test/http/decode.test.ts'
const TARGET = 'test/http/target.test.ts'
const CLERK = 'test/client/clerk.test.ts'

export const CLIENT_MUTANTS: readonly Mutant[] = [
  {
    name: 'lost-call-called-definite',
    row: 'R8',
    file: 'server/http/gateway.ts',
    find: 'if (!reply.isDefinite && context.rules.mayChange(this.request)) this.mayHaveRun = true',
    replace: '',
    by: { file: GATEWAY, test: 'may have arrived' },
  },
  {
    name: 'unknown-forgotten-by-the-gateway',
    row: 'R8',
    file: 'server/http/gateway.ts',
    find: "if (judgement.type === 'again' && !judgement.isDefinite) this.mayHaveRun = true",
    replace: '',
    by: { file: GATEWAY, test: 'after one lost attempt' },
  },
  {
    name: 'silence-called-definite',
    row: 'R8',
    file: 'server/http/gateway.ts',
    find: 'if (this.isTrying && this.context.rules.mayChange(this.request)) this.mayHaveRun = true',
    replace: '',
    by: { file: GATEWAY, test: 'silence until the deadline' },
  },
  {
    name: 'leader-hint-ignored',
    row: 'H16',
    file: 'server/http/gateway.ts',
    find: 'if (leader < visit.servers.length) moveFirst(visit.left, leader)',
    replace: '',
    by: { file: GATEWAY, test: 'asked by URL' },
  },
  {
    name: 'numbers-under-way-called-over',
    row: 'R4',
    file: 'server/http/lanes.ts',
    find: 'while (lane.over.delete(lane.acked + 1)) lane.acked += 1',
    replace: 'lane.acked = Math.max(lane.acked, session.number)',
    by: { file: 'test/http/lanes.test.ts', test: 'acked follows the answers' },
  },
  {
    name: 'new-number-at-each-attempt',
    row: 'R5',
    file: 'server/client/node-queue.ts',
    find: 'if (isWrite && pending.numbers === null) this.number([waiting])',
    replace: 'if (isWrite) this.number([waiting])',
    by: { file: CLERK, test: 'keeps its number' },
  },
  {
    name: 'unknown-forgotten-by-the-clerk',
    row: 'R5',
    file: 'server/client/retry.ts',
    find: "if (step.error.outcome === 'unknown') mayHaveRun = true",
    replace: '',
    by: { file: CLERK, test: 'a write whose answer was lost' },
  },
  {
    name: 'unknown-refused-as-definite',
    row: 'R5',
    file: 'server/client/retry.ts',
    find: 'throw mayHaveRun ? step.error.asUnknown() : step.error',
    replace: 'throw step.error',
    by: { file: CLERK, test: 'a final refusal after a lost answer' },
  },
  {
    name: 'clerk-says-over-what-is-under-way',
    row: 'R4',
    file: 'server/client/numbering.ts',
    find: 'return oldest.first - 1',
    replace: 'return oldest.first',
    by: { file: 'test/client/numbering.test.ts', test: 'none under way is said to be over' },
  },
  {
    name: 'client-ids-collide',
    row: 'R6',
    file: 'server/client/numbering.ts',
    find: "randomBytes(16).toString('hex')",
    replace: "randomBytes(1).toString('hex')",
    by: { file: 'test/pitfalls/clients.test.ts', test: 'R6' },
  },
  {
    name: 'client-may-acknowledge-itself',
    row: 'R4',
    file: 'server/http/decode.ts',
    find: 'acked === null || acked >= number',
    replace: 'acked === null',
    by: { file: DECODE, test: 'a client number acknowledges' },
  },
  {
    name: 'field-given-twice',
    row: 'R2',
    file: 'server/http/decode.ts',
    find: 'countMembers(value) !== scanned.members',
    replace: 'countMembers(value) < 0',
    by: { file: DECODE, test: 'JSON of another shape' },
  },
  {
    name: 'dot-segments-let-in',
    row: 'R2',
    file: 'server/http/target.ts',
    find: 'mayHaveDots && DOT_SEGMENT',
    replace: '!mayHaveDots && DOT_SEGMENT',
    by: { file: TARGET, test: 'targets that others would rewrite' },
  },
  {
    name: 'readers-may-write',
    row: 'S14',
    file: 'server/http/auth.ts',
    find: 'ROLES.indexOf(grant.role) >= ROLES.indexOf(role)',
    replace: 'ROLES.indexOf(grant.role) <= ROLES.indexOf(role)',
    by: { file: AUTH, test: 'roles include' },
  },
  {
    name: 'prefix-anywhere-in-the-key',
    row: 'S14',
    file: 'server/http/auth.ts',
    find: 'key.startsWith(grant.keyPrefix)',
    replace: 'key.includes(grant.keyPrefix)',
    by: { file: AUTH, test: 'roles include' },
  },
  {
    name: 'any-token-opens-the-peer-door',
    row: 'S14',
    file: 'server/http/auth.ts',
    find: 'return isPeer ? null :',
    replace: 'return isPeer || token !== null ? null :',
    by: { file: AUTH, test: 'credential' },
  },
  {
    name: 'replaced-token-goes-on',
    row: 'S14',
    file: 'server/http/auth.ts',
    find: 'proven = new WeakMap()\n',
    replace: '\n',
    by: { file: AUTH, test: 'a replaced token' },
  },
]
