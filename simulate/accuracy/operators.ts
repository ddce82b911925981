// Files of single operators: products, attention, experts, latent attention, collectives, and the kernels of a layer.
import type { Attention, Module } from '../../model/architecture.ts'
import { type Format, type FormatName, format } from '../../model/format.ts'
import type { Operator } from '../../model/operator.ts'
import { decode, encode, prefill, verify } from '../../model/workload.ts'
import { type Case, count, formatOf, type Line, number, operatorsOf, Unmappable } from './case.ts'

const micro = 1e-6

function linear(n: number, k: number): Module {
  return { kind: 'linear', name: 'gemm', role: 'ffn', input: k, output: n, bias: false, tokens: 'all' }
}

/** How the low-precision kernels store weights, and what they multiply in. */
const products: Readonly<Record<string, { weights: Format; activations: FormatName }>> = {
  bf16: { weights: format('bf16'), activations: 'bf16' },
  fp16: { weights: format('fp16'), activations: 'fp16' },
  fp8: { weights: format('fp8'), activations: 'fp8' },
  fp8_block: { weights: { ...format('fp8'), group: 128 * 128, groupBits: 32 }, activations: 'fp8' },
  int8_wo: { weights: format('int8'), activations: 'bf16' },
  int4_wo: { weights: format('int4'), activations: 'bf16' },
  sq: { weights: format('int8'), activations: 'int8' },
}

export function gemm(line: Line): Case {
  const [m, n, k] = [count(line, 'm'), count(line, 'n'), count(line, 'k')]
  const dtype = line.dtype ?? ''
  const stored = products[dtype]
  if (!stored) throw new Unmappable(`dtype: '${dtype}' is not known (${Object.keys(products).join(', ')})`)
  const options = { weights: stored.weights, activations: format(stored.activations) }
  const operators = operatorsOf([linear(n, k)], prefill(1, m), options)
  return {
    kind: dtype === 'bf16' || dtype === 'fp16' ? 'gemm' : 'gemm-lowp',
    machine: line.hardware ?? '',
    seconds: number(line, 'latency_us') * micro,
    basis: 'graph',
    operators,
    keys: { op: 'gemm', dtype, framework: line.framework ?? '', kernel: line.kernel ?? '' },
  }
}

function attentionModule(line: Line, causal: boolean, kvHeads: number): Attention {
  const window = line.window ? number(line, 'window') : 0
  const heads = count(line, 'n_heads')
  if (heads % kvHeads !== 0) throw new Unmappable(`n_heads: expected a multiple of ${kvHeads}, got ${heads}`)
  return {
    kind: 'attention',
    name: 'attention',
    width: 1,
    heads,
    kvHeads,
    headDim: count(line, 'head_dim'),
    causal,
    reach: window > 0 ? { kind: 'window', tokens: window } : { kind: 'full' },
    bias: { query: false, key: false, value: false, output: false },
    rotary: 0,
    fused: true,
  }
}

/** The attention kernel alone, or with the write of the new rows that vLLM's rows include. */
function attentionOperators(all: readonly Operator[], withWrite: boolean): Operator[] {
  return all.filter((o) => o.name === 'attention' || (withWrite && o.name === 'attention-kv-write'))
}

export function causalAttention(line: Line): Case {
  const query = count(line, 'q_len')
  const kv = count(line, 'kv_len')
  if (kv < query) throw new Unmappable(`kv_len: expected at least q_len ${query}, got ${kv}`)
  const batch = count(line, 'batch')
  const decodes = line.op === 'attention_decode'
  const workload = decodes ? verify(batch, kv - query, query) : prefill(batch, query, kv - query)
  const module = attentionModule(line, true, count(line, 'n_kv_heads'))
  const all = operatorsOf([module], workload, { kv: formatOf(line.kv_dtype), activations: formatOf(line.q_dtype) })
  return {
    kind: decodes ? 'attention-decode' : 'attention-prefill',
    machine: line.hardware ?? '',
    seconds: number(line, 'latency_us') * micro,
    basis: 'graph',
    operators: attentionOperators(all, line.framework === 'vllm'),
    keys: attentionKeys(line),
    ...(line.kv_cold === '0' && { warm: true }),
  }
}

function attentionKeys(line: Line): Case['keys'] {
  const { framework = '', kernel = '', kv_dtype = '', version = '', kv_cold = '' } = line
  return { op: line.op ?? '', dtype: kv_dtype, framework, version, kernel, cold: kv_cold }
}

