// ETS's integer program (arXiv 2502.13575, as its release solves it): which candidates to keep, so that their shares of
// the width outweigh the nodes that they hold, each cluster that is kept from counting once.
//
//   max  Σ share_i x_i  -  λ_b / (M + N) (Σ y_j + Σ x_i)  +  λ_d / K Σ z_k
//
// x: N candidates; y: M distinct nodes before them, the root too, held where any candidate below is; z: K clusters,
// covered where any of theirs is kept. At least one candidate is kept. Every node costs the same, however long.
import type { Node } from './node.ts'

/** What a released λ_b of 0 stands for: a bonus that small for every node kept. */
const freeBonus = 1e-4

export interface Program {
  /** O_i, of each candidate; they add up to 1. */
  readonly shares: readonly number[]
  /** Distinct nodes before the candidates, the root first, each after its own parent. */
  readonly parents: readonly number[]
  /** The node before each candidate, as an index of `parents`; -1 where the candidate is the root. */
  readonly before: readonly number[]
  /** The cluster of each candidate; empty where coverage does not count. */
  readonly clusters: readonly number[]
  /** λ_b / (M + N). */
  readonly cost: number
  /** λ_d / K. */
  readonly gain: number
}

export interface Weights {
  /** λ_b: what the whole tree costs. */
  readonly budget: number
  /** λ_d: what all clusters are worth. */
  readonly diversity: number
}

/** The program over candidates of one depth. `clusters`: of each candidate, where coverage counts. */
export function treeProgram(
  candidates: readonly Node[],
  shares: readonly number[],
  { budget, diversity }: Weights,
  clusters: readonly number[] = [],
): Program {
  const { parents, before } = ancestors(candidates)
  const cost = (budget === 0 ? -freeBonus : budget) / (parents.length + candidates.length)
  const gain = clusters.length === 0 ? 0 : diversity / (Math.max(...clusters) + 1)
  return { shares, parents, before, clusters, cost, gain }
}

function ancestors(candidates: readonly Node[]): Pick<Program, 'parents' | 'before'> {
  const index = new Map<Node, number>()
  const parents: number[] = []
  const place = (node: Node): number => {
    const known = index.get(node)
    if (known !== undefined) return known
    const above = node.parent === undefined ? -1 : place(node.parent)
    index.set(node, parents.length)
    parents.push(above)
    return parents.length - 1
  }
  const before = candidates.map((c) => (c.parent === undefined ? -1 : place(c.parent)))
  return { parents, before }
}

/** What keeping these candidates is worth. */
export function objective(p: Program, keep: ArrayLike<boolean | number>): number {
  const held = new Uint8Array(p.parents.length)
  const covered = new Set<number>()
  let shares = 0
  let nodes = 0
  for (let i = 0; i < p.shares.length; i++) {
    if (!keep[i]) continue
    shares += p.shares[i] as number
    nodes++
    for (let j = p.before[i] as number; j >= 0 && held[j] === 0; j = p.parents[j] as number) {
      held[j] = 1
      nodes++
    }
    if (p.clusters.length > 0) covered.add(p.clusters[i] as number)
  }
  return shares - p.cost * nodes + p.gain * covered.size
}

/** What solvers answer. */
export interface Kept {
  readonly keep: readonly boolean[]
  readonly objective: number
  /** Proven best. */
  readonly optimal: boolean
}

export type Solver = (program: Program) => Kept
