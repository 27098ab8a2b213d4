// The table of all pages and of all that can be done.

import type { Action, AnyPage } from './page.ts'
import { charts } from './pages/charts.tsx'
import { comparePage, configPage, configs } from './pages/configs.tsx'
import { groupPage, groupsPage, stepDownAction } from './pages/groups.tsx'
import { handoffPage, handoffs } from './pages/handoffs.tsx'
import { instancePage, instances } from './pages/instances.tsx'
import { keysPage, writeAction } from './pages/keys.tsx'
import { overview } from './pages/overview.tsx'
import { applyAction, planPage, reconfigure } from './pages/reconfigure.tsx'
import { runbook } from './pages/runbook.tsx'
import { createTokenAction, revokeTokenAction, settings } from './pages/settings.tsx'

import { tracePage, traces } from './pages/traces.tsx'

export const PAGES: readonly AnyPage[] = [
  overview,
  reconfigure,
  planPage,
  configs,
  configPage,
  comparePage,
  groupsPage,
  groupPage,
  instances,
  instancePage,
  handoffs,
  handoffPage,
  traces,
  tracePage,
  charts,
  keysPage,
  settings,
  runbook,
]

export const ACTIONS: readonly Action[] = [
  applyAction,
  stepDownAction,
  writeAction,
  createTokenAction,
  revokeTokenAction,
]
