// The archive of traces. Everything is configured by flags or environment variables: see --help.

import { createAuth, hashToken } from '../server/http/auth.ts'
import { startHttpServer } from '../server/http/server.ts'
import { Archive } from './archive/archive.ts'
import { createArchiveApp } from './archive/archive-app.ts'
import { ArchiveMetrics } from './archive/archive-metrics.ts'
import { archiveOptions } from './archive/archive-options.ts'
import { describe, type Life, live, Refusal, type Running } from './life.ts'
import { nameOf } from './options.ts'
import { readSecret } from './secrets.ts'
import { metricsRoute } from './telemetry/metrics-route.ts'
import { followTokens, readTokens } from './tokens-file.ts'
import { version } from './version.ts'

const argv = process.argv.slice(2)
const DAY_MS = 86_400_000
/** Batches under way are answered, ms. */
const REQUESTS_MS = 500

async function start(life: Life): Promise<Running> {
  const options = archiveOptions(argv)
  const tokens = readTokens(options.tokensFile)
  const { peerTokenFile, keepBytes, keepDays, sync, data, listen } = options
  const peerHash = peerTokenFile === undefined ? null : hashToken(readSecret(peerTokenFile))
  const archive = await Archive.start({
    folder: data,
    sync,
    bytesMax: keepBytes,
    ageMsMax: keepDays * DAY_MS,
    version,
    onNote: text => life.log('warn', text),
    onFatal: life.onFatal,
    onWritten: seconds => metrics.onWritten(seconds),
  })
  const metrics = new ArchiveMetrics(() => archive.status(), version)
  const onFault = (error: unknown): void =>
    life.log('error', 'a request failed unexpectedly', { error: describe(error) })
  const auth = createAuth({ tokens, peerHash })
  const app = createArchiveApp({
    archive,
    version,
    auth,
    onFault,
    nowMs: Date.now,
    onExport: status => metrics.onExport(status),
    moreRoutes: [metricsRoute(metrics.registry)],
  })
  const server = await startHttpServer({
    app,
    ...listen,
    // No replica is here: messages between them have come to the wrong door.
    onPeerPost: async () => ({ status: 404, body: '' }),
    onUpgrade: (_request, socket) => socket.destroy(),
  }).catch(cause => {
    throw new Refusal(`cannot listen on ${listen.host}:${listen.port}`, { cause })
  })
  const following = followTokens(options.tokensFile, auth, life.log)
  life.log('info', 'serving', { port: server.port, spans: archive.status().spans })
  return {
    stop: async () => {
      following.stop()
      await server.close({ graceMs: REQUESTS_MS })
      metrics.stop()
      await archive.close()
    },
  }
}

await live(nameOf(argv, 'archive'), start)
