// One kernel's work on one rank: its shape, its FLOPs, and a ledger of the bytes that it must move. Not its time: that
// needs a machine.
import type { Codec, Unit } from './format.ts'

export const owners = ['weights', 'activations', 'kv'] as const
export type Owner = (typeof owners)[number]

/** Bytes that go one way between the kernel and memory. */
export interface Stream {
  readonly owner: Owner
  readonly way: 'read' | 'write'
  /** All bytes, metadata included. */
  readonly bytes: number
  /** Of which scales, zero points, indices and pointers. */
  readonly metadata: number
  /** Contiguous bytes of each piece of a gather; absent where the stream is contiguous. */
  readonly run?: number
  /** How stored codes become numbers, and how many there are to unpack. */
  readonly codec?: Codec
  readonly codes?: number
  /** Elements scattered one by one. */
  readonly scattered?: number
}

export interface AttentionRows {
  readonly sequences: number
  readonly query: number
  /** Rows of keys that each query attends, on average. */
  readonly kv: number
}

/** What a convolution steps over, in sequences of one length: time first, then features where it has them. */
export interface ConvolutionImages {
  readonly sequences: number
  readonly sides: readonly {
    readonly input: number
    readonly output: number
    readonly kernel: number
    readonly stride: number
    readonly padding: readonly [before: number, after: number]
  }[]
}

export type Shape =
  /** `matrices` products of (m × k) by (k × n): m tokens, n outputs. */
  | { readonly kind: 'gemm'; readonly m: number; readonly n: number; readonly k: number; readonly matrices: number }
  | {
      readonly kind: 'attention'
      readonly heads: number
      readonly kvHeads: number
      readonly headDim: number
      readonly valueDim: number
      readonly causal: boolean
      readonly rows: readonly AttentionRows[]
      /** Bits of a stored key's element, where fewer than 16. */
      readonly stored?: number
      /** A term of every score comes from memory. */
      readonly bias?: true
    }
  /** `outputs` positions of `channels` channels, each the sum of `taps` inputs. */
  | {
      readonly kind: 'convolution'
      readonly outputs: number
      readonly channels: number
      readonly taps: number
      /** Input channels, the groups that they fall into and what is stepped over; absent where counted per token. */
      readonly inputs?: number
      readonly groups?: number
      readonly images?: readonly ConvolutionImages[]
    }
  | { readonly kind: 'recurrence'; readonly sequences: number; readonly tokens: number; readonly state: number }
  | { readonly kind: 'stream'; readonly elements: number }
  | {
      readonly kind: 'collective'
      readonly type: 'all-reduce' | 'all-gather' | 'all-to-all' | 'send'
      readonly devices: number
      /** Bytes that each device contributes. */
      readonly message: number
    }

export interface Operator {
  readonly name: string
  /** Which layers it stands for (`0-31`), empty outside the layers. */
  readonly layers: string
  /** Identical instances; every figure below is one instance's. */
  readonly count: number
  readonly launches: number
  readonly shape: Shape
  /** FLOPs of the matrix and of the vector units; a multiply and an add are two. */
  readonly matrix: number
  readonly vector: number
  /** Exponentials (of softmax, sigmoid, tanh) among the vector units' work, which take them many instructions. */
  readonly exponentials?: number
  /** The matrix unit that computes. */
  readonly unit: Unit
  readonly streams: readonly Stream[]
}

/** One forward pass. */
export type Pass = readonly Operator[]

export interface Bytes {
  /** Without metadata. */
  weights: number
  activations: number
  kv_read: number
  kv_written: number
  metadata: number
  total: number
}

export function noBytes(): Bytes {
  return { weights: 0, activations: 0, kv_read: 0, kv_written: 0, metadata: 0, total: 0 }
}

/** Adds `times` of the operator's ledger (all its instances) to `sum`. */
export function addBytes(sum: Bytes, operator: Operator, times = 1): Bytes {
  const n = operator.count * times
  for (const s of operator.streams) {
    const data = (s.bytes - s.metadata) * n
    if (s.owner === 'weights') sum.weights += data
    else if (s.owner === 'activations') sum.activations += data
    else if (s.way === 'read') sum.kv_read += data
    else sum.kv_written += data
    sum.metadata += s.metadata * n
    sum.total += s.bytes * n
  }
  return sum
}

/** Bytes of one instance. */
export function operatorBytes(operator: Operator): number {
  let sum = 0
  for (const s of operator.streams) sum += s.bytes
  return sum
}
