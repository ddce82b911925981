// What families share: the order of norms and sub-layers in a block, and the reading of fields that most configs have.
// No family is named here.
import type { Add, Architecture, Attention, FeedForward, Module, Norm, Reach } from '../architecture.ts'
import { groupLayers } from '../architecture.ts'
import { type Fields, limits } from './fields.ts'

/** What a family's reader finds out; name, formats and the account of the reading are the same for all. */
export type Draft = Omit<Architecture, 'name' | 'type' | 'dtype' | 'formats' | 'activations' | 'reading'>

export type NormStyle = Pick<Norm, 'type' | 'bias' | 'scale'>
export const rms: NormStyle = { type: 'rms', bias: false }
export const layerNorm: NormStyle = { type: 'layer', bias: true }

export function norm(name: string, width: number, style: NormStyle, residual = true): Norm {
  return { kind: 'norm', name, width, ...style, residual }
}

export function add(width: number): Add {
  return { kind: 'add', name: 'residual-add', width }
}

/** norm, mixer, norm, feed-forward: GPT-2 and almost everything after it. */
export function preNorm(style: NormStyle, width: number, mixer: Module, mlp: Module): Module[] {
  return [norm('input-norm', width, style), mixer, norm('post-attention-norm', width, style), mlp]
}

/** mixer, norm, feed-forward, norm: the first transformer, BERT, OLMo 2. */
export function postNorm(style: NormStyle, width: number, mixer: Module, mlp: Module): Module[] {
  return [mixer, norm('post-attention-norm', width, style), mlp, norm('post-feedforward-norm', width, style)]
}

/** A norm before and one after each sub-layer; the second is inside the residual branch (Gemma 2). */
export function sandwichNorm(style: NormStyle, width: number, mixer: Module, mlp: Module): Module[] {
  return [
    norm('input-norm', width, style),
    mixer,
    norm('post-attention-norm', width, style, false),
    norm('pre-feedforward-norm', width, style),
    mlp,
    norm('post-feedforward-norm', width, style, false),
  ]
}

/** Both sub-layers read the same stream, through one norm or two, and are added to it together (GPT-J, Falcon). */
export function parallelBlock(style: NormStyle, width: number, norms: 1 | 2, mixer: Module, mlp: Module): Module[] {
  const second = norms === 2 ? [norm('feedforward-norm', width, style, false)] : []
  return [norm('input-norm', width, style), mixer, ...second, mlp, add(width)]
}

export interface HeadWidths {
  readonly width: number
  readonly heads: number
  readonly kvHeads: number
  readonly headDim: number
}

const noBias = { query: false, key: false, value: false, output: false }
export const allBias = { query: true, key: true, value: true, output: true }
export const qkvBias = { query: true, key: true, value: true, output: false }

/** Biases of the four projections: none, all, or all but the output's. */
export function biases(qkv: boolean, output = qkv): Attention['bias'] {
  return { query: qkv, key: qkv, value: qkv, output }
}

export const fullReach: Reach = { kind: 'full' }

/** Causal self-attention over everything, fully rotated, without biases; `more` says what differs. */
export function selfAttention(h: HeadWidths, more: Partial<Attention> = {}): Attention {
  return {
    kind: 'attention',
    name: 'attention',
    width: h.width,
    heads: h.heads,
    kvHeads: h.kvHeads,
    headDim: h.headDim,
    causal: true,
    reach: fullReach,
    bias: noBias,
    rotary: h.headDim,
    fused: true,
    ...more,
  }
}

/** Attention of a decoder over the output of an encoder. */
export function crossAttention(h: HeadWidths, source: number, more: Partial<Attention> = {}): Attention {
  return selfAttention(h, {
    name: 'cross-attention',
    causal: false,
    rotary: 0,
    fused: false,
    source: { width: source },
    ...more,
  })
}

export function feedForward(width: number, hidden: number, more: Partial<FeedForward> = {}): FeedForward {
  return { kind: 'ffn', name: 'mlp', width, hidden, gated: true, bias: false, activation: 'silu', ...more }
}

const widthNames = ['hidden_size', 'n_embd', 'd_model', 'dim']
const headNames = ['num_attention_heads', 'n_head', 'n_heads', 'num_heads']
const layerNames = ['num_hidden_layers', 'n_layer', 'n_layers', 'num_layers']

/** Spellings of the fields that every decoder must state. */
export const core = {
  width: widthNames,
  heads: headNames,
  layers: layerNames,
  hidden: ['intermediate_size', 'n_inner', 'ffn_dim', 'd_ff', 'ffn_hidden_size'],
  vocabulary: ['vocab_size'],
} as const

export function layerTotal(f: Fields): number {
  return f.count(core.layers, limits.layers)
}

/** Heads of a decoder: key and value heads default to the heads, a head's width to its share of the stream. */
export function headWidths(f: Fields): HeadWidths {
  const width = f.count(core.width)
  const heads = f.count(core.heads)
  const kvHeads = f.countOr('num_key_value_heads', heads, 'as many as heads')
  f.quotient(f.spelled(core.heads), heads, 'num_key_value_heads', kvHeads)
  return { width, heads, kvHeads, headDim: headDim(f, width, heads) }
}

export function headDim(f: Fields, width: number, heads: number): number {
  const stated = f.optional('head_dim')
  if (stated !== undefined) return stated
  const [w, h] = [f.spelled(core.width), f.spelled(core.heads)]
  return f.assume('head_dim', f.quotient(w, width, h, heads), `${w} / ${h}`)
}

