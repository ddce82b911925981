// Training: the published rule of activations, memory by part under every way of spreading it, and FLOPs by hand.
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { loadMachine } from '../../hardware/catalog.ts'
import { loadModel } from '../../model/catalog.ts'
import { parameters } from '../../model/parameters.ts'
import { decoder } from '../../simulate/papers/memory-wall/models.ts'
import { layerActivations } from '../../simulate/train/activations.ts'
import { type Training, train } from '../../simulate/train/train.ts'

const gpt = decoder('gpt', { layers: 4, width: 256, heads: 8 })
const layer = gpt.stacks[0]?.groups[0]?.modules ?? []
const korthikanti = { width: 2, scores: true, dropout: true }

describe('activations of a layer', () => {
  it('are s·b·h·(34 + 5·a·s/h), and (10 + 24/t + 5·a·s/(h·t)) of it with tensor parallelism', () => {
    fc.assert(
      fc.property(
        fc.integer({ min: 1, max: 64 }),
        fc.integer({ min: 1, max: 4096 }),
        fc.constantFrom(1, 2, 4, 8),
        (batch, sequence, tensor) => {
          const [s, b, h, a] = [sequence, batch, 256, 8]
          const expected = s * b * h * (10 + 24 / tensor + (5 * a * s) / (h * tensor))
          expect(layerActivations(layer, { ...korthikanti, batch, sequence, tensor })).toBeCloseTo(expected, -1)
        },
      ),
    )
  })
  it('are s·b·h·34 without scores', () => {
    expect(layerActivations(layer, { ...korthikanti, scores: false, batch: 3, sequence: 100, tensor: 1 })).toBe(
      3 * 100 * 256 * 34,
    )
  })
  it('of fewer key heads, gates and experts are less or more, by their widths', async () => {
    const llama = await loadModel('llama-3.1-8b')
    const own = layerActivations(llama.stacks[0]?.groups[0]?.modules ?? [], {
      batch: 1,
      sequence: 1,
      width: 2,
      tensor: 1,
      scores: false,
      dropout: false,
    })
    // Two norms, attention's input, q, k, v and its output, the gated layer's input and four times its hidden width.
    expect(own).toBe(2 * (2 * 4096 + 4096 + 4096 + 2 * 1024 + 4096 + 4096 + 4 * 14336))
  })
  it('of layers that no rule counts are refused', async () => {
    const squeezeformer = await loadModel('squeezeformer-sm')
    expect(() => train({ architecture: squeezeformer, batch: 1, sequence: 100 })).toThrow(
      /expected attention, feed-forward and expert layers/,
    )
  })
})

const step = (more: Partial<Training> = {}) => train({ architecture: gpt, batch: 4, sequence: 128, ...more })

