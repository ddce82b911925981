// Serving: one run with its latencies, or a row for each rate.
import type { Distribution } from '../../simulate/serving/measure.ts'
import type { Section, View } from '../answer.ts'
import type { Config, Run } from '../serving/runs.ts'
import { type Column, table } from '../table.ts'
import * as units from '../units.ts'

export function servingView(config: Config, runs: readonly Run[], warnings: readonly string[]): View {
  const all = table(columns, runs)
  const [only] = runs
  const body: Section[] = runs.length === 1 && only ? single(config, only) : [{ kind: 'table', table: all }]
  return {
    table: all,
    sections: [
      { kind: 'title', text: 'Serving', under: title(config) },
      ...body,
      {
        kind: 'notes',
        lines: [
          'TTFT: arrival to first token. TPOT: first token to last, per token after the first.',
          ...(config.service === 'model' ? [] : ['Services of queueing theory: no model, no tokens.']),
        ],
      },
      { kind: 'warnings', lines: warnings },
    ],
  }
}

export function title(c: Config): string {
  const fleet =
    c.machine === null
      ? `${c.replicas} replicas of ${c.service}`
      : `${c.models.map((m) => `${m.replicas} x ${m.model}`).join(', ')} on ${c.machine}`
  const lengths = c.prompt === null ? '' : `, ${c.prompt} tokens in, ${c.output} out`
  return `${fleet}; ${c.arrivals}${lengths}, ${c.router ?? 'shared queue'}.`
}

function single(config: Config, { point, answer: a }: Run): Section[] {
  const rate = point.rate === null ? [] : [['rate', `${units.digits(point.rate)} requests/s${loadText(point.load)}`]]
  const promised = a.availability === null ? [] : [['availability', units.percent(a.availability)]]
  const kept = a.goodput === null ? [] : [['goodput', `${units.digits(a.goodput)} requests/s in time`]]
  const quality =
    a.performance === null ? [] : [['performance', `${units.percent(a.performance)} of the largest model's`]]
  const shares =
    config.models.length < 2
      ? []
      : [
          [
            'served by',
            config.models
              .map((m, i) => `${m.model} ${units.percent((a.by_model[i] ?? 0) / Math.max(1, a.requests.completed))}`)
              .join(', '),
          ],
        ]
  const r = a.requests
  const lost = (['dropped', 'rejected', 'unfinished', 'preemptions'] as const).filter((k) => r[k] > 0)
  const facts = [
    ...rate,
    ['saturated', a.saturated ? 'yes: arrivals exceed service' : 'no'],
    [
      'throughput',
      `${units.digits(a.throughput)} requests/s${a.tokens_per_s > 0 ? `, ${units.digits(a.tokens_per_s)} tokens/s` : ''}`,
    ],
    ['requests', [`${r.offered} offered, ${r.completed} completed`, ...lost.map((k) => `${r[k]} ${k}`)].join(', ')],
    ...promised,
    ...kept,
    ...quality,
    ...shares,
    ['busy', `${units.percent(a.utilization)} of ${units.duration(a.duration_s)}`],
    [
      'queue',
      `${units.digits(a.queue.mean)} waiting, at most ${a.queue.max}; ${units.digits(a.in_system.mean)} in the system`,
    ],
    ['batch', `${units.digits(a.batch.mean)} sequences a step, at most ${a.batch.max}`],
    ...(config.service === 'model'
      ? [['cache', `${units.percent(a.kv.mean)} of its blocks, at most ${units.percent(a.kv.max)}`]]
      : []),
    ...(a.energy_j === null ? [] : [['energy', `${units.quantity(a.energy_j, 'J')} at the power limit while busy`]]),
    ...(a.cost === null ? [] : [['cost', `$${a.cost.toFixed(4)}`]]),
  ] as [string, string][]
  return [
    { kind: 'facts', rows: facts },
    { kind: 'table', table: table(latencyColumns, latencies(a)) },
  ]
}

function loadText(load: number | null): string {
  return load === null ? '' : `, ${units.percent(load)} of saturation`
}

interface Latency {
  readonly name: string
  readonly of: Distribution
}

