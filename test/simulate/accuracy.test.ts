// Rows of each kind as operators, checked by hand: numbers of our own, in the columns of the files.
import { describe, expect, it } from 'vitest'
import { loadMachine } from '../../hardware/catalog.ts'
import { profileOf } from '../../hardware/profile.ts'
import { type Operator, operatorBytes } from '../../model/operator.ts'
import { BadField, type Case, type Line, Unmappable } from '../../simulate/accuracy/case.ts'
import { fileKind, fileKinds } from '../../simulate/accuracy/kinds.ts'
import { ollamaMachine, storedAs } from '../../simulate/accuracy/local.ts'
import { isWarm, outcomeOf } from '../../simulate/accuracy/outcome.ts'
import { type Outcome, score, scoreBy } from '../../simulate/accuracy/score.ts'
import { layoutOf } from '../../simulate/accuracy/serving.ts'

/** The case of a row whose columns alone tell its kind. */
async function caseOf(line: Line): Promise<Case> {
  const kind = fileKind(Object.keys(line))
  if (!kind) throw new Error(`no kind has ${Object.keys(line).join(', ')}`)
  return await kind.read(line)
}

const named = (c: Case, name: string) => c.operators.find((o) => o.name === name) as Operator
const stream = (o: Operator, owner: string, way = 'read') =>
  o.streams.filter((s) => s.owner === owner && s.way === way).reduce((sum, s) => sum + s.bytes, 0)

const gemm = { hardware: 'h100_sxm', op: 'gemm', dtype: 'bf16', m: '8', n: '1024', k: '512', latency_us: '16' }

const attention = {
  hardware: 'a100_sxm',
  op: 'attention_decode',
  framework: 'vllm',
  version: '1',
  kernel: 'k',
  q_dtype: 'bfloat16',
  kv_dtype: 'bfloat16',
  batch: '2',
  q_len: '1',
  kv_len: '100',
  n_heads: '8',
  n_kv_heads: '2',
  head_dim: '64',
  window: '0',
  latency_us: '10',
  kv_cold: '1',
}

const latent = {
  hardware: 'h100_sxm',
  op: 'mla_generation',
  framework: 'trtllm',
  mla_dtype: 'bfloat16',
  kv_cache_dtype: 'bfloat16',
  num_heads: '16',
  batch_size: '3',
  isl: '1',
  tp_size: '8',
  step: '99',
  latency_us: '20',
}

const moe = {
  hardware: 'h100_sxm',
  framework: 'vllm',
  kernel: 'k',
  dtype: 'bfloat16',
  num_tokens: '4',
  hidden: '64',
  inter: '32',
  topk: '2',
  num_experts: '16',
  tp: '1',
  ep: '2',
  latency_us: '30',
}

const collective = {
  hardware: 'h100_sxm',
  library: 'nccl',
  op: 'all_gather',
  dtype: 'half',
  num_gpus: '4',
  message_elems: '1024',
  latency_us: '9',
}

const layer = {
  hardware: 'a100',
  model: 'meta-llama/Llama-2-7b-hf',
  op_class: 'elementwise',
  op: 'mlp_act',
  dtype: 'fp16',
  num_tokens: '10',
  tp: '2',
  n: '',
  k: '',
  hidden: '4096',
  ffn: '11008',
  latency_us: '5',
}

const single = {
  hardware: 'A100',
  op: 'gelu',
  dtype: 'fp16',
  m: '1000000.0',
  n: '',
  k: '',
  value: '100',
  note: '',
  unit: 'Gelem/s',
}

const bert = {
  model: 'bert',
  hardware: 'T4',
  section: 'Performance > Single GPU BERT performance > BERT performance on T4 and PyTorch',
  batch: '2',
  seq_len: '64.0',
  precision: 'FP16',
  column: 'FT   Latency (ms)',
  value: '3.5',
}

const batchOne = {
  hardware: 'RTX 4090',
  n_gpus: '1',
  engine: 'ExLlamaV2',
  model: 'Llama2 7B',
  dtype: 'EXL2 3.0 bpw',
  batch: '1',
  prompt_len: '10.0',
  gen_len: '20',
  value: '200',
}

const llamaCpp = {
  hardware: 'AMD Ryzen AI Max+ 395 / Radeon 8060S',
  model_dir: 'llama-2-7b.Q4_0',
  model_bytes: '4000',
  n_params: '8000',
  backend: 'ROCm',
  build: 'b',
  flash_attn: 'True',
  n_ubatch: '512',
  n_prompt: '1000',
  n_gen: '0',
  value_tok_s: '500',
}

