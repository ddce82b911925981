// Models that mix attention with recurrent layers: Qwen3-Next and Qwen3.5 (gated delta rule), Nemotron-H (Mamba-2) and
// Mamba-2 alone. After transformers/models/{qwen3_next,qwen3_5,qwen3_5_moe,nemotron_h,mamba2}.
import type { Attention, DeltaNet, Mamba2, MixtureOfExperts, Module } from '../architecture.ts'
import type { FormatName } from '../format.ts'
import {
  biases,
  type Draft,
  decoder,
  feedForward,
  type HeadWidths,
  layersOf,
  linear,
  norm,
  overHead,
  rms,
  selfAttention,
} from './blocks.ts'
import { type Fields, limits } from './fields.ts'
import { mixture, sparseMlp } from './moe.ts'
import {
  activation,
  core,
  gatedMlp,
  headWidths,
  layerKinds,
  layerTotal,
  positions,
  rotaryWidth,
  standardDecoder,
  tied,
  vocabulary,
} from './shape.ts'

const stateFormats: Readonly<Record<string, FormatName>> = { float32: 'fp32', bfloat16: 'bf16', float16: 'fp16' }

function stateFormat(f: Fields, key: string): FormatName {
  const stated = f.text(key) ?? f.assume(key, 'float32', 'states are kept in single precision')
  const known = Object.hasOwn(stateFormats, stated) ? stateFormats[stated] : undefined
  if (!known) throw f.wrong(key, `one of ${Object.keys(stateFormats).join(', ')}`, stated)
  return known
}

/** Tokens per chunk of the parallel form in the kernels of flash-linear-attention. */
const deltaChunk = 64

function deltaNet(f: Fields, width: number): DeltaNet {
  const keyHeads = f.count('linear_num_key_heads')
  const valueHeads = f.count('linear_num_value_heads')
  f.quotient('linear_num_value_heads', valueHeads, 'linear_num_key_heads', keyHeads)
  const keyDim = f.count('linear_key_head_dim')
  const valueDim = f.count('linear_value_head_dim')
  f.size('linear_key_head_dim', keyHeads * keyDim)
  f.size('linear_value_head_dim', valueHeads * valueDim)
  return {
    kind: 'delta-net',
    name: 'delta-net',
    width,
    keyHeads,
    valueHeads,
    keyDim,
    valueDim,
    kernel: f.count('linear_conv_kernel_dim'),
    chunk: deltaChunk,
    stateFormat: stateFormat(f, 'mamba_ssm_dtype'),
  }
}

const qwenKinds = { linear_attention: false, full_attention: true, attention: true } as const

/** Which layers have attention: those that `layer_types` names, else every `full_attention_interval`th. */
function attentionLayers(f: Fields): (layer: number) => boolean {
  const listed = layerKinds<boolean>(f, 'layer_types', layerTotal(f), qwenKinds)
  if (listed) {
    f.raw('full_attention_interval')
    return (layer) => listed[layer] as boolean
  }
  const interval = f.countOr('full_attention_interval', 4, 'default of the family', limits.layers)
  return (layer) => (layer + 1) % interval === 0
}

function gatedAttention(f: Fields, h: HeadWidths): Attention {
  const gate = f.flag('attn_output_gate', true)
  return selfAttention(h, {
    bias: biases(f.flag('attention_bias', false)),
    queryKeyNorm: { type: 'rms', over: 'head' },
    rotary: rotaryWidth(f, h.headDim, 0.25),
    ...(gate ? { gate } : {}),
  })
}

function qwenHybrid(f: Fields, mlp: (h: HeadWidths) => (layer: number) => Module): Draft {
  const h = headWidths(f)
  const attends = attentionLayers(f)
  const attention = gatedAttention(f, h)
  const recurrence = deltaNet(f, h.width)
  return standardDecoder(f, { heads: h, mixer: (i) => (attends(i) ? attention : recurrence), mlp: mlp(h) })
}

export function qwen35(f: Fields): Draft {
  return qwenHybrid(f, (h) => gatedMlp(f, h.width))
}

export function qwen3Next(f: Fields): Draft {
  return qwenHybrid(f, (h) => {
    const shared = { hidden: f.count('shared_expert_intermediate_size'), gate: true }
    return sparseMlp(f, h.width, { hidden: f.count('moe_intermediate_size'), shared })
  })
}

