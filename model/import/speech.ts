// Conformer (arXiv 2005.08100) and Squeezeformer (2206.00888), and what lies between and beside them: every design step
// from the one to the other is a field. No library saves such a config; its fields are those of docs/speech.md.
import {
  type Audio,
  groupLayers,
  type Module,
  type Side,
  type Stack,
  type TemporalConvolution,
} from '../architecture.ts'
import { add, allBias, type Draft, feedForward, layerNorm, linear, norm, selfAttention } from './blocks.ts'
import { evenHeads } from './encoder.ts'
import { type Fields, limits } from './fields.ts'
import { activation, layerTotal, vocabulary } from './shape.ts'

const subLayers = ['attention', 'convolution', 'ffn'] as const
type SubLayer = (typeof subLayers)[number]

/**
 * Where the norms of a layer are: `pre`, one before each sub-layer and one after the last; `post`, one after each;
 * `pre-and-post`, both; `scaled-post`, a learned scale before each and a norm after.
 */
const normalizations = ['pre', 'post', 'pre-and-post', 'scaled-post'] as const
type Normalization = (typeof normalizations)[number]

const subsamplings = ['full', 'depthwise-separable'] as const
const positionTypes = ['relative', 'rotary', 'none'] as const
const convolutionActivations = ['glu', 'swish', 'silu', 'relu', 'gelu'] as const

/** Of one layer. */
const mostSubLayers = 16

interface Style {
  readonly subsampling: (typeof subsamplings)[number]
  readonly order: readonly SubLayer[]
  readonly normalization: Normalization
  readonly activation: (typeof convolutionActivations)[number]
}

const styles = {
  conformer: {
    subsampling: 'full',
    order: ['ffn', 'attention', 'convolution', 'ffn'],
    normalization: 'pre',
    activation: 'glu',
  },
  squeezeformer: {
    subsampling: 'depthwise-separable',
    order: ['attention', 'ffn', 'convolution', 'ffn'],
    normalization: 'scaled-post',
    activation: 'swish',
  },
} as const satisfies Record<string, Style>

const usual = 'default of the family'

/** One of some words, assumed where absent. */
function word<const T extends string>(f: Fields, key: string, words: readonly T[], fallback: T): T {
  const stated = f.text(key) ?? f.assume(key, fallback, usual)
  const known = words.find((w) => w === stated)
  if (known === undefined) throw f.wrong(key, `one of ${words.join(', ')}`, stated)
  return known
}

function audio(f: Fields): Audio {
  const sampleRate = f.countOr('sampling_rate', 16_000, usual)
  return {
    sampleRate,
    window: f.countOr('win_length', Math.max(1, Math.round(sampleRate / 40)), '25 ms'),
    hop: f.countOr('hop_length', Math.max(1, Math.round(sampleRate / 100)), '10 ms'),
    framing: f.flag('center', true) ? 'centred' : 'inside',
  }
}

const pointwise: Side = { kernel: 1, stride: 1, padding: [0, 0] }

/** Two convolutions of stride 2 over time and features, and the product that makes tokens of what is left. */
const subsamplingStride = 2

function subsample(f: Fields, style: Style, width: number): Module[] {
  const kind = word(f, 'subsampling', subsamplings, style.subsampling)
  const bins = f.countOr('num_mel_bins', 80, usual)
  const kernel = f.countOr('subsampling_kernel_size', 3, usual)
  const channels = f.countOr('subsampling_channels', width, 'as many as hidden_size')
  const [first, second] = [Math.floor(bins / 2), Math.floor(bins / 4)]
  if (second === 0) throw f.wrong('num_mel_bins', 'at least 4, which two convolutions of stride 2 leave 1 of', bins)
  if (kernel < subsamplingStride || kernel > first) {
    throw f.error(
      `subsampling_kernel_size: expected ${subsamplingStride} to ${first}, the features that the second convolution finds of num_mel_bins = ${bins}, got ${kernel}`,
    )
  }
  const side: Side = { kernel, stride: subsamplingStride, padding: [0, kernel - subsamplingStride] }
  const strided = (name: string, input: number, groups: number, size: number, relu: boolean): TemporalConvolution => ({
    ...temporal(name, input, channels, groups, side),
    features: { ...side, size },
    ...(relu && { activation: 'relu' }),
  })
  const mixed: TemporalConvolution = {
    ...temporal('subsampling-2-pointwise', channels, channels, 1, pointwise),
    features: { ...pointwise, size: second },
    activation: 'relu',
  }
  return [
    strided('subsampling-1', 1, 1, bins, true),
    ...(kind === 'full'
      ? [strided('subsampling-2', channels, 1, first, true)]
      : [strided('subsampling-2-depthwise', channels, channels, first, false), mixed]),
    linear('subsampling-projection', 'ffn', f.size('subsampling_channels', second * channels), width, true),
    norm('input-norm', width, layerNorm, false),
  ]
}

