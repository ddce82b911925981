// The answer of `memwall quantize`: a method run on every layer of a source, and on demand the methods it stands beside.
import type { Machine } from '../hardware/machine.ts'
import {
  assessLayer,
  type LayerAssessment,
  type TensorAssessment,
  together,
  totalBytes,
} from '../model/tensor/assess.ts'
import {
  kvMethod,
  type Method,
  type MethodName,
  type MethodOptions,
  methodTable,
  type Storage,
  type Weighting,
} from '../model/tensor/scheme.ts'
import type { KvSource, LayerSource } from '../model/tensor/source.ts'
import { type Shape, width } from '../model/tensor/tensor.ts'
import { FileError, UsageError } from './errors.ts'
import { type Progress, progress } from './progress.ts'
import { loadMachineArgument } from './source.ts'
import { checkFinite, openTensors, type TensorFlags } from './tensors.ts'

export interface QuantizeFlags extends TensorFlags {
  readonly method?: MethodName | undefined
  readonly bits?: number | undefined
  readonly outliers?: number | undefined
  readonly cap?: number | undefined
  readonly sink?: number | undefined
  readonly norm?: true | undefined
  readonly weight?: Weighting | undefined
  readonly storage?: Storage | undefined
  readonly keys?: 'pre' | 'post' | undefined
  readonly calibrate?: string | undefined
  readonly queries?: number | undefined
  readonly on?: string | undefined
  readonly plot?: string | undefined
}

interface TensorAnswer {
  readonly bits_per_element: number
  readonly mse: number
  /** Decibels; null where nothing was lost. */
  readonly snr_db: number | null
}

interface Pair<T> {
  readonly key: T
  readonly value: T
}

export interface LayerAnswer extends Pair<TensorAnswer> {
  readonly layer: number
  /** Of each query head, or null without queries. */
  readonly attention_error: readonly number[] | null
}

interface AttentionError {
  readonly mean: number
  readonly max: number
}

export interface SweepRow {
  readonly method: string
  readonly bits: number
  readonly bits_per_element: number
  /** Relative error of keys and values together. */
  readonly relative_error: number
  readonly attention_error: number | null
}

export interface Quantization {
  readonly source: string
  readonly shape: {
    readonly layers: number
    readonly tokens: number
    readonly heads: number
    readonly head_dim: number
  }
  readonly method: string
  readonly bits: number
  readonly outliers: number
  readonly sink: number
  readonly storage: Storage
  readonly keys: 'pre' | 'post' | 'as they are'
  readonly calibration: { readonly on: string; readonly in_sample: boolean; readonly weight: Weighting } | null
  readonly bits_per_element: { readonly key: number; readonly value: number; readonly mean: number }
  readonly mse: Pair<number>
  readonly snr_db: Pair<number | null>
  readonly attention_error: AttentionError | null
  /** Last queries that the attention error is of. */
  readonly queries: number
  /** Of all layers: in fp16, and as kept, by what takes them. */
  readonly bytes: { readonly fp16: number; readonly total: number; readonly parts: Pair<TensorAssessment['bytes']> }
  readonly layers: readonly LayerAnswer[]
  readonly on: Saving | null
  readonly sweep: readonly SweepRow[] | null
  readonly warnings: readonly string[]
}

/** Of these tensors on a machine: read once at its bandwidth, which is the bound of a decode step's reading. */
export interface Saving {
  readonly machine: string
  readonly saved_bytes: number
  readonly read_s: { readonly fp16: number; readonly total: number }
}

