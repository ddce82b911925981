// Rows of attention kernels: decoding and prefill over a cache, encoders, and latent attention (MLA).
import type { Attention, LatentAttention } from '../../model/architecture.ts'
import type { Operator } from '../../model/operator.ts'
import { decode, encode, prefill, verify, type Workload } from '../../model/workload.ts'
import { vllmEager } from '../engines.ts'
import { type Case, count, formatOf, type Line, number, operatorsOf, timed, Unmappable } from './case.ts'

function module(line: Line, causal: boolean, kvHeads: number): Attention {
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

/** Attention without the projections around it; vLLM's rows include the write of the new rows to the cache. */
function kernels(all: readonly Operator[], name: string, withWrite: boolean): Operator[] {
  return all.filter((o) => o.name === name || (withWrite && o.name === `${name}-kv-write`))
}

function keys(line: Line, dtype = ''): Case['keys'] {
  const { op = '', framework = '', version = '', kernel = '', kv_cold = '' } = line
  return { op, dtype, framework, version, kernel, cold: kv_cold }
}

export function causalAttention(line: Line): Case {
  const query = count(line, 'q_len')
  const kv = count(line, 'kv_len')
  if (kv < query) throw new Unmappable(`kv_len: expected at least q_len ${query}, got ${kv}`)
  const batch = count(line, 'batch')
  const decodes = line.op === 'attention_decode'
  const workload = decodes ? verify(batch, kv - query, query) : prefill(batch, query, kv - query)
  const options = { kv: formatOf(line, 'kv_dtype'), activations: formatOf(line, 'q_dtype') }
  const all = operatorsOf(module(line, true, count(line, 'n_kv_heads')), workload, options)
  return {
    ...timed(line),
    kind: decodes ? 'attention-decode' : 'attention-prefill',
    operators: kernels(all, 'attention', line.framework === 'vllm'),
    keys: keys(line, line.kv_dtype),
    // Decode rows say it; each repetition of a prefill finds what the one before it left.
    ...(line.kv_cold !== '1' && { warm: line.kv_cold === '0' ? 'all' : 'fitting' }),
  }
}

export function encoderAttention(line: Line): Case {
  const workload = encode(count(line, 'batch'), count(line, 'seq_len'))
  const all = operatorsOf(module(line, false, count(line, 'n_heads')), workload, {
    activations: formatOf(line, 'dtype'),
  })
  return {
    ...timed(line),
    kind: 'attention-encoder',
    operators: kernels(all, 'attention', false),
    warm: 'fitting',
    keys: keys(line, line.dtype),
  }
}

/** DeepSeek-V3's, with the rank's own heads: `num_heads` times `tp_size` is 64 or 128 in every row. */
function latentModule(heads: number): LatentAttention {
  return {
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
}

/** SGLang prefills in the latent space, as others decode; they expand the latents to keys and values first. */
function latentWorkload(line: Line, decodes: boolean): Workload {
  const batch = count(line, 'batch_size')
  const past = number(line, 'step')
  if (decodes) return decode(batch, past)
  const query = count(line, 'isl')
  return line.framework === 'sglang' ? verify(batch, past, query) : prefill(batch, query, past)
}

export function latentAttention(line: Line): Case {
  const decodes = line.op === 'mla_generation'
  const options = { kv: formatOf(line, 'kv_cache_dtype'), activations: formatOf(line, 'mla_dtype') }
  const all = operatorsOf(latentModule(count(line, 'num_heads')), latentWorkload(line, decodes), options)
  const vllm = line.framework === 'vllm'
  return {
    ...timed(line),
    kind: decodes ? 'mla-decode' : 'mla-prefill',
    operators: kernels(all, 'mla', vllm),
    keys: { ...keys(line, line.kv_cache_dtype), kernel: line.kernel_source ?? '' },
    ...(vllm && { engine: vllmEager }),
  }
}
