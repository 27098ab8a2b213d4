// A value as text or as hexadecimal: always as characters of the page, never as markup.

import { bytes } from './format.ts'
import { visible } from './html.ts'

/** More than a screen can use; the API gives the whole. */
const SHOWN_BYTES = 4_096

export type ValueForm = 'text' | 'hex'

export function ValueView({ value, form }: { readonly value: Buffer; readonly form: ValueForm }) {
  const shown = value.subarray(0, SHOWN_BYTES)
  const rest =
    value.length > shown.length
      ? ` The first ${bytes(shown.length)} of ${bytes(value.length)} are shown.`
      : ''
  const isText = isUtf8(value)
  const body = form === 'hex' || !isText ? hexLines(shown) : visible(shown.toString('utf8'), true)
  return (
    <>
      <pre tabindex={0}>{value.length === 0 ? '' : body}</pre>
      <p class="dim">
        {value.length === 0 ? 'The value is empty.' : `${bytes(value.length)}.`}
        {rest}
        {isText ? '' : ' It is not UTF-8 text, so it is shown as hexadecimal.'}
      </p>
    </>
  )
}

export function isUtf8(value: Buffer): boolean {
  return Buffer.from(value.toString('utf8'), 'utf8').equals(value)
}

/** Whether a text field gives back the very bytes: it drops or changes NUL, CR and their like. */
export function isFieldText(value: Buffer): boolean {
  const text = value.toString('utf8')
  return isUtf8(value) && !/\p{Cc}/u.test(text.replace(/[\t\n]/g, ''))
}

/** Offset, sixteen bytes, and what of them is printable ASCII. */
export function hexLines(value: Buffer): string {
  const lines: string[] = []
  for (let at = 0; at < value.length; at += 16) {
    const row = value.subarray(at, at + 16)
    const hex = [...row].map(byte => byte.toString(16).padStart(2, '0')).join(' ')
    const text = row.toString('latin1').replace(/[^\x20-\x7e]/g, '.')
    lines.push(`${at.toString(16).padStart(6, '0')}  ${hex.padEnd(47)}  ${text}`)
  }
  return lines.join('\n')
}

/** `68 65 6c`, also without the spaces; null when it is not that. */
export function fromHex(text: string): Buffer | null {
  const digits = text.replace(/\s+/g, '')
  return /^(?:[0-9a-fA-F]{2})*$/.test(digits) ? Buffer.from(digits, 'hex') : null
}