const serving = {
  backend: 'vllm',
  model_path: 'meta-llama/Llama-3.1-70B',
  system: 'h100_sxm',
  precision: 'fp8',
  isl: '1000',
  osl: '200',
  batch_size: '16.0',
  tp_size: '8.0',
  pp_size: '1.0',
  attention_dp_size: '1.0',
  moe_tp_size: '1.0',
  moe_ep_size: '1.0',
  silicon_tpot_ms: '12',
}

describe('products', () => {
  it('in 16 bits move weights, activations and results once', async () => {
    const c = await caseOf(gemm)
    expect(c).toMatchObject({ kind: 'gemm', machine: 'h100_sxm', seconds: 16e-6 })
    expect(c.operators).toHaveLength(1)
    const [o] = c.operators as [Operator]
    expect(o.shape).toEqual({ kind: 'gemm', m: 8, n: 1024, k: 512, matrices: 1 })
    expect(o.matrix).toBe(2 * 8 * 1024 * 512)
    expect(operatorBytes(o)).toBe(2 * (1024 * 512 + 8 * 512 + 8 * 1024))
  })
  it('in narrow formats read scales too, and compute where their unit is', async () => {
    const block = (await caseOf({ ...gemm, dtype: 'fp8_block' })).operators[0] as Operator
    expect(stream(block, 'weights')).toBe(1024 * 512 + 4 * ((1024 * 512) / 128 ** 2))
    expect(block.unit).toBe('fp8')
    const stored = (await caseOf({ ...gemm, dtype: 'int4_wo' })).operators[0] as Operator
    expect(stream(stored, 'weights')).toBe((1024 * 512) / 2 + 2 * ((1024 * 512) / 128))
    expect(stored.unit).toBe('bf16')
    expect((await caseOf({ ...gemm, dtype: 'sq' })).operators[0]?.unit).toBe('int8')
  })
})

describe('attention', () => {
  it('that decodes reads the past, and in vLLM writes the new rows', async () => {
    const c = await caseOf(attention)
    expect(c.operators.map((o) => o.name)).toEqual(['attention-kv-write', 'attention'])
    const row = 2 * (64 + 64) * 2
    expect(stream(named(c, 'attention'), 'kv')).toBe(2 * 99 * row)
    expect(stream(named(c, 'attention-kv-write'), 'kv', 'write')).toBe(2 * row)
    expect(named(c, 'attention').matrix).toBe(2 * 2 * 8 * 100 * (64 + 64))
    const alone = await caseOf({ ...attention, framework: 'sglang' })
    expect(alone.operators.map((o) => o.name)).toEqual(['attention'])
  })
  it('is warm where the row says so, or where a prefill fits the cache', async () => {
    const machine = await loadMachine('a100')
    expect(isWarm(await caseOf(attention), machine)).toBe(false)
    expect(isWarm(await caseOf({ ...attention, kv_cold: '0' }), machine)).toBe(true)
    const { kv_cold: _, ...prefill } = { ...attention, op: 'attention_prefill', q_len: '100' }
    expect(isWarm(await caseOf(prefill), machine)).toBe(true)
    expect(isWarm(await caseOf({ ...prefill, q_len: '32768', kv_len: '32768' }), machine)).toBe(false)
  })
  it('that prefills sees half of the square, and a window its part', async () => {
    const rows = async (line: Line) => named(await caseOf(line), 'attention').shape
    const prefill = { ...attention, op: 'attention_prefill', q_len: '100' }
    expect(await rows(prefill)).toMatchObject({ causal: true, rows: [{ sequences: 2, query: 100, kv: 50.5 }] })
    expect(await rows({ ...attention, window: '10' })).toMatchObject({ rows: [{ sequences: 2, query: 1, kv: 10 }] })
    expect(await rows({ ...attention, kv_dtype: 'fp8' })).toMatchObject({ stored: 8 })
    await expect(rows({ ...attention, n_heads: '9' })).rejects.toThrow(Unmappable)
    await expect(rows({ ...attention, q_len: '101' })).rejects.toThrow(/kv_len: expected at least q_len 101/)
  })
  it('of encoders sees the whole square', async () => {
    const { hardware, op, batch, n_heads, head_dim, latency_us } = attention
    const c = await caseOf({ hardware, op, dtype: 'bfloat16', batch, seq_len: '50', n_heads, head_dim, latency_us })
    expect(c.operators.map((o) => o.name)).toEqual(['attention'])
    expect(c.operators[0]?.shape).toMatchObject({ causal: false, kvHeads: 8, rows: [{ query: 50, kv: 50 }] })
  })
  it('of latents has one key head, unless a prompt is expanded', async () => {
    const decodes = named(await caseOf(latent), 'mla')
    expect(decodes.shape).toMatchObject({ heads: 16, kvHeads: 1, headDim: 576, valueDim: 512, rows: [{ kv: 100 }] })
    expect(stream(decodes, 'kv')).toBe(3 * 99 * 576 * 2)
    const prompt = { ...latent, op: 'mla_context', isl: '64', step: '0' }
    expect(named(await caseOf(prompt), 'mla').shape).toMatchObject({ kvHeads: 16, headDim: 192, valueDim: 128 })
    expect(named(await caseOf({ ...prompt, framework: 'sglang' }), 'mla').shape).toMatchObject({ kvHeads: 1 })
    expect((await caseOf({ ...prompt, framework: 'vllm' })).engine?.name).toBe('vllm eager')
  })
})

