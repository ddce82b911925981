// No config, however broken, is answered with anything but an architecture of finite size or one line that says why not.
import fc from 'fast-check'
import { expect, test } from 'vitest'
import { layerCount } from '../../model/architecture.ts'
import { ConfigError, importConfig } from '../../model/import/config.ts'
import { parameters } from '../../model/parameters.ts'
import { presets as speech } from '../../model/presets/speech.ts'
import { published } from './import-configs.ts'

type Json = Record<string, unknown>

const quantizations: readonly Json[] = [
  { quant_method: 'fp8', activation_scheme: 'dynamic', weight_block_size: [128, 128] },
  { quant_method: 'gptq', bits: 4, group_size: 128 },
  { quant_method: 'bitsandbytes', load_in_4bit: true, bnb_4bit_quant_type: 'nf4' },
  { quant_method: 'mxfp4', modules_to_not_convert: ['model.layers.*.self_attn', 're:(a+)+$', '*'] },
  {
    quant_method: 'compressed-tensors',
    config_groups: { group_0: { targets: ['Linear'], weights: { num_bits: 4, type: 'int', group_size: 32 } } },
    ignore: ['lm_head', 're:.*(self_attn|mlp).*'],
  },
]

const configs: Readonly<Record<string, Json>> = {
  ...Object.fromEntries(published.map(({ name, config }) => [name, config])),
  'conformer-ctc-s': speech['conformer-ctc-s'] as Json,
  'squeezeformer-sm': speech['squeezeformer-sm'] as Json,
}

/** Every config, some quantized, some as the text part of a wrapper. */
const seeds: readonly Json[] = Object.values(configs).flatMap((config, i) => [
  config,
  { ...config, torch_dtype: 'bfloat16', quantization_config: quantizations[i % quantizations.length] },
  { model_type: 'wrapper', text_config: config, vision_config: {}, tie_word_embeddings: false },
])

const strange = fc.oneof(
  fc.constantFrom<unknown>(null, undefined, true, false, '', 'x', 'full_attention', {}, [], [[]], [null]),
  fc.constantFrom<unknown>(0, -1, 1, 2, 3, 7, 0.5, -0, 1e6, 1e7, 1e8, 1e9, 1e12, 1e300, 2 ** 53),
  fc.constantFrom<unknown>(Number.NaN, Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY, 10n, Symbol('s')),
  fc.integer({ min: -10, max: 20_000 }),
  fc.double(),
  fc.string({ maxLength: 12 }),
  fc.array(fc.constantFrom<unknown>('full_attention', 'sliding_attention', 'linear_attention', 0, 1, -1, null, {})),
  fc.dictionary(fc.string({ maxLength: 6 }), fc.integer()),
)

/** Changes of one field, by position, here or one object further in. */
const mutation = fc.record({ at: fc.nat(), deeper: fc.boolean(), remove: fc.boolean(), value: strange })

function mutated(json: Json, m: { at: number; deeper: boolean; remove: boolean; value: unknown }): Json {
  const keys = Object.keys(json)
  const key = keys[m.at % keys.length]
  if (key === undefined) return json
  const inner = json[key]
  if (m.deeper && typeof inner === 'object' && inner !== null && !Array.isArray(inner)) {
    return { ...json, [key]: mutated(inner as Json, { ...m, at: Math.floor(m.at / keys.length) }) }
  }
  const { [key]: _, ...rest } = json
  return m.remove ? rest : { ...rest, [key]: m.value }
}

function numbers(value: unknown): number[] {
  if (typeof value === 'number') return [value]
  return typeof value === 'object' && value !== null ? Object.values(value).flatMap(numbers) : []
}

function check(config: unknown): void {
  try {
    const a = importConfig(config, 'mutant')
    const { total, active, embedding, head } = parameters(a)
    for (const n of [total, active, embedding, head]) expect(Number.isFinite(n) && n >= 0).toBe(true)
    expect(total).toBeGreaterThan(0)
    expect(numbers(a).every(Number.isFinite)).toBe(true)
    expect(a.stacks.every((s) => layerCount(s) > 0)).toBe(true)
    for (const line of [...a.reading.assumed, ...a.reading.ignored, ...a.reading.used]) expect(line).not.toMatch(/\n/)
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error
    expect(error.message).toMatch(/^.{10,400} in config of mutant$/)
  }
}

test('mutated configs are read or refused with one line', { timeout: 15_000 }, () => {
  const config = fc
    .tuple(fc.constantFrom(...seeds), fc.array(mutation, { minLength: 1, maxLength: 3 }))
    .map(([seed, mutations]) => mutations.reduce(mutated, seed))
  fc.assert(fc.property(config, check), { numRuns: 4000 })
})

test('each field of each config may be absent, null, zero, negative or text', { timeout: 15_000 }, () => {
  for (const config of Object.values(configs)) {
    for (const key of Object.keys(config)) {
      const { [key]: _, ...rest } = config
      check(rest)
      for (const value of [null, 0, -1, 1.5, 'x', [], {}, true]) check({ ...rest, [key]: value })
    }
  }
})

test('any JSON at all', { timeout: 15_000 }, () => {
  fc.assert(fc.property(fc.jsonValue(), check), { numRuns: 1000 })
})

test.each([
  ['lfm2-1.2b', { block_ffn_dim_multiplier: 1e300 }, 'block_ffn_dim_multiplier: expected at most 10000, got 1e+300'],
  [
    'lfm2-1.2b',
    { block_ffn_dim_multiplier: 5000 },
    'block_ffn_dim_multiplier: expected to make a size of at most 10000000, got 40960000',
  ],
  [
    'granite-4.0-h-small',
    { mamba_expand: 9999 },
    'mamba_expand: expected to make a size of at most 10000000, got 40955904',
  ],
  [
    'squeezeformer-sm',
    { time_reduce_layers: [1, 2], time_reduce_stride: 100 },
    'time_reduce_stride: expected to make a size of at most 5000, got 10000',
  ],
])('a size of %s that others make is bounded: %j', (name, change, message) => {
  expect(() => importConfig({ ...configs[name], ...change }, 'mutant')).toThrow(`${message} in config of mutant`)
})
