// Where the tensors of a cache come from: layer by layer, in blocks of tokens or heads, so that a layer larger than the
// memory can be worked on. A file and the synthetic generator are sources.
import { type Entry, type Float, floats } from './safetensors.ts'
import { type Range, type Shape, slice, type Tensor } from './tensor.ts'

export const parts = ['key', 'value', 'query', 'key_fisher', 'value_fisher'] as const
export type Part = (typeof parts)[number]

/** What rotary embedding the keys and queries have: `pre` none yet, `post` it was applied. Token t is at position t. */
export interface Rope {
  readonly keys: 'pre' | 'post'
  readonly theta: number
}

export interface LayerSource {
  /** N of `layers.N`. */
  readonly layer: number
  readonly key: Shape
  readonly value: Shape
  /** Queries of the last tokens, in the same state of rotation as the keys; heads are a multiple of the keys' (GQA). */
  readonly query?: Shape
  readonly key_fisher?: Shape
  readonly value_fisher?: Shape
  /** Reads some tokens of some heads; all where not said. */
  read(part: Part, tokens?: Range, heads?: Range): Tensor
}

export interface KvSource {
  readonly name: string
  readonly layers: readonly LayerSource[]
  /** Absent where it is not known, or where there is none. */
  readonly rope?: Rope
  /** Bytes of one element as the source has them. */
  readonly elementBytes: number
}

/** A layer whose tensors are in memory. */
export function layerInMemory(layer: number, tensors: Readonly<Partial<Record<Part, Tensor>>>): LayerSource {
  const read = (part: Part, tokens?: Range, heads?: Range) => {
    const whole = tensors[part]
    if (whole === undefined) throw new RangeError(`layers.${layer}: it has no ${part}`)
    return slice(whole, tokens, heads)
  }
  return { ...checkShapes(layer, tensors), read }
}

/** A part of a layer as it stands in a file. */
export interface Placed extends Shape {
  readonly dtype: Float
  readonly begin: number
}

export interface FileLayer {
  readonly layer: number
  readonly parts: Readonly<Partial<Record<Part, Placed>>>
}

/** The layers among a file's tensors, in order, and the names of tensors that are none. Throws Error. */
export function layersOf(entries: readonly Entry[]): { layers: FileLayer[]; ignored: string[] } {
  const layers = new Map<number, Partial<Record<Part, Placed>>>()
  const ignored: string[] = []
  for (const e of entries) {
    const [, number, part] = /^layers\.([0-9]{1,6})\.([a-z_]+)$/.exec(e.name) ?? []
    const known = parts.find((p) => p === part)
    if (number === undefined || known === undefined) {
      ignored.push(e.name)
      continue
    }
    const layer = layers.get(Number(number)) ?? {}
    if (layer[known]) throw new Error(`${e.name}: expected one tensor of this layer and name, got two`)
    layer[known] = placed(e)
    layers.set(Number(number), layer)
  }
  if (layers.size === 0) {
    const got = ignored.length === 0 ? 'no tensors' : ignored.slice(0, 3).join(', ')
    throw new Error(`expected tensors layers.N.key and layers.N.value, got ${got}`)
  }
  return {
    layers: [...layers].sort(([a], [b]) => a - b).map(([layer, of]) => ({ layer, parts: of })),
    ignored,
  }
}

function placed({ name, dtype, shape, begin }: Entry): Placed {
  const float = floats.find((f) => f === dtype)
  if (float === undefined) throw new Error(`${name}: expected ${floats.join(', ')}, got ${dtype}`)
  const [tokens = 0, heads = 0, headDim = 0] = shape
  if (shape.length !== 3 || tokens * heads * headDim === 0) {
    throw new Error(`${name}: expected a shape [tokens, heads, head_dim] without zeros, got [${shape.join(', ')}]`)
  }
  return { tokens, heads, headDim, dtype: float, begin }
}

/** The shapes of a layer, once they fit each other. Throws Error. */
export function checkShapes(layer: number, of: Readonly<Partial<Record<Part, Shape>>>): Omit<LayerSource, 'read'> {
  const { key, value, query, key_fisher, value_fisher } = of
  const fail = (part: string, expected: string, got?: Shape) => {
    throw new Error(`layers.${layer}.${part}: expected ${expected}, got ${got ? dimensions(got) : 'none'}`)
  }
  if (key === undefined || value === undefined) {
    throw new Error(`layers.${layer}: expected a key and a value, got only ${Object.keys(of).join(', ')}`)
  }
  if (value.tokens !== key.tokens || value.heads !== key.heads) {
    fail('value', `the key's ${key.tokens} tokens and ${key.heads} heads`, value)
  }
  if (query && (query.tokens > key.tokens || query.heads % key.heads !== 0 || query.headDim !== key.headDim)) {
    fail('query', `at most ${key.tokens} tokens, a multiple of ${key.heads} heads, head_dim ${key.headDim}`, query)
  }
  if (key_fisher && !sameShape(key_fisher, key)) fail('key_fisher', `the key's shape ${dimensions(key)}`, key_fisher)
  if (value_fisher && !sameShape(value_fisher, value)) {
    fail('value_fisher', `the value's shape ${dimensions(value)}`, value_fisher)
  }
  return {
    layer,
    key,
    value,
    ...(query && { query }),
    ...(key_fisher && { key_fisher }),
    ...(value_fisher && { value_fisher }),
  }
}

function sameShape(a: Shape, b: Shape): boolean {
  return a.tokens === b.tokens && a.heads === b.heads && a.headDim === b.headDim
}

function dimensions({ tokens, heads, headDim }: Shape): string {
  return `[${tokens}, ${heads}, ${headDim}]`
}

/** Ranges of tokens that cover a shape, each of at most `most` elements, in multiples of `multiple` tokens. */
export function tokenBlocks({ tokens, heads, headDim }: Shape, most = 2 ** 22, multiple = 1): Range[] {
  const size = Math.max(1, Math.floor(most / (heads * headDim * multiple))) * multiple
  return Array.from({ length: Math.ceil(tokens / size) }, (_, i) => [i * size, Math.min(tokens, (i + 1) * size)])
}