describe('experts', () => {
  it('take the tokens evenly, a share of them on this rank', async () => {
    const c = await caseOf(moe)
    // 4 tokens × 2 experts over 2 ranks: 4 experts of this rank's 8, a token each.
    expect(named(c, 'moe-up').shape).toEqual({ kind: 'gemm', m: 1, n: 64, k: 64, matrices: 4 })
    expect(stream(named(c, 'moe-up'), 'weights')).toBeCloseTo(4 * 64 * 64 * 2, 6)
    expect(named(c, 'moe-up').matrix).toBeCloseTo(2 * 4 * 64 * 64, 6)
    expect(c.operators.map((o) => o.name)).toEqual(['moe-sort', 'moe-up', 'moe-activation', 'moe-down', 'moe-sum'])
    const many = named(await caseOf({ ...moe, num_tokens: '400', tp: '2' }), 'moe-up')
    expect(many.shape).toMatchObject({ m: 50, n: 32, matrices: 8 })
    await expect(caseOf({ ...moe, ep: '3' })).rejects.toThrow(/ep: expected a divisor of the 16 experts/)
  })
})

describe('collectives', () => {
  it.each([
    ['all_reduce', 'all-reduce', 2048],
    ['all_gather', 'all-gather', 512],
    ['reduce_scatter', 'all-gather', 512],
    ['alltoall', 'all-to-all', 2048],
  ])('%s', async (op, type, message) => {
    const [o] = (await caseOf({ ...collective, op })).operators
    expect(o?.shape).toEqual({ kind: 'collective', type, devices: 4, message })
  })
})

describe('kernels of a layer', () => {
  it('are cut by the ranks where they are', async () => {
    const c = await caseOf(layer)
    expect(c).toMatchObject({ kind: 'layer-elementwise', basis: 'profiler' })
    expect(c.operators.map(operatorBytes)).toEqual([3 * 10 * 5504 * 2])
    const rope = await caseOf({ ...layer, op: 'attn_rope' })
    expect(rope.operators.map(operatorBytes)).toEqual([2 * 10 * (16 + 16) * 128 * 2])
    const norm = await caseOf({ ...layer, op: 'input_layernorm' })
    expect(norm.operators.map(operatorBytes)).toEqual([2 * 10 * 4096 * 2 + 4096 * 2])
    const product = await caseOf({ ...layer, op_class: 'gemm', op: 'mlp_up_proj', n: '100.0', k: '50.0' })
    expect(product.operators[0]?.shape).toMatchObject({ m: 10, n: 100, k: 50 })
    await expect(caseOf({ ...layer, op: 'unheard' })).rejects.toThrow(Unmappable)
  })
  it('of a paper are throughputs of elements, or microseconds', async () => {
    const c = await caseOf(single)
    expect(c.seconds).toBeCloseTo(1e-5, 12)
    expect(c.operators.map(operatorBytes)).toEqual([4e6])
    expect((await caseOf({ ...single, op: 'matmul', n: '4', k: '2', unit: 'us' })).seconds).toBeCloseTo(1e-4, 12)
    await expect(caseOf({ ...single, op: 'relu' })).rejects.toThrow(Unmappable)
    const layerOf = async (op: string) => (await caseOf({ ...single, op, m: '', unit: 'us' })).operators[0]
    const product = await layerOf('gpt3_layer_decode_b4_in100_out28_tp4:W2_proj')
    expect(product?.shape).toMatchObject({ m: 4, n: 12288, k: 12288 })
    const scores = await layerOf('gpt3_layer_decode_b4_in100_out28_tp4:Q_mul_K')
    expect(scores?.shape).toMatchObject({ n: 129, k: 128, matrices: 4 * 24 })
    const reduced = await layerOf('gpt3_layer_prefill_b2_s64_tp4:AllReduce_FFN')
    expect(reduced?.shape).toMatchObject({ devices: 4, message: 2 * 64 * 12288 * 2 })
  })
})

