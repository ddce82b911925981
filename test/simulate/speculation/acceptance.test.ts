// Closed forms of speculative decoding: limits, published values, and the sampler against them.
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { seeded } from '../../../model/random.ts'
import {
  type Acceptance,
  alphaOf,
  fromAccepted,
  fromAlpha,
  tokensPerRound,
} from '../../../simulate/speculation/acceptance.ts'
import { bestGamma, bestGammaOf, leastSpeedup, operationsFactor, speedup } from '../../../simulate/speculation/gain.ts'

const probability = fc.double({ min: 0, max: 1, noNaN: true })
const gammas = fc.integer({ min: 1, max: 40 })

describe('tokens of a round', () => {
  // alpha, gamma, tokens, accepted over drafted; by hand from (1 - a^(g+1)) / (1 - a).
  it.each([
    [0.7, 1, 1.7, 0.7],
    [0.7, 4, 2.7731, 0.443275],
    [0.7, 6, 3.058819, 0.3431365],
    [0.9, 1, 1.9, 0.9],
    [0.9, 4, 4.0951, 0.773775],
    [0.9, 6, 5.217031, 0.702838],
    [0.95, 4, 4.524381, 0.881095],
    [0.95, 6, 6.033254, 0.838876],
    [0.98, 4, 4.80396, 0.95099],
    [0.98, 6, 6.593723, 0.932287],
  ])('alpha %d, gamma %d', (alpha, gamma, tokens, accepted) => {
    const a = fromAlpha(alpha, gamma)
    expect(a.tokens).toBeCloseTo(tokens, 6)
    expect(a.accepted).toBeCloseTo(accepted, 5)
  })

  it('0.9 at gamma 6 is 5.2 tokens as alpha and 6.4 as accepted', () => {
    expect(fromAlpha(0.9, 6).tokens).toBeCloseTo(5.217031, 6)
    expect(fromAccepted(0.9, 6).tokens).toBeCloseTo(6.4, 12)
    expect(fromAccepted(0.9, 6).alpha).toBeCloseTo(0.96997, 5)
  })

  it('is exact at the limits', () => {
    for (const gamma of [1, 2, 6, 1000]) {
      expect(tokensPerRound(0, gamma)).toBe(1)
      expect(tokensPerRound(1, gamma)).toBe(gamma + 1)
      expect(fromAccepted(0, gamma)).toMatchObject({ alpha: 0, tokens: 1 })
      expect(fromAccepted(1, gamma)).toMatchObject({ alpha: 1, tokens: gamma + 1 })
    }
    for (const alpha of [0, 0.3, 1]) {
      expect(fromAlpha(alpha, 0)).toMatchObject({ tokens: 1, alpha: undefined, accepted: undefined })
    }
    expect(fromAccepted(0.9, 0).tokens).toBe(1)
    expect(tokensPerRound(0.9, 1000)).toBeCloseTo(10, 12)
    expect(tokensPerRound(1 - 2 ** -53, 1000)).toBeCloseTo(1001, 9)
  })

  it('converts both ways', () => {
    fc.assert(
      fc.property(probability, gammas, (alpha, gamma) => {
        const there = fromAlpha(alpha, gamma)
        const back = fromAccepted(Math.min(1, there.accepted as number), gamma)
        expect(back.tokens).toBeCloseTo(there.tokens, 9)
        // Of a tiny alpha the rate keeps few digits.
        expect(tokensPerRound(back.alpha as number, gamma)).toBeCloseTo(there.tokens, 9)
      }),
    )
  })

  it('is more with a better or a longer draft', () => {
    fc.assert(
      fc.property(probability, probability, gammas, (a, b, gamma) => {
        const [low, high] = [Math.min(a, b), Math.max(a, b)]
        expect(tokensPerRound(low, gamma)).toBeLessThanOrEqual(tokensPerRound(high, gamma))
        expect(tokensPerRound(a, gamma)).toBeGreaterThanOrEqual(tokensPerRound(a, gamma - 1))
        expect(tokensPerRound(a, gamma)).toBeLessThanOrEqual(gamma + 1)
      }),
    )
  })

  it.each([-0.1, 1.1, Number.NaN, Number.POSITIVE_INFINITY])('%d is no probability', (value) => {
    expect(() => fromAlpha(value, 4)).toThrow(`alpha: expected a probability from 0 to 1, got ${value}`)
    expect(() => fromAccepted(value, 4)).toThrow(`accepted: expected a probability from 0 to 1, got ${value}`)
  })

  it.each([-1, 1.5, Number.NaN, 1e6])('%d is no gamma', (gamma) => {
    expect(() => fromAlpha(0.5, gamma)).toThrow(`from 0 to 10000, got ${gamma}`)
  })

  it('does not tell a rate from what cannot be', () => {
    expect(() => alphaOf(1, 0)).toThrow('at least one drafted token')
    expect(() => alphaOf(5.1, 4)).toThrow('expected 1 to 5 for gamma 4, got 5.1')
  })
})

