// The figures that accuracy is judged by: each with its scheme, its errors where nothing was fitted, and its target.
import { attentionBounds } from '../../hardware/attention-time.ts'
import { type AttentionKind, scored } from '../../hardware/fit/attention.ts'
import { type Errors, errorsOf } from '../../hardware/fit/errors.ts'
import { type GemmRow, gemmNames, gemmRatios } from '../../hardware/fit/gemm.ts'
import { fitOwnNarrow, narrowBounds, ownNarrowRatios } from '../../hardware/fit/narrow.ts'
import { fitProbes, nearestProbes, probeSpread } from '../../hardware/fit/probes.ts'
import { byGroup, otherHalf, ratiosBy, withoutEach } from '../../hardware/fit/schemes.ts'
import { collectiveBounds, plainBounds } from '../../hardware/plain-time.ts'
import type { Data, LayerRow } from './data.ts'
import {
  attentionFitting,
  collectiveFitting,
  type Fits,
  gemmFitting,
  halfOf,
  halfOfProduct,
  machineOf,
  modelOf,
  narrowFitting,
  plainFitting,
} from './fitted.ts'
import { type PassRow, passRatios } from './passes.ts'

export type Scheme = 'machine unseen' | 'eight probes' | 'same machine' | 'model unseen' | 'nothing fitted'

export interface Figure {
  readonly name: string
  readonly scheme: Scheme
  /** Group within the figure; absent for the whole. */
  readonly group?: string
  readonly errors: Errors
  /** Constants that were fitted to reach it. */
  readonly fitted: number
  /** Of the mean absolute error; absent where it is only reported. */
  readonly target?: number
}

interface Part {
  readonly ratio: number
  readonly group: string
}

/** The whole, then its groups; with `worst`, the whole is the mean of the groups and each has a target of its own. */
function figure(
  base: Omit<Figure, 'errors' | 'group'>,
  parts: readonly Part[],
  { worst, meanOfGroups = false }: { worst?: number; meanOfGroups?: boolean } = {},
): Figure[] {
  const names = [...new Set(parts.map((p) => p.group))]
  const groups = names.map((group) => ({
    group,
    errors: errorsOf(parts.flatMap((p) => (p.group === group ? [p.ratio] : []))),
  }))
  const pooled = errorsOf(parts.map((p) => p.ratio))
  const errors = meanOfGroups
    ? { ...pooled, mape: groups.reduce((sum, g) => sum + g.errors.mape, 0) / groups.length }
    : pooled
  const { target: _, ...plain } = base
  const own = groups.length > 1 ? groups : []
  return [{ ...base, errors }, ...own.map((g) => ({ ...plain, ...g, ...(worst !== undefined && { target: worst }) }))]
}

const join = <Row>(rows: readonly Row[], ratios: readonly number[], groupOf: (row: Row) => string): Part[] =>
  rows.map((row, i) => ({ ratio: ratios[i] as number, group: groupOf(row) }))

const gemmCount = gemmNames.length
const decodeCount = Object.keys(attentionBounds.decode).length
const prefillCount = Object.keys(attentionBounds.prefill).length
const collectiveCount = Object.keys(collectiveBounds).length
const narrowCount = Object.keys(narrowBounds).length

export function figuresOf(data: Data, fits: Fits, passes: readonly PassRow[], say: (what: string) => void): Figure[] {
  say('products: probes and halves')
  const products = productFigures(data, fits)
  say('layers of unseen models')
  const layers = layerFigures(data, fits)
  say('attention: halves')
  const attention = attentionFigures(data, fits)
  say('8-bit products and collectives: halves')
  return [
    ...products,
    ...layers,
    ...attention,
    ...narrowFigures(data, fits),
    ...collectiveFigures(data, fits),
    ...passFigures(passes),
  ]
}

