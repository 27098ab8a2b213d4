// The runbook: where the links of alerts and of Grafana's panels lead. It needs nothing of the cluster,
// so that it can be read when the cluster is down.

import { page } from '../page.ts'
import { type Block, readRunbook, type Span } from '../runbook-text.ts'

export const runbook = page<readonly Block[]>({
  path: '/runbook',
  role: 'reader',
  section: 'charts',
  title: () => 'Runbook',
  load: async () => readRunbook(),
  view: blocks => <article class="prose">{blocks.map(blockView)}</article>,
})

function blockView(block: Block) {
  switch (block.type) {
    case 'heading':
      return headingView(block)
    case 'list':
      return (
        <ul>
          {block.items.map(spans => (
            <li>{spans.map(spanView)}</li>
          ))}
        </ul>
      )
    case 'code':
      return <pre>{block.text}</pre>
    case 'paragraph':
      return <p>{block.spans.map(spanView)}</p>
  }
}

function headingView({ level, id, text }: Block & { readonly type: 'heading' }) {
  if (level === 1) return <h1>{text}</h1>
  if (level === 2) return <h2 id={id}>{text}</h2>
  return <h3 id={id}>{text}</h3>
}

function spanView({ type, text }: Span) {
  switch (type) {
    case 'text':
      return <>{text}</>
    case 'code':
      return <code>{text}</code>
    case 'bold':
      return <b>{text}</b>
    case 'em':
      return <em>{text}</em>
  }
}
