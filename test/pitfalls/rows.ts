// The catalogue of what systems of this kind got wrong, row by row, and what shows that this one
// does not: named tests, and faults of `npm run chaos` where only real processes can show it.
// rows.test.ts holds that no row is left out and that everything named here exists.

import type { Row } from './row.ts'
import { CLUSTER_ROWS } from './rows-of-a-cluster.ts'
import { GROUP_ROWS } from './rows-of-a-group.ts'

/** How many rows each letter has. */
export const ROW_COUNTS = { P: 14, T: 6, S: 14, C: 6, H: 16, R: 8, G: 10 } as const

export const ROWS: readonly Row[] = [...GROUP_ROWS, ...CLUSTER_ROWS]
