// Rows of whole encoders: FasterTransformer's BERT, and vision transformers of timm.
import type { Architecture, Module, Stack } from '../../model/architecture.ts'
import { deploy } from '../../model/deployment.ts'
import { type Format, format } from '../../model/format.ts'
import type { Operator } from '../../model/operator.ts'
import { pass } from '../../model/pass.ts'
import { encode } from '../../model/workload.ts'
import { fasterTransformer as engine } from '../engines.ts'
import { type Case, count, type Line, measured, Unmappable } from './case.ts'
import { modelOf } from './model-name.ts'

const milli = 1e-3

/** Longest sequence of FasterTransformer's fused attention, which is for 16 bits. */
const fusedUpTo = 384

const precisions = ['fp16', 'fp32', 'tf32'] as const

/** Rows of its BERT and of those vision transformers whose column names the network; the others leave sizes out. */
export function fasterTransformer(line: Line): Promise<Case> {
  const column = (line.column ?? '').replace(/\s+/g, ' ').trim()
  return line.model === 'vit' ? namedVision(line, column) : bert(line, column)
}

/** Its columns of networks by name, at 384 pixels where the name has none, as they were released. */
const visionColumn = /^([BL])_16(-224)? \(FP16\) latency\(ms\)$/

async function namedVision(line: Line, column: string): Promise<Case> {
  const [all, letter, small] = visionColumn.exec(column) ?? []
  if (all === undefined)
    throw new Unmappable("column: of vision transformers only those in FP16 with a name, 'B_16 (FP16)'")
  const architecture = await network(letter === 'B' ? 'base' : 'large', 16, small ? 224 : 384)
  const tokens = architecture.sourceTokens ?? 0
  const deployment = deploy(architecture, { fusion: tokens <= fusedUpTo ? 'flash' : 'unfused' })
  return {
    kind: 'vit',
    machine: line.hardware ?? '',
    seconds: measured(line, 'value') * milli,
    engine,
    whole: true,
    operators: [...pass(deployment, encode(count(line, 'batch'), tokens))],
    keys: { op: 'encode', model: architecture.name, dtype: 'fp16', framework: 'FasterTransformer' },
  }
}

/** BERT's layers, in the columns that are the engine's plain latency, for rows that state a length. */
async function bert(line: Line, column: string): Promise<Case> {
  const { model = '', section = '', hardware = '' } = line
  if (model !== 'bert') throw new Unmappable(`model: rows of '${model}' do not state all sizes`)
  if (column !== 'FT Latency (ms)') throw new Unmappable("column: only 'FT Latency (ms)' is the engine's plain latency")
  if (!/Single GPU BERT/.test(section)) throw new Unmappable(`section: '${section}' names no single BERT`)
  const dtype = precisions.find((p) => p === line.precision?.toLowerCase())
  if (!dtype) throw new Unmappable(`precision: expected ${precisions.join(', ')}, got '${line.precision ?? ''}'`)
  const [batch, length] = [count(line, 'batch'), count(line, 'seq_len')]
  const fused = dtype === 'fp16' && length <= fusedUpTo
  const network = await modelOf('bert-base')
  const deployment = deploy(fused ? network : threeProjections(network), {
    weights: format(dtype === 'fp16' ? 'fp16' : 'fp32'),
    activations: format(dtype),
    fusion: fused ? 'flash' : 'unfused',
  })
  const layers = pass(deployment, encode(batch, length)).filter((o) => o.layers !== '')
  return {
    kind: 'bert',
    machine: hardware,
    seconds: measured(line, 'value') * milli,
    engine,
    whole: true,
    operators: [...layers, ...transposes(layers, batch * length, format(dtype), fused)],
    keys: { op: 'encode', model: 'bert-base', dtype, framework: 'FasterTransformer' },
  }
}

const projected = new WeakMap<Architecture, Architecture>()