function productFigures({ gemm, gemmSmall }: Data, { graph, unseen }: Fits): Figure[] {
  const name = 'GEMM bf16, cold weights, n and k from 512'
  const without = new Map([...unseen].map(([machine, k]) => [machine, k.gemm]))
  const foreign = ratiosBy(gemm, machineOf, without, gemmFitting)
  const probed: Part[] = [...without].flatMap(([machine, global]) => {
    const own = gemm.filter((r) => r.machine === machine)
    const probes = nearestProbes(own)
    const rest = own.filter((r) => !probes.includes(r))
    return join(rest, gemmRatios(rest, fitProbes(probes, global)), machineOf)
  })
  const halves = otherHalf(gemm, machineOf, halfOfProduct, gemmFitting)
  return [
    ...figure({ name, scheme: 'machine unseen', fitted: gemmCount, target: 0.1 }, join(gemm, foreign, machineOf), {
      worst: 0.13,
      meanOfGroups: true,
    }),
    ...figure({ name, scheme: 'eight probes', fitted: Object.keys(probeSpread).length, target: 0.075 }, probed, {
      meanOfGroups: true,
    }),
    ...figure({ name, scheme: 'same machine', fitted: gemmCount, target: 0.05 }, join(gemm, halves, machineOf), {
      meanOfGroups: true,
    }),
    ...figure(
      { name: 'GEMM bf16, n or k under 512', scheme: 'nothing fitted', fitted: 0 },
      join(gemmSmall, gemmRatios(gemmSmall, graph.gemm), machineOf),
    ),
  ]
}

function layerFigures({ layers, plain }: Data, { unseenProfiler }: Fits): Figure[] {
  const ratios = ratiosBy(layers, modelOf, unseenProfiler.gemm, gemmFitting)
  const kernels = ratiosBy(plain, modelOf, withoutEach(plain, modelOf, plainFitting), plainFitting)
  const foreign = ratiosBy(plain, machineOf, unseenProfiler.plain, plainFitting)
  const plainCount = Object.keys(plainBounds).length
  const resolved = join(plain, kernels, machineOf).filter((_, i) => (plain[i]?.seconds ?? 0) >= 20e-6)
  const scheme = 'model unseen'
  return [
    ...figure(
      { name: 'Layer operators, GEMM', scheme, fitted: gemmCount, target: 0.08 },
      join(layers, ratios, machineOf),
    ),
    ...figure({ name: 'Layer sum of GEMMs', scheme, fitted: gemmCount, target: 0.055 }, layerSums(layers, ratios)),
    ...figure({ name: 'Layer operators, element-wise', scheme, fitted: plainCount }, join(plain, kernels, machineOf)),
    ...figure(
      { name: 'Layer operators, element-wise', scheme: 'machine unseen', fitted: plainCount },
      join(plain, foreign, machineOf),
    ),
    ...figure({ name: 'Layer operators, element-wise from 20 µs', scheme, fitted: plainCount }, resolved),
  ]
}

/** Sums over the GEMMs of one layer that the file has, of one machine, model, number of tokens and ranks. */
function layerSums(rows: readonly LayerRow[], ratios: readonly number[]): Part[] {
  const sums = new Map<string, { expected: number; measured: number; group: string }>()
  for (const [i, row] of rows.entries()) {
    const sum = sums.get(row.layer) ?? { expected: 0, measured: 0, group: row.machine }
    sum.expected += row.measured * (ratios[i] as number)
    sum.measured += row.measured
    sums.set(row.layer, sum)
  }
  return [...sums.values()].map(({ expected, measured, group }) => ({ ratio: expected / measured, group }))
}

const attentionNames: Readonly<Record<AttentionKind, string>> = {
  decode: 'Decode attention, vLLM, KV beyond the cache',
  prefill: 'Prefill attention over 1 ms, vLLM',
  encoder: 'Encoder attention over 1 ms, vLLM',
}

