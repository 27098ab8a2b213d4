// The look of each kind of panel: which of Grafana's visualizations, and how it is set up.

import * as common from '@grafana/grafana-foundation-sdk/common'
import * as sdk from '@grafana/grafana-foundation-sdk/dashboard'
import * as heatmap from '@grafana/grafana-foundation-sdk/heatmap'
import * as stat from '@grafana/grafana-foundation-sdk/stat'
import * as statetimeline from '@grafana/grafana-foundation-sdk/statetimeline'
import * as table from '@grafana/grafana-foundation-sdk/table'
import * as timeseries from '@grafana/grafana-foundation-sdk/timeseries'
import * as units from '@grafana/grafana-foundation-sdk/units'
import type { Panel, Unit } from './board.ts'

const UNITS: Readonly<Record<Unit, string>> = {
  seconds: units.Seconds,
  age: units.DurationSeconds,
  bytes: units.BytesIEC,
  bytesPerSecond: units.BytesPerSecondIEC,
  operationsPerSecond: units.OpsPerSecond,
  perSecond: units.CountsPerSecond,
  count: units.Short,
  ratio: units.PercentUnit,
  instant: units.DateTimeFromNow,
  state: units.NoUnit,
}

type LookBuilder =
  | heatmap.PanelBuilder
  | stat.PanelBuilder
  | statetimeline.PanelBuilder
  | table.PanelBuilder
  | timeseries.PanelBuilder

/** Ids, titles, queries and places are set by the caller. */
export function panelBuilder(panel: Panel): LookBuilder {
  const builder = lookOf(panel).unit(UNITS[panel.unit]).thresholds(thresholds(panel))
  if (panel.unit === 'ratio') builder.min(0)
  return panel.words === undefined ? builder : builder.mappings(wordsOf(panel))
}

function lookOf(panel: Panel): LookBuilder {
  switch (panel.kind) {
    case 'lines':
      return lines(panel)
    case 'stacked':
      return lines(panel)
        .fillOpacity(40)
        .stacking(new common.StackingConfigBuilder().mode(common.StackingMode.Normal))
    case 'number':
      return new stat.PanelBuilder()
        .graphMode(common.BigValueGraphMode.None)
        .colorMode(common.BigValueColorMode.Value)
        .colorScheme(byThresholds())
        .noValue('no data')
        .reduceOptions(new common.ReduceDataOptionsBuilder().calcs(['lastNotNull']))
    case 'heat':
      return new heatmap.PanelBuilder()
        .calculate(false)
        .yAxis(new heatmap.YAxisConfigBuilder().unit(UNITS[panel.unit]))
        .color(new heatmap.HeatmapColorOptionsBuilder().scheme('Spectral').steps(64))
        .exemplarsColor('rgba(31, 120, 193, 0.9)')
    case 'states':
      return new statetimeline.PanelBuilder().mergeValues(true).rowHeight(0.9)
    case 'table':
      // The labels are what is to be read; when, and that the value is 1, is not.
      return new table.PanelBuilder().withTransformation({
        id: 'organize',
        options: { excludeByName: { Time: true, Value: true }, indexByName: {}, renameByName: {} },
      })
  }
}

function lines(panel: Panel): timeseries.PanelBuilder {
  const legend = new common.VizLegendOptionsBuilder()
    .displayMode(common.LegendDisplayMode.List)
    .placement(common.LegendPlacement.Bottom)
    .showLegend(true)
  const builder = new timeseries.PanelBuilder()
    .lineWidth(1)
    .fillOpacity(5)
    .showPoints(common.VisibilityMode.Never)
    .legend(legend)
    .axisSoftMin(0)
    .tooltip(new common.VizTooltipOptionsBuilder().mode(common.TooltipDisplayMode.Multi))
  const hasLimit = panel.warnFrom !== undefined || panel.badFrom !== undefined
  if (!hasLimit) return builder
  const dashed = common.GraphThresholdsStyleMode.Dashed
  return builder.thresholdsStyle(new common.GraphThresholdsStyleConfigBuilder().mode(dashed))
}

function thresholds({ warnFrom, badFrom }: Panel): sdk.ThresholdsConfigBuilder {
  const steps: sdk.Threshold[] = [{ value: null, color: 'green' }]
  if (warnFrom !== undefined) steps.push({ value: warnFrom, color: 'yellow' })
  if (badFrom !== undefined) steps.push({ value: badFrom, color: 'red' })
  return new sdk.ThresholdsConfigBuilder().mode(sdk.ThresholdsMode.Absolute).steps(steps)
}

function byThresholds(): sdk.FieldColorBuilder {
  return new sdk.FieldColorBuilder().mode(sdk.FieldColorModeId.Thresholds)
}

function wordsOf({ words = [] }: Panel): sdk.ValueMapping[] {
  const options: Record<string, sdk.ValueMappingResult> = {}
  for (const [index, [value, text, color]] of words.entries()) {
    options[String(value)] = { text, color, index }
  }
  return [{ type: sdk.MappingType.ValueToText, options }]
}
