// The operators that every module is made of: matrix products, element-wise kernels, collectives. One place knows how
// each of them fills the ledger.
import type { Role } from '../architecture.ts'
import type { Deployment } from '../deployment.ts'
import { codeBytes, type Format, scaleBytes, type Unit } from '../format.ts'
import type { Operator, Shape, Stream } from '../operator.ts'
import type { Sequences } from '../workload.ts'

/** What a module sees when it writes its operators: one rank's part of the pass, in one group of layers. */
export interface Context {
  readonly deployment: Deployment
  /** This rank's sequences. */
  readonly groups: readonly Sequences[]
  /** This rank's new tokens, sequences and positions that take the head. */
  readonly tokens: number
  readonly sequences: number
  readonly logits: number
  /** New tokens of all data-parallel replicas together (what the experts see). */
  readonly allTokens: number
  readonly layers: string
  readonly count: number
  readonly out: Operator[]
}

/** Bytes of one activation element between kernels. */
export function streamBytes({ deployment }: Context): number {
  return deployment.stream.bits / 8
}

export function emit(
  c: Context,
  name: string,
  shape: Shape,
  matrix: number,
  vector: number,
  streams: Stream[],
  unit: Unit = c.deployment.activations.unit,
  launches = 1,
  exponentials = 0,
): void {
  const { layers, count } = c
  if (exponentials === 0) c.out.push({ name, layers, count, launches, shape, matrix, vector, unit, streams })
  else c.out.push({ name, layers, count, launches, shape, matrix, vector, exponentials, unit, streams })
}

export function activationStream(way: 'read' | 'write', bytes: number): Stream {
  return { owner: 'activations', way, bytes, metadata: 0 }
}

/** Where the operands of a product are kept and what computes it. */
interface Product {
  readonly role: Role
  /** Tokens, outputs and contracted width of each matrix. */
  readonly m: number
  readonly n: number
  readonly k: number
  /** Matrices read; tokens per matrix are `m`. */
  readonly matrices?: number
  /** Bias elements read along. */
  readonly bias?: number
  /** Products over all matrices, where their tokens are not alike: FLOPs are 2·products·n·k. */
  readonly products?: number
  /** Bytes read and written in place of the usual m × k and m × n. */
  readonly input?: number
  readonly output?: number
  /** Runs in 16 bits whatever the arithmetic of the linear layers. */
  readonly wide?: boolean
  /** Further streams (a cache read by the product itself). */
  readonly streams?: readonly Stream[]
}

/** Roles that narrow arithmetic leaves alone: their products run in 16 bits. */
const keepsItsFormat: ReadonlySet<Role> = new Set(['embedding', 'head', 'router'])

/** Weights in codes: how many there are to unpack, and outliers to add. */
function coded(weights: Stream, { codec, outliers }: Format, codes: number): Stream {
  const unpacked = { ...weights, codec, codes }
  return outliers === undefined ? unpacked : { ...unpacked, scattered: codes * outliers }
}

/** A product with stored weights. */
export function product(c: Context, name: string, p: Product): void {
  const { deployment } = c
  const { m, n, k, matrices = 1, bias = 0 } = p
  if (m === 0 || n === 0 || matrices === 0) return
  const f = deployment.weights[p.role]
  const wide = (p.wide || keepsItsFormat.has(p.role)) && deployment.activations.bits < 16
  const operand = wide ? deployment.stream : deployment.activations
  const products = p.products ?? m * matrices
  const metadata = matrices * scaleBytes(f, n, k)
  const codes = matrices * n * k
  const bytes = codeBytes(f, codes) + metadata + (bias * deployment.weights.norm.bits) / 8
  const weights: Stream = { owner: 'weights', way: 'read', bytes, metadata }
  const streams: Stream[] = [
    f.codec === 'none' ? weights : coded(weights, f, codes),
    activationStream('read', ((p.input ?? products * k) * operand.bits) / 8),
    activationStream('write', ((p.output ?? products * n) * deployment.stream.bits) / 8),
  ]
  if (p.streams) streams.push(...p.streams)
  const aside = 2 * products * n * k * (f.outliers ?? 0)
  emit(c, name, { kind: 'gemm', m, n, k, matrices }, 2 * products * n * k, aside, streams, operand.unit)
}

/** A kernel that reads and writes elements in order and does `flops` vector operations in all. */
export function elementwise(
  c: Context,
  name: string,
  read: number,
  written: number,
  flops: number,
  more?: Stream,
  exponentials = 0,
): void {
  const width = streamBytes(c)
  const streams = [activationStream('read', read * width), activationStream('write', written * width)]
  if (more) streams.push(more)
  emit(
    c,
    name,
    { kind: 'stream', elements: Math.max(read, written) },
    0,
    flops,
    streams,
    undefined,
    undefined,
    exponentials,
  )
}

/** A collective over `devices` ranks; each contributes `elements`. Its bytes are the link's, not the memory's. */
export function collective(
  c: Context,
  name: string,
  type: 'all-reduce' | 'all-gather' | 'all-to-all' | 'send',
  devices: number,
  elements: number,
): void {
  if (devices <= 1 || elements === 0) return
  emit(c, name, { kind: 'collective', type, devices, message: elements * streamBytes(c) }, 0, 0, [])
}

/** Vector operations per element; a multiply, an add, a comparison and a special function are one each. */
export const vectorWork = {
  /** Scale, running maximum, subtract, exponential, sum. */
  softmax: 5,
  /** Square, sum, scale, weight. */
  rms: 4,
  /** Mean, centre, square, sum, scale, weight, bias. */
  layer: 7,
  add: 1,
  /** Two products and a sum. */
  rotary: 3,
} as const

const activationWork: Readonly<Record<string, number>> = {
  relu: 1,
  relu2: 2,
  silu: 4,
  swish: 4,
  sigmoid: 3,
  gelu: 8,
}

/** Exponentials per element of a named activation: those without any are made of comparisons. */
export function activationExponentials(name: string): number {
  return name === 'relu' || name === 'relu2' ? 0 : 1
}

/** Vector operations per element of a named activation; those not listed cost what GELU's tanh form does. */
export function activationFlops(name: string): number {
  return Object.hasOwn(activationWork, name) ? (activationWork[name] ?? 8) : 8
}
