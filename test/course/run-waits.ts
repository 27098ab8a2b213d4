// node --import tsx test/course/run-waits.ts [--seeds N] [--from N] [--list]: how long clients wait at
// most while a network is parted anew all the time, over many seeds. With --list each seed's figure.

import { parseArgs } from 'node:util'
import { CALM } from '../simulation/network.ts'
import { ONE_AWAY, QUICK_SPLITS, repartitioned, SLOW_SPLITS } from './repartition.ts'
import { UNRELIABLE } from './scenario.ts'

const { values } = parseArgs({
  options: {
    seeds: { type: 'string', default: '50' },
    from: { type: 'string', default: '1' },
    only: { type: 'string', default: '' },
    list: { type: 'boolean', default: false },
  },
})

const SPLITS = [
  ['one of three away every 500 ms', ONE_AWAY],
  ['three parts every 0-200 ms', QUICK_SPLITS],
  ['two parts every second', SLOW_SPLITS],
] as const
const WEATHERS = [
  ['reliable', CALM],
  ['unreliable', UNRELIABLE],
] as const

for (const [shape, splits] of SPLITS) {
  for (const [network, weather] of WEATHERS) {
    const name = `${shape}, ${network}`
    if (!name.includes(values.only)) continue
    const first = Number(values.from)
    const waits: number[] = []
    for (let seed = first; seed < first + Number(values.seeds); seed++) {
      const longest = repartitioned(seed, weather, splits)
      waits.push(longest)
      if (values.list) console.log(`seed ${seed}: ${longest.toFixed(0)} ms`)
    }
    waits.sort((a, b) => a - b)
    const at = (share: number) => waits[Math.floor((waits.length - 1) * share)]?.toFixed(0)
    console.log(`${name}: median ${at(0.5)}, 90 % ${at(0.9)}, 99 % ${at(0.99)}, most ${at(1)} ms`)
  }
}
