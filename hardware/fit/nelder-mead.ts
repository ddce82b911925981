// Nelder and Mead's simplex (1965) with the dimension-dependent steps of Gao and Han (2012), restarted from its best
// point. Deterministic; points are clamped to a box.

/** Where the simplex restarts, its edge in units of x. */
const edges = [0.3, 0.15, 0.1]
const evaluationsPerDimension = 150
const tolerance = 1e-6

/** The x in [low, high] that minimises `f` near `from`. */
export function nelderMead(
  f: (x: readonly number[]) => number,
  from: readonly number[],
  low: readonly number[],
  high: readonly number[],
): number[] {
  let best = clamp(from, low, high)
  for (const edge of edges) best = descend(f, best, low, high, edge)
  return best
}

interface Vertex {
  readonly x: number[]
  readonly y: number
}

function clamp(x: readonly number[], low: readonly number[], high: readonly number[]): number[] {
  return x.map((v, i) => Math.min(high[i] as number, Math.max(low[i] as number, v)))
}

function descend(
  f: (x: readonly number[]) => number,
  from: number[],
  low: readonly number[],
  high: readonly number[],
  edge: number,
): number[] {
  const n = from.length
  const expansion = 1 + 2 / n
  const contraction = 0.75 - 1 / (2 * n)
  const shrink = 1 - 1 / n
  const vertex = (x: readonly number[]): Vertex => {
    const inside = clamp(x, low, high)
    return { x: inside, y: f(inside) }
  }
  const simplex = [vertex(from)]
  for (let i = 0; i < n; i++) {
    const step = (from[i] as number) + edge > (high[i] as number) ? -edge : edge
    simplex.push(vertex(from.map((v, j) => (i === j ? v + step : v))))
  }
  for (let left = evaluationsPerDimension * n; left > 0; left--) {
    simplex.sort((a, b) => a.y - b.y)
    const [first, second, last] = [simplex[0], simplex[n - 1], simplex[n]] as [Vertex, Vertex, Vertex]
    if (last.y - first.y < tolerance) break
    const centre = from.map((_, i) => simplex.slice(0, n).reduce((sum, v) => sum + (v.x[i] as number), 0) / n)
    const along = (t: number) => vertex(centre.map((c, i) => c + t * ((last.x[i] as number) - c)))
    const reflected = along(-1)
    if (reflected.y < first.y) {
      const expanded = along(-expansion)
      simplex[n] = expanded.y < reflected.y ? expanded : reflected
    } else if (reflected.y < second.y) {
      simplex[n] = reflected
    } else {
      const contracted = reflected.y < last.y ? along(-contraction) : along(contraction)
      if (contracted.y < Math.min(reflected.y, last.y)) simplex[n] = contracted
      else {
        for (let i = 1; i <= n; i++) {
          const x = (simplex[i] as Vertex).x
          simplex[i] = vertex(first.x.map((v, j) => v + shrink * ((x[j] as number) - v)))
        }
        left -= n
      }
    }
  }
  return simplex.sort((a, b) => a.y - b.y)[0]?.x ?? from
}