function attentionFigures(data: Data, { unseen }: Fits): Figure[] {
  const rows = data.attention
  const fitting = attentionFitting(data)
  const without = new Map([...unseen].map(([machine, k]) => [machine, k.attention]))
  const foreign = ratiosBy(rows, machineOf, without, fitting)
  const halves = otherHalf(rows, machineOf, halfOf, fitting)
  const windowed = rows.map((r) => r.kind === 'prefill' && scored(r) && r.window !== undefined && r.window < r.kv)
  const windows = join(rows, halves, machineOf).filter((_, i) => windowed[i])
  const targets = { decode: [0.1, 0.07], prefill: [0.1, 0.05], encoder: [] } as const
  const kinds = (['decode', 'prefill', 'encoder'] as const).flatMap((kind) => {
    const fitted = kind === 'decode' ? decodeCount : prefillCount
    const chosen = (ratios: readonly number[]) =>
      join(rows, ratios, machineOf).filter((_, i) => rows[i]?.kind === kind && scored(rows[i]))
    const [ofUnseen, ofSame] = targets[kind]
    const base = { name: attentionNames[kind], fitted }
    return [
      ...figure({ ...base, scheme: 'machine unseen', ...(ofUnseen && { target: ofUnseen }) }, chosen(foreign)),
      ...figure({ ...base, scheme: 'same machine', ...(ofSame && { target: ofSame }) }, chosen(halves)),
    ]
  })
  const name = 'Prefill attention over 1 ms, sliding windows only'
  return [...kinds, ...figure({ name, scheme: 'same machine', fitted: prefillCount }, windows)]
}

function narrowFigures({ fp8 }: Data, { graph, unseen }: Fits): Figure[] {
  const name = 'fp8 GEMM with quantization, all engines'
  const own = {
    constants: (rows: readonly GemmRow[]) => fitOwnNarrow(rows, graph.gemm),
    ratios: (rows: readonly GemmRow[], k: ReturnType<typeof fitOwnNarrow>) => ownNarrowRatios(rows, graph.gemm, k),
  }
  const halves = otherHalf(fp8, machineOf, halfOfProduct, own)
  const foreign = byGroup(fp8, machineOf, (rows, machine) => {
    const set = unseen.get(machine)
    if (!set) return rows.map(() => Number.NaN)
    return narrowFitting(set.gemm).ratios(rows, { ...set.narrow, ...set.plain })
  })
  return [
    ...figure({ name, scheme: 'same machine', fitted: narrowCount + 2, target: 0.12 }, join(fp8, halves, machineOf), {
      worst: 0.12,
    }),
    ...figure({ name, scheme: 'machine unseen', fitted: narrowCount }, join(fp8, foreign, machineOf)),
  ]
}

function collectiveFigures({ collectives }: Data, { unseen }: Fits): Figure[] {
  const name = 'NCCL all-reduce'
  const without = new Map([...unseen].map(([machine, k]) => [machine, k.collective]))
  const foreign = ratiosBy(collectives, machineOf, without, collectiveFitting)
  const halves = otherHalf(collectives, machineOf, halfOf, collectiveFitting)
  return [
    ...figure(
      { name, scheme: 'same machine', fitted: collectiveCount, target: 0.15 },
      join(collectives, halves, machineOf),
    ),
    ...figure({ name, scheme: 'machine unseen', fitted: collectiveCount }, join(collectives, foreign, machineOf)),
  ]
}

function passFigures(passes: readonly PassRow[]): Figure[] {
  const of = (kind: string) => passes.filter((p) => p.measured.row.kind === kind)
  const encoders = of('bert')
  // One constant: the gap that the engine leaves before a kernel.
  const bert = { name: 'BERT, FasterTransformer', fitted: 1, target: 0.15 }
  return [
    ...figure(
      { name: 'Batch-1 decode, one device', scheme: 'machine unseen', fitted: 0, target: 0.2 },
      passRatios(of('decode-batch-1')),
    ),
    ...figure({ ...bert, scheme: 'machine unseen' }, passRatios(encoders)),
    ...figure({ ...bert, scheme: 'same machine' }, passRatios(encoders, 'same')),
    ...figure({ name: 'Vision transformers', scheme: 'machine unseen', fitted: 0 }, passRatios(of('vit'))),
    ...figure(
      { name: 'Serving, time per output token', scheme: 'machine unseen', fitted: 0 },
      passRatios(of('serving')),
    ),
    ...figure({ name: 'llama.cpp decode', scheme: 'machine unseen', fitted: 0 }, passRatios(of('llama.cpp-decode'))),
    ...figure({ name: 'llama.cpp prefill', scheme: 'machine unseen', fitted: 0 }, passRatios(of('llama.cpp-prefill'))),
  ]
}
