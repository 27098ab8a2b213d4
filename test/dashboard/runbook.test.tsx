// The page of the runbook: where alerts and panels link to.

import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { rendered } from '../../dashboard/html.ts'
import { Missing, type PageContext } from '../../dashboard/page.ts'
import { runbook } from '../../dashboard/pages/runbook.tsx'
import { PAGES } from '../../dashboard/pages.ts'
import { blocksOf } from '../../dashboard/runbook-text.ts'
import { anchorOf } from '../../ops/observe/alert.ts'
import { ALERTS } from '../../ops/observe/alert-rules.ts'
import { RUNBOOK_URL } from '../../ops/observe/rules-text.ts'

const test = suite('page of the runbook')
const nowhere = null as unknown as PageContext

test('it is where alerts lead, and has an anchor for each of them', async () => {
  assert.ok(PAGES.some(({ path }) => path === new URL(RUNBOOK_URL).pathname))
  const loaded = await runbook.load(nowhere)
  if (loaded instanceof Missing) throw new Error(loaded.text)
  const html = await rendered(loaded.view(nowhere, () => null))
  for (const { name } of ALERTS) assert.match(html, `<h3 id="${anchorOf(name)}">${name}</h3>`)
  assert.match(html, '<code>npx shardctl status</code>')
  assert.not.match(html, /\*\*|```|^#|^- /m)
})

test('headings, lists, code and words in them become pieces', () => {
  const text = '## A & b\n\nSee `x < y`, **now**.\n\n- one\n- *two*\n\n```sh\nls  # all\n```\n'
  assert.equal(blocksOf(text), [
    { type: 'heading', level: 2, id: 'a-b', text: 'A & b' },
    {
      type: 'paragraph',
      spans: [
        { type: 'text', text: 'See ' },
        { type: 'code', text: 'x < y' },
        { type: 'text', text: ', ' },
        { type: 'bold', text: 'now' },
        { type: 'text', text: '.' },
      ],
    },
    { type: 'list', items: [[{ type: 'text', text: 'one' }], [{ type: 'em', text: 'two' }]] },
    { type: 'code', text: 'ls  # all' },
  ])
})

test.run()
