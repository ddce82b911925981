// Speculative decoding with greedy acceptance, round by round: the draft writes gamma tokens, the target keeps those that
// it would have chosen up to the first other one, and adds one of its own. Exact for a trace; where tokens are drawn,
// those behind a rejection are drawn anew.

export interface SpeculationCounts {
  readonly tokens: number
  readonly rounds: number
  readonly drafted: number
  /** Drafted tokens that were kept. */
  readonly accepted: number
}

/** A round of `gamma` drafted tokens at `position`: how many of at most `gamma` are kept. */
export type Accepted = (position: number, gamma: number) => number

/** Generates `tokens` tokens. A last round that yields more than are wanted is cut. */
export function speculate(tokens: number, gamma: number, accepted: Accepted): SpeculationCounts {
  const c = { tokens: 0, rounds: 0, drafted: 0, accepted: 0 }
  while (c.tokens < tokens) {
    const kept = Math.min(accepted(c.tokens, gamma), tokens - c.tokens)
    c.rounds++
    c.drafted += gamma
    c.accepted += kept
    c.tokens = Math.min(tokens, c.tokens + kept + 1)
  }
  return c
}

/** The rule of a trace: tokens are kept up to the first that the target would not choose, or the trace's end. */
export function agreeing(agrees: readonly boolean[]): Accepted {
  // How far agreement runs from each position.
  const runs = new Uint32Array(agrees.length + 1)
  for (let i = agrees.length - 1; i >= 0; i--) runs[i] = agrees[i] ? (runs[i + 1] as number) + 1 : 0
  return (position, gamma) => Math.min(gamma, runs[position] ?? 0)
}