describe('memory', () => {
  const n = parameters(gpt).total
  it('has 16 bytes for each parameter in mixed precision and in fp32, 12 for sgd', () => {
    const sum = (s: ReturnType<typeof step>) => s.memory.parameters + s.memory.gradients + s.memory.optimizer
    expect(sum(step())).toBe(16 * n)
    expect(sum(step({ precision: 'fp32' }))).toBe(16 * n)
    expect(sum(step({ optimizer: 'sgd' }))).toBe(12 * n)
    expect(sum(step({ optimizer: 'sgd', precision: 'amp' }))).toBe(12 * n)
  })
  it('is spread over replicas by each stage of ZeRO', () => {
    const parts = ([0, 1, 2, 3] as const).map((zero) => {
      const { parameters: p, gradients, optimizer } = step({ zero, data: 8 }).memory
      return [p, gradients, optimizer].map((bytes) => bytes / n)
    })
    expect(parts).toEqual([
      [2, 2, 12],
      [2, 2, 1.5],
      [2, 0.25, 1.5],
      [0.25, 0.25, 1.5],
    ])
  })
  it('adds up, and falls with recomputation', () => {
    for (const more of [{}, { recompute: 'full' }, { fusion: 'unfused' }, { tensor: 2 }] as const) {
      const { total, ...parts } = step(more).memory
      expect(total).toBe(Object.values(parts).reduce((a, b) => a + b, 0))
    }
    const kept = (more: Partial<Training>) => step(more).memory.activations
    const unfused = { fusion: 'unfused' } as const
    expect(kept({ recompute: 'full' })).toBeLessThan(kept({}))
    expect(kept({ ...unfused, recompute: 'selective' })).toBe(kept({}))
    expect(kept(unfused)).toBeGreaterThan(kept({}))
    // The layer that is computed again has its scores: 5 bytes of each, of 4 sequences and 8 heads.
    const full = { recompute: 'full' } as const
    expect(kept({ ...unfused, ...full }) - kept(full)).toBe(5 * 4 * 8 * 128 * 128)
  })
  it('finds the largest batch that fits', async () => {
    const [architecture, machine] = [await loadModel('gpt-2-small'), await loadMachine('t4')]
    const s = train({ architecture, machine, batch: 1, sequence: 1024 })
    const at = (batch: number) => train({ architecture, machine, batch, sequence: 1024 }).fits
    expect([at(s.largest_batch ?? 0), at((s.largest_batch ?? 0) + 1)]).toEqual([true, false])
    const big = train({ architecture: await loadModel('llama-3.1-70b'), machine, batch: 1, sequence: 128 })
    expect(big).toMatchObject({ fits: false, largest_batch: 0 })
  })
})

describe('FLOPs', () => {
  it('are about six for each parameter and token of a large model', async () => {
    const architecture = await loadModel('gpt-3')
    const s = train({ architecture, batch: 1, sequence: 2048, tokens: 300e9 })
    // Attention adds a few percent; see the published 3.14e23.
    expect(s.flops / s.tokens / (6 * parameters(architecture).total)).toBeCloseTo(1.03, 1)
    expect((s.total?.flops ?? 0) / 3.14e23).toBeCloseTo(1.03, 1)
  })
  it('are three passes, over all devices', () => {
    const unfused = { fusion: 'unfused' } as const
    const one = step(unfused)
    expect(step({ ...unfused, data: 4 }).flops).toBe(4 * one.flops)
    expect(step({ ...unfused, batch: 8 }).flops / one.flops).toBeCloseTo(2, 6)
  })
  it('have a fourth pass of the layers where these are computed again', async () => {
    const whole = { architecture: await loadModel('gpt-3'), batch: 1, sequence: 2048, fusion: 'unfused' } as const
    const again = train({ ...whole, recompute: 'full' })
    expect(again.flops).toBe(train(whole).flops)
    expect(again.recompute_flops / again.flops).toBeGreaterThan(0.32)
    expect(again.recompute_flops / again.flops).toBeLessThan(1 / 3)
  })
})

describe('time', () => {
  it('is the sum of its parts, and no less than the bound', async () => {
    const machine = await loadMachine('a100')
    for (const more of [{}, { data: 8, zero: 3 }, { tensor: 4, recompute: 'full' }] as const) {
      const s = step({ machine, ...more })
      expect(Object.values(s.parts ?? {}).reduce((a, b) => a + b, 0)).toBeCloseTo(s.step_s ?? 0, 12)
      expect(s.step_s).toBeGreaterThan(s.bound_s ?? 0)
    }
    expect(step({ machine, data: 8 }).parts?.gradients_s).toBeGreaterThan(0)
    expect(step().step_s).toBeNull()
  })
  it('says what changes nothing or cannot be', async () => {
    expect(step({ recompute: 'selective' }).warnings.join()).toContain('changes nothing')
    expect(step({ zero: 2 }).warnings.join()).toContain('nobody to share with')
    expect(() => step({ batch: 0 })).toThrow(/batch: expected a whole number/)
    expect(() => step({ tensor: 3 })).toThrow(/tp: expected a divisor/)
    const cpu = await loadMachine('xeon-gold-6242')
    expect(() => step({ machine: cpu, precision: 'mixed' })).toThrow(/expected fp32|no 16-bit unit/)
  })
})
