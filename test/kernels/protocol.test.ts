// The measuring protocol on made-up clocks.
import { describe, expect, it } from 'vitest'
import { type Protocol, quantile, timed, usualProtocol } from '../../kernels/protocol.ts'

/** A kernel that takes `seconds(run)`, the run's number from 0, and counts what it was asked for. */
function kernel(seconds: (run: number) => number) {
  const asked: number[] = []
  return {
    asked,
    run: async (repeats: number) => {
      asked.push(repeats)
      return repeats * seconds(asked.length - 1)
    },
  }
}

const protocol: Protocol = { ...usualProtocol, warmup: 0.01, sample: 0.001, budget: 0.1 }

describe('timed', () => {
  it('repeats short work until a sample is long enough, and gives the time of one', async () => {
    const { run, asked } = kernel(() => 1e-5)
    const timing = await timed(run, protocol)
    expect(timing.median).toBeCloseTo(1e-5, 12)
    expect(timing.repeats).toBe(100)
    expect(timing.samples).toBe(protocol.least)
    expect(timing.settled).toBe(true)
    expect(asked[0]).toBe(1)
  })

  it('leaves slow first runs out', async () => {
    const { run } = kernel((i) => (i < 3 ? 0.5 : 2e-3))
    const timing = await timed(run, protocol)
    expect(timing.median).toBeCloseTo(2e-3, 12)
    expect(timing.spread).toBeCloseTo(0, 12)
  })

  it('goes on while the median is unsettled, and stops when the time is spent', async () => {
    const { run } = kernel((i) => (i % 2 === 0 ? 1e-3 : 2e-3))
    const timing = await timed(run, protocol)
    expect(timing.samples).toBeGreaterThan(protocol.least)
    expect(timing.settled).toBe(false)
    expect(timing.spread).toBeCloseTo(1e-3, 6)
  })

  it('takes few samples of what is very slow', async () => {
    const { run } = kernel((i) => 1 + (i % 3))
    const timing = await timed(run, protocol)
    expect(timing.samples).toBe(3)
  })

  it('reaches the most repeats where the clock sees nothing', async () => {
    const timing = await timed(async () => 0, { ...protocol, most: 12 })
    expect(timing.repeats).toBe(protocol.repeats)
    expect(timing.median).toBe(0)
  })

  it('refuses a clock that runs backwards', async () => {
    await expect(timed(async () => -1, protocol)).rejects.toThrow('expected the clock to give seconds from 0, got -1')
  })
})

describe('quantile', () => {
  it('lies between neighbours', () => {
    expect(quantile([1, 2, 4], 0.5)).toBe(2)
    expect(quantile([1, 2], 0.5)).toBe(1.5)
    expect(quantile([1, 2, 3, 4, 5], 0.25)).toBe(2)
  })
})
