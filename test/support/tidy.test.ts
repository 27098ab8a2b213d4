import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { resultOf } from '../run.ts'
import { findings, type Source } from './tidy.ts'

const test = suite('tidy')
const RUN = 'const TEST_FILE = 1'

function found(path: string, text: string): readonly string[] {
  const source: Source = { path, text: `// A header.\n${text}` }
  return findings([source], RUN)
}

test('a good file has no finding', () => {
  const text = "import { a } from './a.ts'\n\nexport function b() {\n  return a\n}\n"
  assert.equal(found('server/paxos/b.ts', text), [])
})

test('each kind of impurity in the core is found, and nowhere else', () => {
  const impure = [
    "import { x } from 'node:fs'",
    'const now = Date.now()',
    'const x = Math.random()',
    'setTimeout(() => 1, 2)',
    'export async function f() {}',
    'const y = await f()',
    'console.log(1)',
    'const env = process.env',
    'performance.now()',
  ]
  for (const line of impure) {
    assert.is(found('server/paxos/a.ts', `${line}\n`).length, 1, line)
    assert.is(found('server/replica.ts', `${line}\n`).length, 1, line)
    assert.is(found('server/host/a.ts', `${line}\n`).length, 0, line)
  }
})

test('words in comments and names are no impurity', () => {
  const text = '// await Date.now() and console\nstate.fetch.from = 1\nconst type = "await"\n'
  assert.equal(found('server/shardkv/a.ts', text), [])
})

test('every form of import is seen, and nothing else is taken for one', () => {
  const forms = [
    "import { b } from '../host/b.ts'",
    "import {\n  b,\n  type C,\n} from '../host/b.ts'",
    "import type { C } from '../host/b.ts'",
    "export { b } from '../host/b.ts'",
    "import '../host/b.ts'",
    "const b = () => import('../host/b.ts')",
  ]
  for (const form of forms) assert.is(found('server/client/a.ts', `${form}\n`).length, 1, form)
  const text = "export const place = new URL('../../package.json', base)\n"
  assert.equal(found('server/client/a.ts', text), [])
})

test('arrows between folders hold', () => {
  const cases: readonly (readonly [string, string, number])[] = [
    ['server/paxos/a.ts', '../shardkv/b.ts', 1],
    ['server/shardkv/a.ts', '../paxos/b.ts', 0],
    ['server/shardkv/a.ts', '../host/b.ts', 1],
    ['server/client/a.ts', '../http/b.ts', 1],
    ['server/http/a.ts', '../../ops/b.ts', 1],
    ['ops/a.ts', '../server/http/b.ts', 0],
    ['ops/a.ts', '../test/b.ts', 1],
    ['test/ops/a.ts', '../../ops/b.ts', 0],
  ]
  for (const [path, target, count] of cases) {
    assert.is(found(path, `import { b } from '${target}'\n`).length, count, `${path} ${target}`)
  }
})

test('long files and long functions are found, short ones are not', () => {
  const body = (lines: number) => '  a()\n'.repeat(lines)
  const long = `function f(\n  a: number,\n): void {\n${body(50)}}\n`
  const method = `class C {\n  private m(): void {\n${body(50).replaceAll('  ', '    ')}  }\n}\n`
  assert.is(found('ops/a.ts', long).length, 1)
  assert.is(found('ops/a.ts', method).length, 1)
  assert.is(found('ops/a.ts', `function f() {\n${body(48)}}\n`).length, 0)
  assert.is(found('ops/a.ts', 'a()\n'.repeat(400)).length, 1)
  assert.is(found('ops/a.ts', 'a()\n'.repeat(399)).length, 0)
})

test('a catch that does nothing and does not say why is found (G10)', () => {
  const silent = '{\n}'
  assert.is(found('ops/a.ts', `try {\n  go()\n} catch ${silent}\n`).length, 1)
  assert.is(found('ops/a.ts', `try {\n  go()\n} catch (error) ${silent}\n`).length, 1)
  assert.is(found('ops/a.ts', 'try {\n  go()\n} catch {\n  // it was gone already\n}\n').length, 0)
})

test('names, default exports and suites that nobody runs are found', () => {
  assert.is(found('ops/utils.ts', '').length, 1)
  assert.is(found('ops/fooBar.ts', '').length, 1)
  assert.is(found('ops/a.ts', 'export default 1\n').length, 1)
  assert.is(found('test/a.test.ts', "const test = suite('a')\n").length, 1)
  assert.is(found('test/a.test.ts', 'test.run()\n').length, 0)
  assert.is(
    found('test/a.ts', "import { suite } from 'uvu'\nsuite('a').run()\ntest.run()\n").length,
    1,
  )
  assert.is(found('test/a.ts', "import { suite } from 'uvu'\n").length, 0, 'run by its importers')
})

const PASSED = '\n  Total:     4\n  Passed:    4\n  Skipped:   0\n  Duration:  1ms\n'

test('the runner believes what uvu counted', () => {
  const fine = resultOf('a', PASSED, { code: 0, isTimedOut: false })
  assert.equal(fine, { passed: 4, failed: 0, skipped: [] })
  const two = resultOf('a', PASSED.replace('Passed:    4', 'Passed:    2'), {
    code: 1,
    isTimedOut: false,
  })
  assert.equal(two, { passed: 2, failed: 2, skipped: [] })
})

test('the runner counts a file that died, hung or tested nothing as failed', () => {
  assert.is(resultOf('a', PASSED, { code: 1, isTimedOut: false }).failed, 1)
  assert.is(resultOf('a', PASSED, { code: null, isTimedOut: true }).failed, 1)
  assert.is(resultOf('a', '', { code: 0, isTimedOut: false }).failed, 1)
})

test('the runner collects what was skipped, with the reason', () => {
  const skipped = PASSED.replace('Passed:    4', 'Passed:    3').replace(
    'Skipped:   0',
    'Skipped:   1',
  )
  const output = `SKIPPED: no strace here\n${skipped}`
  const result = resultOf('a', output, { code: 0, isTimedOut: false })
  assert.equal(result, {
    passed: 3,
    failed: 0,
    skipped: ['a: no strace here', 'a: 1 marked as skipped'],
  })
})

test.run()