export function encoderAttention(line: Line): Case {
  const module = attentionModule(line, false, count(line, 'n_heads'))
  const workload = encode(count(line, 'batch'), count(line, 'seq_len'))
  const all = operatorsOf([module], workload, { activations: formatOf(line.dtype) })
  return {
    kind: 'attention-encoder',
    machine: line.hardware ?? '',
    seconds: number(line, 'latency_us') * micro,
    basis: 'graph',
    operators: attentionOperators(all, false),
    keys: attentionKeys(line),
  }
}

const expertFormats: Readonly<Record<string, { weights: Format; activations: FormatName }>> = {
  bfloat16: { weights: format('bf16'), activations: 'bf16' },
  fp8: { weights: format('fp8'), activations: 'fp8' },
  fp8_block: { weights: { ...format('fp8'), group: 128 * 128, groupBits: 32 }, activations: 'fp8' },
  int4_wo: { weights: format('int4'), activations: 'bf16' },
  w4a16_mxfp4: { weights: format('mxfp4'), activations: 'bf16' },
}

/** One rank's routed experts with balanced routing: `num_tokens` of the whole group, a share of the experts. */
export function experts(line: Line): Case {
  const { weights, activations } = expertFormats[line.dtype ?? ''] ?? {}
  if (!weights || !activations) throw new Unmappable(`dtype: '${line.dtype}' is not known`)
  const [tp, ep] = [count(line, 'tp'), count(line, 'ep')]
  const [all, active] = [count(line, 'num_experts'), count(line, 'topk')]
  if (all % ep !== 0) throw new Unmappable(`ep: expected a divisor of ${all} experts, got ${ep}`)
  const gated = !(line.kernel ?? '').includes('nongated')
  const module: Module = {
    kind: 'moe',
    name: 'moe',
    width: count(line, 'hidden'),
    hidden: count(line, 'inter') / tp,
    experts: all / ep,
    // A rank of balanced routing sees each token's experts in proportion to those that it has.
    active: active / ep,
    gated,
    bias: false,
    routerExtra: 0,
    activation: 'silu',
  }
  const operators = operatorsOf([module], prefill(1, count(line, 'num_tokens')), {
    weights,
    activations: format(activations),
  })
  return {
    kind: 'moe',
    machine: line.hardware ?? '',
    seconds: number(line, 'latency_us') * micro,
    basis: 'graph',
    operators: operators.filter((o) => o.name !== 'moe-router' && o.name !== 'moe-topk'),
    keys: { op: 'moe', dtype: line.dtype ?? '', framework: line.framework ?? '', kernel: line.kernel ?? '' },
  }
}

/** DeepSeek's latent attention with the rank's own heads: attention, without the projections around it. */
export function latent(line: Line): Case {
  const heads = count(line, 'num_heads')
  const batch = count(line, 'batch_size')
  const step = number(line, 'step')
  const module: Module = {
    kind: 'latent-attention',
    name: 'mla',
    width: 7168,
    heads,
    queryRank: 1536,
    kvRank: 512,
    nopeDim: 128,
    ropeDim: 64,
    valueDim: 128,
    bias: false,
  }
  const workload =
    line.op === 'mla_generation' ? decode(batch, Math.max(1, step)) : prefill(batch, count(line, 'isl'), step)
  const options = { kv: formatOf(line.kv_cache_dtype), activations: formatOf(line.mla_dtype) }
  return {
    kind: line.op === 'mla_generation' ? 'mla-decode' : 'mla-prefill',
    machine: line.hardware ?? '',
    seconds: number(line, 'latency_us') * micro,
    basis: 'graph',
    operators: operatorsOf([module], workload, options).filter((o) => o.name === 'mla' || o.name === 'mla-kv-write'),
    keys: { op: line.op ?? '', dtype: line.kv_cache_dtype ?? '', framework: line.framework ?? '' },
  }
}

const collectives: Readonly<Record<string, 'all-reduce' | 'all-gather' | 'all-to-all'>> = {
  all_reduce: 'all-reduce',
  all_gather: 'all-gather',
  alltoall: 'all-to-all',
}

