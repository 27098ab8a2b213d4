import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import type { Message } from '../../server/contract.ts'
import { PeerExchanges } from '../../server/host/peer-exchange.ts'

const test = suite('POSTs that wait for an answer')

const FROM = { gid: 1, replica: 2 }

const configs = (after: number): Message => ({ type: 'configs', after, configs: [], latest: after })
const hello: Message = { type: 'helloReply', formation: null }

/** What each wait ended with, in the order in which they ended. */
function waiting(exchanges: PeerExchanges, ...types: readonly Message['type'][]) {
  const ended: [number, Message | null][] = []
  for (const [index, type] of types.entries()) {
    void exchanges.wait(FROM, type).then(answer => ended.push([index, answer]))
  }
  return ended
}

const turn = () => new Promise(resolve => setImmediate(resolve))

test('the newest POST gets the answer: of older ones the sender may have given up', async () => {
  const exchanges = new PeerExchanges()
  const ended = waiting(exchanges, 'configPoll', 'hello', 'configPoll')
  assert.is(exchanges.answer(FROM, configs(7)), true)
  await turn()
  assert.equal(ended, [[2, configs(7)]])
  assert.is(exchanges.answer(FROM, configs(8)), true)
  await turn()
  assert.equal(ended.slice(1), [[0, configs(8)]], 'and then the one before it')
  assert.is(exchanges.answer(FROM, configs(9)), false, 'nobody waits for more')
  exchanges.close()
  await turn()
  assert.equal(ended.slice(2), [[1, null]])
})

test('an answer is for its sender and its question alone', async () => {
  const exchanges = new PeerExchanges()
  const ended = waiting(exchanges, 'hello')
  assert.is(exchanges.answer({ gid: 1, replica: 1 }, hello), false)
  assert.is(exchanges.answer(FROM, configs(1)), false)
  assert.is(exchanges.answer(FROM, hello), true)
  await turn()
  assert.equal(ended, [[0, hello]])
})

test.run()
