// The table of all pages and of all that can be done.

import type { Action, AnyPage } from './page.ts'
import { overview } from './pages/overview.tsx'

export const PAGES: readonly AnyPage[] = [overview]

export const ACTIONS: readonly Action[] = []
