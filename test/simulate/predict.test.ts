import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { loadMachine, machineNames } from '../../hardware/catalog.ts'
import type { Machine } from '../../hardware/machine.ts'
import { vectorPeak } from '../../hardware/time.ts'
import { loadModel, modelNames } from '../../model/catalog.ts'
import type { DeploymentOptions } from '../../model/deployment.ts'
import { format, formatNames } from '../../model/format.ts'
import { parseMethod } from '../../simulate/method.ts'
import { type Prediction, predict } from '../../simulate/predict.ts'
import type { Query } from '../../simulate/query.ts'

const models = ['llama-2-7b', 'llama-3.1-70b', 'mixtral-8x7b', 'deepseek-v3', 'gpt-oss-120b', 'gemma-3-27b'] as const
const architectures = await Promise.all(models.map((m) => loadModel(m)))
const machines = await Promise.all(machineNames.map((m) => loadMachine(m)))
const named = (name: string): Machine => machines.find((m) => m.name === name) as Machine
const gpu = machines.filter((m) => m.peaks.bf16 !== undefined && vectorPeak(m) !== undefined)

/** A decode step of a dense Llama, counted by hand: nothing of the model is used here. */
function llama({ layers = 0, width = 0, heads = 0, kv = 0, ffn = 0, vocabulary = 0 }, batch: number, context: number) {
  const head = width / heads
  const perLayer = width * (heads + 2 * kv) * head + width * width + 3 * width * ffn
  const weights = 2 * (layers * perLayer + vocabulary * width)
  const cache = 2 * batch * context * layers * 2 * kv * head
  return {
    weights,
    cache,
    flops: 2 * batch * (layers * perLayer + vocabulary * width) + 4 * batch * context * width * layers,
  }
}

const shapes = {
  'llama-2-7b': { layers: 32, width: 4096, heads: 32, kv: 32, ffn: 11008, vocabulary: 32000 },
  'llama-2-70b': { layers: 80, width: 8192, heads: 64, kv: 8, ffn: 28672, vocabulary: 32000 },
}

describe('decode of Llama-2 by hand', () => {
  const cases = Object.keys(shapes).flatMap((model) =>
    [1, 64].flatMap((batch) =>
      [512, 2048, 8192].flatMap((context) =>
        (['a100-80gb-sxm', 'h100-sxm'] as const).map((machine) => [model, machine, batch, context] as const),
      ),
    ),
  )
  it.each(cases)('%s on %s, batch %i, context %i', async (model, machine, batch, context) => {
    const p = predict({ architecture: await loadModel(model), machine: named(machine), batch, context })
    const counted = llama(shapes[model as keyof typeof shapes], batch, context)
    const { bandwidth, peak } =
      machine === 'h100-sxm' ? { bandwidth: 3.35e12, peak: 989.4e12 } : { bandwidth: 2.039e12, peak: 312e12 }
    const bound = Math.max((counted.weights + counted.cache) / bandwidth, counted.flops / peak)
    expect(Math.abs(p.bound_s / bound - 1)).toBeLessThan(0.03)
    expect(p.bytes.kv_read).toBe(counted.cache)
    expect(Math.abs(p.bytes.weights / counted.weights - 1)).toBeLessThan(0.001)
  })
})

const sizes = fc.record({ batch: fc.integer({ min: 1, max: 200 }), context: fc.integer({ min: 1, max: 40_000 }) })
const architecture = fc.constantFrom(...architectures)
const machine = fc.constantFrom(...gpu)
const runs = { numRuns: 150 }

function ask(query: Query): Prediction {
  const p = predict(query)
  expect(Number.isFinite(p.bound_s) && p.bound_s > 0).toBe(true)
  return p
}