/** Runs the command. Throws UsageError, RangeError, FileError. */
export async function quantization(file: string, flags: QuantizeFlags): Promise<Quantization> {
  methodOf(flags, false)
  const machine = flags.on === undefined ? undefined : await loadMachineArgument(flags.on)
  if (file === 'synthetic' && flags.calibrate !== undefined) {
    throw new UsageError('--calibrate: expected a file in place of `synthetic`, whose layers differ with the seed')
  }
  const opened = await openTensors(file, flags, { queries: flags.queries ?? defaultQueries })
  const other = flags.calibrate === undefined ? undefined : await openTensors(flags.calibrate, ropeFlags(flags))
  const at = progress()
  try {
    checkKeys(flags, opened.source)
    checkMatching(opened.source, other?.source)
    for (const { source } of other === undefined ? [opened] : [opened, other]) await checkFinite(source, at)
    const run = { source: opened.source, calibrateOn: other?.source, queries: flags.queries ?? defaultQueries, at }
    const method = methodOf(flags, hasFisher(other?.source ?? opened.source))
    const layers = await assessed(run, method)
    const sweep = flags.plot === undefined ? null : await swept(run, flags)
    const warnings = [...opened.warnings, ...(other?.warnings ?? []), ...warningsOf(flags, method, run, layers)]
    return answer({ method, run, layers, machine, sweep, warnings })
  } finally {
    at.end()
    opened.close()
    other?.close()
  }
}

const defaultQueries = 32

function ropeFlags({ rope, ropeTheta }: QuantizeFlags): TensorFlags {
  return { rope, ropeTheta }
}

const flagOf: Readonly<Record<keyof MethodOptions, string>> = {
  bits: '--bits',
  outliers: '--outliers',
  cap: '--cap',
  sink: '--sink',
  norm: '--norm',
  weighting: '--weight',
  storage: '--storage',
  preRope: '--keys',
}

/** What KVQuant does unless told otherwise. Where the Fisher information is known, k-means weighs as in equation 7. */
function kvquantDefaults(fisher: boolean): Omit<MethodOptions, 'bits'> {
  return { outliers: 0.01, sink: 1, ...(fisher && { weighting: 'fisher-range' }) }
}

function hasFisher({ layers }: KvSource): boolean {
  return layers.every((l) => l.key_fisher && l.value_fisher)
}

/** The method as the flags ask for it. Throws UsageError, RangeError. */
function methodOf(flags: QuantizeFlags, fisher: boolean): Method {
  const { method: name = 'kvquant', bits = 4 } = flags
  const own = name === 'kvquant' ? kvquantDefaults(fisher) : {}
  return kvMethod(name, { bits, ...own, ...askedOptions(name, flags) })
}

/** Options of the method among the flags. Throws UsageError for one that it does not take. */
function askedOptions(name: MethodName, flags: QuantizeFlags): Omit<MethodOptions, 'bits'> {
  const asked = {
    outliers: flags.outliers,
    cap: flags.cap,
    sink: flags.sink,
    norm: flags.norm,
    weighting: flags.weight,
    storage: flags.storage,
    preRope: flags.keys && flags.keys === 'pre',
  }
  const given = Object.fromEntries(Object.entries(asked).filter(([, x]) => x !== undefined)) as Omit<
    MethodOptions,
    'bits'
  >
  const { takes } = methodTable[name]
  const odd = (Object.keys(given) as (keyof MethodOptions)[]).find((option) => !takes.includes(option))
  if (odd !== undefined) {
    const known = takes.map((option) => flagOf[option]).join(', ')
    throw new UsageError(`${flagOf[odd]}: --method ${name} has no such option; it takes ${known}`)
  }
  return given
}

function checkKeys({ keys }: QuantizeFlags, { rope }: KvSource): void {
  if (keys !== undefined && rope === undefined) {
    throw new UsageError(`--keys ${keys}: expected to know the rotation: --rope pre or post and --rope-theta`)
  }
}

function checkMatching(source: KvSource, other: KvSource | undefined): void {
  if (other === undefined) return
  for (const { layer, key, value } of source.layers) {
    const of = other.layers.find((l) => l.layer === layer)
    if (of === undefined) throw new FileError(`${other.name}: expected layers.${layer} to calibrate on, got none`)
    if (!alike(of.key, key) || !alike(of.value, value)) {
      throw new FileError(
        `${other.name}: layers.${layer}: expected the heads and head_dim of ${source.name}, got others`,
      )
    }
  }
}

