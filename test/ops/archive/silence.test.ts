import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import type { Found } from '../../../ops/archive/client.ts'
import { Silence } from '../../../ops/archive/silence.ts'
import { until } from '../../support/cluster.ts'

const test = suite('silence of the archive')

const late: Found<number> = { type: 'failed', code: 'timeout', reason: 'late' }
const refused: Found<number> = { type: 'failed', code: 'unreachable', reason: 'not there' }
const found: Found<number> = { type: 'found', value: 7 }
const codeOf = (answer: Found<number>) => (answer.type === 'failed' ? answer.code : answer.type)

let nowMs = 0
let asked = 0
let silence: Silence

/** Asks an archive that takes so long for that answer. */
const ask = (answer: Found<number>, ms: number) => {
  return silence.around<number>(() => {
    asked += 1
    return new Promise<Found<number>>(done => setTimeout(() => done(answer), ms))
  })
}

test.before.each(() => {
  nowMs = 0
  asked = 0
  silence = new Silence(() => nowMs)
})

test('who comes after one that waited in vain is told so without a wait', async () => {
  assert.is(codeOf(await ask(late, 300)), 'timeout')
  for (let times = 0; times < 5; times++) {
    const startedAt = performance.now()
    assert.is(codeOf(await ask(found, 0)), 'timeout')
    assert.ok(performance.now() - startedAt < 100)
  }
  assert.is(asked, 1)
})

test('after a rest one question is tried, and its answer ends the silence', async () => {
  await ask(late, 300)
  nowMs = 5_000
  assert.equal(await ask(found, 0), found)
  assert.equal(await ask(found, 0), found)
  assert.is(asked, 3)
})

test('the one that is tried is not waited for long, and nobody else is tried with it', async () => {
  await ask(late, 300)
  nowMs = 5_000
  const startedAt = performance.now()
  const tried = ask(late, 1_000)
  assert.is(codeOf(await ask(found, 0)), 'timeout')
  assert.is(codeOf(await tried), 'timeout')
  assert.ok(performance.now() - startedAt < 800)
  assert.is(asked, 2)
})

test('an answer that comes too late for the one who tried is good for the next', async () => {
  await ask(late, 300)
  nowMs = 5_000
  assert.is(codeOf(await ask(found, 400)), 'timeout')
  await until('the silence is over', async () => codeOf(await ask(found, 0)) === 'found')
})

test('an archive that is not there costs no wait, and is asked every time', async () => {
  assert.is(codeOf(await ask(refused, 0)), 'unreachable')
  assert.is(codeOf(await ask(refused, 0)), 'unreachable')
  assert.equal(await ask(found, 0), found)
  assert.is(asked, 3)
})

test('a slow refusal is an answer', async () => {
  const no: Found<number> = { type: 'failed', code: 'refused', reason: 'not yours' }
  assert.is(codeOf(await ask(no, 300)), 'refused')
  assert.equal(await ask(found, 0), found)
})

test.run()
