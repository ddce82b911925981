// How a tensor is quantized, as a value: bits, what shares a range, the codebook, what is kept apart. A method is a scheme
// for keys and one for values; KVQuant (arXiv 2401.18079) and what it is compared with are rows of one table.
import { type Codebook, normalFloatBits } from './levels.ts'

/** What a k-means of normalized numbers weighs an error with: nothing, the squared range (so that errors count in the
 * tensor's own units), the Fisher information as the released code does, or both as the paper's equation 7. */
export const weightings = ['none', 'range', 'fisher', 'fisher-range'] as const
export type Weighting = (typeof weightings)[number]

/** `paper`: 16-bit scales, sparse values and indices, as the paper counts. `released`: 32 bits each, as the code has it. */
export const storages = ['paper', 'released'] as const
export type Storage = (typeof storages)[number]

export interface Scheme {
  readonly bits: number
  /**
   * What shares a range. `channel`: a channel's, from calibration; with `group`, that of so many tokens. `token`: a
   * token's own, all heads together; with `group`, that of so many channels.
   */
  readonly axis: 'channel' | 'token'
  readonly group?: number
  readonly codebook: Codebook
  /** `offset`: a 16-bit middle beside the scale. `code`: an integer zero point of as many bits as the codes. */
  readonly zero: 'offset' | 'code'
  /** Share of elements kept apart as sparse numbers, half of it at each end; 0 for none. */
  readonly outliers: number
  /** Of one token at most, half at each end; of the axis `channel`. */
  readonly cap?: number
  /** First tokens kept in 16 bits and out of calibration. */
  readonly sink: number
  /** Last tokens kept in 16 bits: `aligned` those beyond a multiple of `tokens`, else the last `tokens`. */
  readonly residual?: { readonly tokens: number; readonly aligned: boolean }
  /** Rescales the learned levels of 2-bit caches (Q-Norm). */
  readonly norm: boolean
  readonly weighting: Weighting
  readonly storage: Storage
}

export interface Method {
  readonly name: string
  readonly key: Scheme
  readonly value: Scheme
  /** Keys are quantized before rotary embedding, and rotated when they are read. */
  readonly preRope: boolean
}

export interface MethodOptions {
  readonly bits: number
  readonly outliers?: number
  readonly cap?: number
  readonly sink?: number
  readonly norm?: boolean
  readonly weighting?: Weighting
  readonly storage?: Storage
  readonly preRope?: boolean
}

interface MethodRow {
  readonly means: string
  readonly bits: readonly number[]
  /** Options of `MethodOptions` that change it. */
  readonly takes: readonly (keyof MethodOptions)[]
  readonly key: Partial<Scheme>
  readonly value: Partial<Scheme>
  readonly preRope: boolean
  /** Where it is defined or published. */
  readonly source: string
}

const perToken = { axis: 'token', codebook: 'uniform', zero: 'code' } as const
const paper = 'KVQuant, arXiv 2401.18079'
const both = (scheme: Partial<Scheme>) => ({ key: scheme, value: scheme, preRope: false })

export const methodNames = ['kvquant', 'int', 'nf', 'atom', 'flexgen', 'kivi', 'int-channel'] as const
export type MethodName = (typeof methodNames)[number]

