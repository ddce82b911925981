// Many texts generated one after the other, and what they took: counts, seconds, and how sure the averages are.
import { type Interval, Pairs } from '../confidence.ts'
import { type Counts, type Event, generate, type Text, type Thresholds } from './algorithm.ts'
import type { BildShares, StepSeconds } from './renewal.ts'
import { largeSeconds } from './renewal.ts'

export interface Outcome {
  readonly texts: number
  readonly counts: Counts
  /** Fallbacks and rollbacks over iterations. */
  readonly shares: BildShares
  /** Mean seconds of a text. */
  readonly latency: number
  /** Over the large model alone, of all texts. */
  readonly speedup: number
  /** 95 % confidence; undefined of a single text. */
  readonly interval: { readonly latency: Interval; readonly speedup: Interval } | undefined
}

const names = [
  'tokens',
  'smallSteps',
  'largeSteps',
  'fallbacks',
  'rollbacks',
  'capped',
  'deleted',
  'iterations',
] as const satisfies (keyof Counts)[]

/** Generates texts until `next` has none. Throws RangeError for thresholds that cannot be. */
export function simulateBild(
  next: () => Text | undefined,
  thresholds: Thresholds,
  seconds: StepSeconds,
  log?: (event: Event, text: number) => void,
): Outcome {
  const total = Object.fromEntries(names.map((name) => [name, 0])) as Record<keyof Counts, number>
  const pairs = new Pairs()
  const alone = largeSeconds(seconds, 1)
  for (let text = next(); text !== undefined; text = next()) {
    const index = pairs.count
    const { counts, checked } = generate(text, thresholds, log && ((event) => log(event, index)))
    for (const name of names) total[name] += counts[name]
    const large = checked.reduce((sum, n, k) => sum + (n === 0 ? 0 : n * largeSeconds(seconds, k + 1)), 0)
    pairs.add(counts.tokens * alone, counts.smallSteps * seconds.small + large)
  }
  if (pairs.count === 0) throw new RangeError('texts: expected at least one, got none')
  return outcome(total, pairs)
}

function outcome(counts: Counts, pairs: Pairs): Outcome {
  const { fallbacks, rollbacks } = counts
  // A text of one token has no iteration.
  const iterations = Math.max(1, counts.iterations)
  const [latency, speedup] = [pairs.secondInterval, pairs.ratioInterval]
  return {
    texts: pairs.count,
    counts,
    shares: { fallback: fallbacks / iterations, rollback: rollbacks / iterations },
    latency: pairs.meanY,
    speedup: pairs.ratio,
    interval: latency === undefined || speedup === undefined ? undefined : { latency, speedup },
  }
}

/** Texts from a source until they hold `tokens`. */
export function upTo(tokens: number, source: () => Text): () => Text | undefined {
  let given = 0
  return () => {
    if (given >= tokens) return undefined
    const text = source()
    given += text.tokens
    return text
  }
}

/** The given texts, once. */
export function each(texts: readonly Text[]): () => Text | undefined {
  let i = 0
  return () => texts[i++]
}
