import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { seeded } from '../../../model/random.ts'
import {
  bildRound,
  bildSeconds,
  bildShares,
  bildSpeedup,
  ratesOf,
  sampleBildRound,
} from '../../../simulate/bild/renewal.ts'

const probability = fc.double({ min: 0, max: 1, noNaN: true })
const windows = fc.integer({ min: 1, max: 30 })
const rates = fc.record({ unsure: probability, rejected: probability, window: windows })

describe('the round', () => {
  it.each([
    [0.1, 5.5],
    [0.3, 2.75],
    [0.44, 2.04],
  ])('never interrupted is (W + 1) / (W c + 1) faster at cost %d', (cost, expected) => {
    const rates = { unsure: 0, rejected: 0, window: 10 }
    expect(bildSpeedup(rates, cost)).toBeCloseTo(11 / (10 * cost + 1), 12)
    expect(bildSpeedup(rates, cost)).toBeCloseTo(expected, 2)
  })

  it('without a window in reach and without rejections is (1/q) / (c/q + 1) faster', () => {
    const [q, c] = [0.2, 0.3]
    expect(bildSpeedup({ unsure: q, rejected: 0, window: 1000 }, c)).toBeCloseTo(1 / q / (c / q + 1), 10)
  })

  it('always unsure is the large model beside a wasted small step', () => {
    expect(bildRound({ unsure: 1, rejected: 0.5, window: 10 })).toMatchObject({
      tokens: 1,
      smallSteps: 1,
      largeSteps: 1,
      fallbacks: 1,
      rollbacks: 0,
      capped: 0,
    })
    expect(bildSpeedup({ unsure: 1, rejected: 0, window: 10 }, 0.44)).toBeCloseTo(1 / 1.44, 12)
  })

  it('always rejected keeps two tokens of two large steps', () => {
    expect(bildRound({ unsure: 0, rejected: 1, window: 10 })).toMatchObject({
      tokens: 2,
      largeSteps: 2,
      deleted: 10,
      capped: 1,
    })
  })

  it('is the sum that the definition spells out', () => {
    fc.assert(
      fc.property(rates, (r) => {
        const { unsure: q, rejected: rho, window } = r
        let [tokens, cost] = [0, 0]
        for (let k = 0; k <= window; k++) {
          const p = k < window ? q * (1 - q) ** k : (1 - q) ** window
          let of = (1 - rho) ** k * (k + 1)
          for (let j = 1; j <= k; j++) of += (1 - rho) ** (j - 1) * rho * (j + 1)
          tokens += p * of
          cost += p * (0.4 * (k < window ? k + 1 : window) + 1 + (1 - (1 - rho) ** k))
        }
        expect(bildRound(r).tokens).toBeCloseTo(tokens, 9)
        expect(bildSpeedup(r, 0.4)).toBeCloseTo(tokens / cost, 9)
      }),
    )
  })

  it('keeps the counts of the algorithm', () => {
    fc.assert(
      fc.property(rates, (r) => {
        const round = bildRound(r)
        expect(round.smallSteps).toBeCloseTo(round.iterations - round.capped, 9)
        expect(round.largeSteps).toBeCloseTo(round.fallbacks + round.capped + round.rollbacks, 9)
        expect(round.tokens).toBeCloseTo(round.iterations + round.rollbacks - round.deleted, 9)
        expect(round.checked.reduce((a, b) => a + b)).toBeCloseTo(1, 9)
      }),
    )
  })

  it('yields its expected tokens when drawn', () => {
    const random = seeded(5)
    for (const r of [
      { unsure: 0.17, rejected: 0.02, window: 10 },
      { unsure: 0, rejected: 0.1, window: 5 },
      { unsure: 0.3, rejected: 1, window: 10 },
    ]) {
      const n = 100_000
      const mean = Array.from({ length: n }, () => sampleBildRound(r, random)).reduce((a, b) => a + b) / n
      expect(Math.abs(mean / bildRound(r).tokens - 1)).toBeLessThan(0.01)
    }
  })

  it.each([
    [{ unsure: -0.1, rejected: 0, window: 10 }, 'unsure: expected a probability from 0 to 1, got -0.1'],
    [{ unsure: 0, rejected: Number.NaN, window: 10 }, 'rejected: expected a probability from 0 to 1, got NaN'],
    [{ unsure: 0, rejected: 0, window: 0 }, 'window: expected a whole number of tokens from 1 to 10000, got 0'],
  ])('%j is refused', (r, message) => expect(() => bildRound(r)).toThrow(message))
})

describe('the rates', () => {
  it('come back from the shares', () => {
    const inner = fc.double({ min: 0.001, max: 0.9, noNaN: true })
    fc.assert(
      fc.property(inner, inner, windows, (unsure, rejected, window) => {
        const back = ratesOf(bildShares({ unsure, rejected, window }), window)
        expect(back.unsure).toBeCloseTo(unsure, 6)
        expect(back.rejected).toBeCloseTo(rejected, 5)
      }),
    )
  })
  it('of a published run: 16.8 % fallbacks and 1.53 % rollbacks', () => {
    const r = ratesOf({ fallback: 0.1682, rollback: 0.01528 }, 10)
    expect(r.unsure).toBeCloseTo(0.1733, 3)
    expect(r.rejected).toBeCloseTo(0.0202, 3)
  })
  it('of shares that cannot be are refused', () => {
    expect(() => ratesOf({ fallback: 0.5, rollback: 0.6 }, 10)).toThrow(/^rollback share: expected at most/)
    expect(() => ratesOf({ fallback: 1.2, rollback: 0 }, 10)).toThrow('fallback share: expected a probability')
  })
})

// The published window sweep on an RTX 2080 Ti; the model's own best window is theirs.
it('the best window of the published sweep is 10', () => {
  const seconds = [1, 2, 3, 4, 5, 7, 10, 15, 20].map((window) => ({
    window,
    s: bildSeconds({ unsure: 0.124, rejected: 0.024, window }, 29, { small: 0.0198, large: 0.045 }, 0.03),
  }))
  expect(seconds.sort((a, b) => a.s - b.s)[0]?.window).toBe(10)
})
