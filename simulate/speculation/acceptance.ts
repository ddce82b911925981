// How many tokens a round of speculative decoding yields: gamma drafted tokens, verified at once, of which a prefix is
// accepted, and one token of the target's own (Leviathan et al. 2023, arXiv 2211.17192; Chen et al. 2023, 2302.01318).
//
// Two rates are in use, and they differ: `alpha` is the probability that a drafted token is accepted where all before it
// were; `accepted` is accepted over drafted tokens, which counts those behind the first rejection as lost. At gamma 6
// 0.9 of the one is 5.2 tokens a round, of the other 6.4.

/** What a rate of acceptance means for rounds of `gamma` drafted tokens. */
export interface Acceptance {
  readonly gamma: number
  /** Per-token probability; absent where nothing is drafted. Of a measured trace, that of the same expected tokens. */
  readonly alpha: number | undefined
  /** Accepted over drafted tokens; absent where nothing is drafted. */
  readonly accepted: number | undefined
  /** Expected tokens of a round, 1 to gamma + 1. */
  readonly tokens: number
  /** Tokens of one round, 1 to gamma + 1; draws once from `random`. */
  sample(random: () => number): number
}

export const largestGamma = 10_000

/** Throws a RangeError unless `gamma` is a whole number of drafted tokens. */
export function checkGamma(gamma: number): void {
  if (Number.isInteger(gamma) && gamma >= 0 && gamma <= largestGamma) return
  throw new RangeError(`gamma: expected a whole number of drafted tokens from 0 to ${largestGamma}, got ${gamma}`)
}

/** Throws a RangeError unless `value` is a probability. */
export function checkProbability(name: string, value: number): void {
  if (value >= 0 && value <= 1) return
  throw new RangeError(`${name}: expected a probability from 0 to 1, got ${value}`)
}

/** Expected tokens of a round, (1 - alpha^(gamma+1)) / (1 - alpha); exact at alpha 0 and 1 and at gamma 0. */
export function tokensPerRound(alpha: number, gamma: number): number {
  checkProbability('alpha', alpha)
  checkGamma(gamma)
  // The sum of the powers, by Horner: nothing cancels near alpha 1.
  let tokens = 1
  for (let i = 0; i < gamma; i++) tokens = 1 + alpha * tokens
  return tokens
}

/** The acceptance of tokens that are accepted independently with probability `alpha`. Throws RangeError. */
export function fromAlpha(alpha: number, gamma: number): Acceptance {
  const tokens = tokensPerRound(alpha, gamma)
  const drafts = gamma > 0
  return {
    gamma,
    alpha: drafts ? alpha : undefined,
    accepted: drafts ? (tokens - 1) / gamma : undefined,
    tokens,
    sample: (random) => 1 + acceptedRun(alpha, gamma, random()),
  }
}

/** The acceptance of which `accepted` of the drafted tokens are kept: 1 + gamma × accepted tokens. Throws RangeError. */
export function fromAccepted(accepted: number, gamma: number): Acceptance {
  checkProbability('accepted', accepted)
  checkGamma(gamma)
  if (gamma === 0) return fromAlpha(0, 0)
  const tokens = 1 + gamma * accepted
  const alpha = alphaOf(tokens, gamma)
  return { gamma, alpha, accepted, tokens, sample: (random) => 1 + acceptedRun(alpha, gamma, random()) }
}

/** Length of the accepted prefix, from a uniform draw: at least k with probability alpha^k. */
function acceptedRun(alpha: number, gamma: number, draw: number): number {
  if (alpha === 1) return gamma
  return Math.min(gamma, Math.floor(Math.log1p(-draw) / Math.log(alpha)))
}

/** The per-token probability at which a round of `gamma` drafted tokens yields `tokens`. Throws RangeError. */
export function alphaOf(tokens: number, gamma: number): number {
  checkGamma(gamma)
  if (gamma === 0) throw new RangeError('gamma: expected at least one drafted token, of none no rate can be told')
  if (!(tokens >= 1 && tokens <= gamma + 1)) {
    throw new RangeError(`tokens per round: expected 1 to ${gamma + 1} for gamma ${gamma}, got ${tokens}`)
  }
  if (tokens === 1) return 0
  if (tokens === gamma + 1) return 1
  let [low, high] = [0, 1]
  // Bisection to the last bit: the tokens rise with alpha.
  for (;;) {
    const middle = (low + high) / 2
    if (middle <= low || middle >= high) return middle
    if (tokensPerRound(middle, gamma) < tokens) low = middle
    else high = middle
  }
}