describe('every answer', () => {
  it('has no expected below its bound, and no floor above it', () => {
    fc.assert(
      fc.property(architecture, machine, sizes, fc.constantFrom('decode', 'prefill'), (a, m, s, phase) => {
        const p = ask({ architecture: a, machine: m, phase, ...s } as Query)
        expect(p.expected_s).toBeGreaterThanOrEqual(p.bound_s)
        expect(p.floor_s).toBeLessThanOrEqual(p.bound_s * (1 + 1e-12))
        expect(p.interval_s[0]).toBeLessThanOrEqual(p.expected_s)
        expect(p.interval_s[0]).toBeGreaterThanOrEqual(p.floor_s)
        expect(p.interval_s[1]).toBeGreaterThanOrEqual(p.expected_s)
        for (const o of p.operators) {
          expect(o.expected_s).toBeGreaterThanOrEqual(o.bound_s)
          expect(o.interval_s[0]).toBeGreaterThanOrEqual(o.bound_s)
          expect(o.interval_s[1]).toBeGreaterThanOrEqual(o.expected_s)
        }
      }),
      runs,
    )
  })

  it('sums its rows and survives JSON', () => {
    fc.assert(
      fc.property(architecture, machine, sizes, (a, m, s) => {
        const p = ask({ architecture: a, machine: m, ...s })
        const sum = (f: (o: Prediction['operators'][number]) => number) => p.operators.reduce((n, o) => n + f(o), 0)
        const close = (x: number, y: number) => expect(Math.abs(x - y)).toBeLessThanOrEqual(1e-9 * Math.abs(y))
        close(
          sum((o) => o.bound_s),
          p.bound_s,
        )
        close(
          sum((o) => o.expected_s),
          p.expected_s,
        )
        close(
          sum((o) => o.flops),
          p.flops,
        )
        for (const key of Object.keys(p.bytes) as (keyof typeof p.bytes)[])
          close(
            sum((o) => o.bytes[key]),
            p.bytes[key],
          )
        const { weights, activations, kv_read, kv_written, metadata, total } = p.bytes
        close(weights + activations + kv_read + kv_written + metadata, total)
        expect(JSON.parse(JSON.stringify(p))).toEqual(p)
      }),
      runs,
    )
  })

  it('is never slower with more bandwidth or a higher peak', () => {
    fc.assert(
      fc.property(architecture, machine, sizes, fc.double({ min: 1, max: 8, noNaN: true }), (a, m, s, more) => {
        const p = ask({ architecture: a, machine: m, ...s })
        const scale = (peaks: object) =>
          Object.fromEntries(Object.entries(peaks).map(([k, v]) => [k, (v as number) * more]))
        const wider = { ...m, memory: { ...m.memory, bandwidth: m.memory.bandwidth * more } }
        const faster = { ...m, peaks: scale(m.peaks), vector: scale(m.vector) }
        for (const better of [wider, faster]) {
          const q = ask({ architecture: a, machine: better, ...s })
          expect(q.bound_s).toBeLessThanOrEqual(p.bound_s * (1 + 1e-12))
          expect(q.expected_s).toBeLessThanOrEqual(p.expected_s * (1 + 1e-12))
        }
      }),
      runs,
    )
  })

  it('bounds a batch by as many single sequences', () => {
    fc.assert(
      fc.property(architecture, machine, sizes, (a, m, { batch, context }) => {
        const one = ask({ architecture: a, machine: m, context })
        const all = ask({ architecture: a, machine: m, context, batch })
        expect(all.bound_s).toBeLessThanOrEqual(batch * one.bound_s * (1 + 1e-12))
        expect(all.bound_s).toBeGreaterThanOrEqual(one.bound_s)
      }),
      runs,
    )
  })

  it('reads KV in proportion to the context, until a window', () => {
    const read = (name: string, context: number) =>
      ask({ architecture: architectures[models.indexOf(name as never)] as never, machine: named('h200'), context })
        .bytes.kv_read
    for (const name of ['llama-2-7b', 'llama-3.1-70b', 'deepseek-v3']) {
      expect(read(name, 12_345)).toBeCloseTo(12_345 * read(name, 1), 3)
    }
    // gpt-oss: 18 of 36 layers see 128 tokens, the new one included.
    const row = read('gpt-oss-120b', 1)
    expect(read('gpt-oss-120b', 100)).toBe(100 * row)
    expect(read('gpt-oss-120b', 1000)).toBe((1000 * row) / 2 + (127 * row) / 2)
  })

  it('equals its layers: a model of twice the layers takes twice their time', async () => {
    const [a] = architectures
    if (!a) throw new Error('no model')
    const [stack] = a.stacks
    const [group] = stack?.groups ?? []
    if (!stack || !group) throw new Error('no layers')
    const split = group.layers.map((l) => ({ ...group, layers: [l] }))
    const apart = { ...a, stacks: [{ ...stack, groups: split }] }
    const p = ask({ architecture: a, machine: named('h200'), context: 999, batch: 3 })
    const q = ask({ architecture: apart, machine: named('h200'), context: 999, batch: 3 })
    expect(q.operators.length).toBeGreaterThan(p.operators.length)
    expect(Math.abs(q.bound_s / p.bound_s - 1)).toBeLessThan(1e-12)
    expect(Math.abs(q.expected_s / p.expected_s - 1)).toBeLessThan(1e-12)
    expect(q.memory.kv).toBeCloseTo(p.memory.kv, 3)
  })
})

