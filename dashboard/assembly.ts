// Puts the dashboard together, for its process and for tests.

import { join } from 'node:path'
import { Connections } from '../server/client/connections.ts'
import type { Auth } from '../server/http/auth.ts'
import type { HttpServerOptions } from '../server/http/server.ts'
import { Traffic } from '../server/http/traffic.ts'
import { Dashboard } from './app.tsx'
import { Assets } from './assets.ts'
import { Audit } from './audit.ts'
import { type Asker, ClusterReader } from './cluster-reader.ts'
import type { LoginLink } from './login-link.ts'
import type { Options } from './options.ts'
import { ACTIONS, PAGES } from './pages.ts'
import { Clients, type Services } from './services.ts'
import { Sessions } from './session.ts'

export type AssemblyOptions = Omit<Options, 'listen' | 'linkTokenFile' | 'linkFile'> & {
  readonly auth: Auth
  readonly onFault: (error: unknown) => void
  readonly nowMs: () => number
  readonly loginLink: LoginLink | null
  readonly ask?: Asker
}

export type AssembledDashboard = {
  readonly app: Dashboard
  readonly services: Services
  readonly sessions: Sessions
  /** For the server of the nodes, with all its bounds. */
  readonly http: Omit<HttpServerOptions, 'host' | 'port'>
  close(): Promise<void>
}

export function createDashboard(options: AssemblyOptions): AssembledDashboard {
  const { auth, onFault, nowMs, advertise, shardmasters, nodes, archive } = options
  const sessions = new Sessions(auth, nowMs)
  const ask = options.ask === undefined ? {} : { ask: options.ask }
  const token = () => sessions.readingToken()
  const reader = new ClusterReader({ shardmasters, nodes, token, nowMs, onFault, ...ask })
  const services: Services = {
    reader,
    nowMs,
    clients: new Clients({ shardmasters, archive }),
    connections: new Connections({ perNode: 4 }),
    keyNodes: nodes.map(({ url }) => url).filter(url => !shardmasters.includes(url)),
    audit: new Audit(join(options.data, 'audit.jsonl'), nowMs),
    tokensFile: options.tokensFile,
    grafana: options.grafana,
  }
  const { host, port, protocol } = new URL(advertise)
  const app = new Dashboard({
    auth,
    services,
    sessions,
    pages: PAGES,
    actions: ACTIONS,
    assets: new Assets(),
    // Cookies know no ports: two dashboards on one machine would log each other out.
    cookie: { name: `shardglass_${port || '0'}`, isSecure: protocol === 'https:' },
    ownHosts: [host],
    loginLink: options.loginLink,
    onFault,
  })
  return {
    app,
    services,
    sessions,
    http: { app: httpApp(app, auth, onFault), ...NO_PEERS },
    close: async () => {
      app.endStreams()
      await Promise.all([reader.close(), services.clients.close(), services.connections.close()])
      services.audit.close()
    },
  }
}

function httpApp(app: Dashboard, auth: Auth, onFault: (error: unknown) => void) {
  return {
    hono: app.hono,
    routes: [],
    auth,
    onFault,
    endStreams: () => app.endStreams(),
    serveHot: () => false,
    traffic: new Traffic(),
  }
}

/** Never called: there is no credential with which a peer could come in. */
const NO_PEERS: Pick<HttpServerOptions, 'onPeerPost' | 'onUpgrade'> = {
  onPeerPost: () => Promise.reject(new Error('a dashboard has no peers')),
  onUpgrade: (_request, socket) => void socket.destroy(),
}