function latencies(a: Run['answer']): Latency[] {
  const rows = [
    ['TTFT', a.ttft_s],
    ['  waiting', a.wait_s],
    ['  prefill', a.prefill_s],
    ['TPOT', a.tpot_s],
    ['end to end', a.e2e_s],
  ] as const
  return rows.flatMap(([name, of]) => (of === null ? [] : [{ name, of }]))
}

const time = (key: string, title: string, of: (d: Distribution) => number): Column<Latency> => ({
  key,
  title,
  value: (l) => of(l.of),
  text: (l) => units.duration(of(l.of)),
  align: 'right',
})

const latencyColumns: readonly Column<Latency>[] = [
  { key: 'latency', title: 'latency', value: (l) => l.name },
  time('mean', 'mean', (d) => d.mean),
  {
    key: 'ci95',
    title: '95 % within',
    text: ({ of: { ci95 } }) => (ci95 === null ? '-' : units.durationRange(...ci95)),
    align: 'right',
  },
  time('p50', 'p50', (d) => d.p50),
  time('p90', 'p90', (d) => d.p90),
  time('p99', 'p99', (d) => d.p99),
]

const seconds = (key: string, title: string | undefined, of: (a: Run['answer']) => number | null): Column<Run> => ({
  key,
  ...(title !== undefined && { title }),
  value: (r) => of(r.answer),
  text: (r) => duration(of(r.answer)),
  align: 'right',
})

function duration(value: number | null): string {
  return value === null ? '-' : units.duration(value)
}

const columns: readonly Column<Run>[] = [
  {
    key: 'rate',
    title: 'rate',
    value: (r) => r.point.rate,
    text: (r) => (r.point.rate === null ? '-' : units.digits(r.point.rate)),
    align: 'right',
  },
  {
    key: 'load',
    title: 'load',
    value: (r) => r.point.load,
    text: (r) => (r.point.load === null ? '-' : units.percent(r.point.load)),
    align: 'right',
    spare: 1,
  },
  {
    key: 'saturated',
    title: 'saturated',
    value: (r) => String(r.answer.saturated),
    text: (r) => (r.answer.saturated ? 'yes' : 'no'),
  },
  {
    key: 'throughput',
    title: 'served/s',
    value: (r) => r.answer.throughput,
    text: (r) => units.digits(r.answer.throughput),
    align: 'right',
  },
  seconds('ttft_mean_s', undefined, (a) => a.ttft_s?.mean ?? null),
  seconds('ttft_p50_s', 'TTFT p50', (a) => a.ttft_s?.p50 ?? null),
  seconds('ttft_p90_s', undefined, (a) => a.ttft_s?.p90 ?? null),
  seconds('ttft_p99_s', 'TTFT p99', (a) => a.ttft_s?.p99 ?? null),
  seconds('tpot_mean_s', undefined, (a) => a.tpot_s?.mean ?? null),
  seconds('tpot_p50_s', 'TPOT p50', (a) => a.tpot_s?.p50 ?? null),
  seconds('tpot_p99_s', undefined, (a) => a.tpot_s?.p99 ?? null),
  seconds('e2e_mean_s', undefined, (a) => a.e2e_s?.mean ?? null),
  seconds('e2e_p50_s', undefined, (a) => a.e2e_s?.p50 ?? null),
  seconds('e2e_p99_s', 'e2e p99', (a) => a.e2e_s?.p99 ?? null),
  seconds('wait_mean_s', undefined, (a) => a.wait_s?.mean ?? null),
  seconds('wait_p99_s', undefined, (a) => a.wait_s?.p99 ?? null),
  {
    key: 'availability',
    title: 'in time',
    value: (r) => r.answer.availability,
    text: (r) => (r.answer.availability === null ? '-' : units.percent(r.answer.availability)),
    align: 'right',
  },
  { key: 'goodput', value: (r) => r.answer.goodput },
  {
    key: 'performance',
    value: (r) => r.answer.performance,
  },
  { key: 'utilization', value: (r) => r.answer.utilization },
  { key: 'batch_mean', value: (r) => r.answer.batch.mean },
  { key: 'kv_mean', value: (r) => r.answer.kv.mean },
  { key: 'completed', value: (r) => r.answer.requests.completed },
  { key: 'dropped', value: (r) => r.answer.requests.dropped },
  { key: 'rejected', value: (r) => r.answer.requests.rejected },
  { key: 'preemptions', value: (r) => r.answer.requests.preemptions },
]
