// What a piece of a page is, and the few ways in which text becomes one.

import { raw } from 'hono/html'
import type { Child } from 'hono/jsx'

/** Rendered or about to be. */
export type Html = Child

/** The whole text of a piece. */
export async function rendered(piece: Html): Promise<string> {
  if (Array.isArray(piece)) return (await Promise.all(piece.map(rendered))).join('')
  if (piece === null || piece === undefined || typeof piece === 'boolean') return ''
  return String(await piece)
}

/** Text of this program, such as a picture, that is markup already. Never what others wrote. */
export function markup(text: string): Html {
  return raw(text)
}

/** For markup made as text. */
export function escapeText(text: string): string {
  return text.replace(/[&<>"']/g, sign => ENTITIES[sign] ?? sign)
}

const ENTITIES: Readonly<Record<string, string>> = {
  '&': '&amp;',
  '<': '&lt;',
  '>': '&gt;',
  '"': '&quot;',
  "'": '&#39;',
}

/**
 * Control, direction and invisible characters of foreign text as escapes, so that none can hide or
 * reorder what a page says. Line feeds and tabs stay where `isMultiline`.
 */
export function visible(text: string, isMultiline = false): string {
  return text.replace(/[\p{Cc}\p{Cf}\p{Zl}\p{Zp}\p{Co}\p{Cn}\u{E0000}-\u{E0FFF}]/gu, sign => {
    if (isMultiline && (sign === '\n' || sign === '\t')) return sign
    return `\\u{${(sign.codePointAt(0) ?? 0).toString(16)}}`
  })
}

/** Cut to `most` characters, and says so. */
export function cut(text: string, most: number): string {
  return text.length <= most ? text : `${text.slice(0, most)}… (${text.length} characters)`
}
