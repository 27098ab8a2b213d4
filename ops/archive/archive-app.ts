// The archive's app: its own routes, and health and description as every node has them.

import { createApp, type GateOptions, type HttpApp } from '../../server/http/app.ts'
import type { Route } from '../../server/http/route.ts'
import { apiRoutes, healthRoutes } from '../../server/http/status-routes.ts'
import { ARCHIVE_SCHEMAS } from './archive-docs.ts'
import { type ArchiveRoutesOptions, archiveRoutes } from './archive-routes.ts'

export type ArchiveAppOptions = GateOptions & ArchiveRoutesOptions & { readonly version: string }

export function createArchiveApp(options: ArchiveAppOptions): HttpApp {
  const { archive, version, moreRoutes = [] } = options
  const routes: Route[] = [...archiveRoutes(options), ...moreRoutes]
  const title = 'Shardglass archive of traces'
  routes.push(
    ...healthRoutes({
      summary: 'It takes what is sent; 503 otherwise',
      unready: () => archive.status().refusing,
    }),
    ...apiRoutes(version, { title, routes: () => routes, schemas: ARCHIVE_SCHEMAS }),
  )
  return createApp(options, routes)
}
