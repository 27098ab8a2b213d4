// The table of all pages and of all that can be done.

import type { Action, AnyPage } from './page.ts'
import { overview } from './pages/overview.tsx'
import { runbook } from './pages/runbook.tsx'

export const PAGES: readonly AnyPage[] = [overview, runbook]

export const ACTIONS: readonly Action[] = []
