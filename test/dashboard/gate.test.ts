import { readFileSync } from 'node:fs'
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { ACTIONS, PAGES } from '../../dashboard/pages.ts'
import { SESSION_BOUNDS } from '../../dashboard/session.ts'
import { readTokens } from '../../ops/tokens-file.ts'
import { DashboardRig, TOKEN } from '../support/dashboard-rig.ts'

const test = suite('gate of the dashboard')
let rig: DashboardRig

test.before.each(() => {
  rig = new DashboardRig()
})

test.after.each(async () => {
  assert.equal(rig.faults, [])
  await rig.stop()
})

const ROLES = ['reader', 'writer', 'admin'] as const
const RANK = { reader: 0, writer: 1, admin: 2 } as const
const filled = (path: string) => path.replace('{pair}', '0..1').replace(/\{\w+\}/g, '1')

test('every page and action names its role, and lets in the roles from its own on alone', async () => {
  const check = async (role: (typeof ROLES)[number]): Promise<void> => {
    const { cookie, csrf } = await rig.login(TOKEN[role])
    const asked = [
      ...PAGES.map(page => ({ ...page, answer: rig.get(filled(page.path), { cookie }) })),
      ...ACTIONS.map(action => ({
        ...action,
        answer: rig.post(filled(action.path), { csrf }, { cookie }),
      })),
    ]
    for (const { path, role: wanted, answer } of asked) {
      const { status } = await answer
      assert.is(status === 403, RANK[role] < RANK[wanted], `${path} by ${role}: ${status}`)
    }
  }
  await Promise.all(ROLES.map(check))
})

test('who is not logged in gets the login alone, and comes to where they wanted', async () => {
  for (const page of PAGES) {
    const response = await rig.get(filled(page.path))
    assert.is(response.status, 303, page.path)
    assert.match(response.headers.get('location') ?? '', /^\/login/)
    assert.is((await rig.get(`${filled(page.path)}.json`)).status, 401)
    const part = await rig.get(`${filled(page.path)}/-/live`)
    assert.is(part.status, 401)
    assert.is(part.headers.get('hx-redirect'), '/login')
  }
  for (const action of ACTIONS) assert.is((await rig.post(filled(action.path), {})).status, 303)
  const form = { token: TOKEN.reader, to: '/groups/1?a=b' }
  assert.is((await rig.post('/login', form)).headers.get('location'), '/groups/1?a=b')
  for (const to of ['//evil.example', '/\\evil.example', 'https://evil.example', 'x']) {
    assert.is((await rig.post('/login', { ...form, to })).headers.get('location'), '/')
  }
})

test('a token of one prefix opens the keys, and nothing that tells of the cluster', async () => {
  const { cookie } = await rig.login(TOKEN.prefixed)
  for (const page of PAGES) {
    const { status } = await rig.get(filled(page.path), { cookie })
    assert.is(status, page.path === '/keys' ? 200 : 403, page.path)
  }
})

test('the cookie is out of reach of scripts and other sites', async () => {
  const response = await rig.post('/login', { token: TOKEN.reader })
  assert.is(response.status, 303)
  const cookie = response.headers.get('set-cookie') ?? ''
  assert.match(cookie, /^shardglass_4400=[\w-]{43}; Path=\/; HttpOnly; SameSite=Strict$/)
  assert.not.match(cookie, new RegExp(TOKEN.reader))
})

test('wrong tokens open nothing, and too many are slowed down', async () => {
  for (let count = 0; count < 30; count++) {
    const response = await rig.post('/login', { token: `wrong-token-${count}-0123456789` })
    assert.is(response.status, count < 20 ? 403 : 429)
    assert.is(response.headers.get('retry-after'), count < 20 ? null : '60')
    assert.is(response.headers.get('set-cookie'), null)
  }
  assert.is((await rig.post('/login', { token: TOKEN.reader })).status, 303, 'a right one passes')
  assert.is((await rig.get(`/login?token=${TOKEN.admin}`)).status, 200, 'none is taken from a URL')
})

