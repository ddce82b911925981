// What a method makes of a layer: bytes, error of keys and values, error of the attention's output. Works through blocks
// of tokens, so that a layer may be larger than the memory, and yields between them.
import { CausalAttention, headErrors } from './attention.ts'
import { type Calibrated, calibration } from './calibrate.ts'
import { bytesOf, dequantize, fixedBytes, type PackedBytes, quantize } from './quantize.ts'
import { rotate, rotateWeights } from './rope.ts'
import type { Method, Scheme } from './scheme.ts'
import { type LayerSource, type Rope, tokenBlocks } from './source.ts'
import { elements, type Range, type Shape, type Tensor } from './tensor.ts'

export interface TensorAssessment {
  readonly elements: number
  /** Bytes as kept, `fixed` those of the layer's ranges and table. */
  readonly bytes: PackedBytes & { readonly fixed: number }
  /** Sums over the elements: of squared errors, of squares. */
  readonly squaredError: number
  readonly energy: number
}

export interface LayerAssessment {
  readonly layer: number
  readonly key: TensorAssessment
  readonly value: TensorAssessment
  /** Of each query head; absent where there are no queries. */
  readonly attention?: readonly number[]
  /** Last queries that the error is of. */
  readonly queries: number
}

export interface AssessOptions {
  readonly rope?: Rope | undefined
  /** What ranges and levels are calibrated on; the layer itself where not given. */
  readonly calibrateOn?: LayerSource
  readonly calibrateRope?: Rope | undefined
  /** Last queries at most. */
  readonly queries?: number
}

/** Elements of a block at most, and the tokens it is a multiple of, which all groups of tokens divide. */
const blockElements = 2 ** 20
const multiple = 128

/** Calibrates, quantizes, and compares. Yields the name of what is next. */
export function* assessLayer(
  layer: LayerSource,
  method: Method,
  o: AssessOptions = {},
): Generator<string, LayerAssessment> {
  const on = o.calibrateOn ?? layer
  const calibrateRope = o.calibrateOn ? o.calibrateRope : o.rope
  const key = yield* calibrateOn(on, 'key', method.key, turnTo(method, calibrateRope))
  const value = yield* calibrateOn(on, 'value', method.value, undefined)
  return yield* compare(layer, method, { key, value }, o)
}

/** How the keys of a source are turned into what is quantized: nothing, forth, or back. */
type Turn = { readonly theta: number; readonly way: 1 | -1 } | undefined

function turnTo({ preRope }: Method, rope: Rope | undefined): Turn {
  if (rope === undefined || (rope.keys === 'pre') === preRope) return undefined
  return { theta: rope.theta, way: preRope ? -1 : 1 }
}

/** From what is quantized to what attention reads. */
function turnToRead({ preRope }: Method, rope: Rope | undefined): Turn {
  return rope !== undefined && preRope ? { theta: rope.theta, way: 1 } : undefined
}

function turned(x: Tensor, turn: Turn, firstToken: number): Tensor {
  return turn === undefined ? x : rotate({ ...x, data: x.data.slice() }, turn.theta, firstToken, turn.way)
}

function* calibrateOn(
  layer: LayerSource,
  part: 'key' | 'value',
  scheme: Scheme,
  turn: Turn,
): Generator<string, Calibrated> {
  const shape = layer[part]
  const c = calibration(scheme, shape)
  const fisher = layer[`${part}_fisher`] && scheme.weighting.startsWith('fisher')
  for (let pass = 0; pass < c.passes; pass++) {
    for (const range of tokenBlocks(shape, blockElements, multiple)) {
      const block = turned(layer.read(part, range), turn, range[0])
      c.add(block, range[0], fisher ? weightsOf(layer, part, range, turn) : undefined)
      yield `layer ${layer.layer}: calibrating ${part}s, ${share(range, shape)}`
    }
    c.end()
  }
  return c.result()
}

function weightsOf(layer: LayerSource, part: 'key' | 'value', range: Range, turn: Turn): Tensor {
  const x = layer.read(`${part}_fisher`, range)
  return turn === undefined ? x : rotateWeights({ ...x, data: x.data.slice() }, turn.theta, range[0])
}

