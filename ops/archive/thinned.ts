// Instances that a node under pressure wrote without events: their gist is in attributes (span-model.ts).
// Those who read them get the events back, so that one shape is enough for all.

import { ATTR, EVENT, SPAN } from '../trace/span-model.ts'
import type { AttributeValue } from './answers.ts'
import type { OtlpEvent, OtlpSpan } from './otlp-span.ts'

/** Of a whole span, or one of another name: none. */
export function gistEvents(span: OtlpSpan): readonly OtlpEvent[] {
  const acceptors = attributeOf(span, ATTR.acceptors)
  if (span.name !== SPAN.instance || typeof acceptors !== 'string') return []
  const quorum = attributeOf(span, ATTR.quorum)
  const accepted = acceptors.split(',').flatMap((text, place) => {
    return acceptedEvent(text, span.startMicros, place + 1 === quorum)
  })
  const plain = [
    [EVENT.proposed, ATTR.proposedAfter],
    [EVENT.decided, ATTR.decidedAfter],
    [EVENT.applied, ATTR.appliedAfter],
  ] as const
  const others = plain.flatMap(([name, key]) => {
    const after = attributeOf(span, key)
    if (typeof after !== 'number') return []
    return { name, atMicros: span.startMicros + after, attributes: [] }
  })
  return [...accepted, ...others]
}

/** `replica:arrived after the start/durable/answered`, in µs. */
function acceptedEvent(
  text: string,
  startMicros: number,
  madeQuorum: boolean,
): readonly OtlpEvent[] {
  const found = /^(\d{1,3}):(-?\d{1,15})\/(\d{1,15})\/(\d{1,15})$/.exec(text)
  if (found === null) return []
  const [replica = 0, after = 0, durable = 0, answered = 0] = found.slice(1).map(Number)
  const attributes: AttributeValue[] = [
    ...[ATTR.acceptor, replica, ATTR.durable, durable],
    ...[ATTR.answered, answered, ATTR.isQuorum, madeQuorum],
  ]
  return [{ name: EVENT.accepted, atMicros: startMicros + after, attributes }]
}

function attributeOf({ attributes }: OtlpSpan, key: string): AttributeValue | undefined {
  for (let at = 0; at < attributes.length; at += 2) {
    if (attributes[at] === key) return attributes[at + 1]
  }
  return undefined
}
