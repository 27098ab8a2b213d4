// What every request passes before anything else: is it meant for us, does it come from our own
// pages, who is it, may they do this. And what every answer carries.

import type { Role } from '../server/http/auth.ts'
import { roleProblem } from '../server/http/auth.ts'
import { getCookie } from './cookie.ts'
import { isSame, type Session } from './session.ts'

export const SECURITY_HEADERS: Readonly<Record<string, string>> = {
  'content-security-policy':
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; " +
    "frame-ancestors 'none'; base-uri 'none'; form-action 'self'",
  'x-content-type-options': 'nosniff',
  'x-frame-options': 'DENY',
  // `no-referrer` would take the Origin from our own forms as well.
  'referrer-policy': 'same-origin',
  'cross-origin-opener-policy': 'same-origin',
  'cross-origin-resource-policy': 'same-origin',
  'cache-control': 'no-store',
}

/** A sentence, or null where the request is meant for a host of ours (DNS rebinding). */
export function hostProblem(host: string | undefined, own: ReadonlySet<string>): string | null {
  const name = (host ?? '').toLowerCase()
  if (own.has(name) || /^(localhost|\[::1\]|127(\.\d{1,3}){3})(:\d{1,5})?$/.test(name)) return null
  return 'This dashboard is not served under that name.'
}

/**
 * Whether a request that may change something comes from our own pages. Browsers say where from;
 * what says nothing (curl) has no cookie by itself, and needs the form's secret all the same.
 */
export function originProblem(headers: Headers): string | null {
  const site = headers.get('sec-fetch-site')
  if (site !== null && site !== 'same-origin' && site !== 'none') return FOREIGN
  const origin = headers.get('origin')
  if (origin === null) return null
  const host = URL.canParse(origin) ? new URL(origin).host : ''
  return host !== '' && host === headers.get('host')?.toLowerCase() ? null : FOREIGN
}

const FOREIGN = 'Requests of other sites are refused.'

export function csrfProblem(session: Session, form: URLSearchParams): string | null {
  if (isSame(form.get('csrf') ?? '', session.csrf)) return null
  return 'This form is not of this session. Load the page again and repeat it.'
}

/** What keeps this session from a page or action, in words. */
export function accessProblem(
  session: Session,
  wanted: { readonly role: Role; readonly scope?: 'key' | 'node' },
): string | null {
  const { grant } = session
  if (grant.keyPrefix !== '' && wanted.scope !== 'key') {
    return `The token ${grant.name} is for keys of one prefix alone: it opens the page Keys.`
  }
  if (roleProblem(grant, wanted.role) === null) return null
  return `This needs a token with the role ${wanted.role}; ${grant.name} has the role ${grant.role}.`
}

/** Whether it is worth showing what only this role can do. */
export function hasRole(session: Session, role: Role): boolean {
  return roleProblem(session.grant, role) === null
}

export function sessionIdOf(headers: Headers, cookieName: string): string | undefined {
  return getCookie(headers.get('cookie') ?? '', cookieName)
}
