// A network as facts: stacks of layers, each layer a list of modules with their widths. Identical layers are one group
// that knows which layers it stands for. Nothing here depends on how the model is stored, run, or on what.
import type { Format, FormatName } from './format.ts'

/** What a weight is for; formats are chosen by role. */
export const roles = [
  'embedding',
  'attention',
  'recurrence',
  'ffn',
  'experts',
  'router',
  'convolution',
  'norm',
  'head',
] as const
export type Role = (typeof roles)[number]

/** Which earlier positions a token sees in a causal layer: all, the last `tokens`, or those of its own chunk. */
export type Reach = { readonly kind: 'full' } | { readonly kind: 'window' | 'chunk'; readonly tokens: number }

export interface Norm {
  readonly kind: 'norm'
  readonly name: string
  readonly type: 'layer' | 'rms'
  readonly width: number
  readonly bias: boolean
  /** False where the norm has no weights at all. */
  readonly scale?: false
  /** The norm kernel also adds the residual (reads and writes it): one norm per sub-layer usually does. */
  readonly residual: boolean
}

/** A residual addition with no norm to carry it (parallel blocks, the end of a pre-norm encoder). */
export interface Add {
  readonly kind: 'add'
  readonly name: string
  readonly width: number
}

export interface Attention {
  readonly kind: 'attention'
  readonly name: string
  /** Width of the residual stream that it reads and writes. */
  readonly width: number
  readonly heads: number
  readonly kvHeads: number
  readonly headDim: number
  /** Per-head width of a value; absent where equal to headDim. */
  readonly valueDim?: number
  readonly causal: boolean
  readonly reach: Reach
  readonly bias: { readonly query: boolean; readonly key: boolean; readonly value: boolean; readonly output: boolean }
  /** Dimensions of each head that are rotated; 0 where positions come otherwise. */
  readonly rotary: number
  /** Norms of queries and keys: one weight vector per head dimension, over all heads' width, or weightless. */
  readonly queryKeyNorm?: { readonly type: 'layer' | 'rms'; readonly over: 'head' | 'width'; readonly scale?: false }
  /** A norm over each value head (Gemma 4: without weights). */
  readonly valueNorm?: { readonly scale: boolean }
  /** Q, K and V come from one matrix product (a fused weight). Cross attention has its own. */
  readonly fused: boolean
  /** Cross attention: keys and values come from the encoder, this wide; written once, read every step. */
  readonly source?: { readonly width: number }
  /** A gate as wide as the heads, projected with the query, multiplies the output (Qwen3-Next). */
  readonly gate?: boolean
  /** The value is the key's projection: no value weights (Gemma 4's global layers). */
  readonly keyIsValue?: boolean
  /** Reads the keys and values of an earlier layer: it has no key and value weights and keeps nothing. */
  readonly borrowed?: boolean
  /** Learned extra logit per head (gpt-oss). */
  readonly sinks?: boolean
}

/** Multi-head latent attention (DeepSeek-V2, arXiv 2405.04434): one latent and one rotated key per token for all heads. */
export interface LatentAttention {
  readonly kind: 'latent-attention'
  readonly name: string
  readonly width: number
  readonly heads: number
  /** Rank of the query's own down-projection; absent where the query is projected directly. */
  readonly queryRank?: number
  readonly kvRank: number
  readonly nopeDim: number
  readonly ropeDim: number
  readonly valueDim: number
  readonly bias: boolean
  /** DeepSeek sparse attention (V3.2): a small scorer picks the `topk` tokens that are attended. */
  readonly indexer?: { readonly heads: number; readonly headDim: number; readonly topk: number }
}

/** Mamba-2 mixer (arXiv 2405.21060). State per sequence: heads × headDim × state elements and a short convolution's past. */
export interface Mamba2 {
  readonly kind: 'mamba2'
  readonly name: string
  readonly width: number
  readonly heads: number
  readonly headDim: number
  readonly state: number
  readonly groups: number
  readonly kernel: number
  readonly convolutionBias: boolean
  readonly projectionBias: boolean
  /** Tokens per chunk of the parallel scan. */
  readonly chunk: number
  readonly stateFormat: FormatName
}

