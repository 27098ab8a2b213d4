// The URLs that belong to a page, and a part of it under its own.

import type { Html } from './html.ts'
import { Part } from './layout.tsx'
import type { LoadedPage, PageContext } from './page.ts'

/** Path and query of a page. `/` is the overview's. */
export function splitUrl(url: string): { readonly path: string; readonly query: string } {
  const at = url.indexOf('?')
  const path = at < 0 ? url : url.slice(0, at)
  return { path: path === '/' ? '/overview' : path, query: at < 0 ? '' : url.slice(at) }
}

export function twinUrl(url: string): string {
  const { path, query } = splitUrl(url)
  return `${path}.json${query}`
}

export function streamUrl(url: string): string {
  const { path, query } = splitUrl(url)
  return `${path}/-/live${query}`
}

/** A part in its frame, as it stands in the page at `url`. */
export function partOf(page: LoadedPage, name: string, context: PageContext, url: string): Html {
  const { path, query } = splitUrl(url)
  return (
    <Part name={name} url={`${path}/-/${name}${query}`}>
      {page.part(name, context)}
    </Part>
  )
}
