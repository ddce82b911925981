import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { loadMachine } from '../../../hardware/catalog.ts'
import { loadModel } from '../../../model/catalog.ts'
import { seeded } from '../../../model/random.ts'
import { Pairs, studentQuantile } from '../../../simulate/confidence.ts'
import { fromAlpha } from '../../../simulate/speculation/acceptance.ts'
import { parseLines } from '../../../simulate/speculation/lines.ts'
import { simulateRounds, simulateTexts } from '../../../simulate/speculation/monte-carlo.ts'
import { agreeing, speculate } from '../../../simulate/speculation/replay.ts'
import { areRounds, roundsOf } from '../../../simulate/speculation/rounds.ts'
import { modelSteps, type StepQuery } from '../../../simulate/speculation/steps.ts'

describe('a replay', () => {
  it('keeps tokens up to the first that the target would not choose', () => {
    const agrees = [true, true, false, true, true, true, true, false, true]
    // 0-1 kept, 2 by the target; 3-5 kept, 6 by the target; 7 by the target; 8 kept.
    expect(speculate(9, 3, agreeing(agrees))).toEqual({ tokens: 9, rounds: 4, drafted: 12, accepted: 6 })
  })

  it('writes each token once, whatever gamma is', () => {
    fc.assert(
      fc.property(
        fc.array(fc.boolean(), { minLength: 1, maxLength: 60 }),
        fc.integer({ min: 0, max: 20 }),
        (agrees, gamma) => {
          const c = speculate(agrees.length, gamma, agreeing(agrees))
          expect(c.tokens).toBe(agrees.length)
          expect(c.drafted).toBe(c.rounds * gamma)
          expect(c.tokens - c.accepted === c.rounds || c.tokens - c.accepted === c.rounds - 1).toBe(true)
          if (gamma === 0) expect(c.rounds).toBe(agrees.length)
        },
      ),
    )
  })

  it('always or never agreeing is the limit', () => {
    const always = Array.from({ length: 70 }, () => true)
    expect(speculate(70, 6, agreeing(always)).rounds).toBe(10)
    expect(speculate(70, 6, () => 0).rounds).toBe(70)
    expect(speculate(70, 1000, agreeing(always)).rounds).toBe(1)
  })
})

describe('Monte Carlo of rounds', () => {
  it.each([0, 0.3, 0.8, 0.97, 1])('at alpha %d holds the closed form in its interval', (alpha) => {
    const gamma = 5
    const seconds = { round: 1.5, alone: 1 }
    const o = simulateRounds(200_000, fromAlpha(alpha, gamma), seeded(3), seconds)
    const closed = fromAlpha(alpha, gamma).tokens / 1.5
    const [low, high] = o.interval?.speedup ?? [Number.NaN, Number.NaN]
    expect(closed).toBeGreaterThanOrEqual(low - 1e-12)
    expect(closed).toBeLessThanOrEqual(high + 1e-12)
    expect(o.counts.tokens).toBe(o.counts.accepted + o.counts.rounds)
    expect(o.latency).toBeCloseTo(o.counts.rounds * 1.5, 9)
  })

  it('with nothing drafted is plain decoding exactly', () => {
    const o = simulateRounds(1000, fromAlpha(0.8, 0), seeded(1), { round: 1, alone: 1 })
    expect(o).toMatchObject({ speedup: 1, latency: 1000, counts: { tokens: 1000, rounds: 1000, drafted: 0 } })
  })

  it('of no texts is refused', () => {
    expect(() => simulateTexts(() => undefined, 3, { round: 1, alone: 1 })).toThrow('at least one, got none')
  })
})

