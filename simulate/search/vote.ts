// The answer of a search: each finished path votes with the last reward on it.

export interface Ballot {
  readonly answer: string
  readonly reward: number
}

/** The answer with the most weight; the first of equals. Undefined where no path ended with an answer. */
export function weightedMajority(ballots: Iterable<Ballot>): string | undefined {
  const weights = new Map<string, number>()
  for (const { answer, reward } of ballots) weights.set(answer, (weights.get(answer) ?? 0) + reward)
  let best: string | undefined
  let most = Number.NEGATIVE_INFINITY
  for (const [answer, weight] of weights) if (weight > most) [best, most] = [answer, weight]
  return best
}
