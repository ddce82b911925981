// The pieces that architectures are put together from: norms, attentions, the orders of a block, a whole decoder.
// No field is read and no family is known here.
import type {
  Add,
  Architecture,
  Attention,
  Embedding,
  FeedForward,
  Linear,
  Module,
  Norm,
  Reach,
  Role,
} from '../architecture.ts'
import { groupLayers } from '../architecture.ts'

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

/** The modules of one layer from its mixer (attention or a recurrence) and its feed-forward. */
export type Block = (style: NormStyle, width: number, mixer: Module, mlp: Module) => Module[]

/** norm, mixer, norm, feed-forward: GPT-2 and almost everything after it. */
export const preNorm: Block = (style, width, mixer, mlp) => [
  norm('input-norm', width, style),
  mixer,
  norm('post-attention-norm', width, style),
  mlp,
]

/** mixer, norm, feed-forward, norm: the first transformer, BERT, OLMo 2. */
export const postNorm: Block = (style, width, mixer, mlp) => [
  mixer,
  norm('post-attention-norm', width, style),
  mlp,
  norm('post-feedforward-norm', width, style),
]

/** A norm before and one after each sub-layer; the second is inside the residual branch (Gemma 2). */
export const sandwichNorm: Block = (style, width, mixer, mlp) => [
  norm('input-norm', width, style),
  mixer,
  norm('post-attention-norm', width, style, false),
  norm('pre-feedforward-norm', width, style),
  mlp,
  norm('post-feedforward-norm', width, style, false),
]

/** Both sub-layers read the same stream, through one norm or two, and are added to it together (GPT-J, Falcon). */
export function parallelBlock(norms: 1 | 2): Block {
  return (style, width, mixer, mlp) => {
    const second = norms === 2 ? [norm('feedforward-norm', width, style, false)] : []
    return [norm('input-norm', width, style), mixer, ...second, mlp, add(width)]
  }
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

export const overHead: Attention['queryKeyNorm'] = { type: 'rms', over: 'head' }
export const overWidth: Attention['queryKeyNorm'] = { type: 'rms', over: 'width' }

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

export function embedding(tables: Embedding['tables']): Embedding {
  return { kind: 'embedding', name: 'embedding', tables }
}

/** A product with every token. */
export function linear(name: string, role: Role, input: number, output: number, bias = false): Linear {
  return { kind: 'linear', name, role, input, output, bias, tokens: 'all' }
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
  readonly tables?: Embedding['tables']
  readonly input?: readonly Module[]
  /** Modules between the last layer and `finalNorm`. */
  readonly beforeNorm?: readonly Module[]
  /** Modules between `finalNorm` and the head. */
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
        input: [embedding([tokens, ...(p.tables ?? [])]), ...(p.input ?? [])],
        groups: groupLayers(p.layers),
        output: [
          ...(p.beforeNorm ?? []),
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

/** `count` layers, built by index. */
export function layersOf(count: number, build: (layer: number) => Module[]): Module[][] {
  return Array.from({ length: count }, (_, layer) => build(layer))
}
