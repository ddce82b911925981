// What speculation gains, in closed form (Leviathan et al. 2023, theorems 3.8 and 3.11), and the gamma that gains most.
// `cost` is a draft step's time over a target step's, `operations` the same of their arithmetic. Verifying gamma + 1
// tokens is taken to cost what a step costs, which holds while the weights' bytes are what limits it.
import { checkGamma, tokensPerRound } from './acceptance.ts'

/** Throws a RangeError unless `value` is a ratio of costs. */
function checkRatio(name: string, value: number): void {
  if (value >= 0 && Number.isFinite(value)) return
  throw new RangeError(`${name}: expected a ratio of draft over target from 0, got ${value}`)
}

/** Theorem 3.8: how many times faster than plain decoding, (1 - a^(g+1)) / ((1 - a)(g c + 1)). */
export function speedup(alpha: number, gamma: number, cost: number): number {
  checkRatio('cost', cost)
  return tokensPerRound(alpha, gamma) / (gamma * cost + 1)
}

/** Theorem 3.11: how many times more arithmetic than plain decoding, (1 - a)(g ĉ + g + 1) / (1 - a^(g+1)). */
export function operationsFactor(alpha: number, gamma: number, operations: number): number {
  checkRatio('operations', operations)
  return (gamma * operations + gamma + 1) / tokensPerRound(alpha, gamma)
}

/** Where alpha exceeds the cost, the best gamma gains at least (1 + alpha) / (1 + cost), which gamma 1 does. */
export function leastSpeedup(alpha: number, cost: number): number {
  return speedup(alpha, 1, cost)
}

/** Gammas that are tried where none is given. */
export const mostTried = 64

export interface Best {
  readonly gamma: number
  /** Seconds per token at `gamma`. */
  readonly seconds: number
  /** The largest gamma that was tried won: a larger one may be better. */
  readonly capped: boolean
}

/** A round of `gamma` drafted tokens: expected tokens and seconds. */
export type RoundOf = (gamma: number) => { readonly tokens: number; readonly seconds: number }

/** The gamma from 0 to `most` with the fewest seconds per token; of equals the smallest. Rounds may be any function. */
export function bestGamma(round: RoundOf, most = mostTried): Best {
  checkGamma(most)
  const perToken = (gamma: number) => {
    const { tokens, seconds } = round(gamma)
    return seconds / tokens
  }
  let best = { gamma: 0, seconds: perToken(0) }
  for (let gamma = 1; gamma <= most; gamma++) {
    const seconds = perToken(gamma)
    if (seconds < best.seconds) best = { gamma, seconds }
  }
  return { ...best, capped: most > 0 && best.gamma === most }
}

/** The best gamma of theorem 3.8, in seconds of target steps. */
export function bestGammaOf(alpha: number, cost: number, most = mostTried): Best {
  checkRatio('cost', cost)
  return bestGamma((gamma) => ({ tokens: tokensPerRound(alpha, gamma), seconds: gamma * cost + 1 }), most)
}
