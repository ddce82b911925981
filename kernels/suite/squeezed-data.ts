// Squeezed Attention's data (arXiv 2411.09688): centroids with the sizes of their clusters, a label for each key, and the
// threshold above which a cluster's keys are kept. Labels are random, as those of keys in a text are scattered.
import type { Random } from '../../model/random.ts'
import { elementsOf, type Fill, hash, reader } from '../input.ts'

export interface Squeezed extends Record<string, number> {
  heads: number
  'kv-heads': number
  'head-dim': number
  tokens: number
  sparsity: number
  clusters: number
  bits: number
}

/** Without outliers, so that heads keep about as many keys as each other; other queries then do, too. */
export const fillQuery = { kind: 'normal', seed: 101, scale: 1 } as const satisfies Fill
export const fillCentroids = { kind: 'normal', seed: 102, outliers: 11 } as const satisfies Fill
/** Keys of a cluster: twenty on average where a twentieth are centroids. */
export const fillMembers = { kind: 'index', seed: 103, below: 39, least: 1 } as const satisfies Fill
const labelSeed = 104

/** Keys that are clustered: all but the new one. */
export const clusteredOf = (s: Squeezed) => s.tokens - 1
export const centroidsOf = (s: Squeezed) => Math.max(1, Math.floor((clusteredOf(s) * s.clusters) / 100))
export const groupOf = (s: Squeezed) => s.heads / s['kv-heads']

/** Centroids that one workgroup or thread compares; of each such chunk its maximum and its sum are kept. */
export const lookupChunk = 512
export const splitsOf = (s: Squeezed) => Math.ceil(centroidsOf(s) / lookupChunk)
/** Words of a head's marks. */
export const markWords = (s: Squeezed) => Math.ceil(centroidsOf(s) / 32)
export const rowsAll = (s: Squeezed) => s['kv-heads'] * groupOf(s)

export function fillLabels(s: Squeezed) {
  return { kind: 'index', seed: labelSeed, below: centroidsOf(s) } as const satisfies Fill
}

export function labelOf(s: Squeezed, unit: number, key: number): number {
  return hash(labelSeed, unit * clusteredOf(s) + key) % centroidsOf(s)
}

export interface Scores {
  /** Of each row with each centroid, in base 2 and divided by the root of the head dimension. */
  readonly scores: Float64Array[]
  /** What each is summed from. */
  readonly sizes: Float64Array[]
}

/** Scores of a head's rows with its centroids. */
export function scoresOf(s: Squeezed, unit: number): Scores {
  const dim = s['head-dim']
  const n = centroidsOf(s)
  const rows = groupOf(s)
  const queries = elementsOf(fillQuery, unit * rows * dim, rows * dim)
  const scale = Math.LOG2E / Math.sqrt(dim)
  const scores = Array.from({ length: rows }, () => new Float64Array(n))
  const sizes = Array.from({ length: rows }, () => new Float64Array(n))
  const at = reader(fillCentroids)
  for (let i = 0; i < n; i++) {
    for (let d = 0; d < dim; d++) {
      const c = at((unit * n + i) * dim + d) * scale
      for (let r = 0; r < rows; r++) {
        const p = c * (queries[r * dim + d] as number)
        ;(scores[r] as Float64Array)[i] = ((scores[r] as Float64Array)[i] as number) + p
        ;(sizes[r] as Float64Array)[i] = ((sizes[r] as Float64Array)[i] as number) + Math.abs(p)
      }
    }
  }
  return { scores, sizes }
}

/** Each centroid's share of the softmax, were every key its cluster's centroid; summed over the rows. */
export function sharesOf(s: Squeezed, unit: number): Float64Array {
  const n = centroidsOf(s)
  const members = elementsOf(fillMembers, unit * n, n)
  const shares = new Float64Array(n)
  for (const scores of scoresOf(s, unit).scores) {
    const top = scores.reduce((a, b) => Math.max(a, b))
    const total = scores.reduce((sum, v, i) => sum + (members[i] as number) * 2 ** (v - top), 0)
    for (let i = 0; i < n; i++) shares[i] = (shares[i] as number) + 2 ** ((scores[i] as number) - top) / total
  }
  return shares
}

/** Heads whose kept keys the reference knows: the first, the last, and two between. */
export function unitsChecked(s: Squeezed): number[] {
  const units = s['kv-heads']
  const few = [0, units - 1, hash(1, units) % units, hash(2, units) % units]
  return [...new Set(few)]
}

export interface Chosen {
  /** A cluster is kept whose share is greater. */
  readonly threshold: number
  readonly shares: ReadonlyMap<number, Float64Array>
}

const chosen = new Map<string, Chosen>()

/**
 * The threshold that leaves the sparsity asked for, over the heads that are checked; in the widest gap near there, so
 * that no rounding decides what is kept.
 */
export function chosenOf(s: Squeezed): Chosen {
  const key = JSON.stringify(s)
  let known = chosen.get(key)
  if (!known) {
    const shares = new Map(unitsChecked(s).map((unit) => [unit, sharesOf(s, unit)]))
    const sorted = Float64Array.from([...shares.values()].flatMap((v) => [...v])).sort()
    const aim = (sorted.length * s.sparsity) / 100
    const reach = Math.max(2, sorted.length / 100)
    let threshold = 0
    let widest = 0
    for (let i = Math.max(1, Math.floor(aim - reach)); i < Math.min(sorted.length, aim + reach); i++) {
      const [below = 0, above = 0] = [sorted[i - 1], sorted[i]]
      if (above / below > widest) {
        widest = above / below
        threshold = Math.sqrt(above * below)
      }
    }
    known = { threshold, shares }
    chosen.clear()
    chosen.set(key, known)
  }
  return known
}

/** Keys of a checked head that are kept; the new one always is. */
export function keptKeys(s: Squeezed, unit: number): Int32Array {
  const { threshold, shares } = chosenOf(s)
  const own = shares.get(unit)
  if (!own) throw new Error(`expected a head that is checked, got ${unit}`)
  const kept: number[] = []
  for (let j = 0; j < clusteredOf(s); j++) if ((own[labelOf(s, unit, j)] as number) > threshold) kept.push(j)
  return Int32Array.from([...kept, s.tokens - 1])
}

/** Marks of clusters as 32-bit words, random with the sparsity asked for: what a lookup would have left. */
export function randomMarks(s: Squeezed, random: Random): Uint32Array {
  const words = Math.ceil(centroidsOf(s) / 32)
  const out = new Uint32Array(s['kv-heads'] * words)
  for (let i = 0; i < out.length; i++) {
    for (let bit = 0; bit < 32; bit++)
      if (random() * 100 >= s.sparsity) out[i] = ((out[i] as number) | (1 << bit)) >>> 0
  }
  return out
}