describe('formats', () => {
  const base: Query = { architecture: architectures[0] as never, machine: named('b200'), context: 1000 }
  const kept = (deployment: DeploymentOptions) => ask({ ...base, deployment })
  it('stores what it is told and computes in the activations', () => {
    const p = ask(base)
    const int4 = kept({ weights: format('int4') })
    // The linear layers shrink to 4 bits and 16 bits of scale per 128; the head, norms and embedding stay.
    const linear = 32 * (4 * 4096 * 4096 + 3 * 4096 * 11008)
    expect(int4.memory.weights).toBe(p.memory.weights - linear * 2 + linear * (4 / 8 + 2 / 128))
    expect(int4.bytes.metadata).toBe((linear * 2) / 128)
    expect(int4.flops).toBe(p.flops)
    expect(int4.arithmetic.unit).toBe('fp16')
    const fp8 = kept({ activations: format('fp8') })
    expect(fp8.arithmetic).toMatchObject({ unit: 'fp8', peak: 4.5e15 })
    expect(kept({ kv: format('fp8') }).bytes.kv_read).toBe(p.bytes.kv_read / 2)
    expect(kept({ weights: format('fp32') }).bytes.weights).toBe(p.bytes.weights * 2)
  })
  it.each(formatNames)('%s predicts as weights and as KV', (name) => {
    // Tables per row of a matrix are no way to keep a cache.
    const kv = name.startsWith('nuq') ? 'fp16' : name
    if (kv !== name) expect(() => kept({ kv: format(name) })).toThrow(/expected --with kvquant:bits=[234] for a cache/)
    const p = kept({ weights: format(name), kv: format(kv) })
    expect(p.workload.formats).toMatchObject({ weights: name, kv })
    expect(p.bytes.weights).toBeLessThanOrEqual(kept({ weights: format('fp32') }).bytes.weights)
  })
  it('refuses arithmetic that the machine has no unit for, and says what it falls back to', () => {
    const a100 = named('a100-80gb-sxm')
    expect(() => ask({ ...base, machine: a100, deployment: { activations: format('fp8') } })).toThrow(
      /activations: a100-80gb-sxm has no unit for fp8; expected one of .*bf16/,
    )
    const v3 = architectures[models.indexOf('deepseek-v3')] as never
    expect(ask({ architecture: v3, machine: a100 }).warnings.join()).toContain(
      'no unit for fp8: arithmetic runs in bf16',
    )
  })
})

