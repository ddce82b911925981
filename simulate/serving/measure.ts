// What a simulation keeps of each request and of time, and the figures that come of it.
import { type Interval, studentQuantile } from '../confidence.ts'

/** Numbers in the order they came. */
export class Column {
  private values = new Float64Array(1024)
  length = 0

  push(value: number): void {
    if (this.length === this.values.length) {
      const larger = new Float64Array(this.length * 2)
      larger.set(this.values)
      this.values = larger
    }
    this.values[this.length++] = value
  }

  get all(): Float64Array {
    return this.values.subarray(0, this.length)
  }
}

export interface Distribution {
  readonly mean: number
  readonly p50: number
  readonly p90: number
  readonly p99: number
  /** Of the mean, by batch means; null where there are too few values. */
  readonly ci95: Interval | null
}

const batches = 32
/** Values of a batch from which its mean tells something. */
const leastInBatch = 8

/** Mean, percentiles and the interval of the mean; null where there are no values. */
export function distribution(column: Column): Distribution | null {
  const { all } = column
  if (all.length === 0) return null
  const sorted = Float64Array.from(all).sort()
  return {
    mean: mean(all),
    p50: quantile(sorted, 0.5),
    p90: quantile(sorted, 0.9),
    p99: quantile(sorted, 0.99),
    ci95: batchMeans(all),
  }
}

export function mean(values: ArrayLike<number>): number {
  let sum = 0
  for (let i = 0; i < values.length; i++) sum += values[i] as number
  return sum / values.length
}

export interface Percentiles {
  readonly p50: number
  readonly p90: number
  readonly p99: number
}

/** Of stretches of a column one after the other, as long as each says; null of those without values. */
export function percentilesOf(column: Column, lengths: readonly number[]): (Percentiles | null)[] {
  let from = 0
  return lengths.map((length) => {
    const sorted = column.all.slice(from, from + length).sort()
    from += length
    if (sorted.length === 0) return null
    return { p50: quantile(sorted, 0.5), p90: quantile(sorted, 0.9), p99: quantile(sorted, 0.99) }
  })
}

/** Linear between the two nearest of sorted values. */
export function quantile(sorted: ArrayLike<number>, share: number): number {
  const at = share * (sorted.length - 1)
  const low = Math.floor(at)
  const a = sorted[low] as number
  const b = sorted[Math.min(low + 1, sorted.length - 1)] as number
  return a + (b - a) * (at - low)
}

/** Means of `count` stretches of equal length; what is left over at the end is in none. */
export function meansOf(values: ArrayLike<number>, count = batches): number[] {
  const size = Math.floor(values.length / count)
  return Array.from({ length: count }, (_, b) => {
    let sum = 0
    for (let i = b * size; i < (b + 1) * size; i++) sum += values[i] as number
    return sum / size
  })
}

/**
 * 95 % interval of the mean of values that depend on their neighbours: stretches long enough are nearly independent.
 * Null for fewer than 256 values.
 */
export function batchMeans(values: ArrayLike<number>): Interval | null {
  if (values.length < batches * leastInBatch) return null
  const means = meansOf(values)
  const middle = mean(means)
  const spread = means.reduce((sum, m) => sum + (m - middle) ** 2, 0) / (batches - 1)
  const half = studentQuantile(batches - 1) * Math.sqrt(spread / batches)
  const centre = mean(values)
  return [centre - half, centre + half]
}

/** A level over time: its mean and its largest value. */
export class Level {
  private area = 0
  private since = 0
  value = 0
  most = 0

  set(now: number, value: number): void {
    this.area += this.value * (now - this.since)
    this.since = now
    this.value = value
    if (value > this.most) this.most = value
  }

  /** Level times seconds up to `now`. */
  integral(now: number): number {
    return this.area + this.value * (now - this.since)
  }
}

/** One stretch of time. Counts of what happened in it; levels at its end. */
export interface Window {
  arrivals: number
  completed: number
  /** Of these, the ones of two tokens and more. */
  paced: number
  inTime: number
  reward: number
  best: number
  waiting: number
  running: number
  kv: number
}

/** Windows of a width that doubles whenever there are too many, so that any run has some hundred. */
export class Timeline {
  width: number
  readonly windows: Window[] = []
  private readonly most: number
  private readonly fixed: boolean

  constructor(width?: number, most = 240) {
    this.fixed = width !== undefined
    this.width = width ?? 1 / 1024
    this.most = most
  }

  at(now: number): Window {
    let i = Math.floor(now / this.width)
    while (!this.fixed && i >= this.most) {
      this.halve()
      i = Math.floor(now / this.width)
    }
    while (this.windows.length <= i) {
      const last = this.windows.at(-1)
      this.windows.push({
        arrivals: 0,
        completed: 0,
        paced: 0,
        inTime: 0,
        reward: 0,
        best: 0,
        waiting: last?.waiting ?? 0,
        running: last?.running ?? 0,
        kv: last?.kv ?? 0,
      })
    }
    return this.windows[i] as Window
  }

  private halve(): void {
    const merged: Window[] = []
    for (let i = 0; i < this.windows.length; i += 2) {
      const a = this.windows[i] as Window
      const b = this.windows[i + 1]
      merged.push(
        b === undefined
          ? a
          : {
              ...b,
              arrivals: a.arrivals + b.arrivals,
              completed: a.completed + b.completed,
              paced: a.paced + b.paced,
              inTime: a.inTime + b.inTime,
              reward: a.reward + b.reward,
              best: a.best + b.best,
            },
      )
    }
    this.windows.splice(0, this.windows.length, ...merged)
    this.width *= 2
  }
}