function alike(a: Shape, b: Shape): boolean {
  return a.heads === b.heads && a.headDim === b.headDim
}

interface Run {
  readonly source: KvSource
  readonly calibrateOn: KvSource | undefined
  readonly queries: number
  readonly at: Progress
}

/** A method on every layer. */
async function assessed(
  { source, calibrateOn, queries, at }: Run,
  method: Method,
  name = '',
): Promise<LayerAssessment[]> {
  const layers: LayerAssessment[] = []
  for (const layer of source.layers) {
    const on = calibrateOn?.layers.find((l) => l.layer === layer.layer)
    const steps = assessLayer(layer, method, {
      rope: source.rope,
      ...(on && { calibrateOn: on, calibrateRope: calibrateOn?.rope }),
      queries,
    })
    const next = () => inFile(`${source.name}: layers.${layer.layer}`, () => steps.next())
    let step = next()
    while (!step.done) {
      await at.step(name + step.value)
      step = next()
    }
    layers.push(step.value)
  }
  return layers
}

/** What numbers do not fit is the file's matter. */
function inFile<T>(place: string, run: () => T): T {
  try {
    return run()
  } catch (error) {
    if (!(error instanceof RangeError)) throw error
    throw new FileError(`${place}: ${error.message}`)
  }
}

/** What is drawn: the methods at the bits they share. */
async function swept(run: Run, flags: QuantizeFlags): Promise<SweepRow[]> {
  const { method = 'kvquant' } = flags
  const asked = method === 'kvquant' ? askedOptions(method, flags) : {}
  const { cap, ...dense } = { ...kvquantDefaults(hasFisher(run.calibrateOn ?? run.source)), ...asked }
  const outliers = dense.outliers || 0.01
  const compared: readonly [label: string, name: MethodName, options: Omit<MethodOptions, 'bits'>][] = [
    [
      `kvquant, ${Number((outliers * 100).toPrecision(3))} % outliers`,
      'kvquant',
      { ...dense, outliers, ...(cap !== undefined && { cap }) },
    ],
    ['kvquant, no outliers', 'kvquant', { ...dense, outliers: 0 }],
    ['kivi', 'kivi', {}],
    ['flexgen', 'flexgen', {}],
    ['atom', 'atom', {}],
    ['nf', 'nf', {}],
    ['int', 'int', {}],
  ]
  const rows: SweepRow[] = []
  for (const [label, name, options] of compared) {
    for (const bits of [2, 3, 4]) {
      const layers = await assessed(run, kvMethod(name, { bits, ...options }), `${label}, ${bits} bits: `)
      const all = together(layers.flatMap((l) => [l.key, l.value]))
      rows.push({
        method: label,
        bits,
        bits_per_element: bitsPerElement(all),
        relative_error: all.energy > 0 ? Math.sqrt(all.squaredError / all.energy) : 0,
        attention_error: attentionOf(layers)?.mean ?? null,
      })
    }
  }
  return rows
}

function bitsPerElement(t: TensorAssessment): number {
  return (8 * totalBytes(t)) / t.elements
}

function tensorAnswer(t: TensorAssessment): TensorAnswer {
  return {
    bits_per_element: bitsPerElement(t),
    mse: t.squaredError / t.elements,
    snr_db: t.squaredError > 0 ? 10 * Math.log10(t.energy / t.squaredError) : null,
  }
}

function attentionOf(layers: readonly LayerAssessment[]): AttentionError | null {
  const errors = layers.flatMap((l) => l.attention ?? [])
  if (errors.length === 0) return null
  return { mean: errors.reduce((a, b) => a + b, 0) / errors.length, max: errors.reduce((a, b) => Math.max(a, b)) }
}