function temporal(name: string, input: number, output: number, groups: number, time: Side): TemporalConvolution {
  return { kind: 'temporal-convolution', name, channels: { input, output }, groups, bias: true, time }
}

/** Of a kernel over time, which is padded to the tokens: no wider than there can be. */
function kernelSize(f: Fields, key: string, fallback: number, longest: number): number {
  const kernel = f.countOr(key, fallback, usual)
  if (kernel > longest) throw f.wrong(key, `at most max_position_embeddings = ${longest}`, kernel)
  return kernel
}

/** Pointwise up, activation, depthwise, batch norm, Swish, pointwise down. A gated activation halves the channels. */
function convolution(f: Fields, style: Style, width: number, longest: number): Module[] {
  const kernel = kernelSize(f, 'conv_kernel_size', 31, longest)
  const act = word(f, 'conv_activation', convolutionActivations, style.activation)
  const expanded = f.size('conv_expansion_factor', width * f.countOr('conv_expansion_factor', 2, usual))
  const inner = act === 'glu' ? expanded / 2 : expanded
  if (!Number.isInteger(inner))
    throw f.error(`conv_expansion_factor: ${expanded} channels have no half for conv_activation = glu`)
  const time: Side = { kernel, stride: 1, padding: 'same' }
  return [
    { ...temporal('convolution-in', width, expanded, 1, pointwise), activation: act },
    { ...temporal('convolution-depthwise', inner, inner, inner, time), batchNorm: true, activation: 'silu' },
    temporal('convolution-out', inner, width, 1, pointwise),
  ]
}

function attention(f: Fields): Module {
  const h = evenHeads(f)
  const positions = word(f, 'position_embedding_type', positionTypes, 'relative')
  const { width, heads, headDim } = h
  if (positions === 'relative')
    return { kind: 'relative-attention', name: 'attention', width, heads, headDim, bias: true }
  const rotary = positions === 'rotary' ? headDim : 0
  return selfAttention(h, { bias: allBias, rotary, causal: false, fused: false })
}

/** The sub-layers of one layer in order, told apart by number where there are several of a kind. */
function namedSubLayers(f: Fields, style: Style, width: number, longest: number): [name: string, Module[]][] {
  const order = blockOrder(f, style)
  const hidden = f.countOr('intermediate_size', 4 * width, '4 x hidden_size')
  const act = activation(f, ['hidden_act'], 'swish')
  const parts: Readonly<Record<SubLayer, () => Module[]>> = {
    attention: () => [attention(f)],
    convolution: () => convolution(f, style, width, longest),
    ffn: () => [feedForward(width, hidden, { name: 'ffn', gated: false, bias: true, activation: act })],
  }
  return order.map((kind, i) => {
    const several = order.filter((k) => k === kind).length > 1
    const number = several ? `-${order.slice(0, i + 1).filter((k) => k === kind).length}` : ''
    const modules = parts[kind]().map((m) => ({ ...m, name: m.name.replace(kind, `${kind}${number}`) }))
    return [`${kind}${number}`, modules]
  })
}

function blockOrder(f: Fields, style: Style): readonly SubLayer[] {
  const isSubLayer = (v: unknown): v is SubLayer => subLayers.some((s) => s === v)
  const stated = f.list('block_order', isSubLayer, `one of ${subLayers.join(', ')}`)
  if (stated === undefined) f.assume('block_order', style.order.join(', '), usual)
  const order = stated ?? style.order
  if (order.length === 0 || order.length > mostSubLayers) {
    throw f.wrong('block_order', `1 to ${mostSubLayers} of ${subLayers.join(', ')}`, order)
  }
  return order
}

/** A layer: its sub-layers with their norms, each of which that follows a sub-layer adds the residual. */
function layer(normalization: Normalization, width: number, parts: readonly (readonly [string, Module[]])[]): Module[] {
  const before = normalization === 'pre' || normalization === 'pre-and-post'
  const after = normalization !== 'pre'
  const modules = parts.flatMap(([name, module], i): Module[] => [
    ...(before ? [norm(`${name}-norm`, width, layerNorm, !after && i > 0)] : []),
    ...(normalization === 'scaled-post' ? [{ kind: 'scale', name: `${name}-scale`, width } as const] : []),
    ...module,
    ...(after ? [norm(`${name}-post-norm`, width, layerNorm)] : []),
  ])
  return after ? modules : [...modules, norm('block-norm', width, layerNorm)]
}

