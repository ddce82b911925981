import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { loadMachine } from '../../../hardware/catalog.ts'
import { profileOf } from '../../../hardware/profile.ts'
import { loadModel } from '../../../model/catalog.ts'
import { deploy } from '../../../model/deployment.ts'
import { pass } from '../../../model/pass.ts'
import { decode } from '../../../model/workload.ts'
import { graph } from '../../../simulate/engine.ts'
import { estimate } from '../../../simulate/estimate.ts'
import { Batch } from '../../../simulate/serving/batch.ts'
import { closedLoop, type Loop } from '../../../simulate/serving/closed-loop.ts'
import { serving } from '../../../simulate/serving/engines.ts'
import { compiledTime, type StepTime } from '../../../simulate/serving/step-time.ts'

/** The loop counted step by step, of clients that are spread evenly: seconds per token and to the first one. */
function counted(time: StepTime, { clients, prompt, output }: Loop) {
  // Tokens that each client's request has made.
  const made = Array.from({ length: clients }, (_, i) => Math.floor((i * output) / clients))
  const first = new Array<number>(clients).fill(Number.NaN)
  const [tpots, ttfts]: number[][] = [[], []]
  let now = 0
  for (let step = 0; step < 4 * output; step++) {
    const batch = new Batch()
    for (const m of made) {
      if (m === 0) batch.read(0, prompt, true)
      else batch.decode(prompt + m)
    }
    const seconds = time.seconds(batch)
    now += seconds
    for (let i = 0; i < clients; i++) {
      if (made[i] === 0) {
        first[i] = now
        ttfts?.push(seconds)
      }
      made[i] = (made[i] as number) + 1
      if (made[i] !== output) continue
      made[i] = 0
      if (step >= 2 * output) tpots?.push((now - (first[i] as number)) / (output - 1))
    }
  }
  const mean = (of: number[] = []) => of.reduce((sum, x) => sum + x, 0) / of.length
  return { tpot: mean(tpots), ttft: mean(ttfts) }
}

const linear: StepTime = {
  seconds: (batch) =>
    1e-2 + 1e-4 * batch.decoding + 1e-7 * batch.cached.reduce((a, b) => a + b, 0) + 2e-5 * batch.readingTokens,
}

const size = (min: number, max: number) => fc.integer({ min, max })

describe('a closed loop', () => {
  it('is what counting finds, where time is linear in the batch', () => {
    fc.assert(
      fc.property(size(1, 40), size(1, 400), size(40, 160), (clients, prompt, output) => {
        const loop = { clients, prompt, output }
        const { tpot, ttft } = closedLoop(linear, loop)
        const exact = counted(linear, loop)
        expect(Math.abs(tpot / exact.tpot - 1)).toBeLessThan(0.01)
        expect(Math.abs(ttft / exact.ttft - 1)).toBeLessThan(0.01)
      }),
      { numRuns: 50 },
    )
  })

  it.each([
    { clients: 8, prompt: 512, output: 64 },
    { clients: 64, prompt: 128, output: 64 },
    { clients: 128, prompt: 64, output: 64 },
  ])('is what counting finds of a model, %o', async (loop) => {
    const profile = profileOf(await loadMachine('a100-80gb-sxm'), 'global')
    const time = compiledTime(deploy(await loadModel('opt-1.3b')), profile)
    expect(Math.abs(closedLoop(time, loop).tpot / counted(time, loop).tpot - 1)).toBeLessThan(0.05)
  })

  it('of one client has no prompt of others between its tokens', () => {
    const batch = new Batch()
    batch.decode(150)
    const { tpot } = closedLoop(linear, { clients: 1, prompt: 100, output: 100 })
    expect(tpot).toBeCloseTo(linear.seconds(batch), 12)
  })

  it('makes requests wait where prompts come faster than steps can read them', () => {
    const loop = { clients: 64, prompt: 16384, output: 16 }
    const { ttft, throughput } = closedLoop(linear, loop)
    const batch = new Batch()
    batch.read(0, 16384, true)
    expect(ttft).toBeGreaterThan(40 * linear.seconds(batch))
    expect(throughput).toBeLessThan(1 / linear.seconds(batch))
  })

  it('has no time per token of one token, and no half clients', () => {
    expect(closedLoop(linear, { clients: 2, prompt: 9, output: 1 }).tpot).toBeNaN()
    expect(() => closedLoop(linear, { clients: 0.5, prompt: 9, output: 9 })).toThrow(
      'clients: expected a whole number from 1, got 0.5',
    )
  })
})

describe('the engine that was fitted', () => {
  it('takes its shares of kernels and collectives, compiled and not', async () => {
    const profile = profileOf(await loadMachine('h100-sxm'), 'global')
    const deployment = deploy(await loadModel('llama-3.1-8b'), { parallel: { tensor: 4, expert: 1, pipeline: 1 } })
    const workload = decode(16, 1024)
    expect(pass(deployment, workload).some((o) => o.shape.kind === 'collective')).toBe(true)
    const step = { name: 'step', on: 'target', deployment, workload, times: 1 }
    const seconds = (kernels: number, network: number) =>
      estimate([step], profile, { ...graph, name: 'part', kernels, network }).expected
    const fitted = estimate([step], profile, serving).expected
    const { kernels = 1, network = 1 } = serving
    expect(fitted).toBeCloseTo(kernels * seconds(1, 0) + network * seconds(0, 1), 12)
    expect(seconds(1, 1)).toBeCloseTo(estimate([step], profile).expected, 12)
    const batch = new Batch()
    batch.decode(1024, 16)
    expect(compiledTime(deployment, profile, serving).seconds(batch)).toBeCloseTo(fitted, 12)
  })
})
