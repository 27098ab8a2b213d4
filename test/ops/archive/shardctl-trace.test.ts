import { spawn } from 'node:child_process'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import * as shape from '../../../ops/archive/answers.ts'
import { ATTR, EVENT, SPAN } from '../../../ops/trace/span-model.ts'
import { ArchiveProcess, READER } from '../../support/archive-process.ts'
import {
  event,
  handoffSpans,
  instanceSpan,
  nodeResource,
  protobufBody,
  readableSpan,
} from '../../support/archive-spans.ts'

const test = suite('shardctl trace')
const SHARDCTL = fileURLToPath(new URL('../../../dist/ops/shardctl.js', import.meta.url))
const REQUEST = 'a1'.repeat(16)
let folder = ''
let archive: ArchiveProcess

test.before(async () => {
  folder = mkdtempSync(join(tmpdir(), 'shardctl-trace-'))
  archive = new ArchiveProcess(folder)
  await archive.start()
  const micros = Date.now() * 1000 - 60e6
  const instances = Array.from({ length: 40 }, (_, at) =>
    instanceSpan({
      slot: at + 1,
      startMicros: micros + at * 1_000,
      stepMicros: at === 6 ? 90_000 : 200,
    }),
  )
  const election = readableSpan({
    name: SPAN.election,
    ...{
      traceId: 'e'.repeat(32),
      spanId: 'e'.repeat(16),
      startMicros: micros,
      durationMicros: 9_000,
    },
    resource: nodeResource(1, 2),
    attributes: { [ATTR.ballot]: '4.2', [ATTR.outcome]: 'won' },
  })
  const request = readableSpan({
    name: SPAN.request,
    ...{ traceId: REQUEST, spanId: 'b'.repeat(16), startMicros: micros, durationMicros: 80_000 },
    resource: nodeResource(2, 0),
    attributes: { [ATTR.op]: 'put', [ATTR.outcome]: 'ok', [ATTR.shard]: 5 },
    events: [
      event(EVENT.attempt, micros + 10, {
        [ATTR.peer]: 2,
        [ATTR.peerGroup]: 1,
        [ATTR.outcome]: 'ok',
        [ATTR.took]: 70_000,
      }),
    ],
    links: [instances[6]!.spanContext()],
  })
  const moves = [
    ...handoffSpans({ config: 3, shard: 17, from: 1, to: 2, startMicros: micros }),
    ...handoffSpans({ config: 4, shard: 17, from: 2, to: 1, startMicros: micros + 9e6 }),
    ...handoffSpans({ config: 4, shard: 18, from: 2, to: 1, startMicros: micros + 9e6 }),
  ]
  const body = protobufBody([...instances, election, request, ...moves])
  const answer = await archive.post(body, { type: 'protobuf' })
  assert.is(answer.type === 'answer' && answer.status, 200)
})
test.after(async () => {
  await archive.close()
  rmSync(folder, { recursive: true, force: true })
})

type Ran = { readonly code: number | null; readonly out: string; readonly err: string }

function trace(words: string, more: readonly string[] = []): Promise<Ran> {
  const args = [SHARDCTL, ...more, '--token', READER, '--archive', archive.url, 'trace']
  const child = spawn(process.execPath, [...args, ...words.split(' ')], { cwd: folder })
  const said = { out: '', err: '' }
  child.stdout.on('data', chunk => {
    said.out += chunk
  })
  child.stderr.on('data', chunk => {
    said.err += chunk
  })
  return new Promise(resolve => child.on('close', code => resolve({ code, ...said })))
}

test('an instance is told, or why there is none', async () => {
  const found = await trace('instance 1/7')
  assert.is(found.code, 0, found.err)
  assert.match(found.out, /^slot 7 of group 1: decided after/)
  assert.match(found.out, /acceptor 1: durable in .*\n.*acceptor 0 \(leader\): .*; quorum of 2/)
  const json = shape.instanceAnswer.parse(JSON.parse((await trace('instance 1/7', ['--json'])).out))
  assert.is(json.spans[0]?.attributes[ATTR.slot], 7)
  const later = await trace('instance 1/4711')
  assert.is(later.code, 1)
  assert.is(later.out, '')
  assert.match(later.err, /nothing of slot 4711 of group 1/)
  assert.match(later.err, /not decided yet: the newest here is slot 40/)
  assert.match(later.err, /older than what is kept: since .* \(at most 2\.00 GB, 7 days\)/)
  assert.match(later.err, /shardglass_trace_spans_total/)
  assert.match((await trace('instance 9/1')).err, /no such group/)
})

