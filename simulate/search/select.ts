// Which candidates of one depth go on, and how many samples each gets: REBASE, beam search, DVTS and ETS, as their facts
// give them. Rewards, sizes and places in the tree are all they see.
import { byReward, rebaseWidths } from './allocation.ts'
import { averageLinkage } from './clusters.ts'
import type { Node } from './node.ts'
import { type Kept, type Solver, treeProgram, type Weights } from './program.ts'

export const strategyNames = ['rebase', 'beam', 'dvts', 'ets', 'ets-kv'] as const
/** `ets-kv`: ETS without its coverage term. */
export type StrategyName = (typeof strategyNames)[number]

export interface Settings extends Weights {
  readonly strategy: StrategyName
  readonly width: number
  /** Of the softmax over rewards. */
  readonly temperature: number
  /** Cosine distance up to which steps say the same. */
  readonly distance: number
  /** Candidates that beam search keeps, and subtrees of DVTS; default: the square root of the width, rounded up. */
  readonly fixed?: number
  /** Steps of a path, at most. */
  readonly depth: number
  /** Tokens from which on a path is not followed. */
  readonly tokens: number
}

/** As released: config and code of ETS. */
export const settingsDefaults = {
  temperature: 0.2,
  distance: 0.05,
  budget: 1,
  diversity: 1.45,
  depth: 25,
  tokens: 1024,
} as const

export interface Chosen {
  /** Samples of each candidate. */
  readonly widths: readonly number[]
  /** Whether each goes on; ETS may keep one that then gets no sample. */
  readonly keep: readonly boolean[]
  readonly objective?: number
  /** Of the step's candidates, where coverage counts. */
  readonly clusters?: number
  /** The program was solved, and its answer is proven. */
  readonly optimal?: boolean
}

export interface Ask<N extends Node> {
  readonly candidates: readonly N[]
  /** Width not yet taken by paths that ended. */
  readonly remaining: number
  readonly embedding: (node: N) => ArrayLike<number>
  readonly solve: Solver
}

/** A chooser for one search; it may remember. */
export interface Chooser<N extends Node> {
  choose(ask: Ask<N>): Chosen
  /** A path ended at this node. */
  ended(node: N): void
}

/** Throws RangeError where the settings make no search. */
export function chooser<N extends Node>(s: Settings): Chooser<N> {
  checkSettings(s)
  const { strategy } = s
  switch (strategy) {
    case 'rebase':
      return { choose: (ask) => rebase(s, ask), ended: () => {} }
    case 'beam':
      return { choose: (ask) => beam(s, ask), ended: () => {} }
    case 'dvts':
      return new Subtrees(s)
    case 'ets':
      return { choose: (ask) => ets(s, ask), ended: () => {} }
    case 'ets-kv':
      return { choose: (ask) => ets({ ...s, diversity: 0 }, ask), ended: () => {} }
    default:
      throw new RangeError(`strategy: expected one of ${strategyNames.join(', ')}, got ${strategy satisfies never}`)
  }
}

/** Distances of all pairs of candidates are held at once. */
const mostClustered = 4096

function checkSettings({ strategy, width, temperature, budget, diversity, fixed, distance }: Settings): void {
  const whole = (name: string, value: number) => {
    if (!Number.isInteger(value) || value < 1) {
      throw new RangeError(`${name}: expected a whole number from 1, got ${value}`)
    }
  }
  whole('width', width)
  if (fixed !== undefined) {
    whole('fixed', fixed)
    if (fixed > width) throw new RangeError(`fixed: expected at most the width ${width}, got ${fixed}`)
  }
  if (!(temperature > 0)) throw new RangeError(`temperature: expected a number above 0, got ${temperature}`)
  if (!(budget >= 0)) throw new RangeError(`lambda-b: expected a number from 0, got ${budget}`)
  if (!(diversity >= 0)) throw new RangeError(`lambda-d: expected a number from 0, got ${diversity}`)
  if (strategy === 'ets' && diversity > 0 && width > mostClustered) {
    throw new RangeError(`width: expected at most ${mostClustered} for ets with coverage, got ${width}`)
  }
  if (!(distance >= 0)) throw new RangeError(`distance: expected a number from 0, got ${distance}`)
}

function rewardsOf(candidates: readonly Node[]): number[] {
  return candidates.map((c) => c.reward)
}

function rebase<N extends Node>({ temperature }: Settings, { candidates, remaining }: Ask<N>): Chosen {
  const widths = rebaseWidths(rewardsOf(candidates), remaining, temperature)
  return { widths, keep: widths.map((w) => w > 0) }
}

