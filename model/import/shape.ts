// Reading of the fields that most decoders have, under any of their spellings, and the decoder that they make: token table,
// equal blocks of attention and feed-forward, final norm, head. What a family does differently is its Variant.
import type { Attention, Module, Reach } from '../architecture.ts'
import {
  type Block,
  biases,
  type DecoderParts,
  type Draft,
  decoder,
  feedForward,
  fullReach,
  type HeadWidths,
  layersOf,
  type NormStyle,
  norm,
  preNorm,
  rms,
  selfAttention,
} from './blocks.ts'
import { type Fields, isObject, limits } from './fields.ts'

const widthNames = ['hidden_size', 'n_embd', 'n_embed', 'd_model', 'dim']
const headNames = ['num_attention_heads', 'n_head', 'n_heads', 'num_heads']
const layerNames = ['num_hidden_layers', 'n_layer', 'n_layers', 'num_layers']

/** Spellings of the fields that every decoder must state. */
export const core = {
  width: widthNames,
  heads: headNames,
  kvHeads: ['num_key_value_heads', 'num_kv_heads', 'n_head_kv', 'num_query_groups'],
  layers: layerNames,
  hidden: ['intermediate_size', 'n_inner', 'ffn_dim', 'd_ff', 'ffn_hidden_size'],
  vocabulary: ['vocab_size'],
} as const

/** Fields of latent attention (DeepSeek-V2). */
export const latentNeeds = ['kv_lora_rank', 'qk_nope_head_dim', 'qk_rope_head_dim', 'v_head_dim']

export function layerTotal(f: Fields): number {
  return f.count(core.layers, limits.layers)
}

/** Heads of a decoder: key and value heads default to the heads, a head's width to its share of the stream. */
export function headWidths(f: Fields): HeadWidths {
  const width = f.count(core.width)
  const heads = f.count(core.heads)
  const kvHeads = f.countOr(core.kvHeads, heads, 'as many as heads')
  f.quotient(f.spelled(core.heads), heads, f.spelled(core.kvHeads), kvHeads)
  const dim = headDim(f, width, heads)
  f.size('head_dim', heads * dim)
  return { width, heads, kvHeads, headDim: dim }
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
  const factor = f.multiplier('partial_rotary_factor') ?? nestedFactor(f) ?? fallback
  if (factor > 1) throw f.wrong('partial_rotary_factor', 'at most 1', factor)
  return Math.floor(headDim * factor)
}

/** The rotated share from `rope_parameters`, or from its part for one type of layer. */
export function nestedFactor(f: Fields, layerType?: string): number | undefined {
  const all = f.raw('rope_parameters')
  const rope = layerType !== undefined && isObject(all) ? all[layerType] : all
  const factor = isObject(rope) ? (rope.partial_rotary_factor ?? undefined) : undefined
  if (factor === undefined || (typeof factor === 'number' && factor > 0 && factor <= 1)) return factor
  throw f.wrong('rope_parameters.partial_rotary_factor', 'a number above 0, at most 1', factor)
}

/** A width that may be one for all layers or a list with one for each. */
export function perLayer(f: Fields, key: string, layers: number): readonly number[] {
  if (!Array.isArray(f.raw(key))) return new Array<number>(layers).fill(f.count(key))
  const widths = f.counts(key) ?? []
  if (widths.length !== layers) throw f.error(`${key}: ${widths.length} entries for ${layers} layers`)
  return widths
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

/** Names of `layer_types` for what a layer of attention sees. */
export const reachKinds = {
  full_attention: 'full',
  attention: 'full',
  global_attention: 'full',
  sliding_attention: 'window',
  sliding_window: 'window',
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

/** Longest context, where the config says. */
export function positions(f: Fields, keys: readonly string[] = ['max_position_embeddings']): number | undefined {
  return f.optional(f.spelled(keys), limits.tokens)
}

/** Biases of all four projections, by the field that most configs have. */
export function attentionBias(f: Fields, fallback = false): Attention['bias'] {
  return biases(f.flag('attention_bias', fallback))
}

/** A function of the layer from a list with an entry for each. */
export function at<T>(list: readonly T[]): (layer: number) => T {
  return (layer) => list[layer] as T
}

/** `layer_types` where stated, else one window over all layers where `sliding_window` is a number. */
export function listedOrUniform(f: Fields): (layer: number) => Reach {
  if (f.has('layer_types')) return at(reaches(f, layerTotal(f)))
  const uniform = uniformReach(f)
  return () => uniform
}

export interface Variant
  extends Partial<
    Pick<DecoderParts, 'headBias' | 'vocabulary' | 'embeddingWidth' | 'tables' | 'input' | 'output' | 'positions'>
  > {
  readonly heads?: HeadWidths
  readonly style?: NormStyle
  readonly block?: Block | undefined
  /** What the attention of a layer has beside its heads: biases, norms, reach. */
  readonly attention?: (layer: number) => Partial<Attention>
  /** Instead of attention. */
  readonly mixer?: (layer: number) => Module
  readonly mlp?: (layer: number) => Module
  /** Whether the head is tied where the config does not say. */
  readonly tied?: boolean
  readonly finalNorm?: false
  /** Layers, where they are not as many as the config's. */
  readonly layers?: number
}

/** Reads a decoder: pre-norm, RMS norms, rotary positions and a gated feed-forward, but for the variant. */
export function standardDecoder(f: Fields, v: Variant = {}): Draft {
  const h = v.heads ?? (v.mixer ? { width: f.count(core.width), heads: 0, kvHeads: 0, headDim: 0 } : headWidths(f))
  const style = v.style ?? rms
  const block = v.block ?? preNorm
  const mlp = v.mlp ?? gatedMlp(f, h.width)
  const mixer = v.mixer ?? attentionOf(f, h, v)
  return decoder({
    ...v,
    width: h.width,
    layers: layersOf(v.layers ?? layerTotal(f), (i) => block(style, h.width, mixer(i), mlp(i))),
    vocabulary: v.vocabulary ?? vocabulary(f),
    tied: tied(f, v.tied ?? false),
    finalNorm: v.finalNorm === false ? undefined : norm('final-norm', h.width, style),
    positions: v.positions ?? positions(f),
  })
}

function attentionOf(f: Fields, h: HeadWidths, v: Variant): (layer: number) => Attention {
  const stated = v.attention ?? ((): Partial<Attention> => ({}))
  const rotary = stated(0).rotary ?? rotaryWidth(f, h.headDim)
  return (layer) => selfAttention(h, { rotary, ...stated(layer) })
}

export function silu(f: Fields): string {
  return activation(f, ['hidden_act', 'hidden_activation', 'activation_function'], 'silu')
}

/** One gated feed-forward for every layer. */
export function gatedMlp(f: Fields, width: number, bias = false): () => Module {
  const mlp = feedForward(width, f.count(core.hidden), { bias, activation: silu(f) })
  return () => mlp
}

/** One plain feed-forward (two matrices) for every layer. */
export function plainMlp(f: Fields, width: number, hidden: number, act: Activation, bias = true): () => Module {
  const known = act.field === undefined ? act.usual : activation(f, [act.field], act.usual)
  const mlp = feedForward(width, hidden, { gated: false, bias, activation: known })
  return () => mlp
}

/** The field that names an activation, where there is one, and what it is where the field is absent. */
export interface Activation {
  readonly field?: string
  readonly usual: string
}
