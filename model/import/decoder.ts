// A decoder-only model as most are: token table, equal blocks of attention and feed-forward, final norm, head. What a
// family does differently is its Variant.
import type { Attention, Module } from '../architecture.ts'
import {
  type Block,
  type DecoderParts,
  type Draft,
  decoder,
  feedForward,
  type HeadWidths,
  layersOf,
  type NormStyle,
  norm,
  preNorm,
  rms,
  selfAttention,
} from './blocks.ts'
import type { Fields } from './fields.ts'
import { activation, core, headWidths, layerTotal, positions, rotaryWidth, tied, vocabulary } from './shape.ts'

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
