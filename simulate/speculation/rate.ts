// How well a draft guesses, as a user knows it: one number, a table over contexts, or rounds that were measured.
import { parseTokens } from '../../model/quantity.ts'
import {
  type Acceptance,
  alphaOf,
  checkGamma,
  checkProbability,
  fromAccepted,
  fromAlpha,
  largestGamma,
} from './acceptance.ts'

/** `alpha` is per token, `accepted` is accepted over drafted tokens. */
export const rateKinds = ['alpha', 'accepted'] as const
export type RateKind = (typeof rateKinds)[number]

/** What to know where a gamma is chosen by one share of accepted tokens. */
export const sameAccepted =
  'accepted is a share at one gamma, and was taken to be the same at all that were tried; alpha falls off with gamma'

export interface Rate {
  /** How it was given, for answers to echo: `alpha 0.8`. */
  readonly label: string
  /** The acceptance of rounds of `gamma` drafted tokens behind `context` cached ones. Throws RangeError. */
  at(gamma: number, context: number): Acceptance
  /** Largest gamma that it tells of. */
  readonly most: number
  /** Whether a context lies outside what is known; the nearest known one stands for it. */
  outside(context: number): boolean
}

export interface Point {
  readonly context: number
  readonly value: number
}

function acceptance(kind: RateKind, value: number, gamma: number): Acceptance {
  return kind === 'alpha' ? fromAlpha(value, gamma) : fromAccepted(value, gamma)
}

/** One rate for every context. Throws RangeError outside [0, 1]. */
export function constantRate(kind: RateKind, value: number): Rate {
  checkProbability(kind, value)
  return {
    label: `${kind} ${value}`,
    at: (gamma) => acceptance(kind, value, gamma),
    most: largestGamma,
    outside: () => false,
  }
}

/** Rates at contexts, straight lines over the logarithm of the context between them. Throws RangeError. */
export function tableRate(kind: RateKind, given: readonly Point[]): Rate {
  if (given.length === 0) throw new RangeError(`${kind}: expected rates at contexts, got none`)
  const points = [...given].sort((a, b) => a.context - b.context)
  for (const [i, { context, value }] of points.entries()) {
    checkProbability(`${kind} at ${context} tokens`, value)
    if (!Number.isInteger(context) || context < 1) {
      throw new RangeError(`${kind}: expected contexts that are whole numbers from 1, got ${context}`)
    }
    if (context === points[i - 1]?.context) throw new RangeError(`${kind}: expected one rate at ${context}, got two`)
  }
  const [first, last] = [points[0] as Point, points[points.length - 1] as Point]
  return {
    label: `${kind} ${points.map((p) => `${p.context}:${p.value}`).join('/')}`,
    at: (gamma, context) => acceptance(kind, interpolated(points, context), gamma),
    most: largestGamma,
    outside: (context) => context < first.context || context > last.context,
  }
}

function interpolated(points: readonly Point[], context: number): number {
  const after = points.findIndex((p) => p.context >= context)
  if (after === -1) return (points[points.length - 1] as Point).value
  const next = points[after] as Point
  const before = points[after - 1]
  if (before === undefined || next.context === context) return next.value
  const share = Math.log(context / before.context) / Math.log(next.context / before.context)
  return before.value + share * (next.value - before.value)
}

/** `0.8`, or rates at contexts as `4k:0.84/32k:0.81`. Throws RangeError naming what was expected. */
export function parseRate(kind: RateKind, text: string): Rate {
  if (!text.includes(':')) return constantRate(kind, number(kind, text))
  return tableRate(
    kind,
    text.split('/').map((pair) => {
      const [context = '', value = ''] = pair.split(/:(.*)/s)
      return { context: parseTokens(context), value: number(kind, value) }
    }),
  )
}

function number(kind: RateKind, text: string): number {
  const trimmed = text.trim()
  const value = trimmed === '' ? Number.NaN : Number(trimmed)
  if (Number.isFinite(value)) return value
  throw new RangeError(`${kind}: expected a rate such as 0.8, or rates at contexts as 4k:0.84/32k:0.81, got ${text}`)
}

/** One measured round: so many tokens were drafted, the first `accepted` of them kept. */
export interface MeasuredRound {
  readonly drafted: number
  readonly accepted: number
}

/**
 * The rate of measured rounds. The k-th token's acceptance is counted over the rounds that drafted it and had kept all
 * before it (the product-limit estimate), so that rounds of different lengths may be mixed. `at` throws a RangeError for
 * a gamma beyond the longest round: what was not drafted was not measured.
 */
export function traceRate(rounds: readonly MeasuredRound[]): Rate {
  const survival = survivalOf(rounds)
  return {
    label: `trace of ${rounds.length} rounds`,
    at: (gamma) => fromSurvival(survival, gamma),
    most: survival.length,
    outside: () => false,
  }
}

/** Probability that at least k tokens are kept, k = 1, 2, … */
function survivalOf(rounds: readonly MeasuredRound[]): number[] {
  for (const { drafted, accepted } of rounds) {
    checkGamma(drafted)
    if (Number.isInteger(accepted) && accepted >= 0 && accepted <= drafted) continue
    throw new RangeError(`trace: expected 0 to drafted accepted tokens a round, got ${accepted} of ${drafted}`)
  }
  const longest = rounds.reduce((most, r) => Math.max(most, r.drafted), 0)
  if (longest === 0) throw new RangeError('trace: expected rounds with drafted tokens, got none')
  // Rounds that decided on their k-th token at all, and of these the ones that kept it.
  const [decided, kept] = [new Float64Array(longest + 1), new Float64Array(longest + 1)]
  for (const { drafted, accepted } of rounds) {
    for (let k = 1; k <= Math.min(drafted, accepted + 1); k++) decided[k] = (decided[k] as number) + 1
    for (let k = 1; k <= accepted; k++) kept[k] = (kept[k] as number) + 1
  }
  const survival: number[] = []
  for (let k = 1, alive = 1; k <= longest; k++) {
    alive *= decided[k] === 0 ? 0 : (kept[k] as number) / (decided[k] as number)
    survival.push(alive)
  }
  return survival
}

function fromSurvival(survival: readonly number[], gamma: number): Acceptance {
  checkGamma(gamma)
  if (gamma > survival.length) {
    throw new RangeError(
      `gamma: expected at most ${survival.length}, the tokens that the trace drafted a round, got ${gamma}`,
    )
  }
  const kept = survival.slice(0, gamma)
  const tokens = kept.reduce((sum, p) => sum + p, 1)
  return {
    gamma,
    alpha: gamma > 0 ? alphaOf(tokens, gamma) : undefined,
    accepted: gamma > 0 ? (tokens - 1) / gamma : undefined,
    tokens,
    sample: (random) => {
      const draw = random()
      const end = kept.findIndex((p) => draw >= p)
      return 1 + (end === -1 ? gamma : end)
    },
  }
}
