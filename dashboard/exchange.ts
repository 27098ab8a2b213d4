// What comes in with a request, and the forms that an answer has.

const JSON_TYPE = 'application/json; charset=utf-8'

export type Target = {
  readonly path: string
  readonly isJson: boolean
  readonly part: string | null
}

/** `/groups/1.json`, `/groups/1/-/replicas` → the page, and what of it. */
export function targetOf(path: string): Target {
  const part = /^(.+)\/-\/([a-z]+)$/.exec(path)
  if (part !== null) return { path: part[1] ?? '', isJson: false, part: part[2] ?? '' }
  if (path.endsWith('.json')) return { path: path.slice(0, -5), isJson: true, part: null }
  return { path, isJson: false, part: null }
}

/** Path and query as they were asked for. */
export function urlOf({ url }: Request): string {
  const { pathname, search } = new URL(url)
  return pathname + search
}

/** Only places of our own: what comes after the login must not lead elsewhere. */
export function safeTarget(to: string | null): string {
  return to !== null && /^\/(?![/\\])[\x21-\x7e]*$/.test(to) ? to : '/'
}

export type NoForm = { readonly status: 413 | 415; readonly problem: string }

/** The fields of a form, or why there are none. */
export async function formOf(
  request: Request,
  bytesMax: number,
): Promise<URLSearchParams | NoForm> {
  const tooLarge: NoForm = { status: 413, problem: `The form is larger than ${bytesMax} bytes.` }
  const type = request.headers.get('content-type') ?? ''
  if (!/^application\/x-www-form-urlencoded\b/i.test(type))
    return { status: 415, problem: 'Forms are sent url-encoded.' }
  const length = Number(request.headers.get('content-length') ?? '0')
  if (length > bytesMax) return tooLarge
  let size = 0
  const chunks: Uint8Array[] = []
  const reader = request.body?.getReader()
  for (
    let next = await reader?.read();
    next !== undefined && !next.done;
    next = await reader?.read()
  ) {
    size += next.value.byteLength
    if (size > bytesMax) {
      await reader?.cancel()
      return tooLarge
    }
    chunks.push(next.value)
  }
  return new URLSearchParams(Buffer.concat(chunks).toString('utf8'))
}

export function htmlAnswer(status: number, text: string): Response {
  return new Response(text, { status, headers: { 'content-type': 'text/html; charset=utf-8' } })
}

export function json(value: unknown, status = 200): Response {
  return new Response(JSON.stringify(value), { status, headers: { 'content-type': JSON_TYPE } })
}

export function redirect(to: string, headers: Readonly<Record<string, string>> = {}): Response {
  return new Response(null, { status: 303, headers: { location: to, ...headers } })
}
