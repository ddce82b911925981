// Queries in seconds of audio: what is encoded, how much faster than it lasts, and what is refused.
import { describe, expect, it } from 'vitest'
import { loadMachine } from '../../hardware/catalog.ts'
import { loadModel } from '../../model/catalog.ts'
import { format } from '../../model/format.ts'
import { importConfig } from '../../model/import/config.ts'
import { presets } from '../../model/presets/speech.ts'
import { predict } from '../../simulate/predict.ts'
import { type Query, resolve } from '../../simulate/query.ts'

const sm = await loadModel('squeezeformer-sm')
const machine = await loadMachine('a100-80gb-sxm')
const ask = (more: Partial<Query> = {}) => predict({ architecture: sm, machine, ...more })
const warnings = (more: Partial<Query> = {}) => ask(more).warnings

describe('seconds of audio', () => {
  it('become tokens, and a real-time factor', () => {
    const p = ask({ audio: 30, batch: 16, phase: 'encode' })
    expect(p.workload).toMatchObject({ phase: 'encode', batch: 16, context: 750, source: 750, audio: [30] })
    expect(p.real_time_factor).toBe(p.expected_s / 30)
    expect(p.tokens_per_s).toBe((16 * 750) / p.expected_s)
    expect(p.warnings).toEqual([])
    const [group] = resolve({ architecture: sm, machine, audio: 30 }).workload.groups
    expect(group).toMatchObject({ query: 750, frames: 3001 })
  })
  it('sum up, operator by operator', () => {
    const p = ask({ audio: 12.34, batch: 3 })
    const sum = (of: 'bound_s' | 'flops') => p.operators.reduce((s, o) => s + o[of], 0)
    expect(sum('bound_s')).toBeCloseTo(p.bound_s, 9)
    expect(sum('flops') / p.flops).toBeCloseTo(1, 9)
    for (const o of p.operators) expect(o.expected_s, o.name).toBeGreaterThanOrEqual(o.bound_s)
  })
  it('may be of several lengths at once, each as it is', () => {
    const both = ask({ audio: [5, 30, 5], batch: 2 })
    expect(both.workload).toMatchObject({ batch: 6, context: 750, audio: [5, 30, 5] })
    const apart = ask({ audio: 5, batch: 4 }).flops + ask({ audio: 30, batch: 2 }).flops
    // The projected distances are shared: those of the shorter are among the longer's.
    const shared = ask({ audio: 5 }).operators.filter((o) => o.name === 'attention-position')
    expect(both.flops).toBeCloseTo(apart - shared.reduce((s, o) => s + o.flops, 0), -3)
    expect(both.real_time_factor).toBe(both.expected_s / 30)
    expect(both.warnings.join()).toContain('3 lengths as they are; padded to the longest, 2.25 times the tokens')
    expect(ask({ audio: [30] })).toEqual(ask({ audio: 30 }))
  })
  it('cost more the more there are', () => {
    const times = [1, 5, 30, 100, 600].map((audio) => ask({ audio }).bound_s)
    expect([...times].sort((a, b) => a - b)).toEqual(times)
  })
  it('are warned of where kernels are wider or positions fewer', () => {
    expect(warnings({ audio: 1 })).toEqual([
      'convolution-depthwise: a kernel of 31 over 25 tokens; the taps on padding are counted',
      'convolution-depthwise: a kernel of 31 over 13 tokens; the taps on padding are counted',
    ])
    expect(warnings({ audio: 600 })).toEqual(['squeezeformer-sm was made for 5000 positions; this needs 15000'])
    expect(warnings()).toEqual(['no --audio given: 512 tokens assumed, 20.48 s'])
    const short = importConfig({ ...presets['squeezeformer-sm'], max_position_embeddings: 100 }, 'short')
    expect(warnings({ architecture: short })).toEqual(['no --audio given: 100 tokens assumed, 4 s'])
  })
  it('are warned of kernels at the rate that they run at', () => {
    const late = { time_reduce_layers: [15], time_recover_layers: [] }
    const a = importConfig({ ...presets['squeezeformer-sm'], ...late }, 'late')
    expect(warnings({ architecture: a, audio: 1.6 })).toEqual([
      'convolution-depthwise: a kernel of 31 over 20 tokens; the taps on padding are counted',
    ])
  })
  it('leave a cache format nothing to change', () => {
    expect(warnings({ audio: 30, deployment: { kv: format('int4') } })).toEqual([
      '--kv: squeezeformer-sm is an encoder and keeps no keys and values, so it changes nothing',
    ])
  })
  it.each([
    [{ audio: 0 }, 'audio: expected seconds above 0, got 0'],
    [{ audio: -3 }, 'audio: expected seconds above 0, got -3'],
    [{ audio: Number.NaN }, 'audio: expected seconds above 0, got NaN'],
    [{ audio: [] }, 'audio: expected seconds above 0, got no lengths'],
    [{ audio: [5, -1] }, 'audio: expected seconds above 0, got -1'],
    [{ audio: 0.02 }, 'audio: expected at least one window of 25 ms, got 0.02 s'],
    [
      { audio: 0.025 },
      'audio: 0.025 s: subsampling-2-depthwise: expected an input as wide as its kernel of 3, got 1 and 1 of padding; use longer audio',
    ],
    [{ audio: 30, source: 750 }, 'audio: expected either --audio or --source, got both'],
    [{ audio: 30, context: 750 }, 'context: an encode takes its length from one of'],
    [{ audio: 30, phase: 'decode' }, 'phase: squeezeformer-sm is an encoder; expected encode, got decode'],
    [{ audio: 30, newTokens: 3 }, 'new-tokens: an encode generates none'],
  ] as const)('refuses %j', (more, message) => {
    expect(() => ask(more as Partial<Query>)).toThrow(RangeError)
    expect(() => ask(more as Partial<Query>)).toThrow(message)
  })
  it('are one length for a decoder, and none for a model that hears nothing', async () => {
    const whisper = await loadModel('whisper-tiny')
    expect(() => ask({ architecture: whisper, audio: [5, 6] })).toThrow(
      'audio: expected one length for a decode, got 2',
    )
    expect(ask({ architecture: whisper, audio: [5, 6], phase: 'encode' }).workload.batch).toBe(2)
    const bert = await loadModel('bert-base')
    expect(() => ask({ architecture: bert, audio: 5 })).toThrow('audio: bert-base does not take audio')
  })
})