/** Candidates or subtrees kept of a width. */
function breadth(fixed: number | undefined, width: number): number {
  return fixed ?? Math.ceil(Math.sqrt(width))
}

function beam<N extends Node>({ fixed }: Settings, { candidates, remaining }: Ask<N>): Chosen {
  const [first] = candidates
  const most = breadth(fixed, remaining)
  const each = first?.depth === 0 ? remaining : Math.ceil(remaining / most)
  const widths = candidates.map(() => 0)
  for (const i of byReward(rewardsOf(candidates)).slice(0, most)) widths[i] = each
  return { widths, keep: widths.map((w) => w > 0) }
}

/** Diverse verifier tree search: subtrees that each follow their own best, and share nothing. */
class Subtrees<N extends Node> implements Chooser<N> {
  private readonly remaining: number[]
  private readonly width: number
  private readonly subtree = new Map<Node, number>()

  constructor({ fixed, width }: Settings) {
    const subtrees = breadth(fixed, width)
    this.width = width
    this.remaining = new Array<number>(subtrees).fill(Math.floor(width / subtrees))
  }

  choose({ candidates }: Ask<N>): Chosen {
    byReward(rewardsOf(candidates))
    const depth = candidates[0]?.depth ?? 0
    if (depth === 0) return { widths: candidates.map(() => this.width), keep: candidates.map(() => true) }
    const best = depth === 1 ? this.split(candidates) : this.follow(candidates)
    const widths = candidates.map(() => 0)
    for (const i of best) {
      widths[i] = Math.max(0, this.remaining[this.subtree.get(candidates[i] as N) as number] as number)
    }
    return { widths, keep: widths.map((w) => w > 0) }
  }

  /** Paths that end use up their subtree's width (the release means to, but loses track of whose they are). */
  ended(node: N): void {
    const own = node.parent === undefined ? undefined : this.subtree.get(node.parent)
    if (own !== undefined) this.remaining[own] = (this.remaining[own] as number) - 1
  }

  /** The best of as many runs of candidates as there are subtrees, the longer runs first. */
  private split(candidates: readonly N[]): number[] {
    const runs = Math.min(this.remaining.length, candidates.length)
    const best: number[] = []
    let begin = 0
    for (let run = 0; run < runs; run++) {
      const end = begin + Math.floor(candidates.length / runs) + (run < candidates.length % runs ? 1 : 0)
      let at = begin
      for (let i = begin; i < end; i++) {
        if ((candidates[i] as N).reward > (candidates[at] as N).reward) at = i
        this.subtree.set(candidates[i] as N, run)
      }
      best.push(at)
      begin = end
    }
    return best
  }

  /** The best child of each parent. */
  private follow(candidates: readonly N[]): number[] {
    const best = new Map<Node, number>()
    for (const [i, c] of candidates.entries()) {
      const parent = c.parent as Node
      this.subtree.set(c, this.subtree.get(parent) as number)
      const known = best.get(parent)
      if (known === undefined || c.reward > (candidates[known] as N).reward) best.set(parent, i)
    }
    return [...best.values()]
  }
}

/** REBASE's widths as shares, the program's choice among them, and REBASE's widths again for what is kept. */
function ets<N extends Node>(s: Settings, { candidates, remaining, embedding, solve }: Ask<N>): Chosen {
  const rewards = rewardsOf(candidates)
  const first = rebaseWidths(rewards, remaining, s.temperature)
  const shares = first.map((w) => w / remaining)
  const several = s.diversity > 0 && candidates.length > 1
  const clusters = several ? clustersOf(candidates.map(embedding), s.distance) : []
  const kept: Kept = solve(treeProgram(candidates, shares, s, clusters))
  const chosen = candidates.flatMap((_, i) => (kept.keep[i] ? [i] : []))
  const again = rebaseWidths(
    chosen.map((i) => rewards[i] as number),
    remaining,
    s.temperature,
  )
  const widths = candidates.map(() => 0)
  chosen.forEach((i, place) => {
    widths[i] = again[place] as number
  })
  const { keep, objective, optimal } = kept
  return { widths, keep, objective, optimal, ...(clusters.length > 0 && { clusters: Math.max(...clusters) + 1 }) }
}

/** Clusters of last steps; none where there is nothing to tell apart. */
function clustersOf(embeddings: readonly ArrayLike<number>[], distance: number): number[] {
  const [first] = embeddings
  if (first === undefined || embeddings.every((e) => sameVector(e, first))) return []
  return averageLinkage(embeddings, distance)
}

function sameVector(a: ArrayLike<number>, b: ArrayLike<number>): boolean {
  for (let i = 0; i < a.length; i++) if (a[i] !== b[i]) return false
  return true
}
