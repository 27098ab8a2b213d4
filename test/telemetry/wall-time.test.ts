import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { WallTime } from '../../ops/telemetry/wall-time.ts'

const test = suite('wall time of traces')

/** Wall time comes cut off to whole ms; the truth is 1.7 ms after the monotonic time, plus `set`. */
function note(time: WallTime, micros: number, set = 0): void {
  time.note({ micros, wallMs: Math.floor((micros + 1_700 + set) / 1000) })
}

test('of many pairs the one that lost least is believed', () => {
  const time = new WallTime()
  for (let micros = 0; micros < 50_000; micros += 137) note(time, micros)
  const error = time.of(1_000_000) - 1_001_700
  assert.ok(error <= 0 && error > -137, `${error} µs`)
})

test('a clock that was set back is followed within two minutes', () => {
  const time = new WallTime()
  for (let micros = 0; micros < 130_000_000; micros += 9_931) {
    note(time, micros, micros < 1_000_000 ? 0 : -5_000_000)
  }
  assert.ok(Math.abs(time.of(130_000_000) - (130_001_700 - 5_000_000)) < 1_000)
})

test.run()