/** `model_type`s spell one function in several ways; the work per element is the same. */
export function activation(f: Fields, keys: readonly string[], fallback: string): string {
  const key = f.spelled(keys)
  const stated = f.text(key) ?? f.assume(key, fallback, 'default of the family')
  if (/gelu/.test(stated)) return 'gelu'
  return /^(silu|swish|swiglu)$/.test(stated) ? 'silu' : stated
}

/** Dimensions of a head that are rotated, from `partial_rotary_factor` here or in the rope fields. */
export function rotaryWidth(f: Fields, headDim: number, fallback = 1): number {
  const factor = f.positive('partial_rotary_factor') ?? nestedFactor(f) ?? fallback
  if (factor > 1) throw f.wrong('partial_rotary_factor', 'at most 1', factor)
  return Math.floor(headDim * factor)
}

function nestedFactor(f: Fields): number | undefined {
  const rope = f.raw('rope_parameters')
  if (typeof rope !== 'object' || rope === null || !('partial_rotary_factor' in rope)) return undefined
  const factor = rope.partial_rotary_factor
  if (typeof factor === 'number' && factor > 0 && factor <= 1) return factor
  throw f.wrong('rope_parameters.partial_rotary_factor', 'a number above 0, at most 1', factor)
}

/** One entry per layer from a list of names; undefined where there is no list. */
export function layerKinds<T>(
  f: Fields,
  key: string,
  layers: number,
  known: Readonly<Record<string, T>>,
): T[] | undefined {
  const names = f.strings(key)
  if (names === undefined) return undefined
  if (names.length !== layers) throw f.error(`${key}: ${names.length} entries for ${layers} layers`)
  return names.map((name, i) => {
    if (!Object.hasOwn(known, name)) throw f.wrong(`${key}[${i}]`, `one of ${Object.keys(known).join(', ')}`, name)
    return known[name] as T
  })
}

const reachKinds = {
  full_attention: 'full',
  attention: 'full',
  sliding_attention: 'window',
  local_attention: 'window',
  chunked_attention: 'chunk',
} as const

/** What each layer sees, by `layer_types`, else by `fallback`. A window needs `sliding_window`. */
export function reaches(
  f: Fields,
  layers: number,
  fallback: (layer: number) => Reach['kind'] = () => 'full',
  windowKeys: readonly string[] = ['sliding_window'],
): Reach[] {
  const kinds: readonly Reach['kind'][] =
    layerKinds(f, 'layer_types', layers, reachKinds) ?? Array.from({ length: layers }, (_, i) => fallback(i))
  const tokens = (keys: string | readonly string[]) => f.count(keys, limits.tokens)
  return kinds.map((kind) => {
    if (kind === 'full') return fullReach
    return { kind, tokens: tokens(kind === 'window' ? windowKeys : 'attention_chunk_size') }
  })
}

/** A window over all layers where the field has a number. */
export function uniformReach(f: Fields, key = 'sliding_window'): Reach {
  const tokens = f.optional(key, limits.tokens)
  return tokens === undefined ? fullReach : { kind: 'window', tokens }
}

/** Whether the head reads the embedding table; a wrapper's word counts over its text part's. */
export function tied(f: Fields, fallback: boolean): boolean {
  return f.owner('tie_word_embeddings').flag('tie_word_embeddings', fallback)
}

export function vocabulary(f: Fields): number {
  return f.count('vocab_size', limits.vocabulary)
}

export interface DecoderParts {
  readonly width: number
  readonly layers: readonly (readonly Module[])[]
  readonly vocabulary: number
  readonly tied: boolean
  readonly finalNorm: Norm | undefined
  readonly headBias?: boolean
  /** Width of the token table where it is not the stream's. */
  readonly embeddingWidth?: number
  /** Tables beside the tokens', and modules between them and the first layer. */
  readonly tables?: readonly { name: string; rows: number; width: number; lookups: number }[]
  readonly input?: readonly Module[]
  /** Modules between the last layer (after `finalNorm`) and the head. */
  readonly output?: readonly Module[]
  readonly positions?: number | undefined
}

/** A decoder-only model from its layers. */
export function decoder(p: DecoderParts): Draft {
  const tokenWidth = p.embeddingWidth ?? p.width
  const tokens = { name: 'tokens', rows: p.vocabulary, width: tokenWidth, lookups: 1 }
  return {
    kind: 'decoder',
    ...(p.positions === undefined ? {} : { positions: p.positions }),
    stacks: [
      {
        name: 'decoder',
        width: p.width,
        input: [{ kind: 'embedding', name: 'embedding', tables: [tokens, ...(p.tables ?? [])] }, ...(p.input ?? [])],
        groups: groupLayers(p.layers),
        output: [
          ...(p.finalNorm ? [p.finalNorm] : []),
          ...(p.output ?? []),
          {
            kind: 'head',
            name: 'lm-head',
            width: tokenWidth,
            vocabulary: p.vocabulary,
            tied: p.tied,
            bias: p.headBias ?? false,
          },
        ],
      },
    ],
  }
}

/** Longest context, where the config says. */
export function positions(f: Fields, keys: readonly string[] = ['max_position_embeddings']): number | undefined {
  return f.optional(f.spelled(keys), limits.tokens)
}

/** `count` layers, built by index. */
export function layersOf(count: number, build: (layer: number) => Module[]): Module[][] {
  return Array.from({ length: count }, (_, layer) => build(layer))
}
