// No config, however broken, is answered with anything but an architecture of finite size or one line that says why not.
import fc from 'fast-check'
import { expect, test } from 'vitest'
import { layerCount } from '../../model/architecture.ts'
import { ConfigError, importConfig } from '../../model/import/config.ts'
import { parameters } from '../../model/parameters.ts'
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

/** Every published config, some quantized, some as the text part of a wrapper. */
const seeds: readonly Json[] = published.flatMap(({ config }, i) => [
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

function check(config: unknown): void {
  try {
    const a = importConfig(config, 'mutant')
    const { total, active, embedding, head } = parameters(a)
    for (const n of [total, active, embedding, head]) expect(Number.isFinite(n) && n >= 0).toBe(true)
    expect(total).toBeGreaterThan(0)
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
  for (const { config } of published) {
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
