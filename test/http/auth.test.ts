import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import {
  createAuth,
  decodeTokens,
  hashToken,
  keyProblem,
  newToken,
  roleProblem,
} from '../../server/http/auth.ts'
import { AUTH_OPTIONS, TOKENS } from '../support/kv-node.ts'

const test = suite('auth')

function caller(token: string | null, address = '10.0.0.1', connection: object | null = null) {
  const authorization = token === null ? undefined : `Bearer ${token}`
  return { authorization, remoteAddress: address, connection }
}

test('a known token gives its grant, whatever the case of the scheme', () => {
  const auth = createAuth(AUTH_OPTIONS)
  const grant = { name: 'w', role: 'writer', keyPrefix: '' }
  assert.equal(auth.authenticate(caller(TOKENS.writer)), grant)
  const lower = { ...caller(null), authorization: `bearer ${TOKENS.writer}` }
  assert.equal(auth.authenticate(lower), grant)
})

test('no token, a wrong one, one with more or less, and another scheme are refused', () => {
  const auth = createAuth(AUTH_OPTIONS)
  const wrong = [
    undefined,
    '',
    'Bearer',
    'Bearer ',
    `Bearer ${TOKENS.writer}x`,
    `Bearer ${TOKENS.writer.slice(0, -1)}`,
    `Basic ${TOKENS.writer}`,
    TOKENS.writer,
    `Bearer ${hashToken(TOKENS.writer)}`,
    `Bearer ${TOKENS.peer}`,
    `Bearer ${'x'.repeat(10_000)}`,
  ]
  for (const authorization of wrong) {
    const found = auth.authenticate({ ...caller(null), authorization })
    assert.ok('code' in found && found.code === 'unauthorized', authorization)
    assert.is(found.headers[0], 'WWW-Authenticate')
  }
})

test("peers and clients cannot use each other's credential", () => {
  const auth = createAuth(AUTH_OPTIONS)
  assert.is(auth.peerProblem(caller(TOKENS.peer)), null)
  for (const token of [TOKENS.admin, TOKENS.reader, null, 'x']) {
    assert.is(auth.peerProblem(caller(token))?.code, 'unauthorized')
  }
  assert.ok(auth.isPeer(caller(TOKENS.peer)))
  assert.not(auth.isPeer(caller(TOKENS.admin)))
  const alone = createAuth({ tokens: [], peerHash: null })
  assert.not(alone.isPeer(caller(TOKENS.peer)))
  assert.is(alone.peerProblem(caller(TOKENS.peer))?.code, 'unauthorized')
})

test('roles include those below, and a prefix only its keys', () => {
  const grant = { name: 'x', role: 'writer', keyPrefix: 'tenant/' } as const
  assert.is(roleProblem(grant, 'reader'), null)
  assert.is(roleProblem(grant, 'writer'), null)
  assert.is(roleProblem(grant, 'admin')?.code, 'forbidden')
  assert.is(keyProblem(grant, 'tenant/a'), null)
  assert.is(keyProblem(grant, 'tenant')?.code, 'forbidden')
  assert.is(keyProblem(grant, 'other/tenant/a')?.code, 'forbidden')
})

test('the 21st wrong token of an address within a minute gets 429, others and right ones do not', () => {
  let now = 0
  const auth = createAuth({ ...AUTH_OPTIONS, nowMs: () => now })
  const code = (token: string | null, address?: string) => {
    const found = auth.authenticate(caller(token, address))
    return 'code' in found ? found.code : 'granted'
  }
  for (let count = 0; count < 20; count++) assert.is(code(`wrong${count}`), 'unauthorized')
  now = 15_000
  const limited = auth.authenticate(caller('wrong'))
  assert.ok('code' in limited && limited.code === 'too-many-requests')
  assert.equal(limited.headers, ['Retry-After', '45'])
  assert.is(auth.peerProblem(caller('wrong'))?.code, 'too-many-requests')
  assert.is(code('wrong', '10.0.0.2'), 'unauthorized')
  assert.is(code(TOKENS.reader), 'granted')
  assert.is(code(null), 'unauthorized', 'no token guesses nothing')
  now = 60_000
  assert.is(code('wrong'), 'unauthorized')
})

test('a replaced token stops working, on open connections too', () => {
  const auth = createAuth(AUTH_OPTIONS)
  const connection = {}
  const call = caller(TOKENS.reader, '10.0.0.1', connection)
  assert.not.ok('code' in auth.authenticate(call))
  assert.not.ok('code' in auth.authenticate(call))
  const other = auth.authenticate(caller('wrong', '10.0.0.1', connection))
  assert.ok('code' in other, 'a connection proves nothing but its own token')
  auth.replaceTokens([{ name: 'n', role: 'admin', hash: hashToken('new-token') }])
  assert.ok('code' in auth.authenticate(call))
  assert.equal(auth.authenticate(caller('new-token', '10.0.0.1', connection)), {
    name: 'n',
    role: 'admin',
    keyPrefix: '',
  })
})

test('a token file is read strictly', () => {
  const hash = hashToken('x')
  const good = [{ name: 'a', role: 'reader', hash, prefix: 'é' }]
  assert.equal(decodeTokens(JSON.stringify(good)), good)
  const bad: unknown[] = [
    {},
    [{ name: 'a', role: 'root', hash }],
    [{ name: 'a', role: 'reader', hash: 'x' }],
    [{ name: 'a b', role: 'reader', hash }],
    [{ name: 'a', role: 'reader', hash, token: 'x' }],
    [{ name: 'a', role: 'reader', hash, prefix: '' }],
  ]
  for (const records of bad) {
    assert.throws(
      () => decodeTokens(JSON.stringify(records)),
      /token file/,
      JSON.stringify(records),
    )
  }
})

test('new tokens have 256 bits and need no escaping', () => {
  const tokens = new Set(Array.from({ length: 100 }, newToken))
  assert.is(tokens.size, 100)
  for (const token of tokens) assert.match(token, /^[A-Za-z0-9_-]{43}$/)
})

test.run()