describe('questions', () => {
  const base: Query = { architecture: architectures[0] as never, machine: named('h100-sxm') }
  it.each([
    [{ context: 0 }, /context: expected a whole number from 1/],
    [{ context: 1e9 + 1 }, /context: expected a whole number from 1 to 1000000000/],
    [{ context: 1.5 }, /got 1.5/],
    [{ batch: 0 }, /batch/],
    [{ batch: Number.NaN }, /got NaN/],
    [{ past: -1 }, /past/],
    [{ past: 5 }, /past: it is what a prefill finds cached/],
    [{ phase: 'encode' }, /has no encoder/],
    [{ source: 10 }, /has no encoder/],
    [{ audio: 10 }, /does not take audio/],
    [{ calibration: 'measured' }, /nothing was measured/],
  ] as const)('refuses %j', (more, message) => {
    expect(() => predict({ ...base, ...more } as Query)).toThrow(RangeError)
    expect(() => predict({ ...base, ...more } as Query)).toThrow(message)
  })

  it('answers for a context of a billion and says that it does not fit', () => {
    const p = ask({ ...base, context: 1e9 })
    expect(p.memory.fits).toBe(false)
    expect(p.warnings.join()).toContain('does not fit')
  })

  it('expects the bound where there is no calibration', () => {
    const p = ask({ ...base, calibration: 'none' })
    expect(p.expected_s).toBeCloseTo(p.bound_s, 12)
    expect(p.interval_s).toEqual([p.expected_s, p.expected_s])
  })

  it('sums a generation from its prefill and its steps', () => {
    const p = ask({ ...base, context: 100, newTokens: 4 })
    const steps = [100, 101, 102].map((context) => ask({ ...base, context }).bound_s)
    const prompt = ask({ ...base, phase: 'prefill', context: 100 })
    expect(p.total?.bound_s).toBeCloseTo(prompt.bound_s + steps.reduce((a, b) => a + b), 12)
    expect(p.time_to_first_token_s).toBe(prompt.expected_s)
    expect(ask({ ...base, context: 100, newTokens: 1 }).total?.bound_s).toBe(prompt.bound_s)
  })

  it('integrates a long generation as it sums a short one', () => {
    const long = ask({ ...base, context: 100, newTokens: 2001 }).total
    let bound = ask({ ...base, phase: 'prefill', context: 100 }).bound_s
    for (let i = 0; i < 2000; i++) bound += predict({ ...base, context: 100 + i }).bound_s
    expect(Math.abs((long?.bound_s ?? 0) / bound - 1)).toBeLessThan(1e-4)
  })

  it('gives the speedup of a method over the same query without it', async () => {
    const plain = ask({ ...base, context: 100_000 })
    const p = ask({ ...base, context: 100_000, methods: [await parseMethod('window:tokens=1k')] })
    expect(p.methods).toEqual([{ name: 'window', options: { tokens: 1024 } }])
    expect(p.baseline?.bound_s).toBe(plain.bound_s)
    expect(p.speedup?.bound).toBeCloseTo(plain.bound_s / p.bound_s, 12)
    expect(p.bytes.kv_read).toBe((plain.bytes.kv_read / 100_000) * 1023)
    // Switched off, the method changes nothing.
    const off = ask({ ...base, context: 1000, methods: [await parseMethod('window:tokens=2k')] })
    expect(off.speedup).toEqual({ bound: 1, expected: 1 })
  })

  it.each([
    ['windw:tokens=3', /expected a method .*got windw/],
    ['window', /expected tokens=N/],
    ['window:tokens=0', /expected whole tokens from 1/],
    ['window:size=3,tokens=4', /got size/],
    ['window:tokens=x', /got x/],
  ])('refuses --with %s', (text, message) => {
    return expect(parseMethod(text)).rejects.toThrow(message)
  })
})

