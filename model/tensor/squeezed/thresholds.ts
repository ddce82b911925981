// The thresholds of Squeezed Attention: one for all layers and heads, so that heads with spread attention keep more keys
// than others. They are quantiles of the keys' importance to queries that are known beforehand.
import { type Quantiles, quantiles } from './quantile.ts'

/** Queries at the end of the context that thresholds are set by. */
export const calibrationQueries = 100
/** Share of the keys that the coarse level drops. */
export const coarseSparsity = 0.5

/** What thresholds are quantiles of. */
export interface Pools {
  /** Importance of keys by their cluster. */
  readonly clusters: Quantiles
  readonly hierarchy?: {
    /** The same with only the keys that the coarse level keeps in the denominators. */
    readonly fine: Quantiles
    /** The coarse level's threshold. */
    readonly above: number
  }
}

/** The importance above which a cluster is read: a share `sparsity` of the keys is not above it. At 0 all are. */
export function threshold(pool: Quantiles, sparsity: number): number {
  checkSparsity(sparsity)
  // The least score is not above itself: as a quantile, 0 would drop a cluster.
  return sparsity === 0 ? Number.NEGATIVE_INFINITY : pool.at(sparsity)
}

/** The coarse level drops nothing where nothing shall be dropped. */
export function coarseThreshold(above: number, sparsity: number): number {
  return sparsity === 0 ? Number.NEGATIVE_INFINITY : above
}

/** Throws RangeError where it is not a share from 0 to below 1. */
export function checkSparsity(sparsity: number): void {
  if (sparsity >= 0 && sparsity < 1) return
  const hint = sparsity === 1 ? ' (nothing but the window would be kept)' : ''
  throw new RangeError(`sparsity: expected a share from 0 to below 1, got ${sparsity}${hint}`)
}

/** Importance of each cluster and the keys it stands for, of all heads. */
export class ScorePool {
  readonly #scores: Float64Array[] = []
  readonly #counts: Int32Array[] = []

  add(scores: Float64Array, counts: Int32Array): void {
    this.#scores.push(scores)
    this.#counts.push(counts)
  }

  quantiles(): Quantiles {
    return quantiles(joined(this.#scores, Float64Array), joined(this.#counts, Int32Array))
  }
}

function joined<T extends Float64Array | Int32Array>(parts: readonly T[], Kind: new (length: number) => T): T {
  const whole = new Kind(parts.reduce((sum, part) => sum + part.length, 0))
  let at = 0
  for (const part of parts) {
    whole.set(part, at)
    at += part.length
  }
  return whole
}
