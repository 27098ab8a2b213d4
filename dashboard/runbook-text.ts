// The runbook's text in the pieces of which its page is made: the little of Markdown that it uses.

import { readFileSync } from 'node:fs'
import { dirname, join, resolve } from 'node:path'
import { fileURLToPath } from 'node:url'

export type Span = { readonly type: 'text' | 'code' | 'bold' | 'em'; readonly text: string }

export type Block =
  | { readonly type: 'heading'; readonly level: number; readonly id: string; readonly text: string }
  | { readonly type: 'list'; readonly items: readonly (readonly Span[])[] }
  | { readonly type: 'code'; readonly text: string }
  | { readonly type: 'paragraph'; readonly spans: readonly Span[] }

const HERE = dirname(fileURLToPath(import.meta.url))
/** This file is run as it is, or from dist/dashboard. */
const ROOT = resolve(HERE, HERE.includes(join('dist', 'dashboard')) ? '../..' : '..')

export function readRunbook(): readonly Block[] {
  return blocksOf(readFileSync(join(ROOT, 'ops/RUNBOOK.md'), 'utf8'))
}

/** Blocks are apart by an empty line; no block of code has one. */
export function blocksOf(markdown: string): readonly Block[] {
  return markdown
    .split(/\n{2,}/)
    .map(text => text.trim())
    .filter(text => text !== '')
    .map(blockOf)
}

function blockOf(text: string): Block {
  const heading = /^(#+) (.*)$/.exec(text)
  if (heading !== null) {
    const [, marks = '', title = ''] = heading
    const id = title.toLowerCase().replace(/[^a-z0-9]+/g, '-')
    return { type: 'heading', level: marks.length, id, text: title }
  }
  const code = /^```\w*\n([\s\S]*)\n```$/.exec(text)?.[1]
  if (code !== undefined) return { type: 'code', text: code }
  if (!text.startsWith('- ')) return { type: 'paragraph', spans: spansOf(text) }
  return {
    type: 'list',
    items: text
      .split(/^- /m)
      .slice(1)
      .map(item => spansOf(item.trim())),
  }
}

function spansOf(text: string): readonly Span[] {
  return text
    .split(/(`[^`]+`|\*\*[^*]+\*\*|\*[^*]+\*)/)
    .filter(part => part !== '')
    .map((part): Span => {
      if (part.startsWith('`')) return { type: 'code', text: part.slice(1, -1) }
      if (part.startsWith('**')) return { type: 'bold', text: part.slice(2, -2) }
      if (part.startsWith('*')) return { type: 'em', text: part.slice(1, -1) }
      return { type: 'text', text: part }
    })
}