describe('encoder-decoders and encoders', () => {
  it('reads the source through cross attention in every step', async () => {
    const t5 = await loadModel('t5-large')
    const p = ask({ architecture: t5, machine: named('a100-80gb-sxm'), context: 64, source: 512, batch: 4 })
    // 24 layers, 16 heads of 64: self rows of 64 tokens and cross rows of 512, keys and values, in the released format.
    const row = 2 * 16 * 64 * (format(t5.dtype).bits / 8)
    expect(p.bytes.kv_read).toBe(4 * 24 * (64 + 512) * row)
    expect(p.memory.kv).toBe(4 * 24 * (65 + 512) * row)
    expect(ask({ architecture: t5, machine: named('a100-80gb-sxm'), phase: 'encode', source: 512 }).bytes.kv_read).toBe(
      0,
    )
  })
  it('encodes before the first token, and once', async () => {
    const whisper = await loadModel('whisper-large-v3')
    const base: Query = { architecture: whisper, machine: named('t4'), audio: 30 }
    const encode = ask({ ...base, phase: 'encode' })
    const prompt = ask({ ...base, phase: 'prefill', context: 4 })
    expect(prompt.time_to_first_token_s).toBeCloseTo(encode.expected_s + prompt.expected_s, 12)
    const whole = ask({ ...base, context: 4, newTokens: 10 })
    expect(whole.time_to_first_token_s).toBe(prompt.time_to_first_token_s)
    expect(whole.total?.bound_s).toBeGreaterThan(encode.bound_s + prompt.bound_s)
    expect(whole.real_time_factor).toBeCloseTo((whole.total?.expected_s ?? 0) / 30, 12)
    expect(ask(base).real_time_factor).toBeNull()
  })
  it('encodes audio', async () => {
    const whisper = await loadModel('whisper-large-v3')
    const p = ask({ architecture: whisper, machine: named('t4'), phase: 'encode', audio: 30 })
    expect(p.workload.context).toBe(1500)
    expect(p.real_time_factor).toBeCloseTo(p.expected_s / 30, 12)
    expect(() => predict({ architecture: whisper, machine: named('t4'), phase: 'encode', audio: 31 })).toThrow(
      'at most 30 s',
    )
    expect(() => predict({ architecture: whisper, machine: named('t4'), phase: 'encode', audio: 0 })).toThrow('above 0')
  })
  it('takes encode as the phase of an encoder', async () => {
    const bert = await loadModel('bert-base')
    const p = ask({ architecture: bert, machine: named('t4'), context: 128 })
    expect(p.workload).toMatchObject({ phase: 'encode', context: 128 })
    expect(p.tokens_per_round).toBeNull()
    expect(() => predict({ architecture: bert, machine: named('t4'), phase: 'decode' })).toThrow('is an encoder')
  })
})

describe('windows', () => {
  it('narrow what a layer sees, and never widen it', async () => {
    const gemma = await loadModel('gemma-3-27b')
    for (const [phase, context] of [
      ['prefill', 131072],
      ['decode', 131072],
    ] as const) {
      const plain = ask({ architecture: gemma, machine: named('h200'), phase, context })
      for (const tokens of ['512', '4k', '32k', '1M']) {
        const p = ask({
          architecture: gemma,
          machine: named('h200'),
          phase,
          context,
          methods: [await parseMethod(`window:tokens=${tokens}`)],
        })
        expect(p.flops).toBeLessThanOrEqual(plain.flops)
        expect(p.bytes.kv_read).toBeLessThanOrEqual(plain.bytes.kv_read)
        expect(p.memory.kv).toBeLessThanOrEqual(plain.memory.kv)
      }
    }
  })
  it('reach latents, and say what they do not reach', async () => {
    const methods = [await parseMethod('window:tokens=4k')]
    const v32 = ask({ architecture: await loadModel('deepseek-v3.2'), machine: named('b300'), context: 65536, methods })
    expect(v32.bytes.kv_read).toBeLessThan(v32.baseline?.bytes.kv_read ?? 0)
    expect(v32.memory.kv).toBeLessThan((v32.baseline?.memory.kv ?? 0) / 10)
    const hybrid = ask({
      architecture: await loadModel('qwen3.5-35b-a3b'),
      machine: named('h200'),
      context: 65536,
      methods,
    })
    expect(hybrid.warnings.join()).toMatch(/keep a state and no rows/)
    const bert = await loadModel('bert-base')
    expect(() => predict({ architecture: bert, machine: named('t4'), methods })).toThrow(/bert-base has none/)
  })
})

