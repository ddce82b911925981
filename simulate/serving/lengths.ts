// How many tokens a request brings, and asks for.
import { parseTokens } from '../../model/quantity.ts'
import type { Random } from '../../model/random.ts'
import { gamma, lognormal } from './arrivals.ts'
import { type Law, type Laws, parseLaw } from './law.ts'

const laws = {
  uniform: { low: { above: 0 }, high: { above: 0 } },
  geometric: { mean: { above: 0 } },
  lognormal: { mean: { above: 0 }, cv: { default: 1, above: 0 } },
  gamma: { mean: { above: 0 }, cv: { default: 1, above: 0 } },
} as const satisfies Laws

/** Whole numbers of tokens from 1. */
export interface Lengths {
  readonly label: string
  /** The law's; rounding and the least of 1 move what is drawn a little. */
  readonly mean: number
  draw(random: Random): () => number
}

export function always(tokens: number): Lengths {
  return { label: String(tokens), mean: tokens, draw: () => () => tokens }
}

/** `128`, `uniform:low=64,high=256`, `geometric:mean=100`, `lognormal:mean=300,cv=1`, `gamma:mean=300,cv=2`. */
export function parseLengths(text: string): Lengths {
  const fixed = parseTokens(text)
  if (Number.isInteger(fixed) && fixed >= 1) return always(fixed)
  if (/^[0-9.-]/.test(text)) throw new RangeError(`expected whole tokens from 1, got ${text}`)
  const law = parseLaw(text, laws)
  const { low = 1, high = low, mean = (low + high) / 2 } = law.values
  if (high < low) throw new RangeError(`expected low up to high, got ${text}`)
  return { label: text, mean, draw: (random) => whole(sampler(law, mean, random)) }
}

function whole(draw: Random): () => number {
  return () => Math.max(1, Math.round(draw()))
}

function sampler({ name, values }: Law, mean: number, random: Random): Random {
  const { low = 1, high = low, cv = 1 } = values
  if (name === 'uniform') return () => low + Math.floor(random() * (high - low + 1))
  if (name === 'lognormal') return lognormal(mean, cv, random)
  if (name === 'gamma') {
    const draw = gamma(1 / (cv * cv), random)
    return () => draw() * mean * cv * cv
  }
  // Tokens until a stop that comes with probability 1 / mean.
  const stay = Math.log(1 - 1 / Math.max(mean, 1 + 1e-9))
  return () => 1 + Math.floor(Math.log(1 - random()) / stay)
}