test('requests of other sites, and forms of other sessions, change nothing', async () => {
  const { cookie, csrf } = await rig.login(TOKEN.admin)
  const other = await rig.login(TOKEN.admin)
  const form = { csrf, name: 'boss2', role: 'admin' }
  const refused = [
    await rig.post('/settings/tokens', form, { cookie, 'sec-fetch-site': 'cross-site' }),
    await rig.post('/settings/tokens', form, { cookie, 'sec-fetch-site': 'same-site' }),
    await rig.post('/settings/tokens', form, { cookie, origin: 'http://evil.example' }),
    await rig.post('/settings/tokens', form, { cookie, origin: 'null' }),
    await rig.post('/settings/tokens', { ...form, csrf: other.csrf }, { cookie }),
    await rig.post('/settings/tokens', { ...form, csrf: '' }, { cookie }),
    await rig.post('/login', { token: TOKEN.admin }, { origin: 'http://evil.example' }),
  ]
  assert.equal(
    refused.map(({ status }) => status),
    refused.map(() => 403),
  )
  const json = { cookie, 'content-type': 'application/json' }
  assert.is((await rig.post('/settings/tokens', form, json)).status, 415, 'only forms')
  assert.is(readTokens(rig.tokensFile).length, 4)
  assert.is((await rig.post('/settings/tokens', form, { cookie })).status, 200)
  assert.is(readTokens(rig.tokensFile).length, 5)
})

test('other names than its own are refused (DNS rebinding)', async () => {
  const { cookie } = await rig.login(TOKEN.reader)
  for (const host of ['evil.example', '10.0.0.1:4400', '']) {
    assert.is((await rig.get('/', { cookie, host })).status, 421, host)
  }
  for (const host of ['localhost:4400', '[::1]:4400', '127.0.0.1:9']) {
    assert.is((await rig.get('/', { cookie, host })).status, 200, host)
  }
})

test('every answer forbids frames, foreign scripts and guessing of types', async () => {
  const { cookie } = await rig.login(TOKEN.reader)
  for (const path of ['/', '/login', '/nothing', '/overview.json', '/healthz', '/overview/-/map']) {
    const { headers } = await rig.get(path, { cookie })
    const csp = headers.get('content-security-policy') ?? ''
    for (const rule of [
      "default-src 'none'",
      "script-src 'self'",
      "style-src 'self'",
      "frame-ancestors 'none'",
      "base-uri 'none'",
      "form-action 'self'",
    ]) {
      assert.ok(csp.split('; ').includes(rule), `${path}: ${rule}`)
    }
    assert.not.match(csp, /unsafe|\*/)
    assert.is(headers.get('x-content-type-options'), 'nosniff')
    assert.is(headers.get('cache-control'), 'no-store')
    assert.is(headers.get('strict-transport-security'), null, 'it is plain http here')
  }
})