describe('the design steps', () => {
  it('each change the answer, from Conformer-CTC-M to Squeezeformer-SM', () => {
    const steps = [
      {},
      { time_reduce_layers: [7], time_recover_layers: [15] },
      { block_order: ['attention', 'ffn', 'convolution', 'ffn'], normalization: 'pre-and-post' },
      { conv_activation: 'swish' },
      { normalization: 'scaled-post' },
      { subsampling: 'depthwise-separable' },
    ]
    let config = presets['conformer-ctc-m'] ?? {}
    const flops = steps.map((step, i) => {
      config = { ...config, ...step }
      return ask({ architecture: importConfig(config, `step-${i}`), audio: 30 }).flops
    })
    expect(new Set(flops).size).toBe(6)
    expect(flops[5]).toBe(ask({ audio: 30 }).flops)
    expect(flops[5] as number).toBeLessThan(0.62 * (flops[0] as number))
  })
  it.each(['flash', 'unfused'] as const)(
    'run %s on every kind of machine, in every format, tensor-parallel too',
    async (fusion) => {
      for (const name of ['t4', 'h100-sxm', 'm1-max', 'epyc-9654']) {
        const m = await loadMachine(name)
        const p = ask({ machine: m, audio: 10, deployment: { fusion } })
        for (const o of p.operators) expect(o.expected_s, `${name} ${o.name}`).toBeGreaterThanOrEqual(o.bound_s)
      }
      const two = ask({ audio: 10, deployment: { fusion, parallel: { tensor: 2, pipeline: 2 } } })
      expect(two.operators.some((o) => o.kind === 'collective')).toBe(true)
    },
  )
})