/** Layers before which the rate is lowered, each with the one before which it is restored, if any. */
interface UNet {
  readonly reduce: readonly number[]
  readonly recover: readonly number[]
}

function uNet(f: Fields, layers: number): UNet {
  const reduce = indices(f, 'time_reduce_layers', layers)
  const recover = indices(f, 'time_recover_layers', layers)
  // The rate lowered last is restored first.
  const open: number[] = []
  for (let i = 0; i < layers; i++) {
    if (recover.includes(i)) {
      const from = open.pop()
      if (from === undefined) {
        const next = reduce.find((r) => r >= i)
        const expected = next === undefined ? 'no more of them than of' : 'a layer after that of'
        throw f.error(
          `time_recover_layers: expected ${expected} time_reduce_layers (${reduce.join(', ') || 'none'}), got ${i}`,
        )
      }
    }
    if (reduce.includes(i)) open.push(i)
  }
  return { reduce, recover }
}

/** One index or a list of them; none where absent. */
function indices(f: Fields, key: string, layers: number): readonly number[] {
  if (!f.has(key)) {
    f.raw(key)
    return []
  }
  const given = f.raw(key)
  if (typeof given !== 'number' && !Array.isArray(given)) throw f.wrong(key, 'a layer or a list of layers', given)
  const list = Array.isArray(given) ? (f.wholes(key) ?? []) : [f.whole(key) as number]
  const beyond = list.find((i) => i >= layers)
  if (beyond !== undefined) throw f.wrong(key, `layers from 0 to ${layers - 1}`, beyond)
  if (new Set(list).size !== list.length) throw f.error(`${key}: expected each layer once, got ${list.join(', ')}`)
  return list
}

/** Every layer with the rate at which tokens come to it. */
function unetLayers(
  f: Fields,
  width: number,
  longest: number,
  block: Module[],
): { layers: Module[][]; rates: number[] } {
  const count = layerTotal(f)
  const { reduce, recover } = uNet(f, count)
  const layers: Module[][] = []
  const rates: number[] = []
  const strides = reduce.length > 0 ? { kernel: reduceKernel(f, longest), stride: reduceStride(f) } : undefined
  let rate = 1
  for (let i = 0; i < count; i++) {
    rates.push(rate)
    const modules: Module[] = []
    if (strides && recover.includes(i)) {
      rate /= strides.stride
      modules.push(
        { kind: 'upsample', name: 'time-recover-repeat', width, factor: strides.stride },
        linear('time-recover', 'ffn', width, width, true),
        { ...add(width), name: 'time-recover-skip' },
      )
    }
    if (strides && reduce.includes(i)) {
      rate = f.size('time_reduce_stride', rate * strides.stride, longest)
      modules.push(
        temporal('time-reduce-depthwise', width, width, width, { ...strides, padding: 'same' }),
        temporal('time-reduce-pointwise', width, width, 1, pointwise),
      )
    }
    layers.push([...modules, ...block])
  }
  return { layers, rates }
}

function reduceKernel(f: Fields, longest: number): number {
  return kernelSize(f, 'time_reduce_kernel_size', 5, longest)
}

function reduceStride(f: Fields): number {
  const stride = f.countOr('time_reduce_stride', 2, usual)
  if (stride < 2) throw f.wrong('time_reduce_stride', 'at least 2', stride)
  return stride
}

function speech(f: Fields, style: Style): Draft {
  const width = f.count('hidden_size')
  const sound = audio(f)
  const longest = f.countOr('max_position_embeddings', 5000, usual, limits.tokens)
  const normalization = word(f, 'normalization', normalizations, style.normalization)
  const block = layer(normalization, width, namedSubLayers(f, style, width, longest))
  const { layers, rates } = unetLayers(f, width, longest, block)
  const stack: Stack = {
    name: 'encoder',
    width,
    input: subsample(f, style, width),
    groups: groupLayers(layers, rates),
    output: [linear('ctc-head', 'head', width, vocabulary(f), true)],
  }
  // These configs are written by hand: a field that nobody reads is likely a slip, and every answer says so.
  for (const key of f.keys) f.leaveOut(key, 'no field of a speech encoder, or of no effect here')
  return {
    kind: 'encoder',
    stacks: [stack],
    positions: longest,
    tokensPerSecond: sound.sampleRate / sound.hop / subsamplingStride ** 2,
    audio: sound,
  }
}

export function conformer(f: Fields): Draft {
  return speech(f, styles.conformer)
}

export function squeezeformer(f: Fields): Draft {
  return speech(f, styles.squeezeformer)
}
