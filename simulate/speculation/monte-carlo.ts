// Speculative decoding of many tokens: counts, seconds, and how sure the averages are.
import { type Interval, Pairs } from '../confidence.ts'
import type { Acceptance } from './acceptance.ts'
import { type Accepted, type SpeculationCounts, speculate } from './replay.ts'

/** Seconds of a round of `gamma` drafted tokens, and of a step without a draft. */
export interface RoundSeconds {
  readonly round: number
  readonly alone: number
}

export interface SpeculationOutcome {
  readonly texts: number
  readonly counts: SpeculationCounts
  /** Mean seconds of a text. */
  readonly latency: number
  readonly speedup: number
  /** 95 % confidence; undefined where one text or round tells no spread. */
  readonly interval: { readonly latency: Interval; readonly speedup: Interval } | undefined
}

/** Texts whose tokens agree or do not, each generated on its own. */
export function simulateTexts(
  next: () => { readonly tokens: number; readonly accepted: Accepted } | undefined,
  gamma: number,
  seconds: RoundSeconds,
): SpeculationOutcome {
  const total = { tokens: 0, rounds: 0, drafted: 0, accepted: 0 }
  const pairs = new Pairs()
  for (let text = next(); text !== undefined; text = next()) {
    const counts = speculate(text.tokens, gamma, text.accepted)
    for (const name of Object.keys(total) as (keyof typeof total)[]) total[name] += counts[name]
    pairs.add(counts.tokens * seconds.alone, counts.rounds * seconds.round)
  }
  if (pairs.count === 0) throw new RangeError('texts: expected at least one, got none')
  const [latency, speedup] = [pairs.secondInterval, pairs.ratioInterval]
  const interval = latency === undefined || speedup === undefined ? undefined : { latency, speedup }
  return { texts: pairs.count, counts: total, latency: pairs.meanY, speedup: pairs.ratio, interval }
}

/** One text of about `tokens` tokens, of rounds that are drawn. */
export function simulateRounds(
  tokens: number,
  acceptance: Acceptance,
  random: () => number,
  seconds: RoundSeconds,
): SpeculationOutcome {
  const pairs = new Pairs()
  const counts = { tokens: 0, rounds: 0, drafted: 0, accepted: 0 }
  while (counts.tokens < tokens) {
    const yielded = acceptance.sample(random)
    counts.tokens += yielded
    counts.accepted += yielded - 1
    counts.drafted += acceptance.gamma
    counts.rounds++
    pairs.add(yielded * seconds.alone, seconds.round)
  }
  const latency = counts.rounds * seconds.round
  const speedup = pairs.ratioInterval
  if (speedup === undefined) return { texts: 1, counts, latency, speedup: pairs.ratio, interval: undefined }
  const alone = counts.tokens * seconds.alone
  const interval = { speedup, latency: [alone / speedup[1], alone / speedup[0]] as const }
  return { texts: 1, counts, latency, speedup: pairs.ratio, interval }
}