export const methodTable: Readonly<Record<MethodName, MethodRow>> = {
  kvquant: {
    means: 'learned levels, keys per channel before rotation, values per token, outliers apart',
    bits: [2, 3, 4],
    takes: ['bits', 'outliers', 'cap', 'sink', 'norm', 'weighting', 'storage', 'preRope'],
    key: { axis: 'channel', codebook: 'learned', zero: 'offset' },
    value: { axis: 'token', codebook: 'learned', zero: 'offset' },
    preRope: true,
    source: paper,
  },
  int: {
    means: 'even steps, one range per token',
    bits: [2, 3, 4, 8],
    takes: ['bits', 'sink', 'preRope'],
    ...both(perToken),
    source: `${paper}, table 1: int`,
  },
  nf: {
    means: 'NormalFloat levels, one range per token',
    bits: normalFloatBits,
    takes: ['bits', 'sink', 'preRope'],
    ...both({ ...perToken, codebook: 'nf', zero: 'offset' }),
    source: `${paper}, table 1: nf`,
  },
  atom: {
    means: 'even steps, groups of 128 channels of a token',
    bits: [2, 3, 4, 8],
    takes: ['bits', 'sink', 'preRope'],
    ...both({ ...perToken, group: 128 }),
    source: `${paper}, table 1: ATOM`,
  },
  flexgen: {
    means: 'even steps, groups of 64 channels of a token',
    bits: [2, 3, 4, 8],
    takes: ['bits', 'sink', 'preRope'],
    ...both({ ...perToken, group: 64 }),
    source: `${paper}, table 1: FlexGen`,
  },
  kivi: {
    means: 'even steps, keys per channel of 32 tokens, values in groups of 32, the last 128 tokens in 16 bits',
    bits: [2, 3, 4, 8],
    takes: ['bits', 'preRope'],
    key: { axis: 'channel', group: 32, codebook: 'uniform', zero: 'offset', residual: { tokens: 128, aligned: true } },
    value: { axis: 'token', group: 32, codebook: 'uniform', zero: 'offset', residual: { tokens: 128, aligned: false } },
    preRope: false,
    source: 'KIVI, arXiv 2402.02750, in the setting gs32-r128',
  },
  'int-channel': {
    means: 'even steps, keys per channel from calibration, values per token',
    bits: [2, 3, 4, 8],
    takes: ['bits', 'outliers', 'cap', 'sink', 'storage', 'preRope'],
    key: { axis: 'channel', codebook: 'uniform', zero: 'offset' },
    value: { axis: 'token', codebook: 'uniform', zero: 'offset' },
    preRope: false,
    source: `${paper}, the second row of its ablation`,
  },
}

const plain = {
  bits: 4,
  axis: 'token',
  codebook: 'uniform',
  zero: 'offset',
  outliers: 0,
  sink: 0,
  norm: false,
} as const
const defaults: Scheme = { ...plain, weighting: 'none', storage: 'paper' }

/** A method with its options. Throws RangeError for bits it does not have, shares out of range, options it does not take. */
export function kvMethod(name: MethodName, options: MethodOptions): Method {
  const { means: _, bits, takes, key, value, preRope } = methodTable[name]
  const odd = Object.entries(options).find(
    ([option, given]) => given !== undefined && !takes.includes(option as keyof MethodOptions),
  )
  if (odd !== undefined) throw new RangeError(`${odd[0]}: ${name} has no such option; it takes ${takes.join(', ')}`)
  if (!bits.includes(options.bits)) {
    throw new RangeError(`bits: expected ${bits.join(', ')} for ${name}, got ${options.bits}`)
  }
  const { preRope: asked = preRope, ...rest } = options
  const given = Object.fromEntries(Object.entries(rest).filter(([, x]) => x !== undefined))
  const scheme = (of: Partial<Scheme>): Scheme => checked({ ...defaults, ...of, ...given })
  return { name, key: scheme(key), value: scheme(value), preRope: asked }
}

/** The scheme itself. Throws RangeError. */
export function checked(scheme: Scheme): Scheme {
  const { outliers, sink, cap } = scheme
  if (!(outliers >= 0 && outliers < 0.5)) {
    throw new RangeError(`outliers: expected a share from 0 to below 0.5, got ${outliers}`)
  }
  if (!Number.isInteger(sink) || sink < 0) throw new RangeError(`sink: expected a whole number from 0, got ${sink}`)
  if (cap !== undefined && (!Number.isInteger(cap) || cap < 2 || cap % 2 !== 0)) {
    throw new RangeError(`cap: expected an even number from 2, got ${cap}`)
  }
  if (cap !== undefined && outliers === 0) throw new RangeError('cap: expected outliers above 0 beside it')
  return scheme
}

/** Tokens of `total` that are quantized; those before and after stay in 16 bits. */
export function quantizedTokens({ sink, residual }: Scheme, total: number): readonly [from: number, to: number] {
  const from = Math.min(sink, total)
  if (residual === undefined) return [from, total]
  const { tokens, aligned } = residual
  const to = aligned ? Math.floor(total / tokens) * tokens : Math.max(0, total - tokens)
  return [from, Math.max(from, to)]
}
