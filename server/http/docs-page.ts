// `/docs`: openapi.json for people, as one page without scripts or outside resources.

import { createHash } from 'node:crypto'
import type { ApiDocument } from './openapi.ts'

const STYLE = `
body{font:16px/1.5 system-ui,sans-serif;max-width:60rem;margin:2rem auto;padding:0 1rem;
background:#fff;color:#1a1a1a}
code,pre{font:14px/1.4 ui-monospace,monospace}pre{overflow:auto;padding:.75rem;background:#f3f4f6}
h2{margin-top:2.5rem;font-size:1.1rem}h2 b{color:#0b5}table{border-collapse:collapse}
td,th{text-align:left;vertical-align:top;padding:.2rem 1rem .2rem 0;border-top:1px solid #ddd}
@media(prefers-color-scheme:dark){body{background:#111;color:#ddd}pre{background:#1d1f23}
td,th{border-color:#333}}`

const STYLE_HASH = createHash('sha256').update(STYLE).digest('base64')

/** Nothing but the page's own style. */
export const DOCS_CSP =
  `default-src 'none'; style-src 'sha256-${STYLE_HASH}'; frame-ancestors 'none'; ` +
  "base-uri 'none'; form-action 'none'"

export function docsPage(document: ApiDocument): string {
  const { info } = document
  const sections: string[] = []
  for (const [path, operations] of Object.entries(document.paths)) {
    for (const [method, operation] of Object.entries(operations)) {
      if (method !== 'head') sections.push(section(method, path, operation))
    }
  }
  const title = escaped(info.title)
  return (
    `<!doctype html><html lang="en"><head><meta charset="utf-8"><title>${title}</title>` +
    '<meta name="viewport" content="width=device-width,initial-scale=1">' +
    `<style>${STYLE}</style></head><body><main><h1>${title}</h1>` +
    `<p>${escaped(info.description)}</p>` +
    '<p>The same for machines: <a href="/openapi.json">openapi.json</a></p>' +
    `${sections.join('')}</main></body></html>`
  )
}

function section(method: string, path: string, operation: Readonly<Record<string, unknown>>) {
  const head = `<h2><b>${method.toUpperCase()}</b> <code>${escaped(path)}</code></h2>`
  const role = `<p>${escaped(operation.summary)} · role: ${escaped(operation['x-role'])}</p>`
  const text = operation.description === undefined ? '' : `<p>${escaped(operation.description)}</p>`
  const body = JSON.stringify(operation.requestBody, null, 2)
  const shown = body === undefined ? '' : `<pre>${escaped(body)}</pre>`
  return (
    head + role + text + parameters(operation.parameters) + shown + answers(operation.responses)
  )
}

function parameters(list: unknown): string {
  if (!Array.isArray(list) || list.length === 0) return ''
  const rows = list.map(
    item =>
      `<tr><td><code>${escaped(item.name)}</code></td><td>${escaped(item.in)}</td>` +
      `<td>${escaped(item.description ?? '')}</td></tr>`,
  )
  return `<table><tr><th>parameter</th><th>in</th><th></th></tr>${rows.join('')}</table>`
}

function answers(responses: unknown): string {
  if (typeof responses !== 'object' || responses === null) return ''
  const rows = Object.entries(responses).map(
    ([status, response]) =>
      `<tr><td><code>${escaped(status)}</code></td><td>${escaped(response.description)}</td></tr>`,
  )
  return `<table><tr><th>answer</th><th></th></tr>${rows.join('')}</table>`
}

function escaped(value: unknown): string {
  const text = String(value)
  return text.replace(/[&<>"']/g, character => `&#${character.charCodeAt(0)};`)
}