/** Gated delta rule (arXiv 2412.06464), as in Qwen3-Next. State per sequence: valueHeads × keyDim × valueDim elements. */
export interface DeltaNet {
  readonly kind: 'delta-net'
  readonly name: string
  readonly width: number
  readonly keyHeads: number
  readonly valueHeads: number
  readonly keyDim: number
  readonly valueDim: number
  readonly kernel: number
  readonly chunk: number
  readonly stateFormat: FormatName
}

export interface FeedForward {
  readonly kind: 'ffn'
  readonly name: string
  readonly width: number
  readonly hidden: number
  readonly gated: boolean
  readonly bias: boolean
  /** silu, gelu, relu, relu2 …: names the work per element. */
  readonly activation: string
}

export interface MixtureOfExperts {
  readonly kind: 'moe'
  readonly name: string
  readonly width: number
  /** Width that the experts work in where it differs from `width` (a down- and up-projection around them). */
  readonly latent?: number
  readonly hidden: number
  readonly experts: number
  /** Routed experts per token. */
  readonly active: number
  readonly gated: boolean
  readonly bias: boolean
  /** Parameters of the router beside its matrix: a bias or correction per expert, and the like. */
  readonly routerExtra: number
  readonly activation: string
  /** Experts that every token takes, as one FFN this wide; `gate` is a scalar gate projected from the token. */
  readonly shared?: { readonly hidden: number; readonly gate: boolean }
}

/** Any other matrix product per token: poolers, projections into and out of the stack, per-layer inputs. */
export interface Linear {
  readonly kind: 'linear'
  readonly name: string
  readonly role: Role
  readonly input: number
  readonly output: number
  readonly bias: boolean
  /** Which tokens take it: all, or one per sequence (a pooler, a classifier). */
  readonly tokens: 'all' | 'sequence'
}

export interface Convolution {
  readonly kind: 'convolution'
  readonly name: string
  readonly channels: { readonly input: number; readonly output: number }
  /** Per spatial dimension. */
  readonly kernel: readonly number[]
  readonly groups: number
  readonly bias: boolean
  /** Input positions consumed per output position of the stack's token rate, and output positions per token. */
  readonly inputPerToken: number
  readonly outputPerToken: number
}

/** One dimension that a convolution steps over. `same` pads until ceil(input / stride) positions come out. */
export interface Side {
  readonly kernel: number
  readonly stride: number
  readonly padding: readonly [before: number, after: number] | 'same'
}

/**
 * A convolution over time and, where it has `features`, over those too. It runs at the length that it finds, and a
 * stride over time lowers the rate of everything after it.
 */
export interface TemporalConvolution {
  readonly kind: 'temporal-convolution'
  readonly name: string
  readonly channels: { readonly input: number; readonly output: number }
  /** As many as input channels: depthwise. */
  readonly groups: number
  readonly bias: boolean
  readonly time: Side
  readonly features?: Side & { readonly size: number }
  /** Normalizes its output by statistics kept from training, before the activation. */
  readonly batchNorm?: true
  /** As in FeedForward; `glu` gates one half of the output channels with the other. */
  readonly activation?: string
}

/** Self-attention over relative positions (Transformer-XL, arXiv 1901.02860, section 3.3), both ways. */
export interface RelativeAttention {
  readonly kind: 'relative-attention'
  readonly name: string
  readonly width: number
  readonly heads: number
  readonly headDim: number
  /** Of the query, key, value and output projections; that of the positions has none. */
  readonly bias: boolean
}

/** A learned factor and offset for each channel, in place of a norm before a module (scaled post-norm). */
export interface Scale {
  readonly kind: 'scale'
  readonly name: string
  readonly width: number
}

/** Repeats each token: what comes after runs at `factor` times the rate, at the length before it was lowered. */
export interface Upsample {
  readonly kind: 'upsample'
  readonly name: string
  readonly width: number
  readonly factor: number
}

/** Look-up tables at the bottom of a stack. `lookups` rows are read per token (0: a table that no kernel gathers from). */
export interface Embedding {
  readonly kind: 'embedding'
  readonly name: string
  readonly tables: readonly {
    readonly name: string
    readonly rows: number
    readonly width: number
    readonly lookups: number
    /** The same weights as a table of another stack, which counts them (T5's one table for both stacks). */
    readonly shared?: true
  }[]
}

