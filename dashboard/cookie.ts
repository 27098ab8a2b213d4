// The one cookie: no script sees it, no other site causes it to be sent.

export function getCookie(header: string, name: string): string | undefined {
  for (const pair of header.split(';')) {
    const at = pair.indexOf('=')
    if (at > 0 && pair.slice(0, at).trim() === name) return pair.slice(at + 1).trim()
  }
  return undefined
}

export type CookieTerms = { readonly name: string; readonly isSecure: boolean }

export function setCookie({ name, isSecure }: CookieTerms, value: string): string {
  const secure = isSecure ? '; Secure' : ''
  return `${name}=${value}; Path=/; HttpOnly; SameSite=Strict${secure}`
}

export function endCookie(terms: CookieTerms): string {
  return `${setCookie(terms, '')}; Max-Age=0`
}
