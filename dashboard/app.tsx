// The dashboard's app: the gate, the login, and the one table of pages and actions. What is not in
// the table does not exist, and each entry names the role that it needs.

import type { HttpBindings } from '@hono/node-server'
import { type Context, Hono } from 'hono'
import { ShardglassError } from '../server/client/clerk.ts'
import type { Auth } from '../server/http/auth.ts'
import type { Assets } from './assets.ts'
import { type CookieTerms, endCookie, setCookie } from './cookie.ts'
import { formOf, htmlAnswer, json, redirect, safeTarget, targetOf, urlOf } from './exchange.ts'
import {
  accessProblem,
  csrfProblem,
  hostProblem,
  originProblem,
  SECURITY_HEADERS,
  sessionIdOf,
} from './gate.ts'
import { type Html, rendered } from './html.ts'
import { Frame } from './layout.tsx'
import { LiveStreams } from './live.ts'
import type { LoginLink } from './login-link.ts'
import { LoginForm, Refused } from './login-page.tsx'
import {
  type Action,
  type AnyPage,
  type LoadedPage,
  loaded,
  Missing,
  matchPath,
  type Outcome,
  type PageContext,
  type Section,
  sentenceOf,
} from './page.ts'
import { partOf, splitUrl, streamUrl, twinUrl } from './part.tsx'
import type { Services } from './services.ts'
import type { Session, Sessions } from './session.ts'

export type DashboardOptions = {
  readonly auth: Auth
  readonly services: Services
  readonly sessions: Sessions
  readonly pages: readonly AnyPage[]
  readonly actions: readonly Action[]
  readonly assets: Assets
  readonly cookie: CookieTerms
  /** Hosts, with port, under which it is reached; loopback always is. */
  readonly ownHosts: readonly string[]
  readonly loginLink: LoginLink | null
  readonly onFault: (error: unknown) => void
}

type Env = { Bindings: Partial<HttpBindings> }
type Request = Context<Env>

const FORM_BYTES_MAX = 64 * 1024

export class Dashboard {
  readonly hono = new Hono<Env>()
  private readonly options: DashboardOptions
  private readonly streams: LiveStreams
  private readonly ownHosts: ReadonlySet<string>

  constructor(options: DashboardOptions) {
    this.options = options
    const { onFault, services, sessions } = options
    this.streams = new LiveStreams({ reader: services.reader, sessions, onFault })
    this.ownHosts = new Set(options.ownHosts.map(host => host.toLowerCase()))
    this.hono.all('*', async request => this.withHeaders(await this.answer(request)))
    this.hono.onError(async (error, request) => {
      onFault(error)
      return this.withHeaders(await this.refusal(request, null, 500, FAULT))
    })
  }

  endStreams(): void {
    this.streams.close()
  }

  private withHeaders(response: Response): Response {
    for (const [name, value] of Object.entries(SECURITY_HEADERS)) {
      if (name !== 'cache-control' || !response.headers.has(name)) response.headers.set(name, value)
    }
    return response
  }

  private async answer(request: Request): Promise<Response> {
    const { headers, method } = request.req.raw
    const { path } = request.req
    const foreign = hostProblem(headers.get('host') ?? undefined, this.ownHosts)
    if (foreign !== null) return this.refusal(request, null, 421, foreign)
    const isReading = method === 'GET' || method === 'HEAD'
    if (!isReading && method !== 'POST') return this.notAllowed(request, null, 'GET, HEAD, POST')
    const origin = isReading ? null : originProblem(headers)
    if (origin !== null) return this.refusal(request, null, 403, origin)
    if (path === '/healthz') return json({ status: 'ok' })
    if (path.startsWith('/assets/')) return this.asset(request, path)
    if (path === '/login') return isReading ? this.showLogin(request) : this.login(request)
    const session = this.options.sessions.find(sessionIdOf(headers, this.options.cookie.name))
    if (session === null) return this.unknown(request, path)
    return isReading ? this.read(request, session) : this.act(request, session)
  }

  private async asset(request: Request, path: string): Promise<Response> {
    const found = this.options.assets.answer(path, request.req.header('accept-encoding') ?? '')
    return found ?? this.refusal(request, null, 404, 'There is no such file.')
  }

  // Login and logout

