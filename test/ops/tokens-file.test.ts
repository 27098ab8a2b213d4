import { chmodSync, mkdtempSync, readdirSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { changeTokens, followTokens, readTokens } from '../../ops/tokens-file.ts'
import { createAuth, hashToken } from '../../server/http/auth.ts'
import { until } from '../support/cluster.ts'

const test = suite('tokens file')
const OLD = 'old-token-0123456789'
const NEW = 'new-token-0123456789'
let folder = ''
let path = ''

test.before.each(() => {
  folder = mkdtempSync(join(tmpdir(), 'tokens-'))
  path = join(folder, 'tokens.json')
  const tokens = [{ name: 'old', role: 'admin', hash: hashToken(OLD) }]
  writeFileSync(path, JSON.stringify(tokens), { mode: 0o600 })
})

test.after.each(() => rmSync(folder, { recursive: true, force: true }))

function following() {
  const auth = createAuth({ tokens: readTokens(path), peerHash: null })
  const lines: string[] = []
  const { stop } = followTokens(path, auth, (_level, text) => void lines.push(text))
  const connection = {}
  const isKnown = (token: string): boolean => {
    const authorization = `Bearer ${token}`
    return 'role' in auth.authenticate({ authorization, remoteAddress: 'a', connection })
  }
  return { isKnown, lines, stop }
}

test('a change of the file takes effect on connections that are open', async () => {
  const { isKnown, stop } = following()
  assert.ok(isKnown(OLD))
  assert.not(isKnown(NEW))
  changeTokens(path, known => [...known, { name: 'new', role: 'reader', hash: hashToken(NEW) }])
  await until('the new token', () => isKnown(NEW))
  assert.ok(isKnown(OLD))
  changeTokens(path, known => known.filter(({ name }) => name !== 'old'))
  await until('the old one to be gone', () => !isKnown(OLD))
  stop()
})

test('a change between the first reading and the following is not lost', () => {
  const auth = createAuth({ tokens: readTokens(path), peerHash: null })
  changeTokens(path, () => [{ name: 'new', role: 'reader', hash: hashToken(NEW) }])
  const lines: string[] = []
  followTokens(path, auth, (_level, text) => void lines.push(text)).stop()
  const knows = (token: string): boolean =>
    'role' in
    auth.authenticate({ authorization: `Bearer ${token}`, remoteAddress: 'a', connection: {} })
  assert.equal([knows(OLD), knows(NEW)], [false, true])
  assert.equal(lines, [], 'no change is told of a file that is followed for the first time')
})

test('a file that is wrong, or open to others, changes nothing and is said', async () => {
  const { isKnown, lines, stop } = following()
  writeFileSync(path, '[{"name":"x"}]')
  await until('the complaint', () => lines.length === 1)
  assert.ok(isKnown(OLD))
  chmodSync(path, 0o644)
  writeFileSync(path, '[]  ')
  await until('another complaint', () => lines.length === 2)
  assert.ok(isKnown(OLD))
  stop()
})

test('what is written is whole, for its owner alone, and leaves nothing beside it', () => {
  changeTokens(path, known => [
    ...known,
    { name: 'b', role: 'writer', hash: hashToken(NEW), prefix: 'p/' },
  ])
  assert.equal(
    readTokens(path).map(({ name }) => name),
    ['old', 'b'],
  )
  assert.is(statSync(path).mode & 0o777, 0o600)
  assert.equal(readdirSync(folder), ['tokens.json'])
  const bad = { name: 'no spaces, please', role: 'reader', hash: hashToken(NEW) } as const
  assert.throws(() => changeTokens(path, known => [...known, bad]), /token file/)
  assert.equal(
    readTokens(path).map(({ name }) => name),
    ['old', 'b'],
  )
})

test.run()
