// Where a replica can be reached: scheme, host, port, perhaps a path. Parsed here and not by `URL`,
// because every replica must come to the same result, whatever its Node version, and because
// `URL` reads other spellings of addresses (http://2852039166) that a check would not recognise.

import { BASE_URL_LENGTH_MAX } from '../limits.ts'

export type BaseUrl = {
  /** As it was given, in lower case but for the path, without trailing slashes or default port. */
  readonly url: string
  /** Equal for two spellings of one place. */
  readonly identity: string
}

const FORM = /^(https?):\/\/(\[[0-9a-f:.]+\]|[a-z0-9._-]+)(?::(\d{1,5}))?((?:\/[\w.~-]+)*)\/*$/i
const NAME = /^(?!-)[a-z0-9_-]{1,63}(?<!-)(\.(?!-)[a-z0-9_-]{1,63}(?<!-))*$/
const DECIMAL = /^(0|[1-9]\d{0,2})$/
const HEX = /^[0-9a-f]{1,4}$/

/** Null when it is no http(s) base URL of a place where a replica may be. */
export function parseBaseUrl(text: string): BaseUrl | null {
  if (text.length > BASE_URL_LENGTH_MAX) return null
  const [, givenScheme, givenHost, portText, path] = FORM.exec(text) ?? []
  if (givenScheme === undefined || givenHost === undefined || path === undefined) return null
  if (path.split('/').some(segment => segment === '.' || segment === '..')) return null
  const scheme = givenScheme.toLowerCase()
  const host = givenHost.toLowerCase()
  const place = placeOf(host)
  const defaultPort = scheme === 'http' ? 80 : 443
  const port = portText === undefined ? defaultPort : Number(portText)
  if (place === null || port < 1 || port > 65_535) return null
  const suffix = (port === defaultPort ? '' : `:${port}`) + path
  return { url: `${scheme}://${host}${suffix}`, identity: `${place}:${port}${path}` }
}

/** One spelling for a host, null where no replica can or may be (no such host, link-local, …). */
function placeOf(host: string): string | null {
  if (host.startsWith('[')) return placeOfSix(host.slice(1, -1))
  const lastLabel = host.slice(host.lastIndexOf('.') + 1)
  if (/^(\d+|0x[0-9a-f]*)$/.test(lastLabel)) return placeOfFour(host)
  return host.length <= 253 && NAME.test(host) ? host : null
}

function placeOfFour(host: string): string | null {
  const [first = 0, second = 0, ...rest] = host
    .split('.')
    .map(part => (DECIMAL.test(part) ? Number(part) : 256))
  if (rest.length !== 2 || [first, second, ...rest].some(byte => byte > 255)) return null
  // This network, link-local (cloud metadata), multicast and reserved.
  const isRefused = first === 0 || (first === 169 && second === 254) || first >= 224
  return isRefused ? null : host
}

function placeOfSix(host: string): string | null {
  const groups = groupsOfSix(host)
  if (groups === null) return null
  const [first = 0] = groups
  const head = groups.slice(0, 5).every(group => group === 0)
  const [sixth = 0, seventh = 0, eighth = 0] = groups.slice(5)
  if (head && sixth === 0xffff) {
    return placeOfFour([seventh >> 8, seventh & 255, eighth >> 8, eighth & 255].join('.'))
  }
  const isLoopback = head && sixth === 0 && seventh === 0 && eighth === 1
  // Unspecified and the old embedded IPv4 form, link-local, multicast.
  if (head && sixth === 0 && !isLoopback) return null
  if ((first & 0xffc0) === 0xfe80 || first >= 0xff00) return null
  return `[${groups.map(group => group.toString(16)).join(':')}]`
}

/** The eight groups of an IPv6 address, null when it is none. Dotted endings are not taken. */
function groupsOfSix(host: string): number[] | null {
  const halves = host.split('::')
  if (halves.length > 2) return null
  const [front, back] = halves.map(half => (half === '' ? [] : half.split(':')))
  const parts = [...(front ?? []), ...(back ?? [])]
  if (!parts.every(part => HEX.test(part))) return null
  if (back === undefined ? parts.length !== 8 : parts.length > 7) return null
  const gap = new Array<string>(8 - parts.length).fill('0')
  return [...(front ?? []), ...gap, ...(back ?? [])].map(part => Number.parseInt(part, 16))
}
