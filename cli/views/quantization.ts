// What quantization took and cost, as people read it: the whole, then a row for each layer.
import type { Section, View } from '../answer.ts'
import type { LayerAnswer, Quantization } from '../quantization.ts'
import { type Column, table } from '../table.ts'
import * as units from '../units.ts'

export function quantizationView(q: Quantization): View {
  return {
    table: table(headColumns, q.layers.flatMap(heads)),
    sections: [
      { kind: 'title', text: title(q), under: shapeLine(q) },
      { kind: 'facts', rows: facts(q) },
      { kind: 'table', table: table(layerColumns, q.layers) },
      ...sweepSection(q),
      { kind: 'warnings', lines: q.warnings },
    ],
  }
}

function title({ method, bits, outliers, sink }: Quantization): string {
  const apart = outliers > 0 ? `, ${units.percent(outliers)} outliers` : ''
  return `${method}, ${bits} bits${apart}${sink > 0 ? `, first ${sink === 1 ? 'token' : `${sink} tokens`} kept` : ''}`
}

function shapeLine({ source, shape: s, keys }: Quantization): string {
  const quantized = keys === 'as they are' ? 'keys as they are' : `keys ${keys === 'pre' ? 'before' : 'after'} rotation`
  return `${source}: ${s.layers} layers, ${s.tokens} tokens, ${s.heads} heads of ${s.head_dim}; ${quantized}`
}

function facts(q: Quantization): (readonly [string, string])[] {
  const { bits_per_element: b, mse, snr_db: snr, attention_error: attention, bytes, calibration, on } = q
  return [
    ['bits per element', `${b.mean.toFixed(2)} (keys ${b.key.toFixed(2)}, values ${b.value.toFixed(2)})`],
    [
      'KV bytes',
      `${units.bytes(bytes.total)}, in fp16 ${units.bytes(bytes.fp16)}: ${units.times(bytes.fp16 / bytes.total)} smaller`,
    ],
    ['mean squared error', `keys ${units.plain(mse.key)}, values ${units.plain(mse.value)}`],
    ['signal to noise', `keys ${decibels(snr.key)}, values ${decibels(snr.value)}`],
    [
      'attention error',
      attention === null
        ? 'no queries'
        : `mean ${error(attention.mean)}, worst head ${error(attention.max)}, of the last ${q.queries} queries`,
    ],
    ...(calibration === null
      ? []
      : [['calibrated on', calibration.in_sample ? 'the same tensors: in-sample' : calibration.on] as const]),
    ...(on === null
      ? []
      : [
          [
            `on ${on.machine}`,
            `${units.bytes(on.saved_bytes)} saved; read once in ${units.duration(on.read_s.total)} instead of ${units.duration(on.read_s.fp16)} at full bandwidth, unpacking not counted`,
          ] as const,
        ]),
  ]
}

function decibels(value: number | null): string {
  return value === null ? 'exact' : `${value.toFixed(1)} dB`
}

function error(value: number): string {
  return value === 0 ? '0' : value < 1e-4 ? value.toExponential(1) : units.percent(value)
}

const mean = (of: readonly number[]) => of.reduce((a, b) => a + b, 0) / of.length

function worst({ attention_error: of }: LayerAnswer): { head: number; error: number } | undefined {
  if (of === null) return undefined
  return of.reduce((most, e, head) => (e > most.error ? { head, error: e } : most), { head: 0, error: of[0] ?? 0 })
}

const layerColumns: Column<LayerAnswer>[] = [
  { key: 'layer', title: 'layer', value: (l) => l.layer, align: 'right' },
  ...(['key', 'value'] as const).flatMap((part): Column<LayerAnswer>[] => [
    { key: `${part}_bits`, title: `${part} bits`, text: (l) => l[part].bits_per_element.toFixed(2), align: 'right' },
    { key: `${part}_snr`, title: `${part} SNR`, text: (l) => decibels(l[part].snr_db), align: 'right' },
  ]),
  {
    key: 'attention',
    title: 'attention',
    text: (l) => (l.attention_error === null ? '-' : error(mean(l.attention_error))),
    align: 'right',
  },
  {
    key: 'worst',
    title: 'worst head',
    text: (l) => {
      const w = worst(l)
      return w === undefined ? '-' : `${error(w.error)} (${w.head})`
    },
    align: 'right',
  },
]

interface HeadRow extends LayerAnswer {
  readonly head: number | null
  readonly error: number | null
}

function heads(layer: LayerAnswer): HeadRow[] {
  if (layer.attention_error === null) return [{ ...layer, head: null, error: null }]
  return layer.attention_error.map((e, head) => ({ ...layer, head, error: e }))
}

/** For spreadsheets: a row for each query head, beside the figures of its layer. */
const headColumns: Column<HeadRow>[] = [
  { key: 'layer', value: (r) => r.layer },
  { key: 'head', value: (r) => r.head },
  { key: 'attention_error', value: (r) => r.error },
  ...(['key', 'value'] as const).flatMap((part): Column<HeadRow>[] => [
    { key: `${part}_bits_per_element`, value: (r) => r[part].bits_per_element },
    { key: `${part}_mse`, value: (r) => r[part].mse },
    { key: `${part}_snr_db`, value: (r) => r[part].snr_db },
  ]),
]

type SweepRow = NonNullable<Quantization['sweep']>[number]

function sweepSection({ sweep }: Quantization): Section[] {
  if (sweep === null) return []
  const columns: Column<SweepRow>[] = [
    { key: 'bits', title: 'code', text: (r) => `${r.bits} bits` },
    { key: 'bits_per_element', title: 'bits per element', text: (r) => r.bits_per_element.toFixed(2), align: 'right' },
    { key: 'relative_error', title: 'error of K and V', text: (r) => error(r.relative_error), align: 'right' },
    {
      key: 'attention_error',
      title: 'attention error',
      text: (r) => (r.attention_error === null ? '-' : error(r.attention_error)),
      align: 'right',
    },
  ]
  const named: Column<SweepRow> = { key: 'method', title: 'method', text: (r) => r.method, only: 'document' }
  return [
    { kind: 'table', title: 'What is drawn', table: table([named, ...columns], sweep, { heading: (r) => r.method }) },
  ]
}
