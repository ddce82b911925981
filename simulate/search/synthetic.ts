// Synthetic searches: steps that a seed repeats. Each path has a latent log-odds of being right that wanders from step to
// step; a reward model sees it through noise; steps that take the same approach lie together in embedding space.
//
// Every sample hangs on its problem, its parent and its place among its siblings alone, so that all strategies and widths
// meet the same tree, and differences between them are theirs.
import { normals, type Random, seeded } from '../../model/random.ts'
import type { Node, Problem, Source } from './node.ts'

export const generatorDefaults = {
  /** Latent log-odds of a problem's root. */
  start: 4,
  /** Spread of the problems around it. */
  difficulty: 0,
  /** Mean and spread of a step's change of the latent log-odds. */
  drift: 0.05,
  wander: 0.8,
  /** Spread of what the reward model sees around the latent log-odds. */
  rewardNoise: 0.8,
  /** Median of a step's tokens, and the spread of their logarithm; cut to `shortest` and `longest`. */
  stepTokens: 45,
  stepSpread: 0.6,
  shortest: 4,
  longest: 256,
  /** Exponent of Zipf's law of the approaches that a step may take. */
  zipf: 2,
  /** Steps before it on which what an approach means depends: steps that share them and their own say the same. */
  approachMemory: 1,
  /** Entries of an embedding, and the spread of one step's about its approach's, whose own spread is 1. */
  embeddingSize: 32,
  embeddingNoise: 0.13,
  /** A path ends at depth d with probability hazard (d - hazardFrom). */
  hazard: 0.25,
  hazardFrom: 5,
  /** Tokens of a problem. */
  prompt: 0,
  /** Wrong answers that paths gone wrong end with, by Zipf's law. */
  wrongAnswers: 8,
}

export type Generator = Readonly<typeof generatorDefaults>

export interface SyntheticNode extends Node {
  readonly parent: SyntheticNode | undefined
  readonly correct: boolean
  /** Log-odds. */
  readonly latent: number
  /** What the node's own chances grow from, and its approach's embedding. */
  readonly key: number
  readonly approach: number
  /** Of the approach among those that may follow, by frequency. */
  readonly rank: number
}

const right = 'right'

/** `problems` synthetic problems. */
export function syntheticSource(problems: number, seed: number, given: Partial<Generator> = {}): Source<SyntheticNode> {
  const g = { ...generatorDefaults, ...given }
  checkGenerator(g)
  const answers = zipfTable(g.zipf, g.wrongAnswers)
  const centres = new Map<number, Float64Array>()
  // Directions depend on the seed alone; which of a problem's steps take them, on the problem.
  const centre = (approach: number) => {
    let known = centres.get(approach)
    if (known === undefined) {
      known = draws(mixed(approach, seed), g.embeddingSize)
      centres.set(approach, known)
    }
    return known
  }
  return {
    problems,
    problem: (index) => rootOf(mixed(seed, index), g),
    expand: (node, width) => Array.from({ length: width }, (_, i) => child(node, i, g, answers)),
    embedding: (node) => {
      const noise = draws(mixed(node.key, 1), g.embeddingSize)
      const middle = centre(node.approach)
      return noise.map((x, i) => (middle[i] as number) + g.embeddingNoise * x)
    },
  }
}

function checkGenerator(g: Generator): void {
  if (!(g.zipf > 1)) throw new RangeError(`zipf: expected an exponent above 1, got ${g.zipf}`)
  if (g.shortest > g.longest) {
    throw new RangeError(`step tokens: expected a shortest of at most ${g.longest}, got ${g.shortest}`)
  }
}

function rootOf(key: number, g: Generator): Problem & { readonly root: SyntheticNode } {
  const latent = g.start + (g.difficulty === 0 ? 0 : g.difficulty * normals(seeded(key))())
  const place = { id: '0', parent: undefined, depth: 0, tokens: g.prompt, path: 0, terminal: false }
  return { truth: right, root: { ...place, reward: 1, latent, correct: latent > 0, key, approach: key, rank: 0 } }
}

function child(parent: SyntheticNode, place: number, g: Generator, answers: Float64Array): SyntheticNode {
  const key = mixed(parent.key, place + 2)
  const random = seeded(key)
  const normal = normals(random)
  const depth = parent.depth + 1
  const latent = parent.latent + g.drift + g.wander * normal()
  const reward = 1 / (1 + Math.exp(-(latent + g.rewardNoise * normal())))
  const length = Math.round(g.stepTokens * Math.exp(g.stepSpread * normal()))
  const tokens = Math.min(g.longest, Math.max(g.shortest, length))
  const rank = zipf(g.zipf, random)
  const terminal = random() < g.hazard * (depth - g.hazardFrom)
  const correct = latent > 0
  return {
    id: `${parent.id}.${place}`,
    parent,
    depth,
    tokens,
    path: parent.path + tokens,
    reward,
    terminal,
    latent,
    correct,
    key,
    approach: approachOf(parent, rank, g.approachMemory),
    rank,
    ...(terminal && { answer: correct ? right : `wrong ${picked(answers, random())}` }),
  }
}

/** What the last steps of a path say, of as many as count; at one depth, the root counts for all that are missing. */
function approachOf(parent: SyntheticNode, rank: number, memory: number): number {
  let key = rank
  let node: SyntheticNode | undefined = parent
  for (let back = 0; back < memory && node !== undefined; back++) {
    key = mixed(key, node.rank)
    node = node.parent
  }
  return key
}

/** A rank from 1 with probability proportional to rank^-a, by rejection (Devroye, 1986, X.6.1). */
export function zipf(a: number, random: Random): number {
  const b = 2 ** (a - 1)
  for (;;) {
    const u = 1 - random()
    const v = random()
    const rank = Math.floor(u ** (-1 / (a - 1)))
    const t = (1 + 1 / rank) ** (a - 1)
    if (rank < 2 ** 52 && (v * rank * (t - 1)) / (b - 1) <= t / b) return rank
  }
}

/** Cumulated probabilities of the first `n` ranks. */
function zipfTable(a: number, n: number): Float64Array {
  const table = new Float64Array(n)
  let sum = 0
  for (let i = 0; i < n; i++) {
    sum += (i + 1) ** -a
    table[i] = sum
  }
  return table.map((x) => x / sum)
}

function picked(table: Float64Array, u: number): number {
  const at = table.findIndex((x) => u < x)
  return at === -1 ? table.length : at + 1
}

function draws(key: number, count: number): Float64Array {
  const normal = normals(seeded(key))
  return Float64Array.from({ length: count }, () => normal())
}

/** One key from two, 53 bits each, so that no two places of a search share their chances. */
export function mixed(a: number, b: number): number {
  let high = Math.imul(Math.floor(a / 4294967296) ^ 0x9e3779b9, 0x85ebca6b) ^ Math.floor(b / 4294967296)
  let low = Math.imul((a >>> 0) ^ 0xc2b2ae35, 0x27d4eb2f) ^ (b >>> 0)
  for (let i = 0; i < 3; i++) {
    high = Math.imul(high ^ (low >>> 15), 0x2c1b3c6d)
    low = Math.imul(low ^ (high >>> 13), 0x297a2d39) ^ (high >>> 16)
  }
  return (high & 0x1fffff) * 4294967296 + (low >>> 0)
}