describe('whole models', () => {
  it("BERT's layers run fused in 16 bits, apart in 32", async () => {
    const c = await caseOf(bert)
    expect(c).toMatchObject({ kind: 'bert', machine: 'T4', seconds: 3.5e-3, whole: true })
    expect(named(c, 'attention').shape).toMatchObject({ heads: 12, headDim: 64, rows: [{ sequences: 2, query: 64 }] })
    expect(c.operators.every((o) => o.count === 12)).toBe(true)
    const wide = await caseOf({ ...bert, hardware: 'A100', precision: 'TF32' })
    expect(wide.operators.map((o) => o.name)).toEqual(expect.arrayContaining(['attention-query', 'attention-softmax']))
    expect(named(wide, 'mlp-up').unit).toBe('tf32')
    await expect(caseOf({ ...bert, column: 'EFF-FT   Latency (ms)' })).rejects.toThrow(/plain latency/)
    await expect(caseOf({ ...bert, seq_len: '' })).rejects.toThrow(/seq_len: the row states none/)
    await expect(caseOf({ ...bert, model: 'swin' })).rejects.toThrow(/'swin' do not state all sizes/)
    await expect(caseOf({ ...bert, section: 'Multi-GPU BERT-6B' })).rejects.toThrow(Unmappable)
  })
  it('vision transformers by their names', async () => {
    const line = { hardware: 'rtx4090', model: 'vit_small_patch32_384', img: '384', batch: '4.0', step_ms: '2' }
    const c = await caseOf(line)
    // 12 × 12 patches and the class token.
    expect(named(c, 'attention').shape).toMatchObject({ heads: 6, rows: [{ sequences: 4, query: 145, kv: 145 }] })
    await expect(caseOf({ ...line, model: 'vit_relpos_small_patch16_224' })).rejects.toThrow(/not a plain vision/)
    const ft = { ...bert, model: 'vit', seq_len: '', column: 'L_16-224 (FP16)   latency(ms)' }
    expect(named(await caseOf(ft), 'attention').shape).toMatchObject({ heads: 16, rows: [{ query: 197 }] })
  })
  it('decode with the weights that engines keep', async () => {
    const c = await caseOf(batchOne)
    expect(c).toMatchObject({ kind: 'decode-batch-1', seconds: 5e-3 })
    expect(stream(named(c, 'mlp-down'), 'weights')).toBe((4096 * 11008 * 3) / 8)
    expect(named(c, 'attention').shape).toMatchObject({ rows: [{ sequences: 1, query: 1, kv: 21 }] })
    expect(stream(c.operators.at(-1) as Operator, 'weights')).toBe((4096 * 32000 * 6) / 8)
    // ExLlama gives each device some layers; gpt-fast cuts each layer.
    const two = await caseOf({ ...batchOne, n_gpus: '2' })
    expect(named(two, 'mlp-down').shape).toMatchObject({ k: 11008 })
    const cut = await caseOf({ ...batchOne, n_gpus: '2', engine: 'gpt-fast (torch.compile)', dtype: 'bf16' })
    expect(named(cut, 'mlp-down').shape).toMatchObject({ k: 5504 })
    expect(cut.kind).toBe('decode-batch-1-multi')
    expect(() => storedAs('Q5')).toThrow(/dtype: 'Q5' is not known/)
  })
  it('llama.cpp reads a prompt in pieces', async () => {
    const c = await caseOf(llamaCpp)
    expect(c).toMatchObject({ kind: 'llama.cpp-prefill', seconds: 2 })
    const pieces = c.operators.filter((o) => o.name === 'attention').map((o) => o.shape)
    expect(pieces).toMatchObject([{ rows: [{ query: 512 }] }, { rows: [{ query: 488, kv: 512 + 244.5 }] }])
    expect(stream(named(c, 'mlp-down'), 'weights')).toBe((4096 * 11008 * 4) / 8)
    const one = await caseOf({ ...llamaCpp, n_prompt: '0', n_gen: '64' })
    expect(one).toMatchObject({ kind: 'llama.cpp-decode', seconds: 1 / 500 })
    expect(named(one, 'attention').shape).toMatchObject({ rows: [{ query: 1, kv: 33 }] })
  })
  it.each([
    ['Intel 265K Custom PC (Nvidia RTX 4090)', 'GPU', 'Nvidia RTX 4090'],
    ['Mac Studio (M3 Ultra 512GB)', 'GPU', 'M3 Ultra'],
    ['M4 Mac mini (10 core - 32GB)', 'GPU', 'M4'],
    ['Framework Mainboard (128GB)', 'GPU', 'Ryzen AI Max 395'],
    ['Framework Mainboard Cluster (512GB)', 'GPU', 'Framework Mainboard Cluster'],
    ['Pi 5 - 16GB', 'CPU', 'Pi 5'],
    ['Pi 5 - 16GB (AMD Pro W7700)', 'CPU', 'Pi 5'],
  ])('Ollama ran on %s, %s', (hardware, device, machine) => {
    expect(ollamaMachine({ hardware, device })).toBe(machine)
  })
})

