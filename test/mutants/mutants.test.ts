import { existsSync, readFileSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { ALL_MUTANTS } from './all.ts'
import { type Mutant, plant, verdictOf } from './mutant.ts'

const test = suite('the list of mutants')

const ROOT = resolve(import.meta.dirname, '../..')

test('there are enough of them, each with a name of its own', () => {
  assert.ok(ALL_MUTANTS.length >= 60)
  assert.is(new Set(ALL_MUTANTS.map(({ name }) => name)).size, ALL_MUTANTS.length)
})

test('each can be planted: its text stands in its file once', () => {
  for (const mutant of ALL_MUTANTS) {
    const planted = plant(readFileSync(join(ROOT, mutant.file), 'utf8'), mutant)
    assert.type(planted, 'string', `${mutant.name}: its text is there ${planted} times`)
  }
})

test('what must catch it is there, by the name of a test', () => {
  for (const { name, by } of ALL_MUTANTS) {
    if ('simulation' in by) continue
    assert.ok(existsSync(join(ROOT, by.file)), `${name}: ${by.file}`)
    const source = readFileSync(join(ROOT, by.file), 'utf8')
    const word = by.test.split(/ \(on disk\)/)[0] ?? ''
    assert.ok(word !== '' && source.includes(word), `${name}: "${by.test}" in ${by.file}`)
  }
})

const MUTANT: Mutant = {
  name: 'example',
  row: 'P1',
  file: 'a.ts',
  find: 'one',
  replace: 'two',
  by: { file: 'a.test.ts', test: 'adds' },
}

test('a text that is not there, or twice, is stale', () => {
  assert.is(plant('zero one three', MUTANT), 'zero two three')
  assert.is(plant('zero', MUTANT), 0)
  assert.is(plant('one one', MUTANT), 2)
})

test('only the named test catches; crashes, hangs and other failures do not', () => {
  const { by } = MUTANT
  const fail = (name: string) => `   FAIL  suite  "${name}"\n`
  const failed = { code: 1, isTimedOut: false }
  assert.is(verdictOf(by, fail('it adds numbers'), failed).type, 'caught')
  assert.is(verdictOf(by, fail('another'), failed).type, 'unclear')
  assert.is(verdictOf(by, 'SyntaxError', failed).type, 'unclear')
  assert.is(verdictOf(by, '', { code: null, isTimedOut: true }).type, 'unclear')
  assert.is(verdictOf(by, '', { code: 0, isTimedOut: false }).type, 'survived')
  const seeds = { simulation: '--single' }
  assert.is(verdictOf(seeds, 'seed 17: two values in slot 3\n', failed).type, 'caught')
  assert.is(
    verdictOf(seeds, '20 seeds, 0 failed\n', { code: 0, isTimedOut: false }).type,
    'survived',
  )
})

test.run()