describe('every model on every machine', () => {
  it('has no expected below its bound, whatever the phase', async () => {
    const phases = {
      decoder: ['decode', 'prefill'],
      encoder: ['encode'],
      'encoder-decoder': ['encode', 'prefill', 'decode'],
    } as const
    const sizes = [
      { batch: 1, context: 100 },
      { batch: 48, context: 3000 },
    ]
    for (const name of modelNames) {
      const a = await loadModel(name)
      for (const m of machines) {
        for (const phase of phases[a.kind]) {
          for (const size of sizes) {
            const past = phase === 'prefill' && a.kind === 'decoder' ? 5000 : 0
            const p = predict({ architecture: a, machine: m, phase, ...size, past })
            for (const o of p.operators) {
              if (!(o.expected_s >= o.bound_s))
                throw new Error(`${name} ${m.name} ${phase} ${o.name}: ${o.expected_s} < ${o.bound_s}`)
            }
          }
        }
      }
    }
  })
  it('has none below it in other formats either', async () => {
    for (const name of ['llama-3.1-8b', 'bert-base', 'deepseek-v3', 'deepseek-v3.2', 'whisper-small', 'gemma-3-27b']) {
      const a = await loadModel(name)
      for (const m of machines) {
        for (const f of ['fp32', 'fp16', 'fp8', 'int8', 'fp4'] as const) {
          if (m.peaks[format(f).unit] === undefined) continue
          for (const kv of ['fp16', 'fp8', 'int4'] as const) {
            const deployment = { activations: format(f), weights: format(f), kv: format(kv) }
            const p = predict({ architecture: a, machine: m, batch: 4, context: 20_000, deployment })
            for (const o of p.operators)
              expect(o.expected_s, `${name} ${m.name} ${f} ${kv} ${o.name}`).toBeGreaterThanOrEqual(o.bound_s)
          }
        }
      }
    }
  })
})

describe('machines', () => {
  it('run every model in a format that they have', async () => {
    for (const name of ['bert-base', 't5-large', 'deepseek-v3', 'qwen3-32b-nvfp4', 'llama-3.1-8b', 'mixtral-8x7b']) {
      const a = await loadModel(name)
      for (const m of machines) ask({ architecture: a, machine: m, context: 100 })
    }
    const int8 = ask({
      architecture: await loadModel('llama-3.1-8b'),
      machine: named('t4'),
      deployment: { activations: format('int8') },
    })
    expect(new Set(int8.operators.map((o) => o.unit))).toEqual(new Set(['int8', 'fp16']))
  })
  it('decode near their roof on vector units, whatever the batch of a few', () => {
    for (const name of ['m1-max', 'm4-max', 'm2-ultra', 'epyc-9654', 'xeon-gold-6242', 'raspberry-pi-5']) {
      for (const batch of [1, 4, 5, 8, 16]) {
        const p = ask({ architecture: architectures[0] as never, machine: named(name), batch, context: 512 })
        expect(p.expected_s / p.bound_s, `${name} batch ${batch}`).toBeLessThan(2)
      }
    }
  })
  it('compute kept weights in 16 bits where the release was narrower', async () => {
    const v3 = await loadModel('deepseek-v3')
    const unit = (deployment: DeploymentOptions) =>
      ask({ architecture: v3, machine: named('h200'), deployment }).arithmetic.unit
    expect([unit({}), unit({ weights: format('bf16') }), unit({ weights: format('int4') })]).toEqual([
      'fp8',
      'bf16',
      'bf16',
    ])
  })
  it('can be asked about, every one', () => {
    for (const m of machines) {
      const p = ask({ architecture: architectures[0] as never, machine: m, context: 100 })
      expect(p.tokens_per_s).toBeGreaterThan(0)
    }
  })
  it('join only over links that are known', () => {
    const tp = { parallel: { tensor: 4 } }
    const on = (name: string) => ask({ architecture: architectures[0] as never, machine: named(name), deployment: tp })
    expect(on('h100-sxm').operators.some((o) => o.limit === 'network')).toBe(true)
    expect(() => on('m1-max')).toThrow(/no known link/)
    // Bridges join pairs: four A6000 talk over PCIe, slower than two over NVLink.
    expect(on('rtx-a6000').bound_s).toBeGreaterThan(0)
  })
})