describe('the sampler', () => {
  const mean = ({ sample }: Acceptance, n = 40_000) => {
    const random = seeded(7)
    let [sum, squares] = [0, 0]
    for (let i = 0; i < n; i++) {
      const tokens = sample(random)
      sum += tokens
      squares += tokens * tokens
    }
    return { mean: sum / n, error: Math.sqrt((squares / n - (sum / n) ** 2) / n) }
  }

  it.each([
    [0.2, 3],
    [0.7, 4],
    [0.9, 6],
    [0.98, 50],
  ])('yields the expected tokens at alpha %d, gamma %d', (alpha, gamma) => {
    const { mean: tokens, error } = mean(fromAlpha(alpha, gamma))
    expect(Math.abs(tokens - tokensPerRound(alpha, gamma))).toBeLessThan(3.5 * error)
  })

  it('yields 1 to gamma + 1 tokens, whatever is drawn', () => {
    const draws = fc.oneof(
      fc.constant(0),
      fc.constant(1 - 2 ** -53),
      fc.double({ min: 0, max: 1 - 2 ** -53, noNaN: true }),
    )
    fc.assert(
      fc.property(probability, fc.integer({ min: 0, max: 1000 }), draws, (alpha, gamma, draw) => {
        const tokens = fromAlpha(alpha, gamma).sample(() => draw)
        expect(Number.isInteger(tokens) && tokens >= 1 && tokens <= gamma + 1).toBe(true)
      }),
    )
    expect(fromAlpha(0, 5).sample(() => 0.999)).toBe(1)
    expect(fromAlpha(1, 5).sample(() => 0.999)).toBe(6)
    expect(fromAlpha(0.5, 0).sample(() => 0)).toBe(1)
  })
})

describe('the gain', () => {
  // Leviathan et al. 2023, Table 2: gamma, alpha, cost of the draft, speedup by theorem 3.8.
  it.each([
    [7, 0.75, 0.02, 3.16],
    [7, 0.8, 0.04, 3.25],
    [7, 0.82, 0.11, 2.5],
    [7, 0.62, 0.02, 2.26],
    [5, 0.68, 0.04, 2.35],
    [3, 0.71, 0.11, 1.93],
    [5, 0.65, 0.02, 2.4],
    [5, 0.73, 0.04, 2.62],
    [3, 0.74, 0.11, 2.02],
    [5, 0.53, 0.02, 1.89],
    [3, 0.55, 0.04, 1.8],
    [3, 0.56, 0.11, 1.54],
  ])('theorem 3.8 at gamma %d, alpha %d, cost %d', (gamma, alpha, cost, expected) => {
    expect(Math.abs(speedup(alpha, gamma, cost) - expected)).toBeLessThanOrEqual(0.0051)
  })

  it('of Chen et al. is capped at 3.31 and implies alpha 0.724, 0.748 and 0.851', () => {
    const cost = 1.8 / 14.1
    expect(speedup(1, 4, cost)).toBeCloseTo(3.31, 2)
    const implied = [1.92, 2.01, 2.46].map((s) => alphaOf(s * (4 * cost + 1), 4))
    for (const [i, alpha] of [0.724, 0.748, 0.851].entries()) expect(implied[i]).toBeCloseTo(alpha, 3)
  })

  it('is none with nothing drafted, and a loss with nothing accepted', () => {
    fc.assert(
      fc.property(probability, probability, (alpha, cost) => {
        expect(speedup(alpha, 0, cost)).toBe(1)
      }),
    )
    expect(speedup(0, 4, 0.1)).toBe(1 / 1.4)
    expect(operationsFactor(0.8, 0, 0.1)).toBe(1)
    expect(operationsFactor(1, 4, 0)).toBe(1)
  })

  it('is at least (1 + alpha) / (1 + cost) at the best gamma where alpha exceeds the cost', () => {
    fc.assert(
      fc.property(probability, probability, (alpha, cost) => {
        fc.pre(alpha > cost)
        expect(1 / bestGammaOf(alpha, cost).seconds).toBeGreaterThanOrEqual(leastSpeedup(alpha, cost) * (1 - 1e-12))
      }),
    )
  })

  // Table 5: alpha, best speedup at cost 0.015.
  it.each([
    [0.62, 2.33],
    [0.71, 2.94],
    [0.76, 3.45],
    [0.84, 4.79],
  ])('at the best gamma, alpha %d', (alpha, expected) => {
    expect(1 / bestGammaOf(alpha, 0.015).seconds).toBeCloseTo(expected, 2)
  })

  it('drafts nothing where that cannot pay, and says where it stopped looking', () => {
    expect(bestGammaOf(0, 0.1)).toEqual({ gamma: 0, seconds: 1, capped: false })
    expect(bestGammaOf(0.3, 0.5)).toMatchObject({ gamma: 0, capped: false })
    expect(bestGammaOf(1, 0.1, 20)).toMatchObject({ gamma: 20, capped: true })
    expect(bestGammaOf(0.8, 0, 0)).toEqual({ gamma: 0, seconds: 1, capped: false })
  })

  it('finds the best of rounds that are not convex', () => {
    const seconds = (gamma: number) => (gamma === 7 ? 0.1 : 1 + gamma)
    expect(bestGamma((gamma) => ({ tokens: 1, seconds: seconds(gamma) }), 10)).toMatchObject({ gamma: 7 })
  })

  it.each([-0.1, Number.NaN, Number.POSITIVE_INFINITY])('a cost of %d is refused', (cost) => {
    expect(() => speedup(0.8, 4, cost)).toThrow(`cost: expected a ratio of draft over target from 0, got ${cost}`)
    expect(() => operationsFactor(0.8, 4, cost)).toThrow('operations: expected a ratio')
  })
})
