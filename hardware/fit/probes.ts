// Eight products measured on a machine adjust its few constants, held to the global set where they say little, so that
// odd probes cannot make the machine much worse than uncalibrated.
import type { GemmConstants } from '../gemm-time.ts'
import { fitGemm, type GemmRow, type Spread } from './gemm.ts'

/** Rows, outputs and contracted width of the products to measure, in 16 bits with cold weights: chosen from shapes only. */
export const probeShapes = [
  { m: 1, n: 4096, k: 8192 },
  { m: 16, n: 12288, k: 8192 },
  { m: 64, n: 4096, k: 12288 },
  { m: 128, n: 8192, k: 8192 },
  { m: 512, n: 6144, k: 6144 },
  { m: 2048, n: 4096, k: 4096 },
  { m: 4096, n: 8192, k: 8192 },
  { m: 16384, n: 12288, k: 12288 },
] as const

/** What eight probes can tell of one machine, and how far each may reasonably lie from the global set, as a factor. */
export const probeSpread = {
  launch: 1.3,
  memory: 1.1,
  feed: 1.5,
  fill: 1.5,
  cache: 1.3,
  energy: 1.5,
} as const satisfies Spread

/** One machine's constants from rows measured on it. */
export function fitProbes(probes: readonly GemmRow[], global: GemmConstants): GemmConstants {
  const free = Object.keys(probeSpread) as (keyof typeof probeSpread)[]
  return fitGemm(probes, { start: global, free, spread: probeSpread })
}

/** The measured rows nearest to the probes' shapes, each taken once. */
export function nearestProbes(rows: readonly GemmRow[]): GemmRow[] {
  const left = new Set(rows)
  return probeShapes.flatMap(({ m, n, k }) => {
    let best: GemmRow | undefined
    let least = Number.POSITIVE_INFINITY
    for (const row of left) {
      const distance = 2 * Math.abs(Math.log(row.m / m)) + Math.abs(Math.log(row.n / n)) + Math.abs(Math.log(row.k / k))
      if (distance >= least) continue
      least = distance
      best = row
    }
    if (best === undefined) return []
    left.delete(best)
    return [best]
  })
}
