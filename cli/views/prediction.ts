// A prediction as people read it: what was asked, the answer in a few lines, the ledger, what to beware of.
import { describeWeights } from '../../model/deployment.ts'
import type { OperatorAnswer, Prediction } from '../../simulate/predict.ts'
import { type Query, resolve } from '../../simulate/query.ts'
import type { View } from '../answer.ts'
import { type Column, type Table, table } from '../table.ts'
import * as units from '../units.ts'

export function predictionView(p: Prediction, query: Query): View {
  const ledger = ledgerOf(p)
  const roles = describeWeights(resolve(query).deployment)
  return {
    table: ledger,
    sections: [
      {
        kind: 'title',
        text: `${p.model} on ${query.machine.title} (${p.machine})`,
        under: `${workloadLine(p)}; ${fitLine(p)}`,
      },
      { kind: 'facts', rows: facts(p, roles) },
      { kind: 'table', table: ledger },
      { kind: 'warnings', lines: p.warnings },
    ],
  }
}

/** What was asked, in one line: `decode, batch 1, context 2048`; without the parameter that is looked for. */
export function workloadLine(
  { workload: w, methods }: Pick<Prediction, 'workload' | 'methods'>,
  sought?: string,
): string {
  const ranks = (
    [
      ['tp', w.tp],
      ['pp', w.pp],
      ['ep', w.ep],
    ] as const
  ).filter(([, n]) => n > 1)
  return [
    w.phase,
    `batch ${w.batch}`,
    `context ${w.context}`,
    ...(w.past > 0 ? [`past ${w.past}`] : []),
    ...(w.shared === null ? [] : [`${w.shared} of them shared`]),
    ...(w.fixed === null ? [] : [`${w.fixed} of them a document`]),
    ...(w.source !== null && w.phase !== 'encode' ? [`source ${w.source}`] : []),
    ...(w.audio === null ? [] : [`audio ${w.audio.join(', ')} s`]),
    ...ranks.map(([name, n]) => `${name} ${n}`),
    ...(w.devices > 1 ? [`${w.devices} devices`] : []),
    ...(w.fusion === 'flash' ? [] : [w.fusion]),
    ...methods.map(methodLabel),
  ]
    .filter((part) => sought === undefined || !part.startsWith(`${sought} `))
    .join(', ')
}

/** The methods of several answers with the options that all have alike: what was chosen may differ from one to the next. */
export function commonMethods(all: readonly Pick<Prediction, 'methods'>[]): Prediction['methods'] {
  const alike = (i: number, key: string, value: unknown) => all.every((p) => p.methods[i]?.options[key] === value)
  return (all[0]?.methods ?? []).map(({ name, options }, i) => ({
    name,
    options: Object.fromEntries(Object.entries(options).filter(([key, value]) => alike(i, key, value))),
  }))
}

/** A method as it is typed after --with. */
export function methodLabel({ name, options }: Prediction['methods'][number]): string {
  const list = Object.entries(options).map(
    ([key, value]) => `${key}=${typeof value === 'number' ? Number(value.toPrecision(4)) : value}`,
  )
  return list.length === 0 ? name : `${name}:${list.join(',')}`
}

const constants = {
  global: 'constants of other machines',
  measured: 'constants measured on it',
} as const

/** How sure `expected` is, and where its constants come from. */
function expectation({ calibration, interval_s }: Prediction): string {
  if (calibration === 'none') return 'the bound itself: no overheads'
  return `90 % within ${units.durationRange(...interval_s)} (${constants[calibration]})`
}

/** The factor is of one recording, so a batch's pace is said beside it. */
function realTime(factor: number, { audio, batch }: Prediction['workload']): string {
  const one = `${units.digits(factor)} s per second of`
  if (audio === null || batch === 1) return `${one} audio`
  const all = (batch * audio.reduce((sum, s) => sum + s, 0)) / audio.length
  const pace = units.digits(all / (factor * Math.max(...audio)))
  return `${one} ${audio.length > 1 ? 'the longest' : 'a'} recording; in all ${pace} s of audio a second`
}

type Fact = readonly [label: string, value: string]

function facts(p: Prediction, roles: string): Fact[] {
  const { duration, bytes } = units
  const { unit, peak, ridge } = p.arithmetic
  const b = p.bytes
  const perToken = p.time_per_output_token_s
  return [
    ['expected', `${duration(p.expected_s)}, ${expectation(p)}`],
    ['bound', `${duration(p.bound_s)}, each operator at its roof; floor ${duration(p.floor_s)}, all overlapped`],
    [
      'throughput',
      `${units.digits(p.tokens_per_s)} tokens/s${perToken === null ? '' : `, ${duration(perToken)} per token`}`,
    ],
    ...(p.time_to_first_token_s === null ? [] : [['first token', duration(p.time_to_first_token_s)] as const]),
    ...(p.total === null ? [] : [['generation', generation(p, p.total)] as const]),
    ...(p.real_time_factor === null ? [] : [['real time', realTime(p.real_time_factor, p.workload)] as const]),
    ...(p.speedup === null ? [] : [['speedup', speedup(p, p.speedup)] as const]),
    ...p.preparation.map((w) => ['beforehand', preparation(w)] as const),
    [
      'limit',
      `${p.limit}: ${units.digits(p.arithmetic_intensity)} FLOP/byte, the ridge of ${unit} is at ${units.digits(ridge)}`,
    ],
    ['arithmetic', `${units.flop(p.flops)} on ${unit} units of ${units.flopRate(peak, unit)} (dense)`],
    [
      'traffic',
      `${bytes(b.total)}: weights ${bytes(b.weights)}, activations ${bytes(b.activations)}, KV read ${bytes(b.kv_read)}, ` +
        `written ${bytes(b.kv_written)}${b.metadata > 0 ? `, scales and the like ${bytes(b.metadata)}` : ''}`,
    ],
    ['memory', memoryLine(p)],
    ['formats', `weights ${roles}; KV ${p.workload.formats.kv}; arithmetic ${p.workload.formats.activations}`],
    ...(p.assumed.length === 0 ? [] : [['assumed', p.assumed.join('; ')] as const]),
  ]
}