/** Field names of a Mamba-2 mixer: Nemotron-H, Mamba-2 and the Jamba-like hybrids each have their own. */
export interface MambaNames {
  readonly heads: string
  readonly headDim: string
  readonly state: string
  readonly groups: readonly string[]
  readonly kernel: readonly string[]
  readonly chunk: readonly string[]
  readonly convolutionBias: string
  readonly projectionBias: string
}

export function mamba2Mixer(f: Fields, width: number, n: MambaNames, headDim = f.count(n.headDim)): Mamba2 {
  const heads = f.count(n.heads)
  const groups = f.count(n.groups)
  f.quotient(n.heads, heads, f.spelled(n.groups), groups)
  const state = f.count(n.state)
  f.size(n.headDim, heads * headDim)
  f.size(n.state, groups * state)
  return {
    kind: 'mamba2',
    name: 'mamba',
    width,
    heads,
    headDim,
    state,
    groups,
    kernel: f.count(n.kernel),
    convolutionBias: f.flag(n.convolutionBias, true),
    projectionBias: f.flag(n.projectionBias, false),
    chunk: f.countOr(n.chunk, 256, 'usual chunk of the kernel'),
    stateFormat: stateFormat(f, 'mamba_ssm_cache_dtype'),
  }
}

const nemotronNames: MambaNames = {
  heads: 'mamba_num_heads',
  headDim: 'mamba_head_dim',
  state: 'ssm_state_size',
  groups: ['n_groups', 'mamba_n_groups'],
  kernel: ['conv_kernel', 'mamba_d_conv'],
  chunk: ['chunk_size', 'mamba_chunk_size'],
  convolutionBias: 'use_conv_bias',
  projectionBias: 'use_bias',
}

const letters = { M: 'mamba', '*': 'attention', E: 'moe', '-': 'mlp' } as const
type BlockKind = (typeof letters)[keyof typeof letters]

const blockKinds: Readonly<Record<string, BlockKind>> = {
  mamba: 'mamba',
  linear_attention: 'mamba',
  attention: 'attention',
  full_attention: 'attention',
  moe: 'moe',
  mlp: 'mlp',
}

/** Nemotron-H's blocks, one letter each, or by name in `layers_block_type`. */
function nemotronBlocks(f: Fields): readonly BlockKind[] {
  const pattern = f.text('hybrid_override_pattern')
  if (pattern === undefined) return listedBlocks(f)
  const layers = f.has('num_hidden_layers') ? layerTotal(f) : pattern.length
  if (pattern.length !== layers || layers > limits.layers)
    throw f.error(`hybrid_override_pattern: ${pattern.length} blocks for ${layers} layers`)
  return [...pattern].map((letter, i) => {
    if (!Object.hasOwn(letters, letter)) throw f.wrong(`hybrid_override_pattern[${i}]`, 'one of M * E -', letter)
    return letters[letter as keyof typeof letters]
  })
}

function listedBlocks(f: Fields): readonly BlockKind[] {
  const key = f.spelled(['layers_block_type', 'layer_types'])
  const listed = f.strings(key)
  if (listed === undefined) throw f.error('hybrid_override_pattern: missing')
  const layers = f.has('num_hidden_layers') ? layerTotal(f) : listed.length
  if (layers === 0 || layers > limits.layers) throw f.error(`${key}: expected 1 to ${limits.layers} entries`)
  return layerKinds(f, key, layers, blockKinds) as BlockKind[]
}

function relu2(f: Fields): string {
  return activation(f, ['mlp_hidden_act'], 'relu2')
}

/** Experts without a gate, behind a narrower latent in the newer models; scores are corrected by expert. */
function nemotronExperts(f: Fields, width: number): MixtureOfExperts {
  const hidden = f.count('moe_intermediate_size')
  const latent = f.optional('moe_latent_size')
  const shared = f.whole('n_shared_experts') ? f.count('moe_shared_expert_intermediate_size') : undefined
  return mixture(f, width, {
    hidden,
    gated: false,
    activation: relu2(f),
    routerExtra: f.count('n_routed_experts'),
    ...(latent ? { latent } : {}),
    ...(shared ? { shared: { hidden: shared, gate: false } } : {}),
  })
}

