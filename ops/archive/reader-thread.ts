// The thread that answers questions, one after the other; each has a bound (search.ts).

import { parentPort } from 'node:worker_threads'
import { answer } from './question.ts'
import { Search } from './search.ts'
import type { FromReader, ToReader } from './thread.ts'

const search = new Search()

parentPort?.on('message', (message: ToReader) => {
  switch (message.type) {
    case 'segments':
      search.update(message.segments)
      return
    case 'ask':
      post(answered(message))
      return
    case 'close':
      search.close()
      process.exit(0) // this thread alone
  }
})

/** A damaged segment concerns the question that met it, not the next one. */
function answered({ id, question }: Extract<ToReader, { readonly type: 'ask' }>): FromReader {
  try {
    const found = answer(search, question)
    return { type: 'answer', id, json: found === null ? null : JSON.stringify(found) }
  } catch (error) {
    return { type: 'failed', id, reason: error instanceof Error ? error.message : String(error) }
  }
}

function post(message: FromReader): void {
  parentPort?.postMessage(message)
}
