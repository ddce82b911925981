// Squeezed Attention on tensors: what each way of choosing keys costs and keeps, in all and by layer and head.
import type { Section, View } from '../answer.ts'
import type { ClusterAnswer, HeadRow, TotalRow } from '../cluster.ts'
import { type Column, table } from '../table.ts'
import * as units from '../units.ts'

/** Heads that text shows, those with the largest error first; --csv and --json have all. */
const mostHeads = 24

export function clusterView(answer: ClusterAnswer): View {
  return {
    table: table(csvColumns, answer.heads),
    sections: [
      title(answer),
      { kind: 'facts', rows: facts(answer) },
      { kind: 'table', table: table(totalColumns, answer.totals) },
      ...headSections(answer),
      ...savings(answer),
      { kind: 'notes', lines: notes(answer) },
      { kind: 'warnings', lines: answer.warnings },
    ],
  }
}

function title({ input, options }: ClusterAnswer): Section {
  const { layers, heads, tokens } = input
  const { sparsity, clusters, coarse, input: user } = options
  const without = input.without.length === 0 ? '' : ` without ${input.without.join(', ')}`
  return {
    kind: 'title',
    text: `Squeezed Attention on ${input.name}${without}: sparsity ${sparsity}, clusters ${clusters}${
      coarse === null ? '' : `, coarse ${coarse}`
    }`,
    under: `${layers === 1 ? '1 layer' : `${layers} layers`}, heads in all ${heads}; tokens of context ${tokens - user}, of the user ${user}; keys ${input.keys}`,
  }
}

function facts({ k_means, calibration, budget, options }: ClusterAnswer): [string, string][] {
  const threshold = calibration.thresholds.hierarchy ?? calibration.thresholds.clusters
  const by = calibration.in_sample ? "the context's own last queries (in-sample)" : calibration.source
  const kept = `the first ${options.sink} and the last ${options.window} tokens`
  const surviving =
    budget.surviving_centroids === null
      ? ''
      : `, of the fine centroids ${units.percent(budget.surviving_centroids)} looked at`
  return [
    [
      'k-means',
      `${units.digits(k_means.iterations)} iterations, inertia ${units.digits(k_means.inertia)} (means of heads)`,
    ],
    ['threshold', `${threshold === null ? 'none' : threshold.toExponential(2)}, set by ${by}; always kept: ${kept}`],
    [
      'budget',
      `${budget.formula.toFixed(3)} by formula, ${budget.counted.toFixed(3)} counted, ${budget.with_lookup.toFixed(3)} with labels and indices${surviving}`,
    ],
  ]
}

const totalColumns: Column<TotalRow>[] = [
  { key: 'selection', title: 'keys kept by', value: (t) => t.selection },
  { key: 'kept', title: 'kept', value: (t) => t.kept, text: (t) => units.percent(t.kept), align: 'right' },
  { key: 'budget', title: 'budget', value: (t) => t.budget, text: (t) => t.budget.toFixed(3), align: 'right' },
  mass(),
  error(),
  {
    key: 'worst_output_error',
    title: 'worst head',
    value: (t) => t.worst_output_error,
    text: (t) => t.worst_output_error.toFixed(3),
    align: 'right',
  },
]

function mass<R extends { attention_mass: number }>(): Column<R> {
  return {
    key: 'attention_mass',
    title: 'attention kept',
    value: (r) => r.attention_mass,
    text: (r) => units.percent(r.attention_mass),
    align: 'right',
  }
}

function error<R extends { output_error: number }>(): Column<R> {
  return {
    key: 'output_error',
    title: 'output error',
    value: (r) => r.output_error,
    text: (r) => r.output_error.toFixed(3),
    align: 'right',
  }
}

const place: Column<HeadRow>[] = [
  { key: 'layer', title: 'layer', value: (h) => h.layer, align: 'right' },
  { key: 'head', title: 'head', value: (h) => h.head, align: 'right' },
]
const found: Column<HeadRow>[] = [
  { key: 'clusters', title: 'clusters', value: (h) => h.clusters, align: 'right' },
  { key: 'iterations', title: 'iterations', value: (h) => h.iterations, align: 'right', spare: 1 },
  { key: 'inertia', title: 'inertia', value: (h) => h.inertia, text: (h) => units.digits(h.inertia), align: 'right' },
]
const measured: Column<HeadRow>[] = [
  { key: 'kept', title: 'kept', value: (h) => h.kept, text: (h) => units.percent(h.kept), align: 'right' },
  mass(),
  error(),
]
const csvColumns: Column<HeadRow>[] = [
  ...place,
  { key: 'selection', value: (h) => h.selection },
  ...found,
  { key: 'empty_clusters', value: (h) => h.empty_clusters },
  { key: 'coarse_clusters', value: (h) => h.coarse_clusters },
  { key: 'converged', value: (h) => h.converged },
  ...measured,
  { key: 'budget', value: (h) => h.budget },
]

function headSections({ heads, selection }: ClusterAnswer): Section[] {
  const own = heads.filter((h) => h.selection === selection)
  const shown =
    own.length <= mostHeads ? own : [...own].sort((a, b) => b.output_error - a.output_error).slice(0, mostHeads)
  const left = own.length - shown.length
  return [
    {
      kind: 'table',
      title: left === 0 ? `Keys kept by ${selection}` : `Keys kept by ${selection}, the heads with the largest error`,
      table: table([...place, ...found, ...measured], shown),
    },
    ...(left === 0 ? [] : [{ kind: 'notes', lines: [`and ${left} heads more; --csv and --json list them`] } as const]),
  ]
}

type Reading = { what: string; bytes: number; seconds: number; times_less: number }

const readingColumns: Column<Reading>[] = [
  { key: 'what', title: 'read in a decode step', value: (r) => r.what, wraps: true },
  { key: 'bytes', title: 'bytes', text: (r) => units.bytes(r.bytes), align: 'right' },
  { key: 'seconds', title: 'at bandwidth', text: (r) => units.duration(r.seconds), align: 'right' },
  { key: 'times_less', title: 'less', text: (r) => units.times(r.times_less), align: 'right' },
]

function savings({ saves }: ClusterAnswer): Section[] {
  if (saves === null) return []
  const { machine, bandwidth, dense, rows_and_centroids, with_lookup, stored_besides } = saves
  const rows = [
    { what: 'all keys and values', ...dense },
    { what: 'kept rows and centroids', ...rows_and_centroids },
    { what: 'with labels, scores and indices', ...with_lookup },
  ]
  return [
    {
      kind: 'table',
      title: `On ${machine}, at ${units.bandwidth(bandwidth)}, in 16-bit numbers, one user`,
      table: table(readingColumns, rows),
    },
    {
      kind: 'notes',
      lines: [
        `Stored besides the cache: ${units.bytes(stored_besides)} of centroids and labels. The rows are those that the user's tokens select together. Times are bounds: gathered rows and further launches take more.`,
      ],
    },
  ]
}

function notes({ options }: ClusterAnswer): string[] {
  return [
    'attention kept: probability on the keys that are read, mean of heads. output error: its length over that of the whole output.',
    ...(options.sparsity === 0 ? ['Sparsity 0 keeps everything: the errors are 0.'] : []),
  ]
}
