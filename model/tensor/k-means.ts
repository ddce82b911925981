// Weighted k-means of numbers on a line, solved exactly: clusters of sorted numbers are intervals, so the best ones are
// found by dynamic programming, each layer by divide and conquer, as the best begin only moves right (Wang and Song 2011;
// Grønlund et al. 2017, arXiv 1701.07204). Where others run Lloyd's iterations from a random start, this has no start.

/** The k centres, ascending, that minimize the sum of weight times squared distance. `points` ascending; equal ones are
 * one. Where there are fewer points than k, the last is repeated. */
export function kMeans(points: Float64Array, weights: Float64Array, k: number): Float64Array {
  const n = points.length
  if (n === 0 || k < 1) throw new RangeError(`k-means: expected points and k from 1, got ${n} points and k = ${k}`)
  const sums = prefixSums(points, weights)
  const begins = bestBegins(sums, n, Math.min(k, n))
  const centres = new Float64Array(k).fill(points[n - 1] as number)
  let end = n
  for (let q = Math.min(k, n) - 1; q >= 0; q--) {
    const begin = q === 0 ? 0 : ((begins[q] as Int32Array)[end - 1] as number)
    centres[q] = mean(sums, points, begin, end)
    end = begin
  }
  return centres.sort()
}

interface Sums {
  readonly w: Float64Array
  readonly wx: Float64Array
  readonly wxx: Float64Array
}

function prefixSums(points: Float64Array, weights: Float64Array): Sums {
  const [w, wx, wxx] = [0, 0, 0].map(() => new Float64Array(points.length + 1)) as [
    Float64Array,
    Float64Array,
    Float64Array,
  ]
  // Around the middle, so that differences of sums keep their digits.
  const origin = points[points.length >> 1] as number
  points.forEach((point, i) => {
    const weight = weights[i] as number
    const x = point - origin
    w[i + 1] = (w[i] as number) + weight
    wx[i + 1] = (wx[i] as number) + weight * x
    wxx[i + 1] = (wxx[i] as number) + weight * x * x
  })
  return { w, wx, wxx }
}

/** The squared distances of points `begin` to before `end` from their mean. */
function cost({ w, wx, wxx }: Sums, begin: number, end: number): number {
  const weight = (w[end] as number) - (w[begin] as number)
  if (weight <= 0) return 0
  const sum = (wx[end] as number) - (wx[begin] as number)
  return Math.max(0, (wxx[end] as number) - (wxx[begin] as number) - (sum * sum) / weight)
}

function mean({ w, wx }: Sums, points: Float64Array, begin: number, end: number): number {
  const weight = (w[end] as number) - (w[begin] as number)
  if (weight <= 0) return points[begin] as number
  return (points[points.length >> 1] as number) + ((wx[end] as number) - (wx[begin] as number)) / weight
}

/** For each number of clusters less one and each last point, where its last cluster begins. */
function bestBegins(sums: Sums, n: number, k: number): Int32Array[] {
  let before = Float64Array.from({ length: n }, (_, j) => cost(sums, 0, j + 1))
  const begins = [new Int32Array(n)]
  for (let q = 1; q < k; q++) {
    const best = new Float64Array(n)
    const begin = new Int32Array(n)
    const solve = (from: number, to: number, least: number, most: number): void => {
      if (from > to) return
      const j = (from + to) >> 1
      let lowest = Number.POSITIVE_INFINITY
      let at = Math.max(least, q)
      for (let i = at; i <= Math.min(j, most); i++) {
        const total = (before[i - 1] as number) + cost(sums, i, j + 1)
        if (total < lowest) {
          lowest = total
          at = i
        }
      }
      best[j] = lowest
      begin[j] = at
      solve(from, j - 1, least, at)
      solve(j + 1, to, at, most)
    }
    solve(q, n - 1, q, n - 1)
    before = best
    begins.push(begin)
  }
  return begins
}