interface Parts {
  readonly method: Method
  readonly run: Run
  readonly layers: readonly LayerAssessment[]
  readonly machine: Machine | undefined
  readonly sweep: readonly SweepRow[] | null
  readonly warnings: readonly string[]
}

function answer({ method, run, layers, machine, sweep, warnings }: Parts): Quantization {
  const { source, calibrateOn } = run
  const [key, value] = [together(layers.map((l) => l.key)), together(layers.map((l) => l.value))]
  const all = together([key, value])
  const [k, v] = [tensorAnswer(key), tensorAnswer(value)]
  const bytes = { fp16: 2 * all.elements, total: totalBytes(all), parts: { key: key.bytes, value: value.bytes } }
  const { tokens, heads, headDim } = (source.layers[0] as LayerSource).key
  return {
    source: source.name,
    shape: { layers: layers.length, tokens, heads, head_dim: headDim },
    method: method.name,
    bits: method.key.bits,
    outliers: method.key.outliers,
    sink: method.key.sink,
    storage: method.key.storage,
    keys: source.rope === undefined ? 'as they are' : method.preRope ? 'pre' : 'post',
    calibration: calibrates(method)
      ? { on: (calibrateOn ?? source).name, in_sample: calibrateOn === undefined, weight: method.key.weighting }
      : null,
    bits_per_element: { key: k.bits_per_element, value: v.bits_per_element, mean: bitsPerElement(all) },
    mse: { key: k.mse, value: v.mse },
    snr_db: { key: k.snr_db, value: v.snr_db },
    attention_error: attentionOf(layers),
    queries: Math.max(0, ...layers.map((l) => l.queries)),
    bytes,
    layers: layers.map((l) => ({
      layer: l.layer,
      key: tensorAnswer(l.key),
      value: tensorAnswer(l.value),
      attention_error: l.attention ?? null,
    })),
    on: machine === undefined ? null : savingOn(machine, bytes),
    sweep,
    warnings,
  }
}

function savingOn({ name, memory }: Machine, { fp16, total }: Quantization['bytes']): Saving {
  const read_s = { fp16: fp16 / memory.bandwidth, total: total / memory.bandwidth }
  return { machine: name, saved_bytes: fp16 - total, read_s }
}

/** Whether anything of a method comes from calibration. */
function calibrates({ key, value }: Method): boolean {
  return [key, value].some((s) => s.codebook === 'learned' || (s.axis === 'channel' && s.group === undefined))
}

function warningsOf(
  flags: QuantizeFlags,
  method: Method,
  { source, calibrateOn }: Run,
  layers: readonly LayerAssessment[],
): string[] {
  const shapes = new Set(source.layers.map(({ key: k, value: v }) => `${k.tokens} ${width(k)} ${width(v)}`))
  return [
    ...(source.rope === undefined && flags.rope === undefined && flags.keys === undefined && source.name !== 'synthetic'
      ? ['keys and queries are taken as they stand; --rope pre or post, with --rope-theta, says how they are rotated']
      : []),
    ...(!calibrates(method) && calibrateOn !== undefined
      ? [`${method.name} needs no calibration; --calibrate changes nothing`]
      : []),
    ...(flags.weight?.startsWith('fisher') && !hasFisher(calibrateOn ?? source)
      ? ['--weight: a layer has no key_fisher or value_fisher; there every element weighs as if it were 1']
      : []),
    ...(source.layers.some((l) => l.query === undefined)
      ? ['a layer has no queries, so there is no attention error of it']
      : []),
    ...(layers.some((l) => l.key.bytes.codes === 0 || l.value.bytes.codes === 0)
      ? [`${method.name} keeps all tokens of a layer in 16 bits: there are too few`]
      : []),
    ...(shapes.size > 1 ? ['the layers differ in shape; the one shown is the first'] : []),
  ]
}
