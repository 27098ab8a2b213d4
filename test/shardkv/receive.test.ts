import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import type { Message } from '../../server/contract.ts'
import { config, LoneLeader } from '../support/lone-leader.ts'

const test = suite('taking a shard in')

const DATA = ['da', Buffer.from('\x01x')] as const

/** Of shard 0, which comes from group 2 at configuration 2. */
function part(after: string, entries: readonly (readonly [string, Buffer])[], isLast: boolean) {
  const total = isLast ? { keys: 1, bytes: 2, version: 1 } : null
  return { type: 'receiveShard', config: 2, shard: 0, after, entries, total } as const
}

/** A leader that awaits the shard. */
function taker(): LoneLeader {
  const leader = new LoneLeader({})
  leader.follow(config(0, [0]))
  leader.follow(config(1, [2]))
  leader.follow(config(2, [1]))
  return leader
}

/** What givers were told: `replica: result`. */
function told({ sent }: LoneLeader): readonly string[] {
  return sent.flatMap(({ to, message }) => {
    if (message.type !== 'receiveShardReply') return []
    const { result } = message
    return [`${to}: ${result.type === 'progress' ? `up to '${result.cursor}'` : result.type}`]
  })
}

const decide = (leader: LoneLeader): void => {
  while (leader.turn());
}

test('a part that comes again while it waits for a slot is in the log once', () => {
  const leader = taker()
  for (let count = 0; count < 3; count++) leader.hear(2, 0, part('', [DATA], false))
  assert.is(leader.waiting, 1)
  decide(leader)
  assert.equal(told(leader), ["0: up to 'da'"], 'one answer, after it was decided')
})

test('whoever asked last is told: the giver may have another leader by then', () => {
  const leader = taker()
  leader.hear(2, 0, part('', [DATA], false))
  leader.hear(2, 1, part('', [DATA], false))
  decide(leader)
  assert.equal(told(leader), ["1: up to 'da'"])
})

test('a part that was taken is answered at once, without the log', () => {
  const leader = taker()
  leader.hear(2, 0, part('', [DATA], false))
  decide(leader)
  leader.hear(2, 0, part('', [DATA], false))
  assert.is(leader.waiting, 0)
  assert.equal(told(leader), ["0: up to 'da'", "0: up to 'da'"])
})

test('the last part that comes again finds the shard installed', () => {
  const leader = taker()
  leader.hear(2, 0, part('', [DATA], false))
  decide(leader)
  for (let count = 0; count < 2; count++) {
    leader.hear(2, 0, part('da', [], true))
    decide(leader)
  }
  assert.equal(told(leader).slice(1), ['0: installed', '0: installed'])
  assert.is(leader.get('a')?.type, undefined, 'it is served: the read waits for its confirmation')
})

test('a part that skips some is not taken', () => {
  const leader = taker()
  const skipping: Message = part('da', [['db', Buffer.from('\x01x')]], false)
  leader.hear(2, 0, skipping)
  assert.is(leader.waiting, 0)
  assert.equal(told(leader), ["0: up to ''"])
})

test.run()