/** The vocabulary projection. A tied head reads the token table and adds no parameters of its own. */
export interface Head {
  readonly kind: 'head'
  readonly name: string
  readonly width: number
  readonly vocabulary: number
  readonly tied: boolean
  readonly bias: boolean
}

export type Module =
  | Norm
  | Add
  | Attention
  | LatentAttention
  | Mamba2
  | DeltaNet
  | FeedForward
  | MixtureOfExperts
  | Linear
  | Convolution
  | TemporalConvolution
  | RelativeAttention
  | Scale
  | Upsample
  | Embedding
  | Head

export interface LayerGroup {
  /** Indices of the layers, in the stack's order, that are exactly alike. */
  readonly layers: readonly number[]
  readonly modules: readonly Module[]
  /** Tokens of the stack for each token that comes to these layers; 1 where absent. */
  readonly rate?: number
}

export interface Stack {
  readonly name: 'encoder' | 'decoder'
  readonly width: number
  readonly input: readonly Module[]
  readonly groups: readonly LayerGroup[]
  readonly output: readonly Module[]
}

/** How sound becomes frames of features. Samples. */
export interface Audio {
  readonly sampleRate: number
  readonly window: number
  readonly hop: number
  /** Windows centred on every hop from the first sample on; only those inside the audio; or centred, without the last. */
  readonly framing: 'centred' | 'inside' | 'all-but-last'
}

/** How the answer to "what did you read from this config" is given. */
export interface Reading {
  readonly used: readonly string[]
  readonly ignored: readonly string[]
  readonly assumed: readonly string[]
}

export interface Architecture {
  readonly name: string
  /** The family, as `model_type` names it. */
  readonly type: string
  readonly kind: 'decoder' | 'encoder' | 'encoder-decoder'
  /** An encoder comes before the decoder that reads it. */
  readonly stacks: readonly Stack[]
  /** The format it was released in. */
  readonly dtype: FormatName
  /** Roles released in another format (`quantization_config`). */
  readonly formats: Partial<Readonly<Record<Role, Format>>>
  /** What released quantized weights are multiplied in, where the release says (dynamic fp8). */
  readonly activations?: FormatName
  /** What the release keeps its cache in, where it says. */
  readonly kv?: FormatName
  /** Longest context that it was made for, in tokens. */
  readonly positions?: number
  /** Encoders of fixed input: tokens (ViT 197, Whisper 1500). */
  readonly sourceTokens?: number
  /** Speech: encoder tokens per second of audio, and how audio is cut into the frames that its first layer reads. */
  readonly tokensPerSecond?: number
  readonly audio?: Audio
  readonly reading: Reading
}

/** Consecutive runs of layer indices as people write them: `0-4,6-10`. */
export function layerLabel(layers: readonly number[]): string {
  const runs: string[] = []
  for (let i = 0; i < layers.length; ) {
    let j = i
    while (j + 1 < layers.length && layers[j + 1] === (layers[j] as number) + 1) j++
    runs.push(i === j ? `${layers[i]}` : `${layers[i]}-${layers[j]}`)
    i = j + 1
  }
  return runs.join(',')
}

/** Number of layers of a stack. */
export function layerCount(stack: Stack): number {
  return stack.groups.reduce((sum, g) => sum + g.layers.length, 0)
}

/** The stack that generates, or the only one. */
export function mainStack(a: Architecture): Stack {
  const stack = a.stacks.at(-1)
  if (stack === undefined) throw new Error(`${a.name} has no stacks`)
  return stack
}

/**
 * Groups layers that are exactly alike, each given as its list of modules, in the order of first appearance; `rates` are
 * those of the tokens that come to each layer, all 1 where absent.
 */
export function groupLayers(layers: readonly (readonly Module[])[], rates: readonly number[] = []): LayerGroup[] {
  const byKey = new Map<string, { layers: number[]; modules: readonly Module[]; rate?: number }>()
  layers.forEach((modules, index) => {
    const { [index]: rate = 1 } = rates
    const key = `${rate} ${JSON.stringify(modules)}`
    const group = byKey.get(key)
    if (group) group.layers.push(index)
    else byKey.set(key, { layers: [index], modules, ...(rate !== 1 && { rate }) })
  })
  return [...byKey.values()]
}
