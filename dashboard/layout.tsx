// The frame of every page, and the small pieces that all of them are made of.

import type { Child } from 'hono/jsx'
import type { AssetUrls } from './assets.ts'
import type { Finding, Level } from './health.ts'
import type { Html } from './html.ts'
import { visible } from './html.ts'
import type { Section } from './page.ts'
import type { Session } from './session.ts'

const SECTIONS: readonly (readonly [Section, string, string])[] = [
  ['overview', '/', 'Overview'],
  ['reconfigure', '/reconfigure', 'Reconfigure'],
  ['configs', '/configs', 'Configurations'],
  ['groups', '/groups', 'Groups'],
  ['handoffs', '/handoffs', 'Handoffs'],
  ['instances', '/instances', 'Instances'],
  ['traces', '/traces', 'Traces'],
  ['keys', '/keys', 'Keys'],
  ['charts', '/charts', 'Metrics'],
  ['settings', '/settings', 'Settings'],
]

export type FrameOptions = {
  readonly title: string
  readonly section: Section | null
  /** Null: nobody is logged in. */
  readonly session: Session | null
  readonly cluster: string | null
  readonly assets: AssetUrls
  /** URL of the stream that keeps the parts up to date; null: nothing on the page changes. */
  readonly live: string | null
  readonly isReloading: boolean
  readonly twin: string | null
  readonly children?: Child
}

const HTMX_CONFIG = JSON.stringify({
  includeIndicatorCSS: false,
  // What somebody opened stays open when its part is brought up to date.
  morphIgnore: ['data-htmx-powered', 'open'],
  history: false,
})

export function Frame(options: FrameOptions) {
  const { title, session, assets, live, isReloading } = options
  return (
    <html lang="en">
      <head>
        <meta charset="utf-8" />
        <meta name="viewport" content="width=device-width, initial-scale=1" />
        <meta name="color-scheme" content="light dark" />
        <meta name="htmx-config" content={HTMX_CONFIG} />
        <title>{`${title} · Shardglass`}</title>
        <link rel="icon" type="image/svg+xml" href={assets.icon} />
        <link rel="stylesheet" href={assets.style} />
        {isReloading ? (
          <noscript>
            <meta http-equiv="refresh" content="5" />
          </noscript>
        ) : null}
        <script src={assets.htmx} defer />
        <script src={assets.script} defer />
      </head>
      <body>
        <a class="skip" href="#main">
          Skip to the page
        </a>
        {session === null ? null : <Head {...options} session={session} />}
        <main id="main" tabindex={-1}>
          {options.children}
        </main>
        {live === null ? null : <div id="live" {...{ 'hx-sse:connect': live }} hx-swap="none" />}
      </body>
    </html>
  )
}

function Head({ session, section, cluster, live, twin }: FrameOptions & { session: Session }) {
  return (
    <header class="head">
      <a class="brand" href="/">
        Shardglass
      </a>
      <nav aria-label="Pages">
        <ul>
          {SECTIONS.map(([key, href, text]) => (
            <li>
              <a href={href} aria-current={key === section ? 'page' : undefined}>
                {text}
              </a>
            </li>
          ))}
        </ul>
      </nav>
      <div class="who">
        {cluster === null ? null : (
          <span class="cluster" title={visible(cluster)}>
            {visible(cluster)}
          </span>
        )}
        {live === null ? null : <span id="pulse" class="pulse" role="status" />}
        {twin === null ? null : <a href={twin}>JSON</a>}
        <span class="user" title={session.grant.name}>
          {session.grant.name} <span class="dim">({session.grant.role})</span>
        </span>
        <form method="post" action="/logout">
          <Csrf session={session} />
          <button class="quiet" type="submit">
            Log out
          </button>
        </form>
      </div>
    </header>
  )
}

export function Csrf({ session }: { readonly session: Session }) {
  return <input type="hidden" name="csrf" value={session.csrf} />
}

/** A part with a URL of its own, from which it is brought up to date. */
export function Part(props: {
  readonly name: string
  readonly url: string
  readonly children?: Child
}) {
  const { name, url, children } = props
  return (
    <div
      id={`p-${name}`}
      class="part"
      hx-get={url}
      hx-trigger="poll from:body"
      hx-swap="outerMorph"
    >
      {children}
    </div>
  )
}

export function Panel(props: {
  readonly title: string
  readonly note?: Child
  readonly class?: string
  readonly children?: Child
}) {
  return (
    <section class={`panel ${props.class ?? ''}`}>
      <h2>
        {props.title}
        {props.note === undefined ? null : <small>{props.note}</small>}
      </h2>
      {props.children}
    </section>
  )
}

export function Findings({ findings }: { readonly findings: readonly Finding[] }) {
  return (
    <ul class="findings">
      {findings.map(({ level, text, href }) => (
        <li class={`finding ${level}`}>
          <b class="mark">{LEVEL_WORDS[level]}</b> <span>{visible(text)}</span>{' '}
          {href === null ? null : <a href={href}>look</a>}
        </li>
      ))}
    </ul>
  )
}

const LEVEL_WORDS: Readonly<Record<Level, string>> = {
  ok: 'Good',
  note: 'Note',
  warn: 'Warning',
  bad: 'Trouble',
}

export function Notice(props: { readonly level: Level; readonly children?: Child }) {
  return (
    <div class={`notice ${props.level}`} role={props.level === 'bad' ? 'alert' : 'status'}>
      <b class="mark">{LEVEL_WORDS[props.level]}</b> <div>{props.children}</div>
    </div>
  )
}

export function Empty({ children }: { readonly children?: Child }) {
  return <p class="empty">{children}</p>
}

/** A group by its colour and its number; colours repeat, numbers do not. */
export function GroupTag({ gid }: { readonly gid: number }) {
  return (
    <a class={`tag g${colourOf(gid)}`} href={`/groups/${gid}`}>
      {gid === 0 ? 'none' : `g${gid}`}
    </a>
  )
}

/** 0: no group. Eight colours that are told apart by colour-blind people too. */
export function colourOf(gid: number): number {
  return gid <= 0 ? 0 : ((gid - 1) % 8) + 1
}

export function Time({ ms, text }: { readonly ms: number; readonly text: string }): Html {
  return (
    <time datetime={Number.isFinite(ms) && ms > 0 ? new Date(ms).toISOString() : undefined}>
      {text}
    </time>
  )
}

/** A table that scrolls by itself where it is too wide. */
export function Table(props: {
  readonly label: string
  readonly head: readonly (string | readonly [string, string])[]
  readonly children?: Child
}) {
  return (
    <section class="scroll" tabindex={0} aria-label={props.label}>
      <table>
        <thead>
          <tr>
            {props.head.map(column =>
              typeof column === 'string' ? (
                <th scope="col">{column}</th>
              ) : (
                <th scope="col" class={column[1]}>
                  {column[0]}
                </th>
              ),
            )}
          </tr>
        </thead>
        <tbody>{props.children}</tbody>
      </table>
    </section>
  )
}
