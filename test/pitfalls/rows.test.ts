import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { ALL_MUTANTS } from '../mutants/all.ts'
import type { Shown } from './row.ts'
import { ROW_COUNTS, ROWS } from './rows.ts'

const test = suite('the catalogue of pitfalls')

const ROOT = resolve(import.meta.dirname, '../..')

function ids(): readonly string[] {
  return Object.entries(ROW_COUNTS).flatMap(([letter, count]) =>
    Array.from({ length: count }, (_, index) => `${letter}${index + 1}`),
  )
}

test('every row is there, once, and shown by something or said to be open', () => {
  assert.equal(
    ROWS.map(({ id }) => id),
    ids(),
  )
  for (const { id, shown, open } of ROWS) {
    assert.ok(shown.length > 0 || (open ?? '') !== '', id)
  }
})

const FAULTS = readdirSync(join(ROOT, 'ops/chaos'))
  .filter(name => name.startsWith('faults'))
  .map(name => readFileSync(join(ROOT, 'ops/chaos', name), 'utf8'))
  .join('\n')

function exists(shown: Shown): boolean {
  if ('chaos' in shown) return FAULTS.includes(`name: '${shown.chaos}'`)
  const file = join(ROOT, shown.file)
  if (!existsSync(file)) return false
  const source = readFileSync(file, 'utf8')
  return ["'", '`', '"'].some(quote => source.includes(`(${quote}${shown.test}`))
}

test('every test and every fault that a row names is there', () => {
  for (const { id, shown } of ROWS) {
    for (const one of shown) assert.ok(exists(one), `${id}: ${JSON.stringify(one)}`)
  }
})

test('a mutant stands for a row of the catalogue', () => {
  const known = new Set([...ids(), 'archive', 'dashboard', 'metrics', 'observe'])
  for (const { name, row } of ALL_MUTANTS) assert.ok(known.has(row), `${name}: ${row}`)
})

test.run()
