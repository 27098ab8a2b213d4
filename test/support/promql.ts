// What a PromQL expression names: its metrics and labels, by Prometheus's own grammar.

import type { SyntaxNode } from '@lezer/common'
import { parser } from '@prometheus-io/lezer-promql'

export type Selector = { readonly metric: string; readonly labels: readonly string[] }

export type Expression = {
  /** Pieces that are no PromQL; none in a good expression. */
  readonly errors: readonly string[]
  readonly selectors: readonly Selector[]
  /** Labels named by `by`, `on`, `group_left`, …, wherever. */
  readonly grouping: readonly string[]
}

/** Grafana's variables are filled in before Prometheus sees an expression. */
export function filledIn(expr: string, values: Readonly<Record<string, string>> = {}): string {
  return expr
    .replaceAll('$__rate_interval', values.__rate_interval ?? '1m')
    .replaceAll('$__range', values.__range ?? '1h')
    .replace(/\$(\w+)/g, (_, name: string) => values[name] ?? '.*')
}

export function parsed(expr: string): Expression {
  const errors: string[] = []
  const selectors: Selector[] = []
  const grouping: string[] = []
  const textOf = (node: SyntaxNode): string => expr.slice(node.from, node.to)
  parser.parse(expr).iterate({
    enter: ({ node, type }) => {
      if (type.isError) errors.push(expr.slice(Math.max(0, node.from - 10), node.to + 10))
      if (type.name === 'VectorSelector') selectors.push(selectorOf(node, textOf))
      if (type.name === 'GroupingLabels') grouping.push(...labelsIn(node, textOf))
    },
  })
  return { errors, selectors, grouping }
}

function selectorOf(node: SyntaxNode, textOf: (node: SyntaxNode) => string): Selector {
  const metric = node.getChild('Identifier')
  return { metric: metric === null ? '' : textOf(metric), labels: labelsIn(node, textOf) }
}

function labelsIn(node: SyntaxNode, textOf: (node: SyntaxNode) => string): readonly string[] {
  const found: string[] = []
  node.cursor().iterate(({ type, node: inner }) => {
    if (type.name === 'LabelName') found.push(textOf(inner))
  })
  return found
}