/** One norm and one mixer per block; attention has no positions. */
export function nemotronH(f: Fields): Draft {
  const h = headWidths(f)
  const kinds = nemotronBlocks(f)
  const build: Readonly<Record<BlockKind, () => Module>> = {
    mamba: () => mamba2Mixer(f, h.width, nemotronNames),
    attention: () => selfAttention(h, { rotary: 0, bias: biases(f.flag('attention_bias', false)) }),
    moe: () => nemotronExperts(f, h.width),
    mlp: () =>
      feedForward(h.width, f.count('intermediate_size'), {
        gated: false,
        bias: f.flag('mlp_bias', false),
        activation: relu2(f),
      }),
  }
  const built = new Map([...new Set(kinds)].map((kind) => [kind, build[kind]()]))
  return decoder({
    width: h.width,
    layers: layersOf(kinds.length, (i) => [
      norm('input-norm', h.width, rms),
      built.get(kinds[i] as BlockKind) as Module,
    ]),
    vocabulary: vocabulary(f),
    tied: tied(f, false),
    finalNorm: norm('final-norm', h.width, rms),
    positions: positions(f),
  })
}

const mambaNames: MambaNames = {
  heads: 'num_heads',
  headDim: 'head_dim',
  state: 'state_size',
  groups: ['n_groups'],
  kernel: ['conv_kernel'],
  chunk: ['chunk_size'],
  convolutionBias: 'use_conv_bias',
  projectionBias: 'use_bias',
}

export function mamba2(f: Fields): Draft {
  const width = f.count(core.width)
  const mixer = mamba2Mixer(f, width, mambaNames)
  const inner = f.size('expand', (f.multiplier('expand') ?? 2) * width)
  if (inner !== mixer.heads * mixer.headDim)
    throw f.error(`expand: ${inner} channels, but num_heads times head_dim is ${mixer.heads * mixer.headDim}`)
  return decoder({
    width,
    layers: layersOf(layerTotal(f), () => [norm('input-norm', width, rms), mixer]),
    vocabulary: vocabulary(f),
    tied: tied(f, false),
    finalNorm: norm('final-norm', width, rms),
  })
}

const lfmKinds = { conv: false, full_attention: true, attention: true } as const

/** LFM2: short gated convolutions, attention in a few layers. */
export function lfm2(f: Fields): Draft {
  const h = headWidths(f)
  const attends = lfmAttention(f)
  const attention = selfAttention(h, { queryKeyNorm: overHead, rotary: rotaryWidth(f, h.headDim) })
  const bias = f.flag('conv_bias', false)
  const convolution: Module[] = [
    linear('convolution-in', 'recurrence', h.width, f.size('hidden_size', 3 * h.width), bias),
    shortConvolution(h.width, f.count('conv_L_cache'), bias),
    linear('convolution-out', 'recurrence', h.width, h.width, bias),
  ]
  const mlp = feedForward(h.width, lfmHidden(f), { activation: 'silu' })
  return decoder({
    width: h.width,
    layers: layersOf(layerTotal(f), (i) => [
      norm('input-norm', h.width, rms),
      ...(attends(i) ? [attention] : convolution),
      norm('post-attention-norm', h.width, rms),
      mlp,
    ]),
    vocabulary: vocabulary(f),
    tied: f.optionalFlag('tie_embedding') ?? tied(f, true),
    finalNorm: norm('final-norm', h.width, rms),
    positions: positions(f),
  })
}

function shortConvolution(width: number, kernel: number, bias: boolean): Module {
  return {
    kind: 'convolution',
    name: 'convolution',
    channels: { input: width, output: width },
    kernel: [kernel],
    groups: width,
    bias,
    inputPerToken: 1,
    outputPerToken: 1,
  }
}

function lfmAttention(f: Fields): (layer: number) => boolean {
  const listed = layerKinds<boolean>(f, 'layer_types', layerTotal(f), lfmKinds)
  if (listed) return (layer) => listed[layer] as boolean
  const indices = f.wholes('full_attn_idxs')
  if (indices === undefined) throw f.error('layer_types: missing')
  return (layer) => indices.includes(layer)
}

/** Two thirds of the stated width, times a factor, rounded up to a multiple, where the config asks for it. */
function lfmHidden(f: Fields): number {
  const stated = f.count(['block_ff_dim', 'intermediate_size'])
  if (!f.flag('block_auto_adjust_ff_dim', true)) return stated
  const scaled = Math.floor((f.multiplier('block_ffn_dim_multiplier') ?? 1) * Math.floor((2 * stated) / 3))
  f.size('block_ffn_dim_multiplier', scaled)
  const multiple = f.countOr('block_multiple_of', 256, 'default of the family')
  return f.size('block_multiple_of', multiple * Math.ceil(scaled / multiple))
}
