// A quick answer to ETS's program, without proof: candidates are added one by one while that pays, and dropped alone or
// by whole branches; once from nothing, once from everything. Quadratic in the candidates, times the depth.
import { type Kept, objective, type Program } from './program.ts'

/** A gain below this is rounding. */
const rounding = 1e-12

/** The better of both starts. */
export function greedyKept(p: Program): Kept {
  const n = p.shares.length
  const grown = improved(new Choice(p, new Uint8Array(n)))
  const pruned = improved(new Choice(p, new Uint8Array(n).fill(1)))
  const [a, b] = [objective(p, grown.keep), objective(p, pruned.keep)]
  const best = a > b ? grown : pruned
  return { keep: Array.from(best.keep, (x) => x === 1), objective: Math.max(a, b), optimal: false }
}

function improved(choice: Choice): Choice {
  const most = 4 * choice.keep.length + 16
  // Every move gains, so it ends by itself; the limit is against gains that are nothing but rounding.
  for (let moves = 0; moves < most; moves++) {
    if (!choice.add() && !choice.drop() && !choice.cut()) break
  }
  return choice
}

/** A set of kept candidates, with how many of them each node and each cluster has. */
class Choice {
  readonly keep: Uint8Array
  private readonly p: Program
  private readonly below: Int32Array
  private readonly inCluster: Int32Array
  private kept = 0

  constructor(p: Program, keep: Uint8Array) {
    this.p = p
    this.keep = new Uint8Array(keep.length)
    this.below = new Int32Array(p.parents.length)
    this.inCluster = new Int32Array(p.clusters.length === 0 ? 0 : Math.max(...p.clusters) + 1)
    keep.forEach((kept, i) => {
      if (kept === 1) this.set(i, 1)
    })
  }

  private set(i: number, value: 0 | 1): void {
    const change = value - (this.keep[i] as number)
    this.keep[i] = value
    this.kept += change
    for (let j = this.p.before[i] as number; j >= 0; j = this.p.parents[j] as number) {
      this.below[j] = (this.below[j] as number) + change
    }
    const cluster = this.p.clusters[i]
    if (cluster !== undefined) this.inCluster[cluster] = (this.inCluster[cluster] as number) + change
  }

  /** What candidate `i` brings beside others, where `others` of each node's and cluster's count as kept already. */
  private worth(i: number, others: 0 | 1): number {
    const { shares, before, parents, clusters, cost, gain } = this.p
    let nodes = 1
    for (let j = before[i] as number; j >= 0 && this.below[j] === others; j = parents[j] as number) nodes++
    const cluster = clusters[i]
    const covers = cluster !== undefined && this.inCluster[cluster] === others
    return (shares[i] as number) - cost * nodes + (covers ? gain : 0)
  }

  /** Adds the candidate that brings most, if it brings anything; the first is added whatever it brings. */
  add(): boolean {
    const [best, at] = this.best(0, (i) => this.worth(i, 0))
    if (at === -1 || (best <= rounding && this.kept > 0)) return false
    this.set(at, 1)
    return true
  }

  /** Drops the candidate that costs most, if it costs anything, and it is not the last. */
  drop(): boolean {
    if (this.kept < 2) return false
    const [best, at] = this.best(1, (i) => -this.worth(i, 1))
    if (at === -1 || best <= rounding) return false
    this.set(at, 0)
    return true
  }

  private best(kept: 0 | 1, value: (i: number) => number): readonly [value: number, at: number] {
    let best = Number.NEGATIVE_INFINITY
    let at = -1
    for (let i = 0; i < this.keep.length; i++) {
      if (this.keep[i] !== kept) continue
      const v = value(i)
      if (v <= best) continue
      best = v
      at = i
    }
    return [best, at]
  }

  /** Drops the branch that costs most as a whole, if any does and something is left. */
  cut(): boolean {
    const { shares, parents, before, clusters, cost, gain } = this.p
    const branches = new Map<number, number[]>()
    for (let i = 0; i < this.keep.length; i++) {
      if (this.keep[i] === 0) continue
      for (let j = before[i] as number; j >= 0; j = parents[j] as number) {
        const members = branches.get(j)
        if (members) members.push(i)
        else branches.set(j, [i])
      }
    }
    // Nodes held below each one, itself too.
    const held = new Int32Array(parents.length)
    for (let j = parents.length - 1; j >= 0; j--) {
      if ((this.below[j] as number) === 0) continue
      held[j] = (held[j] as number) + 1
      const above = parents[j] as number
      if (above >= 0) held[above] = (held[above] as number) + (held[j] as number)
    }
    let best = rounding
    let at: number[] | undefined
    for (const [j, members] of branches) {
      if (members.length === this.kept) continue
      let value = cost * (members.length + (held[j] as number) + this.stem(parents[j] as number, members.length))
      const lost = new Map<number, number>()
      for (const i of members) {
        value -= shares[i] as number
        const cluster = clusters[i]
        if (cluster !== undefined) lost.set(cluster, (lost.get(cluster) ?? 0) + 1)
      }
      for (const [cluster, n] of lost) if (n === this.inCluster[cluster]) value -= gain
      if (value > best) [best, at] = [value, members]
    }
    for (const i of at ?? []) this.set(i, 0)
    return at !== undefined
  }

  /** Nodes from `j` up that hold nothing but these members. */
  private stem(j: number, members: number): number {
    let nodes = 0
    for (let at = j; at >= 0 && this.below[at] === members; at = this.p.parents[at] as number) nodes++
    return nodes
  }
}