  private async showLogin(request: Request): Promise<Response> {
    const code = request.req.query('once')
    // What only looks, as some programs do at every link, does not spend it.
    const isLook = code === undefined || request.req.method === 'HEAD'
    if (isLook) return this.loginForm(request, 200, null)
    const token = this.options.loginLink?.use(code) ?? null
    if (token === null) {
      return this.loginForm(
        request,
        403,
        'This link was used before, or is not of this cluster. Log in with a token.',
      )
    }
    return this.opened(request, token, '/')
  }

  private async login(request: Request): Promise<Response> {
    const form = await formOf(request.req.raw, FORM_BYTES_MAX)
    if ('problem' in form) return this.loginForm(request, form.status, form.problem)
    return this.opened(request, (form.get('token') ?? '').trim(), safeTarget(form.get('to')))
  }

  private async opened(request: Request, token: string, to: string): Promise<Response> {
    const remoteAddress = request.env?.incoming?.socket.remoteAddress ?? ''
    const grant = this.options.auth.authenticate({
      authorization: `Bearer ${token}`,
      remoteAddress,
      connection: null,
    })
    if ('code' in grant) {
      const isTooMany = grant.code === 'too-many-requests'
      const text = isTooMany
        ? 'Too many tokens were refused from this address: wait a minute.'
        : 'This token is not known.'
      const response = await this.loginForm(request, isTooMany ? 429 : 403, text)
      if (isTooMany) response.headers.set('retry-after', '60')
      return response
    }
    const { sessions, services, cookie } = this.options
    const session = sessions.open(token, grant)
    services.audit.note(grant.name, 'log in', 'done')
    return redirect(to, { 'set-cookie': setCookie(cookie, session.id) })
  }

  private async loginForm(
    request: Request,
    status: number,
    problem: string | null,
  ): Promise<Response> {
    const to = safeTarget(request.req.query('to') ?? null)
    return this.html(
      status,
      { title: 'Log in', session: null, section: null },
      <LoginForm problem={problem} to={to} />,
    )
  }

  private async unknown(request: Request, path: string): Promise<Response> {
    if (path.endsWith('.json')) return json({ error: 'log in first' }, 401)
    const { raw } = request.req
    if (path.includes('/-/') || raw.headers.get('hx-request') !== null) {
      return new Response('', { status: 401, headers: { 'hx-redirect': '/login' } })
    }
    const to =
      raw.method === 'GET' && path !== '/'
        ? `?to=${encodeURIComponent(urlOf(request.req.raw))}`
        : ''
    return redirect(`/login${to}`)
  }

  // Pages

  private async read(request: Request, session: Session): Promise<Response> {
    const url = urlOf(request.req.raw)
    const target = targetOf(splitUrl(url).path)
    const found = this.pageOf(target.path)
    if (found === null) {
      if (this.actionOf(request.req.path) !== null) return this.notAllowed(request, session, 'POST')
      return this.refusal(request, session, 404, 'There is no such page.')
    }
    const refused = accessProblem(session, found.page)
    if (refused !== null) return this.refusal(request, session, 403, refused)
    const context = this.context(session, found.params, splitUrl(url).query)
    const pageUrl = target.path + splitUrl(url).query
    if (target.part === 'live') return this.live(request, pageUrl, found.page, context)
    const model = await loaded(found.page, context)
    if (model instanceof Missing)
      return this.refusal(request, session, model.status, model.text, found.page.section)
    if (target.isJson) return json(model.twin())
    if (target.part === null) return this.show(pageUrl, found.page, model, context)
    if (!found.page.partNames.includes(target.part)) {
      return this.refusal(request, session, 404, 'The page has no such part.')
    }
    return htmlAnswer(200, await rendered(partOf(model, target.part, context, pageUrl)))
  }

  private show(
    url: string,
    page: AnyPage,
    model: LoadedPage,
    context: PageContext,
  ): Promise<Response> {
    const isLive = page.partNames.length > 0
    const body = model.view(context, name => partOf(model, name, context, url))
    const frame = {
      title: model.title,
      section: page.section,
      session: context.session,
      live: isLive ? streamUrl(url) : null,
      isReloading: page.isReloading === true,
      twin: twinUrl(url),
    }
    return this.html(200, frame, body)
  }

  private live(request: Request, url: string, page: AnyPage, context: PageContext): Response {
    if (page.partNames.length === 0) return new Response('', { status: 404 })
    if (this.streams.isFull)
      return new Response('', { status: 503, headers: { 'retry-after': '10' } })
    const headers = { 'content-type': 'text/event-stream', 'x-accel-buffering': 'no' }
    // Nobody would read or end the stream of a HEAD.
    const isHead = request.req.raw.method === 'HEAD'
    return new Response(isHead ? null : this.streams.stream(url, page, context), { headers })
  }

