// Fits the constants of the matrix-product model to measured rows: damped least squares on log ratios, reweighted
// towards absolute errors so that a few odd kernels do not bend the rest, in log space and within physical bounds.
// Deterministic. Knows no files: the caller brings the rows.
import {
  type GemmConstants,
  type GemmFacts,
  type GemmModel,
  gemmBounds,
  gemmModel,
  gemmTime,
  noGemmTime,
} from '../gemm-time.ts'

export interface GemmRow {
  /** Whose measurement; rows of one machine share their facts. */
  readonly machine: string
  readonly facts: GemmFacts
  readonly m: number
  readonly n: number
  readonly k: number
  readonly matrices: number
  /** Bytes of all weights, and of one activation element. */
  readonly weights: number
  readonly activation: number
  /** Seconds. */
  readonly measured: number
}

type Name = keyof GemmConstants
export const gemmNames = Object.keys(gemmBounds) as Name[]

/** Where every fit starts, from architecture alone: nothing is known yet of any machine. */
export const gemmStart: GemmConstants = {
  launch: 4000,
  feed: 16,
  fill: 2000,
  cache: 32,
  stream: 48,
  memory: 0.85,
  join: 4000,
  reduce: 2,
  tail: 0.5,
  write: 0.25,
  energy: 3e-13,
  heat: 5e-4,
  asynchronous: 0.5,
}

/** Prior of a constant, by the factor that one standard deviation is worth; a constant without one is free. */
export type Spread = Partial<Readonly<Record<Name, number>>>

export interface FitOptions {
  readonly start?: GemmConstants
  /** Names that move; all where absent. */
  readonly free?: readonly Name[]
  /** Holds constants near the start: for few rows. */
  readonly spread?: Spread
  /** Scale of one row's log ratio that no constant explains, which weighs rows against `spread`. */
  readonly noise?: number
  readonly iterations?: number
}

/** Expected over measured of each row. */
export function gemmRatios(rows: readonly GemmRow[], constants: GemmConstants): number[] {
  const ratios = new Float64Array(rows.length)
  logRatios(rows, constants, ratios)
  return Array.from(ratios, Math.exp)
}

function logRatios(rows: readonly GemmRow[], constants: GemmConstants, out: Float64Array): void {
  const models = new Map<GemmFacts, GemmModel>()
  const time = noGemmTime()
  for (let i = 0; i < rows.length; i++) {
    const r = rows[i] as GemmRow
    let model = models.get(r.facts)
    if (model === undefined) {
      model = gemmModel(r.facts, constants)
      models.set(r.facts, model)
    }
    const { m, n, k, matrices, weights, activation } = r
    const bytes = weights + matrices * m * (activation * k + 2 * n)
    out[i] = Math.log(gemmTime(model, m, n, k, matrices, weights, activation, bytes, time) / r.measured)
  }
}

/** Ratios beyond this count no more than it: a mistaken row. */
const cap = 0.6
/** Ratios within this are fitted by squares, beyond it by size. */
const knee = 0.03
const step = 0.02

export function fitGemm(rows: readonly GemmRow[], options: FitOptions = {}): GemmConstants {
  const { start = gemmStart, free = gemmNames, spread = {}, noise = 0.05, iterations = 25 } = options
  const center = free.map((name) => Math.log(start[name]))
  // Laplace errors of scale `noise` against normal constants: both in units of |log ratio|.
  const pull = free.map((name) => (spread[name] === undefined ? 0 : noise / Math.log(spread[name]) ** 2))
  const at = (x: readonly number[]): GemmConstants => ({
    ...start,
    ...Object.fromEntries(free.map((name, i) => [name, Math.exp(x[i] as number)])),
  })
  const loss = (ratios: Float64Array, x: readonly number[]) =>
    ratios.reduce((sum, r) => sum + rowLoss(r), 0) +
    x.reduce((sum, v, i) => sum + ((pull[i] as number) * (v - (center[i] as number)) ** 2) / 2, 0)

  let x = center
  let ratios = new Float64Array(rows.length)
  logRatios(rows, at(x), ratios)
  let current = loss(ratios, x)
  let damping = 0.01
  for (let i = 0; i < iterations; i++) {
    const slopes = x.map((_, j) => slope(rows, at, x, j))
    const [normal, gradient] = normalEquations(ratios, slopes)
    x.forEach((v, j) => {
      const weight = pull[j] as number
      ;(normal[j] as Float64Array)[j] = ((normal[j] as Float64Array)[j] as number) + weight
      gradient[j] = (gradient[j] as number) - weight * (v - (center[j] as number))
    })
    let gain = 0
    for (let tries = 0; tries < 6 && gain === 0; tries++) {
      const next = bounded(x, solve(normal, gradient, damping, rows.length), free)
      const candidate = new Float64Array(rows.length)
      logRatios(rows, at(next), candidate)
      const value = loss(candidate, next)
      if (value < current) {
        gain = (current - value) / current
        x = next
        ratios = candidate
        current = value
        damping = Math.max(1e-5, damping / 4)
      } else damping *= 5
    }
    if (gain < 1e-5) break
  }
  return at(x)
}