describe('serving', () => {
  it('is a decode step halfway through the output', async () => {
    const c = await caseOf(serving)
    expect(c).toMatchObject({ kind: 'serving', seconds: 12e-3, machine: 'h100_sxm' })
    expect(named(c, 'attention').shape).toMatchObject({ heads: 8, kvHeads: 1, rows: [{ sequences: 16, kv: 1101 }] })
    expect(named(c, 'mlp-down').unit).toBe('fp8')
    await expect(caseOf({ ...serving, model_path: 'nobody/none' })).rejects.toThrow(
      /model: 'nobody\/none' is not known/,
    )
  })
  const layout = (tp: number, dp: string, cut: number, ep: number) =>
    layoutOf(
      { tp_size: `${tp}`, attention_dp_size: dp, moe_tp_size: `${cut}`, moe_ep_size: `${ep}`, pp_size: '1.0' },
      true,
    )
  it('takes the layouts that the files state', () => {
    expect(layout(8, '1.0', 8, 1)).toEqual({ tensor: 8, expert: 1, pipeline: 1 })
    expect(layout(8, '', 1, 8)).toEqual({ tensor: 8, expert: 8, pipeline: 1 })
    expect(layout(1, '8.0', 1, 8)).toEqual({ tensor: 1, expert: 8, pipeline: 1 })
    // Both ways multiplied: the ids of such rows say tp8 ep8.
    expect(layout(64, '1.0', 8, 8)).toEqual({ tensor: 8, expert: 8, pipeline: 1 })
    expect(layout(1, '64.0', 8, 8)).toEqual({ tensor: 1, expert: 8, pipeline: 1 })
    // Attention copies counted twice: the ids of such rows say tp4 ep4, on four devices.
    expect(layout(4, '4.0', 1, 16)).toEqual({ tensor: 1, expert: 4, pipeline: 1 })
    expect(layout(2, '2.0', 1, 4)).toEqual({ tensor: 1, expert: 2, pipeline: 1 })
  })
  it('cannot tell the batch of a maximum throughput', async () => {
    const line = {
      hardware: 'H100',
      tp: '1',
      model: 'Llama-3.1-8B',
      dtype: 'fp8',
      isl: '1',
      osl: '1',
      value: '1',
      unit: '',
    }
    await expect(caseOf(line)).rejects.toThrow(/no batch or concurrency/)
  })
})

