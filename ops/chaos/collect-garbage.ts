// Loaded into each process of a soak (node --import): collects all garbage now and then. V8 itself
// puts that off in a process that does little, for hours, and its memory grows by some megabytes an
// hour until then; what a soak is to find is what is still held afterwards.

import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'

const EVERY_MS = 10_000

setFlagsFromString('--expose-gc')
const collect: () => void = runInNewContext('gc')
setInterval(collect, EVERY_MS).unref()