test('the slowest come first, with what took their time', async () => {
  const { code, out, err } = await trace('slow --since 1h --limit 3')
  assert.is(code, 0, err)
  const lines = out.trimEnd().split('\n')
  assert.is(lines.length, 4)
  assert.match(lines[0] ?? '', /^TOOK +INSTANCE +STARTED/)
  assert.match(lines[1] ?? '', /^\d+ ms +1\/7 .*kv1a/)
  assert.match((await trace('slow --since 1s')).out, /no instance in that time/)
  const few = shape.instancesAnswer.parse(
    JSON.parse((await trace('slow --min-ms 100', ['--json'])).out),
  )
  assert.is(few.instances.length, 1)
})

test('moves are listed, and one is told from both sides', async () => {
  const { out } = await trace('handoff')
  assert.is(out.trimEnd().split('\n').length, 4)
  assert.match(
    (await trace('handoff 17')).out,
    /^shard 17 from group 2 to group 1 at configuration 4: ok/,
  )
  assert.match(
    (await trace('handoff 17 --config 3')).out,
    /^shard 17 from group 1 to group 2 .*\n.*\n.*\n\n.*froze shard 17/,
  )
  const none = await trace('handoff 99')
  assert.equal([none.code, none.err], [1, 'the archive has no handoff of shard 99\n'])
})

test('a request leads to the instance that decided it', async () => {
  const { code, out } = await trace(`request 00-${REQUEST}-${'b'.repeat(16)}-01`)
  assert.is(code, 0)
  assert.match(out, /^put: ok after 80\.0 ms\nshard 5\n/)
  assert.match(out, /asked replica 2 of group 1: ok/)
  assert.match(out, /decided in slot 7 of group 1: decided after/)
  const none = await trace(`request ${'9'.repeat(32)}`)
  assert.is(none.code, 1)
  assert.match(none.err, /has no trace 9{32}\n.*slow or failed/)
})

test('what is absent is JSON for those who asked for JSON', async () => {
  const rows = [
    ['instance 1/4711', /nothing of slot 4711/],
    ['handoff 99', /no handoff of shard 99/],
    [`request ${'9'.repeat(32)}`, /no trace 9{32}/],
  ] as const
  for (const [words, detail] of rows) {
    const { code, out, err } = await trace(words, ['--json'])
    assert.equal([code, out], [1, ''], words)
    const said = JSON.parse(err)
    assert.is(said.code, 'absent')
    assert.match(said.detail, detail)
  }
})

test("the timeline is a table, without a terminal's codes", async () => {
  const { code, out } = await trace('timeline --since 1h')
  assert.is(code, 0)
  assert.match(out, /1 +kv1c +9\.00 ms +replica 2, ballot 4\.2, leads/)
  assert.not(out.includes('\u001b'))
})

test('wrong calls, a wrong token and an archive that is away have codes of their own', async () => {
  for (const words of [
    'instance 5',
    'instance a/b',
    'request xyz',
    'slow --limit x',
    'slow --min-ms x',
  ]) {
    assert.is((await trace(words)).code, 2, words)
  }
  assert.is((await trace('slow --since yesterday')).code, 4)
  const away = spawn(process.execPath, [
    SHARDCTL,
    '--token',
    'x',
    '--archive',
    'http://127.0.0.1:1',
    'trace',
    'slow',
  ])
  assert.is(await new Promise(resolve => away.on('close', resolve)), 3)
  const wrong = spawn(process.execPath, [
    SHARDCTL,
    '--token',
    'x'.repeat(20),
    '--archive',
    archive.url,
    'trace',
    'slow',
  ])
  assert.is(await new Promise(resolve => wrong.on('close', resolve)), 4)
})

test.run()
