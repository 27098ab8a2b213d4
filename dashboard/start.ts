// The process `dashboard`: the admin pages over HTTP. Everything is configured by flags or
// environment variables: see --help.

import { describe, type Life, live, Refusal, type Running } from '../ops/life.ts'
import { followTokens, readTokens } from '../ops/tokens-file.ts'
import { createAuth } from '../server/http/auth.ts'
import { startHttpServer } from '../server/http/server.ts'
import { createDashboard } from './assembly.ts'
import { LoginLink } from './login-link.ts'
import { dashboardOptions } from './options.ts'

const argv = process.argv.slice(2)
/** Time for requests under way when it is told to stop, in ms. */
const REQUESTS_MS = 500

async function start(life: Life): Promise<Running> {
  const options = dashboardOptions(argv)
  const auth = createAuth({ tokens: readTokens(options.tokensFile), peerHash: null })
  const tokens = followTokens(options.tokensFile, auth, life.log)
  const onFault = (error: unknown): void => {
    life.log('error', 'a request failed unexpectedly', { error: describe(error) })
  }
  const dashboard = createDashboard({
    ...options,
    auth,
    onFault,
    nowMs: Date.now,
    loginLink:
      options.linkTokenFile === null
        ? null
        : new LoginLink({
            url: options.advertise,
            file: options.linkFile,
            tokenFile: options.linkTokenFile,
          }),
  })
  const server = await startHttpServer({ ...options.listen, ...dashboard.http }).catch(cause => {
    const { host, port } = options.listen
    throw new Refusal(`cannot listen on ${host}:${port}`, { cause })
  })
  life.log('info', 'serving', { url: options.advertise })
  return {
    stop: async () => {
      tokens.stop()
      await server.close({ graceMs: REQUESTS_MS })
      await dashboard.close()
    },
  }
}

await live('dashboard', start)
