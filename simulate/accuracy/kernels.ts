// Rows of the kernels of a layer: those of four models as a profiler saw them, and single operators as a paper's authors
// timed them, launched one by one.
import type { Architecture, Attention, Module } from '../../model/architecture.ts'
import { deploy } from '../../model/deployment.ts'
import { format } from '../../model/format.ts'
import type { Operator } from '../../model/operator.ts'
import { pass } from '../../model/pass.ts'
import { decode, prefill } from '../../model/workload.ts'
import { eager } from '../engines.ts'
import { type Case, count, formatOf, type Line, measured, number, operatorsOf, timed, Unmappable } from './case.ts'
import { modelOf } from './model-name.ts'
import { productOf } from './products.ts'

/** Reads and writes elements of `bytes` bytes, with some vector work per element written. */
function stream(name: string, read: number, written: number, bytes: number, work: number): Operator {
  return {
    name,
    layers: '',
    count: 1,
    launches: 1,
    shape: { kind: 'stream', elements: Math.max(read, written) },
    matrix: 0,
    vector: work * written,
    unit: 'fp16',
    streams: [
      { owner: 'activations', way: 'read', bytes: read * bytes, metadata: 0 },
      { owner: 'activations', way: 'write', bytes: written * bytes, metadata: 0 },
    ],
  }
}

/** Element-wise kernels as modules; the file gives the model's widths, and `tp` cuts the hidden one. */
async function layerKernel(line: Line): Promise<{ module: Module; name?: string }> {
  const [hidden, ffn, tp] = [count(line, 'hidden'), count(line, 'ffn'), count(line, 'tp')]
  const { op = '', model = '' } = line
  switch (op) {
    case 'input_layernorm':
    case 'post_attention_layernorm': {
      const type = model.includes('phi') ? 'layer' : 'rms'
      return { module: { kind: 'norm', name: op, type, width: hidden, bias: false, residual: false } }
    }
    case 'add':
      return { module: { kind: 'add', name: op, width: hidden } }
    case 'emb': {
      const tables = [{ name: 'token', rows: 32000, width: hidden, lookups: 1 }]
      return { module: { kind: 'embedding', name: op, tables } }
    }
    case 'mlp_act': {
      const gated = !model.includes('phi')
      const activation = gated ? 'silu' : 'gelu'
      const module = { kind: 'ffn', name: op, width: hidden, hidden: ffn / tp, gated, bias: false, activation } as const
      return { module, name: `${op}-activation` }
    }
    case 'attn_rope':
      return { module: rankAttention(await modelOf(model), tp), name: 'attention-rotary' }
    default:
      throw new Unmappable(`op: '${op}' is not a kernel of a layer that we know`)
  }
}

/** A rank's share of a model's first attention. */
function rankAttention(architecture: Architecture, tp: number): Attention {
  const modules = architecture.stacks.flatMap((s) => s.groups.flatMap((g) => g.modules))
  const own = modules.find((m) => m.kind === 'attention')
  if (!own) throw new Unmappable(`model: ${architecture.name} has no attention with heads`)
  return { ...own, name: 'attention', heads: own.heads / tp, kvHeads: Math.max(1, own.kvHeads / tp) }
}

export async function layerOperator(line: Line): Promise<Case> {
  const tokens = count(line, 'num_tokens')
  const { model = '', op = '', op_class = '', tp = '', dtype = '' } = line
  return {
    ...timed(line),
    kind: op_class === 'gemm' ? 'layer-gemm' : 'layer-elementwise',
    basis: 'profiler',
    operators: op_class === 'gemm' ? layerProduct(line, tokens) : await layerStream(line, tokens),
    keys: { op, model, tp, dtype },
  }
}

function layerProduct(line: Line, tokens: number): Operator[] {
  formatOf(line, 'dtype')
  return productOf(tokens, count(line, 'n'), count(line, 'k'), format('fp16'), 'fp16')
}

async function layerStream(line: Line, tokens: number): Promise<Operator[]> {
  const { module, name = line.op } = await layerKernel(line)
  const all = operatorsOf(module, prefill(1, tokens), { activations: formatOf(line, 'dtype') }, 'fp16')
  return all.filter((o) => o.name === name)
}

/** Vector operations per element. */
const work: Readonly<Record<string, number>> = { softmax: 5, layernorm: 7, gelu: 8 }

/** What the paper calls the operators of a layer. */
const layerNames: Readonly<Record<string, string>> = {
  Q_K_V: 'attention-qkv',
  Q_mul_K: 'attention-scores',
  Softmax: 'attention-softmax',
  A_mul_V: 'attention-values',
  Wo_proj: 'attention-out',
  W1_proj: 'mlp-up',
  GeLU: 'mlp-activation',
  W2_proj: 'mlp-down',
  LayerNorm_MHA: 'input-norm',
  LayerNorm_FFN: 'post-attention-norm',
  AllReduce_MHA: 'attention-all-reduce',
  AllReduce_FFN: 'mlp-all-reduce',
}

const layerRow = /^gpt3_layer_(prefill|decode)_b(\d+)_(?:s|in)(\d+)(?:_out(\d+))?_tp(\d+):(\w+)$/

/** One operator of one layer of GPT-3, whose sizes its name states; of decoding at the last generated token. */
async function namedOperator(op: string): Promise<Operator | undefined> {
  const [, phase, batch, length, out, tp, name = ''] = layerRow.exec(op) ?? []
  if (phase === undefined) return undefined
  const sequences = Number(batch)
  const workload =
    phase === 'prefill' ? prefill(sequences, Number(length)) : decode(sequences, Number(length) + Number(out ?? 0))
  const deployment = deploy(await modelOf('gpt-3'), { parallel: { tensor: Number(tp) }, fusion: 'unfused' })
  const found = pass(deployment, workload).find((o) => o.layers !== '' && o.name === layerNames[name])
  return found && { ...found, count: 1 }
}

/** Throughputs in 10^9 elements per second are turned into seconds. */
export async function singleOperator(line: Line): Promise<Case> {
  const dtype = formatOf(line, 'dtype')
  const { op = '' } = line
  const value = measured(line, 'value')
  const base = { machine: line.hardware ?? '', kind: 'operator', engine: eager, keys: { op, dtype: dtype.name } }
  if (op === 'matmul') {
    const operators = productOf(count(line, 'm'), count(line, 'n'), count(line, 'k'), format('fp16'), 'fp16')
    return { ...base, seconds: value * 1e-6, operators }
  }
  const named = await namedOperator(op)
  if (named) {
    return {
      ...base,
      seconds: value * 1e-6,
      operators: [named],
      keys: { ...base.keys, op: named.name, model: 'gpt-3' },
    }
  }
  const perElement = work[op]
  if (perElement === undefined)
    throw new Unmappable(
      `op: '${op}' is not known (matmul, ${Object.keys(work).join(', ')}, or one of a layer of GPT-3)`,
    )
  const elements = count(line, 'm') * (op === 'gelu' ? 1 : count(line, 'n'))
  return {
    ...base,
    seconds: line.unit === 'us' ? value * 1e-6 : elements / (number(line, 'value') * 1e9),
    operators: [stream(op, elements, elements, dtype.bits / 8, perElement)],
  }
}
