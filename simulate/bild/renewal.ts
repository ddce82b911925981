// BiLD (Big Little Decoder, Kim et al. 2023, arXiv 2302.07863) in closed form, as a renewal process. A round begins with
// the small model, which emits k tokens until it is unsure or its window is full; the large model then takes over for one
// token and checks the k. Every small step is unsure with one probability and every emitted token rejected with another,
// each independently of the others; nothing is known of a text's beginning and end.
import { checkProbability } from '../speculation/acceptance.ts'

export interface BildRates {
  /** Probability that a small step's confidence is below the fallback threshold. */
  readonly unsure: number
  /** Probability that a token emitted by the small model makes the large one roll back. */
  readonly rejected: number
  /** Most tokens that the small model emits in a row. */
  readonly window: number
}

/** Expectations per round. */
export interface BildRound {
  /** Tokens that stay. */
  readonly tokens: number
  /** Small steps, the unsure ones that emit nothing among them. */
  readonly smallSteps: number
  /** Large steps: one that checks, and one more after a rollback. */
  readonly largeSteps: number
  readonly fallbacks: number
  readonly rollbacks: number
  readonly capped: number
  /** Tokens of the small model that rollbacks delete. */
  readonly deleted: number
  /** Steps whose token was appended and not taken back at once: what measured rates are shares of. */
  readonly iterations: number
  /** Probability that the large model checks k tokens, k = 0 … window: it then computes k + 1 at once. */
  readonly checked: readonly number[]
}

export const largestWindow = 10_000

/** Throws a RangeError unless `window` is a whole number of tokens. */
export function checkWindow(window: number): void {
  if (Number.isInteger(window) && window >= 1 && window <= largestWindow) return
  throw new RangeError(`window: expected a whole number of tokens from 1 to ${largestWindow}, got ${window}`)
}

/** The expectations of a round. Throws RangeError. */
export function bildRound({ unsure, rejected, window }: BildRates): BildRound {
  checkProbability('unsure', unsure)
  checkProbability('rejected', rejected)
  checkWindow(window)
  const sum = { tokens: 0, smallSteps: 0, fallbacks: 0, rollbacks: 0, deleted: 0, iterations: 0 }
  const checked: number[] = []
  // Of k tokens: the chance that all are kept, and the expected number of those before the first rejected one.
  let [kept, before] = [1, 0]
  for (let k = 0, emitted = 1; k <= window; k++) {
    const full = k === window
    const p = full ? emitted : unsure * emitted
    const deleted = k - before
    checked.push(p)
    sum.tokens += p * (k + 1 + (1 - kept) - deleted)
    sum.smallSteps += p * (full ? k : k + 1)
    sum.fallbacks += full ? 0 : p
    sum.rollbacks += p * (1 - kept)
    sum.deleted += p * deleted
    sum.iterations += p * (k + 1)
    emitted *= 1 - unsure
    kept *= 1 - rejected
    before += kept
  }
  const capped = checked[window] as number
  return { ...sum, largeSteps: 1 + sum.rollbacks, capped, checked }
}

/** Seconds of one step of each model; a large step computes `queries` tokens at once. */
export interface StepSeconds {
  readonly small: number
  readonly large: number | ((queries: number) => number)
}

/** Seconds of a large step of so many tokens. */
export function largeSeconds({ large }: StepSeconds, queries: number): number {
  return typeof large === 'number' ? large : large(queries)
}

/** Seconds of a round. */
export function roundSeconds({ smallSteps, rollbacks, checked }: BildRound, seconds: StepSeconds): number {
  const checks = checked.reduce((sum, p, k) => sum + p * largeSeconds(seconds, k + 1), 0)
  return smallSteps * seconds.small + checks + rollbacks * largeSeconds(seconds, 1)
}

/** How many times faster than the large model alone, from the cost of a small step over a large one's. */
export function bildSpeedup(rates: BildRates, cost: number): number {
  if (!(cost >= 0 && Number.isFinite(cost))) {
    throw new RangeError(`cost: expected a ratio of small over large from 0, got ${cost}`)
  }
  const round = bildRound(rates)
  return round.tokens / (cost * round.smallSteps + round.largeSteps)
}

/** Seconds of a text of `tokens`: the first step is the large model's, half of which the round's average counts. */
export function bildSeconds(rates: BildRates, tokens: number, seconds: StepSeconds, fixed = 0): number {
  const round = bildRound(rates)
  return fixed + (tokens / round.tokens) * roundSeconds(round, seconds) + 0.5 * largeSeconds(seconds, 1)
}

/** What runs report: fallbacks and rollbacks over iterations. */
export interface BildShares {
  readonly fallback: number
  readonly rollback: number
}

/** The shares that these rates make. */
export function bildShares(rates: BildRates): BildShares {
  const { fallbacks, rollbacks, iterations } = bildRound(rates)
  return { fallback: fallbacks / iterations, rollback: rollbacks / iterations }
}

/** The rates behind measured shares. Throws a RangeError where no rates make them. */
export function ratesOf({ fallback, rollback }: BildShares, window: number): BildRates {
  checkProbability('fallback share', fallback)
  checkProbability('rollback share', rollback)
  checkWindow(window)
  const unsure = solve((q) => bildShares({ unsure: q, rejected: 0, window }).fallback, fallback)
  const most = bildShares({ unsure, rejected: 1, window }).rollback
  if (rollback > most) {
    throw new RangeError(
      `rollback share: expected at most ${most.toPrecision(3)} beside a fallback share of ${fallback}, got ${rollback}`,
    )
  }
  const rejected = solve((rho) => bildShares({ unsure, rejected: rho, window }).rollback, rollback)
  return { unsure, rejected, window }
}

/** Where a rising function of a probability reaches `value`. */
function solve(rising: (p: number) => number, value: number): number {
  if (value <= rising(0)) return 0
  if (value >= rising(1)) return 1
  let [low, high] = [0, 1]
  for (;;) {
    const middle = (low + high) / 2
    if (middle <= low || middle >= high) return middle
    if (rising(middle) < value) low = middle
    else high = middle
  }
}

/** Tokens of one round, drawn: the small model's run, then the large model's verdict on it. */
export function sampleBildRound({ unsure, rejected, window }: BildRates, random: () => number): number {
  const run = runLength(unsure, window, random())
  const kept = runLength(rejected, run, random())
  return kept === run ? run + 1 : kept + 2
}

/** Trials before the first that ends the run, at most `most`, from a uniform draw. */
function runLength(ends: number, most: number, draw: number): number {
  if (ends === 0) return most
  return Math.min(most, Math.floor(Math.log1p(-draw) / Math.log1p(-ends)))
}
