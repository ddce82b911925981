// The three constants behind measured runs of BiLD: seconds of a small and of a large step, and what a text costs besides
// (encoders, start-up). The large model alone was measured too; the constants must give its time exactly, which tells
// the fixed part from the steps.
import { type BildShares, bildRound, bildSeconds, ratesOf } from './renewal.ts'

export interface MeasuredRun {
  /** Mean tokens and seconds of a text. */
  readonly tokens: number
  readonly seconds: number
  readonly shares: BildShares
  readonly window: number
}

export interface RunConstants {
  readonly fixed: number
  readonly small: number
  readonly large: number
}

/** Seconds of a text by the renewal form. */
export function runSeconds({ fixed, small, large }: RunConstants, run: Omit<MeasuredRun, 'seconds'>): number {
  return bildSeconds(ratesOf(run.shares, run.window), run.tokens, { small, large }, fixed)
}

/** Least squares of the relative errors. `alone`: tokens and seconds of the large model without BiLD. */
export function fitRuns(runs: readonly MeasuredRun[], alone: { tokens: number; seconds: number }): RunConstants {
  if (runs.length < 2) throw new RangeError(`runs: expected at least two to fit two constants, got ${runs.length}`)
  // seconds - alone = small × a + large × b, with the fixed part written as alone - tokens × large.
  let [aa, ab, bb, ay, by] = [0, 0, 0, 0, 0]
  for (const run of runs) {
    const round = bildRound(ratesOf(run.shares, run.window))
    const texts = run.tokens / round.tokens
    const a = (texts * round.smallSteps) / run.seconds
    const b = (texts * round.largeSteps + 0.5 - alone.tokens) / run.seconds
    const y = (run.seconds - alone.seconds) / run.seconds
    aa += a * a
    ab += a * b
    bb += b * b
    ay += a * y
    by += b * y
  }
  const determinant = aa * bb - ab * ab
  const small = (ay * bb - by * ab) / determinant
  const large = (aa * by - ab * ay) / determinant
  return { fixed: alone.seconds - alone.tokens * large, small, large }
}
