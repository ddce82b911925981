// The inner loop of k-means: which centroid is nearest to each point. It is a parameter of k-means, so that a faster
// kernel can stand in for this one.

/**
 * Writes into `labels` the centroid nearest to each point and into `distances` the squared Euclidean distance to it.
 * `points` are [n, dim], `centroids` [k, dim], row by row; of centroids equally near, the first one counts.
 */
export type Assign = (
  points: Float32Array,
  centroids: Float64Array,
  dim: number,
  labels: Int32Array,
  distances: Float64Array,
) => void | Promise<void>

/** Centroids gone through together, so that their rows stay in a core's cache while all points pass by. */
const tile = 64

/** Assigns in plain code, in f64: four points by two centroids at a time, which keeps the sums in registers. */
export function assign(
  points: Float32Array,
  centroids: Float64Array,
  dim: number,
  labels: Int32Array,
  distances: Float64Array,
): void {
  const k = centroids.length / dim
  const n = labels.length
  const half = squaredNorms(centroids, dim, 0.5)
  // |x - c|^2 = |x|^2 - 2 (x.c - |c|^2 / 2): the largest parenthesis is the nearest centroid.
  const best = distances.fill(Number.NEGATIVE_INFINITY)
  for (let begin = 0; begin < k; begin += tile) {
    const end = Math.min(k, begin + tile)
    const whole = n - (n % 4)
    for (let i = 0; i < whole; i += 4) fourPoints(points, centroids, half, dim, i, begin, end, best, labels)
    for (let i = whole; i < n; i++) onePoint(points, centroids, half, dim, i, begin, end, best, labels)
  }
  const norms = squaredNorms(points, dim, 1)
  for (let i = 0; i < n; i++) distances[i] = Math.max(0, (norms[i] as number) - 2 * (best[i] as number))
}

/** `factor` times the squared length of each row. */
export function squaredNorms(rows: Float32Array | Float64Array, dim: number, factor: number): Float64Array {
  const norms = new Float64Array(rows.length / dim)
  for (let i = 0; i < norms.length; i++) norms[i] = factor * dot(rows, i * dim, rows, i * dim, dim)
  return norms
}

/** The product of two rows that begin at `i` and `j`. */
export function dot(
  a: Float32Array | Float64Array,
  i: number,
  b: Float32Array | Float64Array,
  j: number,
  dim: number,
): number {
  let sum = 0
  for (let t = 0; t < dim; t++) sum += (a[i + t] as number) * (b[j + t] as number)
  return sum
}

function onePoint(
  x: Float32Array,
  c: Float64Array,
  half: Float64Array,
  dim: number,
  i: number,
  begin: number,
  end: number,
  best: Float64Array,
  labels: Int32Array,
): void {
  for (let j = begin; j < end; j++) {
    const score = dot(x, i * dim, c, j * dim, dim) - (half[j] as number)
    if (score > (best[i] as number)) {
      best[i] = score
      labels[i] = j
    }
  }
}

function fourPoints(
  x: Float32Array,
  c: Float64Array,
  half: Float64Array,
  dim: number,
  i: number,
  begin: number,
  end: number,
  best: Float64Array,
  labels: Int32Array,
): void {
  const [x0, x1, x2, x3] = [i * dim, (i + 1) * dim, (i + 2) * dim, (i + 3) * dim]
  const keep = (at: number, j: number, score: number) => {
    if (score > (best[at] as number)) {
      best[at] = score
      labels[at] = j
    }
  }
  let j = begin
  for (; j + 1 < end; j += 2) {
    const c0 = j * dim
    const c1 = c0 + dim
    let [s00, s01, s10, s11, s20, s21, s30, s31] = [0, 0, 0, 0, 0, 0, 0, 0]
    for (let t = 0; t < dim; t++) {
      const p = c[c0 + t] as number
      const q = c[c1 + t] as number
      const u = x[x0 + t] as number
      const v = x[x1 + t] as number
      const w = x[x2 + t] as number
      const y = x[x3 + t] as number
      s00 += u * p
      s01 += u * q
      s10 += v * p
      s11 += v * q
      s20 += w * p
      s21 += w * q
      s30 += y * p
      s31 += y * q
    }
    const h0 = half[j] as number
    const h1 = half[j + 1] as number
    keep(i, j, s00 - h0)
    keep(i, j + 1, s01 - h1)
    keep(i + 1, j, s10 - h0)
    keep(i + 1, j + 1, s11 - h1)
    keep(i + 2, j, s20 - h0)
    keep(i + 2, j + 1, s21 - h1)
    keep(i + 3, j, s30 - h0)
    keep(i + 3, j + 1, s31 - h1)
  }
  if (j < end) for (let at = i; at < i + 4; at++) onePoint(x, c, half, dim, at, j, end, best, labels)
}
