// Configs become architectures: counts against what makers publish, what differs from layer to layer, released formats,
// the account of what was read, and errors.
import { existsSync, readFileSync } from 'node:fs'
import { describe, expect, test } from 'vitest'
import type { Architecture, Attention, Module } from '../../model/architecture.ts'
import { layerLabel, mainStack } from '../../model/architecture.ts'
import { ConfigError, importConfig } from '../../model/import/config.ts'
import { type ParameterCount, parameters } from '../../model/parameters.ts'
import { published } from './import-configs.ts'

const folder = new URL('../../../shared/data/hf-configs/', import.meta.url)

/** What makers count as active beside the layers. */
const conventions = {
  layers: ({ active }: ParameterCount) => active,
  'layers and head': ({ active, embedding, head }: ParameterCount) => active + (head || embedding),
  'layers, embedding and head': ({ active, embedding, head }: ParameterCount) => active + embedding + head,
}

// biome-ignore format: one model per row, columns aligned
const stated = [
  // file                                                   total     active    what its maker counts as active
  ['Qwen--Qwen3-235B-A22B',                             235e9,    22e9,     'layers, embedding and head'],
  ['Qwen--Qwen3-30B-A3B',                               30.5e9,   3.3e9,    'layers, embedding and head'],
  ['Qwen--Qwen3-32B',                                   32.8e9,   31.2e9,   'layers'],
  ['Qwen--Qwen3-32B-FP8',                               32.8e9,   31.2e9,   'layers'],
  ['Qwen--Qwen3-8B',                                    8.2e9,    6.95e9,   'layers'],
  ['Qwen--Qwen3.5-35B-A3B',                             35e9,     3e9,      'layers and head'],
  ['deepseek-ai--DeepSeek-V3',                          671e9,    37e9,     'layers and head'],
  ['google--gemma-4-26B-A4B',                           25.2e9,   3.8e9,    'layers and head'],
  ['meta-llama--Llama-4-Scout-17B-16E-Instruct',        109e9,    17e9,     'layers, embedding and head'],
  ['meta-llama--Meta-Llama-3.1-8B',                     8.03e9,   8.03e9,   'layers, embedding and head'],
  ['meta-llama--Meta-Llama-3.1-70B',                    70.6e9,   70.6e9,   'layers, embedding and head'],
  ['meta-llama--Meta-Llama-3.1-405B',                   405e9,    405e9,    'layers, embedding and head'],
  ['mistralai--Mixtral-8x7B-v0.1',                      46.7e9,   12.9e9,   'layers, embedding and head'],
  ['nvidia--NVIDIA-Nemotron-3-Nano-30B-A3B-BF16',       31.6e9,   3.6e9,    'layers, embedding and head'],
  ['nvidia--NVIDIA-Nemotron-3-Nano-30B-A3B-BF16',       31.6e9,   3.2e9,    'layers and head'],
  ['openai--gpt-oss-120b',                              116.83e9, 5.13e9,   'layers and head'],
] as const

const absent = existsSync(folder) ? undefined : `${folder.pathname} is not here`

function fileConfig(name: string): unknown {
  return JSON.parse(readFileSync(new URL(`${name}.json`, folder), 'utf8'))
}

describe('counts as their makers state them', () => {
  test.for(stated)('%s', ([name, total, active, convention], { skip }) => {
    skip(absent !== undefined, absent)
    const count = parameters(importConfig(fileConfig(name), name))
    expect(Math.abs(count.total / total - 1)).toBeLessThan(0.02)
    expect(Math.abs(conventions[convention](count) / active - 1)).toBeLessThan(0.02)
  })
})

test.for(published)('$name has $parameters parameters', ({ name, parameters: exact, config }) => {
  expect(parameters(importConfig(config, name)).total).toBe(exact)
})

