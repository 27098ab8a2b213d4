// npm run crashpoints -- [--every 1] [--only log|store|identity]: a script of fifty operations, stopped
// dead and its power cut at each operation on its files, or at every n-th. Exit code 1 when something
// acknowledged is gone.

import { parseArgs } from 'node:util'
import { CALLS, type CrashPoint, CrashPoints } from './crash-points.ts'
import { missingFor } from './faults.ts'
import { inRoom, type Room } from './isolation.ts'

const { values } = parseArgs({
  options: { every: { type: 'string', default: '1' }, only: { type: 'string', default: '' } },
})
/** Beyond, a call is not made any more in a script of fifty operations. */
const CALLS_MAX = 500

type Counts = { reached: number; bad: number }

async function check(points: CrashPoints, point: CrashPoint, counts: Counts): Promise<boolean> {
  const { isReached, wrong } = await points.check(point)
  if (isReached) counts.reached += 1
  if (wrong !== null) {
    counts.bad += 1
    console.log(`${JSON.stringify(point)}: ${wrong}`)
  }
  return isReached
}

async function main(room: Room): Promise<number> {
  const missing = missingFor({ needs: ['room', 'ext4', 'strace'] })
  if (missing !== null) {
    console.log(`SKIPPED: crash points: ${missing}`)
    return process.env.REQUIRE_ALL === '1' ? 1 : 0
  }
  const every = Math.max(1, Number(values.every))
  const points = await CrashPoints.start(room)
  const counts: Counts = { reached: 0, bad: 0 }
  const report = (what: string): void => {
    console.log(`${what}: ${counts.reached} points so far, ${counts.bad} wrong`)
  }
  try {
    const isWanted = (part: string): boolean => values.only === '' || values.only === part
    const logOperations = isWanted('log') ? points.logOperations : 0
    for (let number = 1; number <= logOperations; number += every) {
      await check(points, { on: 'log', number, isAfter: false }, counts)
      await check(points, { on: 'log', number, isAfter: true }, counts)
    }
    report('log')
    for (const on of ['store', 'identity'] as const) {
      for (const call of isWanted(on) ? CALLS[on] : []) {
        for (let number = 1; number <= CALLS_MAX; number += every) {
          if (!(await check(points, { on, call, number }, counts))) break
        }
        report(`${on}, ${call}`)
      }
    }
  } finally {
    await points.stop()
  }
  return counts.bad === 0 && counts.reached > 0 ? 0 : 1
}

process.exit(await inRoom(main))
