// Predictions of one query on several machines, one row each.
import type { Ranked, Ranking } from '../../simulate/cost.ts'
import type { Prediction } from '../../simulate/predict.ts'
import type { View } from '../answer.ts'
import { type Column, table } from '../table.ts'
import * as units from '../units.ts'
import { commonMethods, workloadLine } from './prediction.ts'

interface RankingOf {
  readonly by: Ranking
  readonly machines: readonly Ranked[]
}

export function comparisonView(rows: readonly Prediction[], ranking: RankingOf): View {
  const [first] = rows
  if (first === undefined) throw new Error('Expected at least one prediction to compare, got none')
  const comparison = table([...columns(rows), ...costColumns(ranking)], rows)
  return {
    table: comparison,
    sections: [
      {
        kind: 'title',
        text: `${first.model} on ${rows.length} machines`,
        under: workloadLine({ ...first, methods: commonMethods(rows) }),
      },
      { kind: 'table', table: comparison },
      { kind: 'table', title: `Ranked by ${ranking.by}`, table: table(rankColumns, ranking.machines) },
      { kind: 'notes', lines: [...byMachine(rows, (p) => [formatLine(p)]), ...energyNote(ranking)] },
      { kind: 'warnings', lines: byMachine(rows, (p) => p.warnings) },
    ],
  }
}

/** What CSV has beside the predictions. */
function costColumns({ machines }: RankingOf): Column<Prediction>[] {
  const of = (p: Prediction) => machines.find((m) => m.machine === p.machine)
  return [
    { key: 'rank', value: (p) => of(p)?.rank ?? null },
    { key: 'price_per_hour', value: (p) => of(p)?.price_per_hour ?? null },
    { key: 'cost_per_million_tokens', value: (p) => of(p)?.cost_per_million_tokens ?? null },
    { key: 'joules_per_token', value: (p) => of(p)?.joules_per_token ?? null },
  ]
}

function figure(value: number | null): string {
  return value === null ? '-' : units.digits(value)
}

const rankColumns: readonly Column<Ranked>[] = [
  {
    key: 'rank',
    title: 'rank',
    value: (r) => r.rank,
    text: (r) => (r.rank === null ? '-' : String(r.rank)),
    align: 'right',
  },
  { key: 'machine', title: 'machine', value: (r) => r.machine, wraps: true },
  {
    key: 'tokens_per_s',
    title: 'tokens/s',
    value: (r) => r.tokens_per_s,
    text: (r) => figure(r.tokens_per_s),
    align: 'right',
  },
  { key: 'price', title: '$/h', value: (r) => r.price_per_hour, text: (r) => figure(r.price_per_hour), align: 'right' },
  {
    key: 'cost',
    title: '$/M tokens',
    value: (r) => r.cost_per_million_tokens,
    text: (r) => figure(r.cost_per_million_tokens),
    align: 'right',
  },
  {
    key: 'joules',
    title: 'J/token',
    value: (r) => r.joules_per_token,
    text: (r) => figure(r.joules_per_token),
    align: 'right',
  },
  { key: 'fits', title: 'fits', value: (r) => r.fits, text: (r) => (r.fits === null ? '?' : r.fits ? 'yes' : 'NO') },
]

function energyNote({ machines }: RankingOf): string[] {
  return machines.some((m) => m.joules_per_token !== null)
    ? ['J/token: at the full power of the boards, hosts and cooling left out']
    : []
}

function formatLine({ workload: { formats: f } }: Prediction): string {
  return `weights ${f.weights}, KV ${f.kv}, arithmetic ${f.activations}`
}

function columns(rows: readonly Prediction[]): Column<Prediction>[] {
  const { duration } = units
  const slowest = Math.max(...rows.map((p) => p.expected_s))
  return [
    { key: 'machine', title: 'machine', value: (p) => p.machine, wraps: true },
    { key: 'bound_s', title: 'bound', value: (p) => p.bound_s, text: (p) => duration(p.bound_s), align: 'right' },
    { key: 'floor_s', value: (p) => p.floor_s },
    {
      key: 'expected_s',
      title: 'expected',
      value: (p) => p.expected_s,
      text: (p) => duration(p.expected_s),
      align: 'right',
    },
    { key: 'interval_low_s', value: (p) => p.interval_s[0] },
    { key: 'interval_high_s', value: (p) => p.interval_s[1] },
    {
      key: 'interval',
      title: '90 % within',
      text: (p) => units.durationRange(...p.interval_s),
      align: 'right',
      spare: 2,
    },
    {
      key: 'speed',
      title: 'speed',
      value: (p) => slowest / p.expected_s,
      text: (p) => units.times(slowest / p.expected_s),
      align: 'right',
      spare: 1,
    },
    {
      key: 'tokens_per_s',
      title: 'tokens/s',
      value: (p) => p.tokens_per_s,
      text: (p) => units.digits(p.tokens_per_s),
      align: 'right',
    },
    {
      key: 'memory_total',
      title: 'GiB',
      value: (p) => p.memory.total,
      text: (p) => units.gibibytes(p.memory.total),
      align: 'right',
    },
    {
      key: 'memory_capacity',
      title: 'of',
      value: (p) => p.memory.capacity,
      text: (p) => (p.memory.capacity === null ? '?' : units.gibibytes(p.memory.capacity)),
      align: 'right',
    },
    {
      key: 'fits',
      title: 'fits',
      value: (p) => p.memory.fits,
      text: (p) => (p.memory.fits === null ? '?' : p.memory.fits ? 'yes' : 'NO'),
    },
    { key: 'limit', title: 'limit', value: (p) => p.limit },
    { key: 'arithmetic_unit', value: (p) => p.arithmetic.unit },
    { key: 'flops', value: (p) => p.flops },
    { key: 'bytes_total', value: (p) => p.bytes.total },
  ]
}

/** Every line once, with the machines that it holds for where these are not all and it does not name them. */
function byMachine(rows: readonly Prediction[], lines: (p: Prediction) => readonly string[]): string[] {
  const machinesOf = new Map<string, string[]>()
  for (const row of rows) {
    for (const line of lines(row)) machinesOf.set(line, [...(machinesOf.get(line) ?? []), row.machine])
  }
  return [...machinesOf].map(([line, machines]) => {
    const plain = machines.length === rows.length || machines.every((m) => line.includes(m))
    return plain ? line : `${machines.join(', ')}: ${line}`
  })
}