function generation(p: Prediction, total: NonNullable<Prediction['total']>): string {
  const { duration } = units
  return `${duration(total.expected_s)} for ${p.workload.new_tokens} tokens, prompt included (bound ${duration(total.bound_s)})`
}

function speedup(p: Prediction, s: NonNullable<Prediction['speedup']>): string {
  const by = p.methods.map((m) => m.name).join(' and ')
  return `${units.times(s.expected)} expected, ${units.times(s.bound)} by the bound, from ${by}`
}

/** Work done once, with the time that no pass has. */
function preparation({ name, expected_s, bound_s, note }: Prediction['preparation'][number]): string {
  return `${name} ${units.duration(expected_s)} (bound ${units.duration(bound_s)}), ${note}`
}

function fitLine({ memory: { total, capacity, fits }, workload: { devices } }: Prediction): string {
  if (fits === null || capacity === null) return `${units.binaryBytes(total)}, capacity not known`
  return `${fits ? 'fits' : 'DOES NOT FIT'} in ${devices > 1 ? `${devices} x ` : ''}${units.binaryBytes(capacity)}`
}

function memoryLine({ memory: m, workload }: Prediction): string {
  const { gibibytes: gib } = units
  const of = m.capacity === null ? 'GiB of an unknown capacity' : `of ${gib(m.capacity)} GiB`
  const device = workload.devices > 1 ? ' per device' : ''
  return `${gib(m.total)} ${of}${device}: weights ${gib(m.weights)}, KV ${gib(m.kv)}, activations ${gib(m.activations)}`
}

/** How the time is limited: the bound's roof and, where it is another, expected's largest term. */
export function limitLabel({ limit, term }: Pick<OperatorAnswer, 'limit' | 'term'>): string {
  return limit === term ? limit : `${limit}, ${term}`
}

function ledgerOf(p: Prediction): Table {
  const steps = new Set(p.operators.map((o) => o.step)).size
  const columns: Column<OperatorAnswer>[] = [
    { key: 'step', ...(steps > 1 && { title: 'step' }), value: (o) => o.step, wraps: true },
    { key: 'name', title: 'operator', value: (o) => o.name, wraps: true },
    { key: 'kind', value: (o) => o.kind },
    { key: 'layers', title: 'layers', value: (o) => o.layers, text: (o) => shortLayers(o.layers), only: 'document' },
    { key: 'count', title: 'x', value: (o) => o.count, align: 'right', only: 'document' },
    { key: 'times', value: (o) => o.times },
    {
      key: 'flops',
      title: 'FLOP',
      value: (o) => o.flops,
      text: (o) => units.quantity(o.flops),
      align: 'right',
      spare: 1,
    },
    ...byteColumns,
    { key: 'bound_s', title: 'bound', value: (o) => o.bound_s, text: (o) => units.duration(o.bound_s), align: 'right' },
    {
      key: 'expected_s',
      title: 'expected',
      value: (o) => o.expected_s,
      text: (o) => units.duration(o.expected_s),
      align: 'right',
    },
    {
      key: 'share',
      title: '%',
      value: (o) => o.expected_s / p.expected_s,
      text: (o) => units.percent(o.expected_s / p.expected_s).replace(' %', ''),
      align: 'right',
    },
    { key: 'limit', title: 'limit', value: (o) => o.limit, text: limitLabel, spare: 3 },
    { key: 'term', value: (o) => o.term },
    { key: 'unit', value: (o) => o.unit },
    { key: 'launches', value: (o) => o.launches },
  ]
  const sum = {
    name: 'all',
    flops: units.quantity(p.flops),
    bytes_total: units.quantity(p.bytes.total, 'B'),
    bound_s: units.duration(p.bound_s),
    expected_s: units.duration(p.expected_s),
    limit: p.limit,
  }
  return table(columns, p.operators, { heading: layerHeading, sums: [sum] })
}

const byteColumns: readonly Column<OperatorAnswer>[] = [
  { key: 'bytes_weights', value: (o) => o.bytes.weights },
  { key: 'bytes_activations', value: (o) => o.bytes.activations },
  { key: 'bytes_kv_read', value: (o) => o.bytes.kv_read },
  { key: 'bytes_kv_written', value: (o) => o.bytes.kv_written },
  { key: 'bytes_metadata', value: (o) => o.bytes.metadata },
  {
    key: 'bytes_total',
    title: 'bytes',
    value: (o) => o.bytes.total,
    text: (o) => units.bytes(o.bytes.total),
    align: 'right',
    spare: 2,
  },
]

/** Runs of layers, the middle of a long list left out. */
function shortLayers(layers: string): string {
  const runs = layers.split(',')
  return runs.length < 5 ? layers : `${runs[0]},${runs[1]},..,${runs.at(-1)}`
}

function layerHeading({ layers, count }: OperatorAnswer): string {
  if (layers === '') return ''
  return `${/^[0-9]+$/.test(layers) ? 'layer' : 'layers'} ${shortLayers(layers)}${count > 1 ? ` (x ${count})` : ''}`
}
