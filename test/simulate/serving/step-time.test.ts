// Compiled step times against the estimator, and contexts taken at their octave's mean against each on its own.
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { loadMachine } from '../../../hardware/catalog.ts'
import { profileOf } from '../../../hardware/profile.ts'
import { loadModel } from '../../../model/catalog.ts'
import { type DeploymentOptions, deploy } from '../../../model/deployment.ts'
import { format } from '../../../model/format.ts'
import { decode, mixed, prefill } from '../../../model/workload.ts'
import { estimate } from '../../../simulate/estimate.ts'
import { applyMethod, loadMethod } from '../../../simulate/method.ts'
import { Batch } from '../../../simulate/serving/batch.ts'
import { compiledTime, referenceTime } from '../../../simulate/serving/step-time.ts'

const arbitraryBatch = fc.record({
  decoding: fc.array(fc.integer({ min: 1, max: 5000 }), { maxLength: 40 }),
  readings: fc.array(fc.record({ past: fc.nat(3000), tokens: fc.integer({ min: 1, max: 900 }), last: fc.boolean() }), {
    maxLength: 4,
  }),
})

type Drawn = typeof arbitraryBatch extends fc.Arbitrary<infer T> ? T : never

function batchOf({ decoding, readings }: Drawn): Batch {
  const batch = new Batch()
  for (const cached of decoding) batch.decode(cached)
  for (const { past, tokens, last } of readings) batch.read(past, tokens, last)
  return batch
}

const cases: readonly [model: string, machine: string, options: DeploymentOptions, engine?: number][] = [
  ['opt-1.3b', 'a100-80gb-sxm', {}],
  ['llama-3.1-70b', 'h100-sxm', { parallel: { tensor: 4, pipeline: 2 }, kv: format('fp8') }, 1e-3],
  ['gemma-2-9b', 'h100-sxm', { weights: format('int4') }],
  ['mixtral-8x7b', 'h200', { parallel: { tensor: 2, expert: 2 } }],
  ['deepseek-v3', 'b200', { parallel: { tensor: 1, expert: 8 } }],
  ['qwen3-next-80b-a3b', 'h200', {}],
  ['llama-2-7b', 'a100-80gb-sxm', { fusion: 'unfused' }],
  ['llama-2-7b', 'cpu', {}],
]

describe('compiled step times', () => {
  it.each(cases.filter(([, machine]) => machine !== 'cpu'))(
    'are the estimator’s: %s on %s',
    async (model, on, options, pass) => {
      const profile = profileOf(await loadMachine(on))
      const deployment = deploy(await loadModel(model), options)
      const engine = { name: 'test', pass: pass ?? 0, sequence: pass === undefined ? 0 : 1e-5, synchronization: 1e-5 }
      const fast = compiledTime(deployment, profile, engine)
      const slow = referenceTime(deployment, profile, undefined, engine)
      fc.assert(
        fc.property(arbitraryBatch, (drawn) => {
          const batch = batchOf(drawn)
          fc.pre(batch.size > 0)
          const expected = slow.seconds(batch)
          expect(Math.abs(fast.seconds(batch) / expected - 1)).toBeLessThan(1e-11)
          // What was kept is the same.
          expect(Math.abs(fast.seconds(batch) / expected - 1)).toBeLessThan(1e-11)
        }),
        { numRuns: 25 },
      )
    },
  )

  it('are the estimator’s over compressed caches', async () => {
    const profile = profileOf(await loadMachine('a100-80gb-sxm'))
    for (const [name, values] of [
      ['kvquant', { bits: 3 }],
      ['kivi', {}],
      ['window', { tokens: 512 }],
    ] as const) {
      const method = applyMethod(await loadMethod(name), values)
      const deployment = deploy(await loadModel('llama-2-7b'), method.apply({}))
      const [fast, slow] = [compiledTime(deployment, profile), referenceTime(deployment, profile)]
      fc.assert(
        fc.property(arbitraryBatch, (drawn) => {
          const batch = batchOf(drawn)
          fc.pre(batch.size > 0)
          expect(Math.abs(fast.seconds(batch) / slow.seconds(batch) - 1)).toBeLessThan(1e-11)
        }),
        { numRuns: 15 },
      )
    }
  })
})

describe('moments', () => {
  it('of like sequences are the static step', async () => {
    const profile = profileOf(await loadMachine('h100-sxm'))
    const deployment = deploy(await loadModel('llama-3.1-8b'))
    const batch = new Batch()
    batch.decode(1000, 32)
    for (let i = 0; i < 3; i++) batch.read(0, 700, true)
    const static_ = mixed(decode(32, 1000), prefill(3, 700))
    const expected = estimate(
      [{ name: 'step', on: 'target', deployment, workload: static_, times: 1 }],
      profile,
    ).expected
    expect(compiledTime(deployment, profile).seconds(batch)).toBeCloseTo(expected, 15)
  })

  it('of ragged contexts are within 16 % of each sequence on its own, in the mean within 2 %', async () => {
    const profile = profileOf(await loadMachine('a100-80gb-sxm'))
    for (const model of ['opt-1.3b', 'gemma-2-9b']) {
      const deployment = deploy(await loadModel(model))
      const time = compiledTime(deployment, profile)
      const errors: number[] = []
      fc.assert(
        fc.property(fc.array(fc.integer({ min: 16, max: 8000 }), { minLength: 2, maxLength: 64 }), (contexts) => {
          const batch = new Batch()
          for (const c of contexts) batch.decode(c)
          const ragged = mixed(...contexts.map((c) => decode(1, c)))
          const exact = estimate(
            [{ name: 's', on: 'target', deployment, workload: ragged, times: 1 }],
            profile,
          ).expected
          errors.push(time.seconds(batch) / exact - 1)
        }),
        { numRuns: 100, seed: 1 },
      )
      expect(Math.max(...errors.map(Math.abs))).toBeLessThan(0.16)
      expect(errors.reduce((sum, e) => sum + Math.abs(e), 0) / errors.length).toBeLessThan(0.02)
    }
  })
})