function share([, to]: Range, { tokens }: Shape): string {
  return `${Math.floor((100 * to) / tokens)} %`
}

function* compare(
  layer: LayerSource,
  method: Method,
  by: { key: Calibrated; value: Calibrated },
  { rope, queries = 32 }: AssessOptions,
): Generator<string, LayerAssessment> {
  const total = layer.key.tokens
  const query = lastQueries(layer, queries, rope)
  const attention = () => query && new CausalAttention(query, total, layer.value.headDim)
  const [exact, got] = [attention(), attention()]
  const sums = { key: new Sums(by.key), value: new Sums(by.value) }
  const turn = turnTo(method, rope)
  const read = turnToRead(method, rope)
  const widest = layer.value.headDim > layer.key.headDim ? layer.value : layer.key
  for (const range of tokenBlocks(widest, blockElements, multiple)) {
    const key = turned(layer.read('key', range), turn, range[0])
    const value = layer.read('value', range)
    const place = { firstToken: range[0], total }
    const keyRead = sums.key.add(key, place)
    const valueRead = sums.value.add(value, place)
    exact?.add(turned(key, read, range[0]), value, range[0])
    got?.add(turned(keyRead, read, range[0]), valueRead, range[0])
    yield `layer ${layer.layer}: comparing, ${share(range, layer.key)}`
  }
  return {
    layer: layer.layer,
    key: sums.key.result(),
    value: sums.value.result(),
    ...(exact && got && { attention: headErrors(got.output(), exact.output()) }),
    queries: query?.tokens ?? 0,
  }
}

/** The last queries, rotated where there is a rotation. */
function lastQueries(layer: LayerSource, most: number, rope: Rope | undefined): Tensor | undefined {
  if (layer.query === undefined) return undefined
  const { tokens } = layer.query
  const query = layer.read('query', [Math.max(0, tokens - most), tokens])
  const turn = rope?.keys === 'pre' ? ({ theta: rope.theta, way: 1 } as const) : undefined
  return turned(query, turn, layer.key.tokens - query.tokens)
}

class Sums {
  readonly #by: Calibrated
  #bytes = { codes: 0, scales: 0, sparse: 0, pointers: 0, kept: 0 }
  #elements = 0
  #error = 0
  #energy = 0

  constructor(by: Calibrated) {
    this.#by = by
  }

  /** Quantizes a block and returns what is read back. */
  add(x: Tensor, place: { firstToken: number; total: number }): Tensor {
    const packed = quantize(this.#by, x, place)
    const read = dequantize(this.#by, packed)
    const bytes = bytesOf(packed, this.#by.scheme)
    for (const part of Object.keys(bytes) as (keyof PackedBytes)[]) this.#bytes[part] += bytes[part]
    this.#elements += elements(x)
    for (let i = 0; i < x.data.length; i++) {
      const value = x.data[i] as number
      this.#error += (value - (read.data[i] as number)) ** 2
      this.#energy += value ** 2
    }
    return read
  }

  result(): TensorAssessment {
    const bytes = { ...this.#bytes, fixed: fixedBytes(this.#by) }
    return { elements: this.#elements, bytes, squaredError: this.#error, energy: this.#energy }
  }
}

export function totalBytes({ bytes }: TensorAssessment): number {
  return Object.values(bytes).reduce((a, b) => a + b, 0)
}

/** Sums of several assessments. */
export function together(parts: readonly TensorAssessment[]): TensorAssessment {
  const sum = (of: (t: TensorAssessment) => number) => parts.reduce((total, part) => total + of(part), 0)
  const names = ['codes', 'scales', 'sparse', 'pointers', 'kept', 'fixed'] as const
  const bytes = Object.fromEntries(names.map((name) => [name, sum((t) => t.bytes[name])]))
  return {
    elements: sum((t) => t.elements),
    bytes: bytes as unknown as TensorAssessment['bytes'],
    squaredError: sum((t) => t.squaredError),
    energy: sum((t) => t.energy),
  }
}

/** Runs a generator to its end. */
export function finished<T>(steps: Generator<unknown, T>): T {
  let step = steps.next()
  while (!step.done) step = steps.next()
  return step.value
}
