// Average-linkage clustering by cosine distance, cut at a threshold: what says the same thing in other words counts as
// one. Nearest-neighbour chains (Murtagh, 1983): quadratic in time and memory. Average linkage never inverts, so the cut
// is the union of all merges up to the threshold, in whatever order chains find them.

/** The cluster of each vector, numbered in the order of their first members. Throws RangeError for a vector of zeros. */
export function averageLinkage(vectors: readonly ArrayLike<number>[], threshold: number): number[] {
  const n = vectors.length
  const distance = cosineDistances(vectors)
  const joined = Array.from({ length: n }, (_, i) => i)
  const size = new Float64Array(n).fill(1)
  const alive = new Uint8Array(n).fill(1)
  const chain: number[] = []
  for (let left = n; left > 1; ) {
    if (chain.length === 0) chain.push(alive.indexOf(1))
    const a = chain[chain.length - 1] as number
    const before = chain[chain.length - 2]
    const b = nearest(a, before, distance, alive, n)
    if (b !== before) {
      chain.push(b)
      continue
    }
    chain.length -= 2
    if ((distance[a * n + b] as number) <= threshold) joined[root(joined, b)] = root(joined, a)
    merge(a, b, distance, size, alive, n)
    left--
  }
  return numbered(joined)
}

/** The nearest that is left; the one before in the chain where several are equally near. */
function nearest(a: number, before: number | undefined, distance: Float64Array, alive: Uint8Array, n: number): number {
  let best = before ?? -1
  let least = before === undefined ? Number.POSITIVE_INFINITY : (distance[a * n + before] as number)
  for (let i = 0; i < n; i++) {
    if (alive[i] === 0 || i === a || (distance[a * n + i] as number) >= least) continue
    best = i
    least = distance[a * n + i] as number
  }
  return best
}

/** `a` becomes both; its distances are the means over all pairs of members. */
function merge(a: number, b: number, distance: Float64Array, size: Float64Array, alive: Uint8Array, n: number): void {
  const [na, nb] = [size[a] as number, size[b] as number]
  for (let i = 0; i < n; i++) {
    if (alive[i] === 0 || i === a || i === b) continue
    const mean = (na * (distance[a * n + i] as number) + nb * (distance[b * n + i] as number)) / (na + nb)
    distance[a * n + i] = mean
    distance[i * n + a] = mean
  }
  size[a] = na + nb
  alive[b] = 0
}

function root(joined: number[], i: number): number {
  let at = i
  while (joined[at] !== at) at = joined[at] as number
  return at
}

function numbered(joined: number[]): number[] {
  const labels = new Map<number, number>()
  return joined.map((_, i) => {
    const top = root(joined, i)
    const known = labels.get(top)
    if (known !== undefined) return known
    labels.set(top, labels.size)
    return labels.size - 1
  })
}

/** 1 - cosine of each pair, row by row. */
function cosineDistances(vectors: readonly ArrayLike<number>[]): Float64Array {
  const n = vectors.length
  const units = vectors.map(unit)
  const distance = new Float64Array(n * n)
  for (let i = 0; i < n; i++) {
    const a = units[i] as Float64Array
    for (let j = 0; j < i; j++) {
      const b = units[j] as Float64Array
      let cosine = 0
      for (let k = 0; k < a.length; k++) cosine += (a[k] as number) * (b[k] as number)
      distance[i * n + j] = 1 - cosine
      distance[j * n + i] = 1 - cosine
    }
  }
  return distance
}

function unit(vector: ArrayLike<number>, i: number): Float64Array {
  let squares = 0
  for (let k = 0; k < vector.length; k++) squares += (vector[k] as number) ** 2
  const length = Math.sqrt(squares)
  if (!(length > 0 && Number.isFinite(length))) {
    throw new RangeError(`embeddings: expected a direction, got a vector of length ${length} for candidate ${i}`)
  }
  return Float64Array.from(vector, (x) => x / length)
}