test('no page has a script, style or handler inside, nor names another host', async () => {
  const { cookie } = await rig.login(TOKEN.admin)
  const check = async (page: (typeof PAGES)[number]): Promise<void> => {
    const html = await (await rig.get(filled(page.path), { cookie })).text()
    assert.not.match(html, /<script(?![^>]*\ssrc="\/assets\/)/, page.path)
    assert.not.match(html, /<style|\sstyle=|\son\w+=|javascript:/, page.path)
    assert.not.match(html, /(?:src|href|action)="(?:https?:)?\/\//, page.path)
  }
  await Promise.all(PAGES.map(check))
})

test('a session ends by logout, by time, and with its token', async () => {
  const isOpen = async (cookie: string) => (await rig.get('/', { cookie })).status === 200
  const first = await rig.login(TOKEN.reader)
  assert.is((await rig.post('/logout', { csrf: 'wrong' }, first)).status, 403)
  await rig.post('/logout', { csrf: first.csrf }, first)
  assert.not(await isOpen(first.cookie))

  const idle = await rig.login(TOKEN.reader)
  rig.nowMs += SESSION_BOUNDS.idleMs + 1
  assert.not(await isOpen(idle.cookie))

  const old = await rig.login(TOKEN.reader)
  for (let hour = 0; hour < 24; hour++) {
    assert.ok(await isOpen(old.cookie))
    rig.nowMs += 3_600_000
  }
  rig.nowMs += 1
  assert.not(await isOpen(old.cookie))

  const revoked = await rig.login(TOKEN.reader)
  rig.auth.replaceTokens(readTokens(rig.tokensFile).filter(({ name }) => name !== 'r'))
  assert.not(await isOpen(revoked.cookie))
})

test('a session ends when its token is given another role, or fewer keys', async () => {
  const tokens = readTokens(rig.tokensFile)
  for (const change of [{ role: 'reader' as const }, { prefix: 'tenant/' }]) {
    rig.auth.replaceTokens(tokens)
    const { cookie } = await rig.login(TOKEN.writer)
    assert.is((await rig.get('/', { cookie })).status, 200)
    rig.auth.replaceTokens(
      tokens.map(token => (token.name === 'w' ? { ...token, ...change } : token)),
    )
    assert.is((await rig.get('/', { cookie })).status, 303, Object.keys(change)[0])
  }
})

test('the link of the start logs in once, and the next one is another', async () => {
  const link = () => new URL(readFileSync(rig.linkFile, 'utf8').trim())
  const first = link()
  const path = first.pathname + first.search
  const head = { method: 'HEAD', headers: { host: '127.0.0.1:4400' } }
  const looked = await rig.dashboard.app.hono.fetch(new Request(first, head))
  assert.is(looked.status, 200, 'a look does not spend it')
  const response = await rig.get(path)
  assert.is(response.status, 303)
  const cookie = response.headers.get('set-cookie')?.split(';')[0] ?? ''
  assert.is((await rig.get('/settings', { cookie })).status, 200)
  assert.is((await rig.get(path)).status, 403, 'it is spent')
  assert.is((await rig.get('/login?once=')).status, 403)
  assert.is.not(link().search, first.search)
})

test('nobody revokes the token in use, nor the last one of an admin', async () => {
  const { cookie, csrf } = await rig.login(TOKEN.admin)
  const revoke = async (name: string) => {
    return (await rig.post('/settings/revoke', { csrf, name }, { cookie })).status
  }
  assert.is(await revoke('boss'), 409)
  assert.is(await revoke('nobody'), 404)
  assert.is(await revoke('r'), 303)
  assert.equal(
    readTokens(rig.tokensFile).map(({ name }) => name),
    ['boss', 'w', 'p'],
  )
  const made = await rig.post('/settings/tokens', { csrf, name: 'w', role: 'reader' }, { cookie })
  assert.is(made.status, 409, 'a name is there once')
  const wide = { csrf, name: 'x', role: 'admin', prefix: 'a/' }
  assert.is((await rig.post('/settings/tokens', wide, { cookie })).status, 400)
  const log = await (await rig.get('/settings', { cookie })).text()
  assert.match(log, /revoke the token r</)
  assert.not.match(log, new RegExp(TOKEN.admin))
})

test('only GET, HEAD and POST are known', async () => {
  for (const method of ['PUT', 'DELETE', 'PATCH', 'OPTIONS']) {
    const request = new Request('http://127.0.0.1:4400/', {
      method,
      headers: { host: '127.0.0.1:4400' },
    })
    const response = await rig.dashboard.app.hono.fetch(request)
    assert.is(response.status, 405)
    assert.is(response.headers.get('allow'), 'GET, HEAD, POST')
    assert.is(response.headers.get('access-control-allow-origin'), null)
  }
  const { cookie, csrf } = await rig.login(TOKEN.admin)
  const got = await rig.get('/reconfigure/apply', { cookie })
  assert.equal([got.status, got.headers.get('allow')], [405, 'POST'])
  const posted = await rig.post('/overview', { csrf }, { cookie })
  assert.equal([posted.status, posted.headers.get('allow')], [405, 'GET, HEAD'])
})

test('a form that is too large, or none at all, is refused as such', async () => {
  const { cookie, csrf } = await rig.login(TOKEN.admin)
  const large = { csrf, token: 'a'.repeat(65 * 1024) }
  assert.is((await rig.post('/login', large)).status, 413)
  assert.is((await rig.post('/logout', large, { cookie })).status, 413)
  const text = { 'content-type': 'text/plain' }
  assert.is((await rig.post('/login', { token: TOKEN.admin }, text)).status, 415)
})

test.run()