describe('fields', () => {
  const timed = [gemm, attention, latent, moe, collective, layer, single, bert, batchOne, llamaCpp, serving]
  it.each(timed)('of a measurement must be above zero: %o', async (line) => {
    const column = ['latency_us', 'silicon_tpot_ms', 'value_tok_s', 'value'].find((c) => c in line) as string
    for (const value of ['0', '-1', 'NaN', '', 'fast', 'Infinity']) {
      await expect(caseOf({ ...line, [column]: value })).rejects.toThrow(BadField)
    }
  })
  it('that are no numbers are the fault of the file, those that are missing of the row', async () => {
    await expect(caseOf({ ...gemm, m: 'x' })).rejects.toThrow(BadField)
    await expect(caseOf({ ...gemm, m: '' })).rejects.toThrow(Unmappable)
    await expect(caseOf({ ...gemm, m: '1.5' })).rejects.toThrow(/m: expected a whole number from 1, got 1.5/)
    await expect(caseOf({ ...gemm, dtype: 'fp7' })).rejects.toThrow(/dtype: 'fp7' is not known \(bf16/)
  })
  it('tell each kind by its own columns', () => {
    for (const kind of fileKinds) expect(fileKind(kind.columns)?.name).toBe(kind.name)
    expect(fileKind(['a', 'b'])).toBeUndefined()
  })
})

describe('outcomes', () => {
  it('of a large product stand between its bound and twice it', async () => {
    const row = await caseOf({ ...gemm, m: '4096', n: '8192', k: '8192', latency_us: '700' })
    const machine = await loadMachine(row.machine)
    const o = outcomeOf(row, profileOf(machine))
    expect(o.bound).toBeCloseTo((2 * 4096 * 8192 * 8192) / 989.4e12, 5)
    expect(o.expected).toBeGreaterThan(o.bound)
    expect(o.expected).toBeLessThan(2 * o.bound)
    expect(o.interval?.[0]).toBeLessThan(o.expected)
    expect(o.keys).toMatchObject({
      machine: 'h100-sxm',
      kind: 'gemm',
      regime: 'compute',
      limit: 'compute',
      dtype: 'bf16',
    })
    const roofline = outcomeOf(row, profileOf(machine, 'none'))
    expect(roofline).toMatchObject({ expected: o.bound, bound: o.bound })
    expect(roofline.interval).toBeUndefined()
  })
  it('tell latencies from roofs', async () => {
    const regime = async (m: string) => {
      const row = await caseOf({ ...gemm, m, n: '8192', k: '8192' })
      return outcomeOf(row, profileOf(await loadMachine('h100'))).keys.regime
    }
    expect([await regime('1'), await regime('256'), await regime('8192')]).toEqual(['memory', 'ridge', 'compute'])
    const tiny = outcomeOf(await caseOf({ ...gemm, n: '64', k: '64' }), profileOf(await loadMachine('h100')))
    expect(tiny.keys.regime).toBe('launch')
  })
  it('are refused where the machine has no such unit', async () => {
    const row = await caseOf({ ...gemm, hardware: 'a100', dtype: 'fp8' })
    const a100 = await loadMachine('a100')
    expect(() => outcomeOf(row, profileOf(a100))).toThrow(Unmappable)
  })
})

describe('scores', () => {
  const outcome = (bound: number, expected: number, group: string, measured = 1): Outcome => ({
    measured,
    bound,
    expected,
    interval: [expected * 0.8, expected * 1.2],
    keys: { group },
  })
  it('are of absolute and signed shares', () => {
    const { rows, bound, expected } = score([outcome(0.5, 0.9, 'a'), outcome(0.2, 1.3, 'a'), outcome(0.8, 1, 'b')])
    expect(rows).toBe(3)
    expect(bound.mape).toBeCloseTo(0.5, 12)
    expect(bound.bias).toBeCloseTo(-0.5, 12)
    expect(expected.mape).toBeCloseTo((0.1 + 0.3 + 0) / 3, 12)
    expect(expected.median_ape).toBeCloseTo(0.1, 12)
    expect(expected.p90_ape).toBeCloseTo(0.3, 12)
    expect(expected.bias).toBeCloseTo((-0.1 + 0.3) / 3, 12)
    expect(expected.coverage).toBeCloseTo(2 / 3, 12)
    expect(expected.relative_width).toBeCloseTo(0.4, 12)
  })
  it('go by groups in their order', () => {
    const groups = scoreBy([outcome(1, 1, 'b'), outcome(1, 1, 'a'), outcome(1, 1, 'b')], ['group', 'absent'])
    expect(groups.map((g) => [g.key, g.rows])).toEqual([
      ['b/-', 2],
      ['a/-', 1],
    ])
  })
  it('have no coverage without intervals', () => {
    const { interval: _, ...bare } = outcome(1, 1, 'a')
    expect(score([bare]).expected).toMatchObject({ mape: 0, coverage: null, relative_width: null })
  })
})
