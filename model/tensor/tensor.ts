// Keys, values or queries of one layer as numbers: [tokens, heads, headDim], row-major. Values are kept in fp32, which
// holds fp16 and bf16 exactly; what computes on them does so in f64.

export interface Shape {
  readonly tokens: number
  readonly heads: number
  readonly headDim: number
}

export interface Tensor extends Shape {
  /** Element (t, h, c) stands at (t * heads + h) * headDim + c. */
  readonly data: Float32Array
}

/** From the first to before the second. */
export type Range = readonly [from: number, to: number]

/** A tensor around `data`, or of zeros. Throws RangeError where the data do not fit the shape. */
export function tensor({ tokens, heads, headDim }: Shape, data?: Float32Array): Tensor {
  const elements = tokens * heads * headDim
  if (data !== undefined && data.length !== elements) {
    throw new RangeError(`expected ${tokens} x ${heads} x ${headDim} = ${elements} numbers, got ${data.length}`)
  }
  return { tokens, heads, headDim, data: data ?? new Float32Array(elements) }
}

/** Elements of one token: all its heads. */
export function width({ heads, headDim }: Shape): number {
  return heads * headDim
}

export function elements(shape: Shape): number {
  return shape.tokens * width(shape)
}

/** A copy of some tokens' heads; without copying where it is whole tokens. */
export function slice(of: Tensor, tokens: Range = [0, of.tokens], heads: Range = [0, of.heads]): Tensor {
  const row = width(of)
  const shape = { tokens: tokens[1] - tokens[0], heads: heads[1] - heads[0], headDim: of.headDim }
  if (shape.heads === of.heads) return tensor(shape, of.data.subarray(tokens[0] * row, tokens[1] * row))
  const out = tensor(shape)
  for (let t = 0; t < shape.tokens; t++) {
    const begin = (tokens[0] + t) * row + heads[0] * of.headDim
    out.data.set(of.data.subarray(begin, begin + width(shape)), t * width(shape))
  }
  return out
}

/** What in a tensor is not a number, and where the first of it stands. */
export interface NotFinite {
  readonly nan: number
  readonly infinite: number
  readonly token: number
  readonly head: number
  readonly channel: number
}

/** NaN and infinities; undefined where there are none. Tokens count from `firstToken`. */
export function notFinite({ data, heads, headDim }: Tensor, firstToken = 0): NotFinite | undefined {
  let first = -1
  let nan = 0
  let infinite = 0
  for (let i = 0; i < data.length; i++) {
    const value = data[i] as number
    // Neither is equal to itself less itself.
    if (value - value === 0) continue
    if (first < 0) first = i
    if (Number.isNaN(value)) nan++
    else infinite++
  }
  if (first < 0) return undefined
  const row = heads * headDim
  const head = Math.floor((first % row) / headDim)
  return { nan, infinite, token: firstToken + Math.floor(first / row), head, channel: first % headDim }
}