export function collective(line: Line): Case {
  const type = collectives[line.op ?? '']
  if (type === undefined) throw new Unmappable(`op: '${line.op}' is not an operator of any pass`)
  const devices = count(line, 'num_gpus')
  const bytes = (count(line, 'message_elems') * formatOf(line.dtype).bits) / 8
  // The file's message of a gather is the whole result; an operator's is what one device contributes.
  const message = type === 'all-gather' ? bytes / devices : bytes
  const operator: Operator = {
    name: type,
    layers: '',
    count: 1,
    launches: 1,
    shape: { kind: 'collective', type, devices, message },
    matrix: 0,
    vector: 0,
    unit: 'bf16',
    streams: [],
  }
  return {
    kind: 'collective',
    machine: line.hardware ?? '',
    seconds: number(line, 'latency_us') * micro,
    basis: 'graph',
    operators: [operator],
    keys: { op: line.op ?? '', dtype: line.dtype ?? '', framework: line.library ?? '' },
  }
}

/** Element-wise kernels of a layer: elements read and written per token, and vector work, by width of the stream. */
function layerKernel(line: Line): Module | undefined {
  const [hidden, ffn, tp] = [count(line, 'hidden'), count(line, 'ffn'), count(line, 'tp')]
  switch (line.op) {
    case 'input_layernorm':
    case 'post_attention_layernorm':
      return { kind: 'norm', name: 'norm', type: 'rms', width: hidden, bias: false, residual: false }
    case 'add':
      return { kind: 'add', name: 'add', width: hidden }
    case 'emb':
      return { kind: 'embedding', name: 'emb', tables: [{ name: 'token', rows: 32000, width: hidden, lookups: 1 }] }
    case 'mlp_act': {
      const gated = !(line.model ?? '').includes('phi')
      return { kind: 'ffn', name: 'mlp', width: hidden, hidden: ffn / tp, gated, bias: false, activation: 'silu' }
    }
    default:
      return undefined
  }
}

export function layerOperator(line: Line): Case {
  const tokens = count(line, 'num_tokens')
  const kernel = line.op_class === 'gemm' ? linear(count(line, 'n'), count(line, 'k')) : layerKernel(line)
  if (kernel === undefined) throw new Unmappable(`op: '${line.op}' has no widths in this file`)
  const all = operatorsOf([kernel], prefill(1, tokens), { activations: formatOf(line.dtype) }, 'fp16')
  const { model = '', op = '', op_class = '', tp = '' } = line
  return {
    kind: `layer-${op_class}`,
    machine: line.hardware ?? '',
    seconds: number(line, 'latency_us') * micro,
    basis: 'profiler',
    operators: op === 'mlp_act' ? all.filter((o) => o.name === 'mlp-activation') : all,
    keys: { op, model, tp, dtype: line.dtype ?? '', tokens: String(tokens) },
  }
}

/** Operators of one GPU as a paper's authors timed them; throughputs in elements are turned into seconds. */
export function singleOperator(line: Line): Case {
  const dtype = formatOf(line.dtype)
  const m = count(line, 'm')
  const seconds = (elements: number) =>
    line.unit === 'us' ? number(line, 'value') * micro : elements / (number(line, 'value') * 1e9)
  const base = {
    machine: line.hardware ?? '',
    basis: 'graph',
    keys: { op: line.op ?? '', dtype: line.dtype ?? '' },
  } as const
  if (line.op === 'matmul') {
    const operators = operatorsOf(
      [linear(count(line, 'n'), count(line, 'k'))],
      prefill(1, m),
      { activations: dtype },
      'fp16',
    )
    return { ...base, kind: 'operator', seconds: seconds(0), operators }
  }
  const width = line.op === 'gelu' ? 1 : count(line, 'n')
  const work: Readonly<Record<string, number>> = { softmax: 5, layernorm: 7, gelu: 8 }
  const perElement = work[line.op ?? '']
  if (perElement === undefined)
    throw new Unmappable(`op: '${line.op}' is part of a layer whose other sizes are not given`)
  const elements = m * width
  const bytes = (elements * dtype.bits) / 8
  const operator: Operator = {
    name: line.op ?? '',
    layers: '',
    count: 1,
    launches: 1,
    shape: { kind: 'stream', elements },
    matrix: 0,
    vector: perElement * elements,
    unit: 'fp16',
    streams: [
      { owner: 'activations', way: 'read', bytes, metadata: 0 },
      { owner: 'activations', way: 'write', bytes, metadata: 0 },
    ],
  }
  return { ...base, kind: 'operator', seconds: seconds(elements), operators: [operator] }
}
