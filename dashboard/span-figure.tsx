// Spans below each other on one line of time, each under its parent.

import type { ArchivedSpan } from '../ops/archive/answers.ts'
import { ATTR, SPAN } from '../ops/trace/span-model.ts'
import { micros } from './format.ts'
import { visible } from './html.ts'
import { type Bar, waterfall } from './svg.ts'

const SHOWN = 200

export function SpanFigure({ spans }: { readonly spans: readonly ArchivedSpan[] }) {
  const ordered = inTree(spans).slice(0, SHOWN)
  const start = Math.min(...ordered.map(({ span }) => span.startMicros))
  const end = Math.max(...ordered.map(({ span }) => span.startMicros + span.durationMicros))
  const bars = ordered.map(({ span, depth }): Bar => {
    const from = span.startMicros - start
    return {
      label: visible(`${labelOf(span)} · ${micros(span.durationMicros)}`),
      tone: toneOf(span),
      from,
      to: from + span.durationMicros,
      depth,
      marks: span.events
        .slice(0, 40)
        .map(({ atMicros }) => ({ at: atMicros - start, tone: 'event' })),
    }
  })
  const label = `${ordered.length} spans over ${micros(end - start)}; they are listed below`
  return (
    <section class="scroll" tabindex={0} aria-label="Spans in time">
      {waterfall(bars, end - start, label)}
      <p class="dim">{`0 to ${micros(end - start)}; strokes are events.`}</p>
    </section>
  )
}

export function labelOf({ name, node, attributes }: ArchivedSpan): string {
  const side = attributes[ATTR.side]
  return `${side === undefined ? name : `${String(side)}`} ${node}`
}

function toneOf({ name, status, attributes }: ArchivedSpan): string {
  if (status === 'error') return 'error'
  if (name === SPAN.handoff) return attributes[ATTR.side] === 'giver' ? 'giver' : 'taker'
  if (name === SPAN.instance) return 'instance'
  return name === SPAN.accept ? 'accept' : name === SPAN.request ? '' : 'other'
}

type Placed = { readonly span: ArchivedSpan; readonly depth: number }

/** Parents before their children, both in order of time. What claims to be its own ancestor is cut. */
export function inTree(spans: readonly ArchivedSpan[]): readonly Placed[] {
  const sorted = [...spans].sort((one, other) => one.startMicros - other.startMicros)
  const ids = new Set(sorted.map(({ spanId }) => spanId))
  const children = new Map<string | null, ArchivedSpan[]>()
  for (const span of sorted) {
    const parent =
      span.parentSpanId !== null && ids.has(span.parentSpanId) ? span.parentSpanId : null
    const known = children.get(parent)
    if (known === undefined) children.set(parent, [span])
    else known.push(span)
  }
  const placed: Placed[] = []
  const seen = new Set<ArchivedSpan>()
  const waiting = (children.get(null) ?? []).map(span => ({ span, depth: 0 })).reverse()
  for (let next = waiting.pop(); next !== undefined; next = waiting.pop()) {
    if (seen.has(next.span)) continue
    seen.add(next.span)
    placed.push(next)
    const below = children.get(next.span.spanId) ?? []
    for (const span of [...below].reverse()) waiting.push({ span, depth: next.depth + 1 })
  }
  for (const span of sorted) if (!seen.has(span)) placed.push({ span, depth: 0 })
  return placed
}