describe('recorded rounds', () => {
  it('are told from tokens and read', () => {
    const lines = parseLines('{"drafted": 5, "accepted": 3}\n{"drafted": 4, "accepted": 0}\n')
    expect(areRounds(lines)).toBe(true)
    expect(areRounds(parseLines('{"confidence": 1}'))).toBe(false)
    expect(roundsOf(lines)).toEqual([
      { drafted: 5, accepted: 3 },
      { drafted: 4, accepted: 0 },
    ])
  })
  it.each([
    ['{"drafted": 5}', 'line 1: expected accepted, got none'],
    ['{"drafted": 5, "accepted": 3}\n{"drafted": 2, "accepted": 3}', 'line 2: accepted: expected at most the 2'],
    ['{"drafted": 20000, "accepted": 3}', 'line 1: drafted: expected at most 10000'],
    ['{"drafted": 1.5, "accepted": 1}', 'line 1: drafted: expected a whole number'],
    ['', 'expected a line of JSON for each round'],
  ])('%j are refused', (content, message) => expect(() => roundsOf(parseLines(content))).toThrow(message))
})

describe('steps of two models', async () => {
  const t4 = await loadMachine('t4')
  const query = async (small: string, large: string, more: Partial<StepQuery>): Promise<StepQuery> => ({
    small: await loadModel(small),
    large: await loadModel(large),
    machine: t4,
    mode: 'bound',
    context: 15,
    source: 40,
    ...more,
  })

  it('eager repeats the steps that its overheads were measured on', async () => {
    const mt5 = modelSteps(await query('mt5-small', 'mt5-large', { mode: 'eager' }))
    expect(mt5.small).toBeCloseTo(0.01658, 5)
    expect(mt5.large(1)).toBeCloseTo(0.04586, 5)
    const t5 = modelSteps(await query('t5-small', 't5-large', { mode: 'eager' }))
    expect(t5.large(1)).toBeCloseTo(0.03987, 5)
    expect(t5.warnings).toEqual([])
  })

  it('bound is the roofline: T5-large at some 5 ms, and longer with more tokens at once', async () => {
    const steps = modelSteps(await query('t5-small', 't5-large', {}))
    expect(steps.large(1)).toBeGreaterThan(0.004)
    expect(steps.large(1)).toBeLessThan(0.007)
    expect(steps.large(11)).toBeGreaterThanOrEqual(steps.large(1))
    expect(steps.operations).toBeGreaterThan(0)
    expect(steps.operations).toBeLessThan(0.2)
  })

  it('eager is never faster than what the device needs', async () => {
    const launch = { pass: 1e-6, layer: 1e-6 }
    const slow = modelSteps(await query('t5-small', 't5-large', { mode: 'eager', launch }))
    const bound = modelSteps(await query('t5-small', 't5-large', {}))
    expect(slow.large(1)).toBeGreaterThanOrEqual(bound.large(1))
  })

  it('warns where launches of other models are taken', async () => {
    const steps = modelSteps(await query('gpt2-small', 'gpt2-xl', { mode: 'eager' }))
    expect(steps.warnings.join()).toContain("launches were measured on T5's layers; gpt-2-small and gpt-2-xl")
  })
})

describe('intervals', () => {
  it('of a mean and of a ratio, by hand', () => {
    const pairs = new Pairs()
    for (const [x, y] of [
      [1, 2],
      [2, 3],
      [6, 4],
    ] as const) {
      pairs.add(x, y)
    }
    expect(pairs.ratio).toBe(1)
    // y is 2, 3, 4: variance 1, t of two degrees 4.3027.
    const half = 4.3027 / Math.sqrt(3)
    expect(pairs.secondInterval?.[0]).toBeCloseTo(3 - half, 6)
    // x - y is -1, -1, 2: variance 3, over mean y 3.
    expect(pairs.ratioInterval?.[1]).toBeCloseTo(1 + (4.3027 * Math.sqrt(3 / 3)) / 3, 6)
  })
  it('need two', () => {
    const pairs = new Pairs()
    pairs.add(1, 1)
    expect(pairs.ratioInterval).toBeUndefined()
  })
  it("use Student's quantiles", () => {
    for (const [freedom, t] of [
      [1, 12.706],
      [5, 2.571],
      [6, 2.447],
      [10, 2.228],
      [30, 2.042],
      [1e6, 1.96],
    ] as const) {
      expect(studentQuantile(freedom)).toBeCloseTo(t, 2)
    }
  })
})