  private async act(request: Request, session: Session): Promise<Response> {
    const { path } = request.req
    const action = this.actionOf(path)
    if (action === null) {
      if (this.pageOf(targetOf(path).path) !== null)
        return this.notAllowed(request, session, 'GET, HEAD')
      return this.refusal(request, session, 404, 'There is nothing of that name to do.')
    }
    const refused = accessProblem(session, action)
    if (refused !== null) return this.refusal(request, session, 403, refused)
    const form = await formOf(request.req.raw, action.bytesMax ?? FORM_BYTES_MAX)
    if ('problem' in form) return this.refusal(request, session, form.status, form.problem)
    const forged = csrfProblem(session, form)
    if (forged !== null) return this.refusal(request, session, 403, forged)
    if (path === '/logout') return this.logout(session)
    const outcome = await this.outcome(action, path, session, form)
    if (outcome.type === 'go') return redirect(outcome.to)
    const { status, title, section, body } = outcome
    return this.html(status, { title, section, session }, body)
  }

  private async outcome(
    action: Action,
    path: string,
    session: Session,
    form: URLSearchParams,
  ): Promise<Outcome> {
    const params = matchPath(action.path, path)?.params ?? {}
    try {
      return await action.run(this.context(session, params, ''), form)
    } catch (error) {
      if (!(error instanceof ShardglassError)) throw error
      const body = <Refused text={sentenceOf(error)} />
      return {
        type: 'show',
        status: error.status ?? 503,
        section: 'overview',
        title: 'Not done',
        body,
      }
    }
  }

  private logout(session: Session): Response {
    const { sessions, services, cookie } = this.options
    sessions.close(session.id)
    services.audit.note(session.grant.name, 'log out', 'done')
    return redirect('/login', { 'set-cookie': endCookie(cookie) })
  }

  private pageOf(path: string) {
    for (const page of this.options.pages) {
      const match = matchPath(page.path, path)
      const fits = match !== null && (page.fits?.(match.params) ?? true)
      if (match !== null && fits) return { page, params: match.params }
    }
    return null
  }

  private actionOf(path: string): Action | null {
    if (path === '/logout') return LOGOUT
    return this.options.actions.find(action => matchPath(action.path, path) !== null) ?? null
  }

  private context(session: Session, params: PageContext['params'], query: string): PageContext {
    return { services: this.options.services, session, params, query: new URLSearchParams(query) }
  }

  // Answers

  private async notAllowed(
    request: Request,
    session: Session | null,
    allow: string,
  ): Promise<Response> {
    const text = `This takes ${allow.replaceAll(', ', ' or ')} alone.`
    const response = await this.refusal(request, session, 405, text)
    response.headers.set('allow', allow)
    return response
  }

  private async refusal(
    request: Request,
    session: Session | null,
    status: number,
    text: string,
    section: Section | null = null,
  ): Promise<Response> {
    const { path } = request.req
    if (path.endsWith('.json')) return json({ error: text }, status)
    if (path.includes('/-/')) return htmlAnswer(status, await rendered(<Refused text={text} />))
    return this.html(status, { title: titleOf(status), session, section }, <Refused text={text} />)
  }

  private async html(
    status: number,
    frame: {
      readonly title: string
      readonly session: Session | null
      readonly section: Section | null
      readonly live?: string | null
      readonly isReloading?: boolean
      readonly twin?: string | null
    },
    body: Html,
  ): Promise<Response> {
    const { assets, services } = this.options
    const { live = null, isReloading = false, twin = null } = frame
    const cluster =
      services.reader.view.nodes.find(({ status: known }) => known !== null)?.status?.cluster ??
      null
    const page = (
      <Frame
        {...frame}
        live={live}
        isReloading={isReloading}
        twin={twin}
        cluster={cluster}
        assets={assets.urls}
      >
        {body}
      </Frame>
    )
    return htmlAnswer(status, `<!doctype html>${await rendered(page)}`)
  }
}

const FAULT =
  'Something went wrong in the dashboard itself; its log tells more. The cluster is not concerned.'
const LOGOUT: Action = {
  path: '/logout',
  role: 'reader',
  scope: 'key',
  run: async () => ({ type: 'go', to: '/login' }),
}

function titleOf(status: number): string {
  if (status === 404) return 'Not found'
  if (status === 403) return 'Not allowed'
  return status >= 500 ? 'Not available' : 'Not done'
}