function rowLoss(ratio: number): number {
  const size = Math.min(Math.abs(ratio), cap)
  return size < knee ? (size * size) / (2 * knee) : size - knee / 2
}

function slope(
  rows: readonly GemmRow[],
  at: (x: readonly number[]) => GemmConstants,
  x: readonly number[],
  j: number,
): Float64Array {
  const up = new Float64Array(rows.length)
  const down = new Float64Array(rows.length)
  logRatios(rows, at(x.with(j, (x[j] as number) + step)), up)
  logRatios(rows, at(x.with(j, (x[j] as number) - step)), down)
  return up.map((u, i) => (u - (down[i] as number)) / (2 * step))
}

function normalEquations(
  ratios: Float64Array,
  slopes: readonly Float64Array[],
): [normal: Float64Array[], gradient: Float64Array] {
  const size = slopes.length
  const normal = slopes.map(() => new Float64Array(size))
  const gradient = new Float64Array(size)
  ratios.forEach((ratio, i) => {
    if (Math.abs(ratio) > cap) return
    const weight = 1 / Math.max(Math.abs(ratio), knee)
    for (let a = 0; a < size; a++) {
      const slopeA = weight * ((slopes[a] as Float64Array)[i] as number)
      const row = normal[a] as Float64Array
      gradient[a] = (gradient[a] as number) - slopeA * ratio
      for (let b = 0; b < size; b++) row[b] = (row[b] as number) + slopeA * ((slopes[b] as Float64Array)[i] as number)
    }
  })
  return [normal, gradient]
}

/** The damped step, by elimination with pivots. */
function solve(normal: readonly Float64Array[], gradient: Float64Array, damping: number, rows: number): number[] {
  const size = gradient.length
  const system = normal.map((row, a) => {
    const line = [...row, gradient[a] as number]
    line[a] = (row[a] as number) * (1 + damping) + damping * 1e-6 * rows + 1e-12
    return line
  })
  for (let c = 0; c < size; c++) {
    const rest = system.slice(c)
    const pivot =
      c + rest.reduce((at, row, i) => (Math.abs(row[c] as number) > Math.abs(rest[at]?.[c] ?? 0) ? i : at), 0)
    const line = system[pivot] as number[]
    system[pivot] = system[c] as number[]
    system[c] = line
    for (let r = 0; r < size; r++) {
      const row = system[r] as number[]
      if (r === c) continue
      const factor = (row[c] as number) / (line[c] as number)
      for (let j = c; j <= size; j++) row[j] = (row[j] as number) - factor * (line[j] as number)
    }
  }
  return system.map((row, i) => (row[size] as number) / (row[i] as number))
}

/** A step no longer than a factor of two in any constant, within the bounds. */
function bounded(x: readonly number[], by: readonly number[], free: readonly Name[]): number[] {
  return x.map((v, j) => {
    const [low, high] = gemmBounds[free[j] as Name]
    const moved = v + Math.max(-0.7, Math.min(0.7, by[j] as number))
    return Math.max(Math.log(low), Math.min(Math.log(high), moved))
  })
}
