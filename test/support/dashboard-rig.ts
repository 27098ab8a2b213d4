// The dashboard in this process over simulated nodes, and a browser's part of talking to it.

import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type AssembledDashboard, createDashboard } from '../../dashboard/assembly.ts'
import type { KnownNode } from '../../dashboard/cluster-reader.ts'
import { LoginLink } from '../../dashboard/login-link.ts'
import { readTokens } from '../../ops/tokens-file.ts'
import { type Auth, createAuth, hashToken } from '../../server/http/auth.ts'
import { MASTERS, type Simulated, simulated } from './simulated-asker.ts'

export const TOKEN = {
  admin: 'admin-token-0123456789',
  writer: 'writer-token-0123456789',
  reader: 'reader-token-0123456789',
  prefixed: 'prefixed-token-0123456789',
} as const

const URL_ = 'http://127.0.0.1:4400'
const HOST = '127.0.0.1:4400'

export class DashboardRig {
  readonly folder = mkdtempSync(join(tmpdir(), 'dashboard-'))
  readonly tokensFile = join(this.folder, 'tokens.json')
  readonly linkFile = join(this.folder, 'login.link')
  readonly auth: Auth
  readonly cluster: Simulated
  readonly dashboard: AssembledDashboard
  readonly faults: unknown[] = []
  nowMs = 1_700_000_000_000

  constructor(
    cluster: Simulated = simulated(16, 2),
    archive: string | null = null,
    nodes: readonly KnownNode[] = [],
  ) {
    this.cluster = cluster
    const tokens = [
      { name: 'boss', role: 'admin', hash: hashToken(TOKEN.admin) },
      { name: 'w', role: 'writer', hash: hashToken(TOKEN.writer) },
      { name: 'r', role: 'reader', hash: hashToken(TOKEN.reader) },
      { name: 'p', role: 'writer', hash: hashToken(TOKEN.prefixed), prefix: 'tenant/' },
    ]
    writeFileSync(this.tokensFile, JSON.stringify(tokens), { mode: 0o600 })
    const tokenFile = join(this.folder, 'admin.token')
    writeFileSync(tokenFile, TOKEN.admin, { mode: 0o600 })
    this.auth = createAuth({ tokens: readTokens(this.tokensFile), peerHash: null })
    this.dashboard = createDashboard({
      ...{ auth: this.auth, advertise: URL_, shardmasters: MASTERS, nodes },
      ...{ archive, grafana: null, data: this.folder, tokensFile: this.tokensFile },
      nowMs: () => this.nowMs,
      onFault: error => void this.faults.push(error),
      loginLink: new LoginLink({ url: URL_, file: this.linkFile, tokenFile }),
      ask: this.cluster.ask,
    })
  }

  /** As a browser that follows nothing by itself. */
  get(path: string, headers: Readonly<Record<string, string>> = {}): Promise<Response> {
    return this.send(new Request(URL_ + path, { headers: { host: HOST, ...headers } }))
  }

  post(
    path: string,
    fields: Readonly<Record<string, string>>,
    headers: Readonly<Record<string, string>> = {},
  ): Promise<Response> {
    const body = new URLSearchParams(fields).toString()
    const type = { 'content-type': 'application/x-www-form-urlencoded' }
    const own = { host: HOST, origin: URL_, 'sec-fetch-site': 'same-origin', ...type, ...headers }
    return this.send(new Request(URL_ + path, { method: 'POST', body, headers: own }))
  }

  /** Logs in; resolves to the headers of the session and the secret of its forms. */
  async login(token: string): Promise<{ readonly cookie: string; readonly csrf: string }> {
    const response = await this.post('/login', { token })
    const cookie = response.headers.get('set-cookie')?.split(';')[0] ?? ''
    const page = await (await this.get('/keys', { cookie })).text()
    return { cookie, csrf: /name="csrf" value="([^"]+)"/.exec(page)?.[1] ?? '' }
  }

  async stop(): Promise<void> {
    await this.dashboard.close()
    rmSync(this.folder, { recursive: true, force: true })
  }

  private async send(request: Request): Promise<Response> {
    return this.dashboard.app.hono.fetch(request)
  }
}