test.for(published)('$name reads every field or says that it does not', ({ name, config }) => {
  const { used, ignored } = importConfig(config, name).reading
  const accounted = new Set([...used, ...ignored.map((path) => path.replace(/ \(.*/, ''))])
  expect(Object.keys(config).filter((key) => !accounted.has(key))).toEqual([])
  expect(used.filter((path) => ignored.includes(path))).toEqual([])
})

const configs = new Map(published.map((p) => [p.name, p.config]))

function preset(name: string, changes: Record<string, unknown> = {}): Architecture {
  const config = configs.get(name)
  if (!config) throw new Error(`no config named ${name}`)
  return importConfig({ ...config, ...changes }, name)
}

function attentions(a: Architecture): Attention[] {
  const found: Attention[] = []
  for (const g of mainStack(a).groups)
    for (const m of g.modules) if (m.kind === 'attention' && !m.source) for (const layer of g.layers) found[layer] = m
  return found
}

/** What each layer sees, in one word: `full`, `1024`, `chunk 8192`. */
function reaches(a: Architecture): string[] {
  return attentions(a).map(({ reach }) =>
    reach.kind === 'full' ? 'full' : reach.kind === 'chunk' ? `chunk ${reach.tokens}` : `${reach.tokens}`,
  )
}

function layersWith(a: Architecture, kind: Module['kind']): string {
  const layers = mainStack(a).groups.filter((g) => g.modules.some((m) => m.kind === kind))
  return layerLabel(layers.flatMap((g) => [...g.layers]).sort((x, y) => x - y))
}

function moduleOf<K extends Module['kind']>(a: Architecture, kind: K): Extract<Module, { kind: K }> {
  for (const stack of a.stacks)
    for (const m of [...stack.input, ...stack.groups.flatMap((g) => g.modules), ...stack.output])
      if (m.kind === kind) return m as Extract<Module, { kind: K }>
  throw new Error(`${a.name} has no ${kind}`)
}

describe('layers that differ', () => {
  test('windows: none, all layers, upper layers, a period, a list', () => {
    expect(new Set(reaches(preset('mistral-nemo')))).toEqual(new Set(['full']))
    expect(new Set(reaches(preset('mistral-7b')))).toEqual(new Set(['4096']))
    expect(new Set(reaches(preset('qwen2-0.5b')))).toEqual(new Set(['full']))
    const upper = reaches(preset('qwen2-0.5b', { use_sliding_window: true, max_window_layers: 20 }))
    expect(upper.map((r) => r === '32768')).toEqual(Array.from({ length: 24 }, (_, i) => i >= 20))
    expect(reaches(preset('gemma-2-9b')).slice(0, 4)).toEqual(['4096', 'full', '4096', 'full'])
    expect(reaches(preset('gemma-3-1b')).slice(0, 7)).toEqual(['512', '512', '512', '512', '512', 'full', '512'])
    expect(reaches(preset('gpt-oss-20b')).slice(0, 4)).toEqual(['128', 'full', '128', 'full'])
  })

  test('Llama 4 rotates and chunks three layers of four, and the fourth sees everything', () => {
    const layers = attentions(preset('llama-4-maverick'))
    expect(layers.slice(0, 4).map((l) => [l.reach.kind, l.rotary])).toEqual([
      ['chunk', 128],
      ['chunk', 128],
      ['chunk', 128],
      ['full', 0],
    ])
    expect(layersWith(preset('llama-4-maverick'), 'moe')).toMatch(/^1,3,5,/)
    expect(layersWith(preset('llama-4-maverick'), 'ffn')).toMatch(/^0,2,4,/)
    const none = attentions(preset('llama-4-maverick', { attention_chunk_size: null }))
    expect(none.every((l) => l.reach.kind === 'full')).toBe(true)
  })

  test('Gemma 4: wide global heads whose value is the key, borrowed keys, doubled feed-forwards', () => {
    const [local, global] = [attentions(preset('gemma-4-31b'))[0], attentions(preset('gemma-4-31b'))[5]]
    expect(local).toMatchObject({ headDim: 256, kvHeads: 16, reach: { kind: 'window', tokens: 1024 }, rotary: 256 })
    expect(global).toMatchObject({ headDim: 512, kvHeads: 4, reach: { kind: 'full' }, keyIsValue: true, rotary: 128 })
    const small = preset('gemma-4-e2b')
    expect(attentions(small).map((l) => l.borrowed === true)).toEqual(Array.from({ length: 35 }, (_, i) => i >= 15))
    const hidden = mainStack(small).groups.flatMap((g) =>
      g.modules.flatMap((m) => (m.kind === 'ffn' ? g.layers.map((layer) => [layer, m.hidden] as const) : [])),
    )
    expect(hidden.every(([layer, width]) => width === (layer >= 15 ? 12288 : 6144))).toBe(true)
    expect(moduleOf(small, 'embedding').tables[1]).toMatchObject({ rows: 262144, width: 35 * 256, lookups: 1 })
  })

  test('a width for each layer', () => {
    const widths = Array.from({ length: 35 }, (_, i) => (i < 10 ? 8192 : 16384))
    expect(layersWith(preset('gemma-3n-e4b', { intermediate_size: widths }), 'ffn')).toBe('0-34')
    expect(mainStack(preset('gemma-3n-e4b', { intermediate_size: widths })).groups[0]?.layers).toEqual([
      0, 1, 2, 3, 5, 6, 7, 8,
    ])
    expect(() => preset('gemma-3n-e4b', { intermediate_size: [1] })).toThrow(
      'intermediate_size: 1 entries for 35 layers',
    )
  })

  test('hybrids: which layers attend', () => {
    expect(layersWith(preset('qwen3-next-80b-a3b'), 'attention')).toMatch(/^3,7,11,/)
    expect(layersWith(preset('nemotron-h-8b'), 'attention')).toBe('7,18,29,40')
    expect(layersWith(preset('granite-4.0-h-small'), 'attention')).toBe('5,15,25,35')
    expect(moduleOf(preset('qwen3-next-80b-a3b'), 'attention')).toMatchObject({ gate: true, rotary: 64 })
    expect(moduleOf(preset('nemotron-h-8b'), 'ffn')).toMatchObject({ gated: false, activation: 'relu2' })
  })

  test('dense layers before those with experts', () => {
    expect(layersWith(preset('deepseek-v2-lite'), 'ffn')).toBe('0')
    expect(layersWith(preset('deepseek-v2-lite'), 'moe')).toBe('1-26')
    expect(moduleOf(preset('deepseek-v2-lite'), 'moe').shared).toEqual({ hidden: 2816, gate: false })
    const mixed = preset('qwen1.5-moe-a2.7b', { decoder_sparse_step: 2, mlp_only_layers: [3] })
    expect(layersWith(mixed, 'moe')).toBe('1,5,7,9,11,13,15,17,19,21,23')
  })

  test('DeepSeek sparse attention has an indexer', () => {
    const sparse = preset('deepseek-v2', { index_topk: 2048, index_n_heads: 64, index_head_dim: 128 })
    expect(moduleOf(sparse, 'latent-attention').indexer).toEqual({ heads: 64, headDim: 128, topk: 2048 })
  })

  test('encoders: Whisper, ViT, T5', () => {
    const whisper = preset('whisper-large-v3')
    expect(whisper).toMatchObject({ kind: 'encoder-decoder', sourceTokens: 1500, tokensPerSecond: 50, positions: 448 })
    expect(attentions(whisper)[0]?.bias).toEqual({ query: true, key: false, value: true, output: true })
    const vit = preset('vit-base-patch16-224')
    expect(vit.sourceTokens).toBe(197)
    const { inputPerToken, outputPerToken } = moduleOf(vit, 'convolution')
    expect([inputPerToken * 197, outputPerToken * 197]).toEqual([224 * 224, 196])
    const [encoder, decoder] = preset('flan-t5-base').stacks
    expect([encoder?.name, decoder?.name]).toEqual(['encoder', 'decoder'])
    expect(decoder?.groups[0]?.modules.map((m) => m.name)).toEqual([
      'input-norm',
      'attention',
      'cross-norm',
      'cross-attention',
      'post-attention-norm',
      'mlp',
    ])
  })

  test('layers that are alike are one group', () => {
    expect(mainStack(preset('llama-2-7b')).groups).toHaveLength(1)
    expect(mainStack(preset('gemma-3-1b')).groups.map((g) => g.layers.length)).toEqual([22, 4])
  })
})

describe('released formats', () => {
  const quantized = (q: Record<string, unknown>, name = 'llama-2-7b') =>
    preset(name, { torch_dtype: 'bfloat16', quantization_config: q })

  test('block-scaled fp8', () => {
    const a = quantized({ quant_method: 'fp8', activation_scheme: 'dynamic', weight_block_size: [128, 128] })
    expect(a.activations).toBe('fp8')
    expect(a.formats.ffn).toMatchObject({ name: 'fp8', bits: 8, group: 16384, groupBits: 32 })
    expect(Object.keys(a.formats)).toEqual(['attention', 'ffn'])
    expect(a.dtype).toBe('bf16')
  })

  test('GPTQ and AWQ', () => {
    const gptq = quantized({ quant_method: 'gptq', bits: 4, group_size: 128, sym: true, desc_act: false })
    expect(gptq.formats.attention).toMatchObject({ name: 'int4', bits: 4, group: 128, groupBits: 20, codec: 'affine' })
    const rows = quantized({ quant_method: 'gptq', bits: 8, group_size: -1 })
    expect(rows.formats.ffn).toEqual({ name: 'int8', bits: 8, groupBits: 24, unit: 'int8', codec: 'affine' })
    const awq = quantized({ quant_method: 'awq', bits: 4, group_size: 64, zero_point: false, version: 'gemm' })
    expect(awq.formats.ffn).toMatchObject({ bits: 4, group: 64, groupBits: 16 })
    expect(awq.activations).toBeUndefined()
  })

  test('bitsandbytes', () => {
    const nf4 = quantized({ load_in_4bit: true, bnb_4bit_quant_type: 'nf4', bnb_4bit_use_double_quant: true })
    expect(nf4.formats.ffn).toMatchObject({ name: 'nf4', bits: 4, group: 64, groupBits: 8.125, codec: 'table' })
    const single = quantized({ load_in_4bit: true, bnb_4bit_quant_type: 'nf4', bnb_4bit_use_double_quant: false })
    expect(single.formats.ffn?.groupBits).toBe(32)
    const int8 = quantized({ quant_method: 'bitsandbytes', load_in_8bit: true })
    expect(int8).toMatchObject({ activations: 'int8', formats: { attention: { name: 'int8' } } })
  })

  test('MXFP4 takes only the experts', () => {
    const q = {
      quant_method: 'mxfp4',
      modules_to_not_convert: ['model.layers.*.self_attn', 'model.layers.*.mlp.router', 'lm_head'],
    }
    const a = preset('gpt-oss-20b', { quantization_config: q })
    expect(Object.keys(a.formats)).toEqual(['experts'])
    expect(a.formats.experts).toMatchObject({ name: 'mxfp4', group: 32, groupBits: 8 })
    expect(a.dtype).toBe('bf16')
    expect(a.reading.assumed).toContain('torch_dtype = bfloat16 (what a quantized release leaves)')
  })

  const group = (weights: object, inputs: object | null, targets = ['Linear']) => ({
    quant_method: 'compressed-tensors',
    config_groups: { group_0: { weights, input_activations: inputs, targets } },
    ignore: ['lm_head'],
  })

  test('compressed-tensors', () => {
    const w4 = { num_bits: 4, type: 'int', group_size: 128, strategy: 'group', symmetric: true }
    expect(quantized(group(w4, null)).formats.ffn).toMatchObject({ name: 'int4', group: 128, groupBits: 16 })
    const f8 = { num_bits: 8, type: 'float', strategy: 'channel', symmetric: true }
    const fp8 = quantized(group(f8, { num_bits: 8, type: 'float', strategy: 'token', dynamic: true }))
    expect(fp8).toMatchObject({ activations: 'fp8', formats: { attention: { name: 'fp8', groupBits: 16 } } })
    const f4 = { num_bits: 4, type: 'float', group_size: 16, strategy: 'tensor_group' }
    expect(quantized(group(f4, f4))).toMatchObject({ activations: 'nvfp4', formats: { ffn: { name: 'nvfp4' } } })
  })

  test('modules left out by name or pattern', () => {
    const w4 = { num_bits: 4, type: 'int', group_size: 128, symmetric: true }
    const attention = { ...group(w4, null), ignore: ['lm_head', 're:.*self_attn.*'] }
    expect(Object.keys(quantized(attention).formats)).toEqual(['ffn'])
    const routers = { ...group(w4, null), ignore: ['re:.*mlp.gate$', 're:.*mlp.shared_expert_gate$'] }
    expect(Object.keys(quantized(routers, 'qwen1.5-moe-a2.7b').formats)).toEqual(['attention', 'ffn', 'experts'])
    const first = Array.from({ length: 3 }, (_, i) => `model.layers.${i}.mlp`)
    const partly = quantized({ quant_method: 'fp8', modules_to_not_convert: first })
    expect(Object.keys(partly.formats)).toEqual(['attention', 'ffn'])
    expect(partly.reading.assumed).toContain(
      'formats.ffn = fp8 in all layers (quantization_config leaves 3 of 32 in bf16)',
    )
    const only = quantized(group(w4, null, ['re:.*mlp.(gate|up|down)_proj$']))
    expect(Object.keys(only.formats)).toEqual(['ffn'])
  })

  test('ModelOpt', () => {
    const nvfp4 = quantized({ quant_method: 'modelopt', quant_algo: 'NVFP4', ignore: ['lm_head'] })
    expect(nvfp4).toMatchObject({ activations: 'nvfp4', formats: { ffn: { name: 'nvfp4', group: 16 } } })
  })

  test('a method that nobody described is named, not guessed', () => {
    const a = quantized({ quant_method: 'quip', bits: 2 })
    expect(a.formats).toEqual({})
    expect(a.reading.assumed).toContain('formats = bf16 (quantization_config of method "quip" is not understood)')
  })
})

describe('the account of the reading', () => {
  test('of a wrapper: the text part is read, absent fields are the defaults, the rest is named', () => {
    const a = preset('gemma-3-4b')
    expect(a.type).toBe('gemma3_text')
    expect(a.reading.used).toContain('text_config.hidden_size')
    expect(a.reading.ignored).toContain('vision_config (the vision part is left out)')
    expect(a.reading.ignored).toContain('text_config.rope_scaling')
    expect(a.reading.assumed).toContain('num_attention_heads = 8 (default of the family)')
    expect(a.reading.assumed).toContain('vocab_size = 262208 (default of the family)')
  })

  test('names every assumption', () => {
    expect(preset('tinyllama-1.1b').reading.assumed).toEqual([
      'head_dim = 64 (hidden_size / num_attention_heads)',
      'attention_bias = false (default of the family)',
      'mlp_bias = false (default of the family)',
      'hidden_act = silu (default of the family)',
      "torch_dtype = float32 (Transformers' default)",
    ])
  })

  test('says that layers for further tokens are left out', () => {
    expect(preset('glm-4.5-air').reading.ignored).toContain(
      'num_nextn_predict_layers (layers that predict further tokens are left out)',
    )
  })
})

describe('unknown families', () => {
  const unknown = { ...configs.get('llama-2-7b'), model_type: 'llamoid', rms_norm_eps: 1e-5 }

  test('are read as a decoder where the fields suffice', () => {
    const a = importConfig(unknown, 'new')
    expect(parameters(a).total).toBe(6_738_415_616)
    expect(a.type).toBe('llamoid')
    expect(a.reading.assumed).toContain(
      'model_type "llamoid" is not known: read as a decoder with attention and norms before each sub-layer',
    )
  })

  test('with experts or latent attention', () => {
    const experts = { ...configs.get('mixtral-8x22b'), model_type: 'mixtroid', rms_norm_eps: 1e-5 }
    expect(parameters(importConfig(experts, 'new')).total).toBe(140_620_634_112)
    const latent = { ...configs.get('deepseek-v2'), model_type: 'deepoid', rms_norm_eps: 1e-5 }
    expect(parameters(importConfig(latent, 'new')).total).toBe(235_741_434_880)
  })

  test.for([
    [
      { model_type: 'x' },
      'hidden_size, num_hidden_layers, num_attention_heads, intermediate_size, vocab_size: missing',
    ],
    [{ ...unknown, vocab_size: undefined, hidden_size: null }, 'hidden_size, vocab_size: missing'],
    [{ ...unknown, model_type: 'newbert' }, 'model_type shows that it is no plain decoder'],
    [{ ...unknown, type_vocab_size: 2 }, 'type_vocab_size shows that it is no plain decoder'],
    [{ ...unknown, mamba_d_state: 16 }, 'mamba_d_state shows that it is no plain decoder'],
  ] as const)('are refused where they do not: %#', ([config, message]) => {
    expect(() => importConfig(config, 'new')).toThrow(message)
  })
})

describe('errors', () => {
  const llama = configs.get('llama-2-7b') as Record<string, unknown>

  // biome-ignore format: one case per row
  test.for([
    ['a value of the wrong sign', { num_attention_heads: -3 }, 'num_attention_heads: expected a positive integer, got -3 in config of x'],
    ['a fraction', { hidden_size: 4096.5 }, 'hidden_size: expected a positive integer, got 4096.5 in config of x'],
    ['a string', { vocab_size: 'many' }, 'vocab_size: expected a positive integer, got "many" in config of x'],
    ['a list', { vocab_size: [1, 2] }, 'vocab_size: expected a positive integer, got a list of 2 in config of x'],
    ['not a number', { num_hidden_layers: Number.NaN }, 'num_hidden_layers: expected a positive integer, got NaN in config of x'],
    ['too many layers', { num_hidden_layers: 10_001 }, 'num_hidden_layers: expected at most 10000, got 10001 in config of x'],
    ['an absurd width', { hidden_size: 2e7 }, 'hidden_size: expected at most 10000000, got 20000000 in config of x'],
    ['an absurd vocabulary', { vocab_size: 2e8 }, 'vocab_size: expected at most 100000000, got 200000000 in config of x'],
    ['heads that do not share keys evenly', { num_key_value_heads: 5 }, 'num_attention_heads: 32 is not divisible by num_key_value_heads = 5 in config of x'],
    ['heads that do not share the width evenly', { hidden_size: 4097 }, 'hidden_size: 4097 is not divisible by num_attention_heads = 32 in config of x'],
    ['missing fields', { vocab_size: null, hidden_size: undefined }, 'hidden_size, vocab_size: missing in config of x'],
    ['a flag that is none', { attention_bias: 1 }, 'attention_bias: expected true or false, got 1 in config of x'],
    ['an unknown dtype', { torch_dtype: 'posit16' }, 'torch_dtype: expected one of float32, float16, bfloat16, float8_e4m3fn, got "posit16" in config of x'],
  ] as const)('%s', ([, changes, message]) => {
    expect(() => importConfig({ ...llama, ...changes }, 'x')).toThrow(new ConfigError(message))
  })

  // biome-ignore format: one case per row
  test.for([
    ['gemma-3-1b', { layer_types: ['full_attention'] }, 'layer_types: 1 entries for 26 layers'],
    ['gemma-3-1b', { num_hidden_layers: 1, layer_types: ['psychic'] }, 'layer_types[0]: expected one of full_attention'],
    ['mixtral-8x22b', { num_experts_per_tok: 9 }, 'num_experts_per_tok: 9 of 8 experts per token'],
    ['nemotron-h-8b', { num_hidden_layers: 4, hybrid_override_pattern: 'M-X*' }, 'hybrid_override_pattern[2]: expected one of M * E -, got "X"'],
    ['nemotron-h-8b', { num_hidden_layers: 5, hybrid_override_pattern: 'M-M*' }, 'hybrid_override_pattern: 4 blocks for 5 layers'],
    ['gemma-4-e2b', { num_kv_shared_layers: 35 }, 'num_kv_shared_layers: 35 of 35 layers'],
    ['vit-base-patch16-224', { patch_size: 300 }, 'patch_size: 300 × 300 does not fit an image of 224 × 224'],
    ['flan-t5-base', { feed_forward_proj: 'gated-' }, 'feed_forward_proj: expected an activation, or gated-<activation>, got "gated-"'],
    ['mamba2-2.7b', { num_heads: 81 }, 'expand: 5120 channels, but num_heads times head_dim is 5184'],
    ['llama-2-7b', { quantization_config: { quant_method: 'gptq', bits: 5 } }, 'quantization_config.bits: expected 2, 3, 4 or 8, got 5'],
  ] as const)('%s contradicts itself: %s', ([name, changes, message]) => {
    expect(() => preset(name, changes)).toThrow(message)
    expect(() => preset(name, changes)).toThrow(ConfigError)
  })

  test.for([[null], [[]], ['llama'], [3], [undefined]])('%s is no config', ([json]) => {
    expect(() => importConfig(json, 'x')).toThrow(ConfigError)
  })
})
