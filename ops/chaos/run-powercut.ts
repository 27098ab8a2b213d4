// npm run powercut -- --cycles 200 [--control-cycles 10] [--load-ms 300]: power cuts under load, and
// the control. Exit code 1 when an answered write was lost, or when the control lost none.

import { parseArgs } from 'node:util'
import { missingFor } from './faults.ts'
import { inRoom, type Room } from './isolation.ts'
import { PowerCuts } from './power-cuts.ts'

const { values } = parseArgs({
  options: {
    cycles: { type: 'string', default: '200' },
    'control-cycles': { type: 'string', default: '10' },
    'load-ms': { type: 'string', default: '300' },
  },
})

/** How many answered writes, and how many of them were lost in which cycle. */
async function cut(room: Room, options: { lies: boolean; cycles: number }): Promise<boolean> {
  const cuts = await PowerCuts.start(room, options)
  const loadMs = Number(values['load-ms'])
  let answered = 0
  let ms = 0
  try {
    for (let cycle = 1; cycle <= options.cycles; cycle++) {
      const result = await cuts.cycle(loadMs / 2 + Math.random() * loadMs)
      answered += result.answered
      ms += result.ms
      if (result.lost.length === 0) continue
      const words = result.lost.slice(0, 5).join('; ')
      console.log(`cycle ${cycle}: ${result.lost.length} lost: ${words}`)
      return true
    }
    const each = (ms / options.cycles).toFixed(0)
    console.log(`${options.cycles} cuts, ${each} ms each, ${answered} answered writes: none lost`)
    return false
  } finally {
    await cuts.stop()
  }
}

async function main(room: Room): Promise<number> {
  const missing = missingFor({ needs: ['room', 'ext4', 'strace'] })
  if (missing !== null) {
    console.log(`SKIPPED: power cuts: ${missing}`)
    return process.env.REQUIRE_ALL === '1' ? 1 : 0
  }
  const controlCycles = Number(values['control-cycles'])
  if (controlCycles > 0) {
    console.log('control, with syncs that only claim to have happened:')
    if (!(await cut(room, { lies: true, cycles: controlCycles }))) return 1
  }
  const cycles = Number(values.cycles)
  if (cycles === 0) return 0
  console.log('with true syncs:')
  return (await cut(room, { lies: false, cycles })) ? 1 : 0
}

process.exit(await inRoom(main))