/** The network with queries, keys and values from a product each: in 32 bits the engine does not batch them. */
function threeProjections(a: Architecture): Architecture {
  let known = projected.get(a)
  if (!known) {
    const apart = (m: Module): Module => (m.kind === 'attention' ? { ...m, fused: false } : m)
    const groupsOf = (s: Stack) => s.groups.map((g) => ({ ...g, modules: g.modules.map(apart) }))
    known = { ...a, stacks: a.stacks.map((s) => ({ ...s, groups: groupsOf(s) })) }
    projected.set(a, known)
  }
  return known
}

/** Width of BERT base. */
const width = 768

/** FasterTransformer's kernels that add a bias and move heads together, before attention and, unless fused, after it. */
function transposes(layers: readonly Operator[], tokens: number, dtype: Format, fused: boolean): Operator[] {
  const [like] = layers
  if (!like) return []
  const moved = (name: string, elements: number): Operator => ({
    ...like,
    name,
    count: 12,
    launches: 1,
    shape: { kind: 'stream', elements },
    matrix: 0,
    vector: elements,
    streams: [
      { owner: 'activations', way: 'read', bytes: (elements * dtype.bits) / 8, metadata: 0 },
      { owner: 'activations', way: 'write', bytes: (elements * dtype.bits) / 8, metadata: 0 },
    ],
  })
  const heads = moved('heads-transpose', 3 * tokens * width)
  return fused ? [heads] : [heads, moved('output-transpose', tokens * width)]
}

/** Width, layers and heads by timm's word for the size. */
const sizes: Readonly<Record<string, readonly [width: number, layers: number, heads: number]>> = {
  tiny: [192, 12, 3],
  small: [384, 12, 6],
  medium: [512, 12, 8],
  base: [768, 12, 12],
  large: [1024, 24, 16],
  huge: [1280, 32, 16],
}

/** The plain vision transformers among timm's names: what else a name says (relpos, reg4, siglip …) is another network. */
const plain = /^(vit|deit)_(tiny|small|medium|base|large|huge)_patch(8|14|16|32)(?:_clip(?:_quickgelu)?)?_(\d+)$/

const networks = new Map<string, Promise<Architecture>>()

function network(size: string, patch: number, image: number): Promise<Architecture> {
  const key = `${size}/${patch}/${image}`
  let known = networks.get(key)
  if (!known) {
    known = build(size, patch, image)
    networks.set(key, known)
  }
  return known
}

async function build(size: string, patch: number, image: number): Promise<Architecture> {
  const { loadConfig } = await import('../../model/import/read.ts')
  const [hidden, layers, heads] = sizes[size] as (typeof sizes)[string]
  const config = {
    model_type: 'vit',
    architectures: ['ViTForImageClassification'],
    hidden_size: hidden,
    num_hidden_layers: layers,
    num_attention_heads: heads,
    intermediate_size: 4 * hidden,
    hidden_act: 'gelu',
    image_size: image,
    patch_size: patch,
    num_channels: 3,
    qkv_bias: true,
    num_labels: 1000,
    torch_dtype: 'float16',
  }
  return loadConfig(config, `vit-${key(size, patch, image)}`)
}

function key(size: string, patch: number, image: number): string {
  return `${size}-${patch}-${image}`
}

/** One step of a batch of images, mixed precision: products in fp16. */
export async function vision(line: Line): Promise<Case> {
  const { model = '', hardware = '', pytorch = '', layout = '', compile = '' } = line
  const [, , size = '', patch] = plain.exec(model) ?? []
  if (patch === undefined) throw new Unmappable('model: not a plain vision transformer of known sizes')
  const architecture = await network(size, Number(patch), count(line, 'img'))
  const operators = pass(deploy(architecture), encode(count(line, 'batch'), architecture.sourceTokens ?? 0))
  return {
    kind: 'vit',
    machine: hardware,
    seconds: measured(line, 'step_ms') * milli,
    whole: true,
    operators: [...operators],
    keys: {
      op: 'encode',
      model,
      dtype: 'fp16',
      framework: `${pytorch} ${layout}`,
      kernel: compile === 'True' ? 'compiled' : 'eager',
    },
  }
}
