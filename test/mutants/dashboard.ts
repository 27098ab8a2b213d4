// Planted bugs of the dashboard: its gate, and what it shows.

import type { Mutant } from './mutant.ts'

const GATE = 'test/dashboard/gate.test.ts'
const PAGES = 'test/dashboard/pages.test.ts'
const LIVE = 'test/dashboard/live.test.ts'
const PARTS = 'test/dashboard/parts.test.ts'
const TOKENS = 'test/ops/tokens-file.test.ts'
const LEADER = 'test/http/leader-routes.test.ts'

export const DASHBOARD_MUTANTS: readonly Mutant[] = [
  {
    name: 'dashboard-takes-forms-of-other-sites',
    row: 'dashboard',
    file: 'dashboard/gate.ts',
    find: "if (site !== null && site !== 'same-origin' && site !== 'none') return FOREIGN",
    replace: "if (site === 'cross-site') return FOREIGN",
    by: { file: GATE, test: 'requests of other sites' },
  },
  {
    name: 'dashboard-takes-forms-of-other-sessions',
    row: 'dashboard',
    file: 'dashboard/gate.ts',
    find: "if (isSame(form.get('csrf') ?? '', session.csrf)) return null",
    replace: "if (form.has('csrf')) return null",
    by: { file: GATE, test: 'forms of other sessions' },
  },
  {
    name: 'dashboard-serves-under-any-name',
    row: 'dashboard',
    file: 'dashboard/gate.ts',
    find: 'if (own.has(name) || /',
    replace: 'if (own.size > 0 || /',
    by: { file: GATE, test: 'DNS rebinding' },
  },
  {
    name: 'prefix-token-sees-the-cluster',
    row: 'dashboard',
    file: 'dashboard/gate.ts',
    find: "if (grant.keyPrefix !== '' && wanted.scope !== 'key') {",
    replace: "if (grant.keyPrefix !== '' && wanted.scope === 'node') {",
    by: { file: GATE, test: 'a token of one prefix' },
  },
  {
    name: 'session-outlives-its-token',
    row: 'dashboard',
    file: 'dashboard/session.ts',
    find: "if (!('role' in grant)) return false",
    replace: "if (!('role' in grant)) return true",
    by: { file: GATE, test: 'and with its token' },
  },
  {
    name: 'login-link-works-twice',
    row: 'dashboard',
    file: 'dashboard/login-link.ts',
    find: 'if (!isSame(code, this.code)) return null\n    this.renew()',
    replace: 'if (!isSame(code, this.code)) return null',
    by: { file: GATE, test: 'logs in once' },
  },
  {
    name: 'login-leads-elsewhere',
    row: 'dashboard',
    file: 'dashboard/exchange.ts',
    find: "return to !== null && /^\\/(?![/\\\\])[\\x21-\\x7e]*$/.test(to) ? to : '/'",
    replace: "return to ?? '/'",
    by: { file: GATE, test: 'comes to where they wanted' },
  },
  {
    name: 'last-name-is-made-twice',
    row: 'dashboard',
    file: 'dashboard/pages/settings.tsx',
    find: 'if (readTokens(file).some(token => token.name === name))',
    replace: 'if (readTokens(file).length > 99)',
    by: { file: GATE, test: 'nobody revokes' },
  },
  {
    name: 'hidden-signs-reorder-a-page',
    row: 'dashboard',
    file: 'dashboard/html.ts',
    find: "if (isMultiline && (sign === '\\n' || sign === '\\t')) return sign",
    replace: "if (sign !== '\\0') return sign",
    by: { file: PAGES, test: 'what others wrote' },
  },
  {
    name: 'progress-goes-back',
    row: 'dashboard',
    file: 'dashboard/handoff-tracker.ts',
    find: 'const sentBytes = Math.max(found.sentBytes, known?.sentBytes ?? 0)',
    replace: 'const sentBytes = found.sentBytes',
    by: { file: PAGES, test: 'a shard on its way' },
  },
  {
    name: 'left-stream-is-closed-twice',
    row: 'dashboard',
    file: 'dashboard/live.ts',
    find: 'cancel: () => void release(),',
    replace: 'cancel: () => stop(),',
    by: { file: LIVE, test: 'who leaves is forgotten' },
  },
  {
    name: 'stream-outlives-its-session',
    row: 'dashboard',
    file: 'dashboard/live.ts',
    find: '!sessions.isValid(context.session) ||',
    replace: '',
    by: { file: LIVE, test: 'a stream ends with its token' },
  },
  {
    name: 'quorum-told-too-early',
    row: 'dashboard',
    file: 'dashboard/replay.ts',
    find: 'const told = [...found].sort((one, other) => one.at - other.at)',
    replace: 'const told = found',
    by: { file: PARTS, test: 'a span becomes steps' },
  },
  {
    name: 'tokens-file-not-followed',
    row: 'dashboard',
    file: 'ops/tokens-file.ts',
    find: 'auth.replaceTokens(readTokens(path))',
    replace: 'readTokens(path)',
    by: { file: TOKENS, test: 'takes effect on connections' },
  },
  {
    name: 'anybody-takes-the-leadership',
    row: 'dashboard',
    file: 'server/http/leader-routes.ts',
    find: "role: 'admin',",
    replace: "role: 'writer',",
    by: { file: LEADER, test: 'nobody else may' },
  },
]
