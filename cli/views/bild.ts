// A simulation of big little decoding: one row for each point of the sweep, or the counts of one.
import { eventLine } from '../../simulate/bild/algorithm.ts'
import type { Section, View } from '../answer.ts'
import type { Point } from '../commands/simulate/bild.ts'
import type { Steps } from '../commands/simulate/source.ts'
import { type Column, type Table, table } from '../table.ts'
import * as units from '../units.ts'

export function bildView(title: string, steps: Steps, points: readonly Point[], warnings: readonly string[]): View {
  const rows = table(columns, points)
  const [only] = points
  const body = points.length === 1 && only !== undefined ? single(only) : [sweep(rows)]
  return {
    table: rows,
    sections: [
      { kind: 'title', text: 'Big little decoding', under: title },
      ...body,
      {
        kind: 'notes',
        lines: [
          stepLine(steps),
          'Latency is the mean of a text, decoder steps at batch 1 alone. The closed form knows no end of a text.',
        ],
      },
      { kind: 'warnings', lines: warnings },
    ],
  }
}

/** Where the seconds of a step come from. */
export function stepLine({ mode, models, small, large }: Steps): string {
  const seconds = `small step ${units.duration(small)}, large step ${units.duration(large(1))}`
  if (models === null) return `Steps as given: ${seconds}.`
  const how = mode === 'bound' ? 'roofline' : 'launches of each layer, or its kernels where they take longer'
  return `Steps of ${models.small} and ${models.large} on ${models.machine}, ${mode} (${how}): ${seconds}.`
}

function sweep(rows: Table): Section {
  return { kind: 'table', table: rows }
}

function single(p: Point): Section[] {
  const { counts: c, shares, interval } = p.outcome
  const within = (range: readonly [number, number] | undefined, text: (low: number, high: number) => string) =>
    range === undefined ? '' : ` (95 % within ${text(...range)})`
  const facts: [string, string][] = [
    ['thresholds', `fallback ${p.fallback}, rollback ${p.rollback}, window ${p.window}`],
    ['latency', `${units.duration(p.outcome.latency)}${within(interval?.latency, units.durationRange)}`],
    [
      'speedup',
      `${units.times(p.outcome.speedup)}${within(interval?.speedup, (a, b) => `${a.toFixed(3)} to ${b.toFixed(3)}`)}`,
    ],
    ['closed form', `${units.duration(p.closed.latency)}, ${units.times(p.closed.speedup)}`],
    ['tokens', `${c.tokens} in ${p.outcome.texts} ${p.outcome.texts === 1 ? 'text' : 'texts'}`],
    ['small steps', String(c.smallSteps)],
    ['large steps', String(c.largeSteps)],
    ['fallbacks', `${c.fallbacks} (${units.percent(shares.fallback)} of iterations)`],
    ['rollbacks', `${c.rollbacks} (${units.percent(shares.rollback)}), ${c.deleted} tokens deleted`],
    ['window full', String(c.capped)],
  ]
  return [{ kind: 'facts', rows: facts }, ...(p.events === undefined ? [] : [eventSection(p.events)])]
}

function eventSection(events: NonNullable<Point['events']>): Section {
  const texts = new Map<number, (typeof events)[number][]>()
  for (const e of events) {
    const own = texts.get(e.text)
    if (own) own.push(e)
    else texts.set(e.text, [e])
  }
  return { kind: 'notes', lines: [...texts.values()].map(eventLine) }
}

const columns: readonly Column<Point>[] = [
  { key: 'fallback', title: 'fallback', value: (p) => p.fallback, align: 'right' },
  { key: 'rollback', title: 'rollback', value: (p) => p.rollback, align: 'right' },
  { key: 'window', title: 'window', value: (p) => p.window, align: 'right' },
  {
    key: 'latency_s',
    title: 'latency',
    value: (p) => p.outcome.latency,
    text: (p) => units.duration(p.outcome.latency),
    align: 'right',
  },
  { key: 'latency_low_s', value: (p) => p.outcome.interval?.latency[0] ?? null },
  { key: 'latency_high_s', value: (p) => p.outcome.interval?.latency[1] ?? null },
  {
    key: 'speedup',
    title: 'speedup',
    value: (p) => p.outcome.speedup,
    text: (p) => units.times(p.outcome.speedup),
    align: 'right',
  },
  { key: 'speedup_low', value: (p) => p.outcome.interval?.speedup[0] ?? null },
  { key: 'speedup_high', value: (p) => p.outcome.interval?.speedup[1] ?? null },
  {
    key: 'closed_form_speedup',
    title: 'closed form',
    value: (p) => p.closed.speedup,
    text: (p) => units.times(p.closed.speedup),
    align: 'right',
  },
  {
    key: 'fallback_share',
    title: 'fallbacks',
    value: (p) => p.outcome.shares.fallback,
    text: (p) => units.percent(p.outcome.shares.fallback),
    align: 'right',
  },
  {
    key: 'rollback_share',
    title: 'rollbacks',
    value: (p) => p.outcome.shares.rollback,
    text: (p) => units.percent(p.outcome.shares.rollback),
    align: 'right',
  },
  { key: 'tokens', value: (p) => p.outcome.counts.tokens },
  { key: 'small_steps', value: (p) => p.outcome.counts.smallSteps },
  { key: 'large_steps', value: (p) => p.outcome.counts.largeSteps },
  { key: 'capped', value: (p) => p.outcome.counts.capped },
  { key: 'deleted', value: (p) => p.outcome.counts.deleted },
]
