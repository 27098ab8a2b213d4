// A suite of the course's cases on one cluster of real processes: started before the first case,
// healed after each, and examined and ended after the last. With COURSE_TIMES=1 each case prints how
// long it took; COURSE_SEED makes chance the same again.

import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { CourseCluster, type CourseOptions } from '../support/course-cluster.ts'
import { Random } from '../support/random.ts'

export type CourseSuite = {
  readonly test: ReturnType<typeof suite>
  /** The cluster, once the suite runs. */
  readonly cluster: () => CourseCluster
  readonly random: Random
}

/** With COURSE_FULL=1 as long as the course's, else a part that fits into every test run. */
export const isFull = process.env.COURSE_FULL === '1'

/** `joining`: groups that have joined before the first case. */
type SuiteOptions = Omit<CourseOptions, 'seed'> & { readonly joining?: readonly number[] }

export function courseSuite(name: string, options: SuiteOptions): CourseSuite {
  const seed = Number(process.env.COURSE_SEED ?? Math.floor(Math.random() * 1e9))
  const test = suite(`${name}, seed ${seed}`)
  let running: CourseCluster | null = null
  let startedAt = 0
  const cluster = (): CourseCluster => {
    assert.ok(running !== null, 'the cluster runs')
    return running
  }
  test.before(async () => {
    try {
      running = await CourseCluster.start({ ...options, seed })
      for (const gid of options.joining ?? []) {
        const { num } = await running.join(gid)
        await running.settled(num, [gid])
      }
    } catch (error) {
      console.error(error) // uvu itself says nothing of what fails in here
      for (const line of running?.errors ?? []) console.error(line)
      throw error
    }
  })
  test.before.each(() => {
    startedAt = performance.now()
  })
  test.after.each(context => {
    running?.network.heal()
    if (process.env.COURSE_TIMES !== '1') return
    const { __test__: title = '' } = context as { __test__?: string }
    console.log(`case ${(performance.now() - startedAt).toFixed(0)} ms ${title}`)
  })
  test.after(async () => {
    const errors = running?.errors ?? []
    await running?.stop()
    assert.equal(errors, [])
  })
  return { test, cluster, random: new Random(seed, name) }
}
