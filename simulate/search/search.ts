// One search, step by step: candidates, choice, samples, until the width is used up. Tokens are counted here; seconds are
// not (cost.ts).
import { type Node, pathTokens, type Source, uniqueTokens } from './node.ts'
import type { Solver } from './program.ts'
import { type Chosen, chooser, type Settings } from './select.ts'
import { type Ballot, weightedMajority } from './vote.ts'

export interface SearchStep<N extends Node = Node> {
  readonly depth: number
  readonly candidates: readonly N[]
  readonly chosen: Chosen
  /** Samples of the next step, in the order of their parents. */
  readonly samples: readonly N[]
  /** Samples that a recording did not have. */
  readonly missing: number
  /** Tokens of the candidates and all before them, each once, and by paths; without the prompt. */
  readonly unique: number
  readonly unshared: number
  /** Tokens held once all samples are there: those of what goes on and of the samples, each once; without the prompt. */
  readonly held: number
}

export interface Search<N extends Node = Node> {
  readonly steps: readonly SearchStep<N>[]
  readonly ballots: readonly Ballot[]
  readonly answer: string | undefined
  /** Whether the answer is right; undefined where nobody knows. */
  readonly right: boolean | undefined
  readonly prompt: number
  /** Seconds that the solver took on this computer; 0 without a clock. */
  readonly solving: number
}

/** Seconds, where the solver is to be timed. */
export type Clock = () => number

/** Searches one problem of the source. Throws RangeError where settings or rewards make no search. */
export function search<N extends Node>(
  source: Source<N>,
  index: number,
  settings: Settings,
  solve: Solver,
  clock: Clock = () => 0,
): Search<N> {
  const { root, truth } = source.problem(index)
  const choose = chooser<N>(settings)
  let solving = 0
  const timed: Solver = (program) => {
    const begin = clock()
    const kept = solve(program)
    solving += clock() - begin
    return kept
  }
  const steps: SearchStep<N>[] = []
  const ballots: Ballot[] = []
  let remaining = settings.width
  let nodes: readonly N[] = [root]
  for (let depth = 0; nodes.length > 0; depth++) {
    const candidates: N[] = []
    for (const node of nodes) {
      if (node.terminal && node.answer !== undefined) ballots.push({ answer: node.answer, reward: node.reward })
      if (!node.terminal && node.path < settings.tokens) candidates.push(node)
      else {
        remaining--
        choose.ended(node)
      }
    }
    if (depth >= settings.depth || remaining <= 0 || candidates.length === 0) break
    const chosen = choose.choose({ candidates, remaining, embedding: (n) => source.embedding(n), solve: timed })
    const step = expanded(source, depth, candidates, chosen)
    steps.push(step)
    nodes = step.samples
  }
  const answer = weightedMajority(ballots)
  const right = truth === undefined ? undefined : answer === truth
  return { steps, ballots, answer, right, prompt: root.tokens, solving }
}

function expanded<N extends Node>(
  source: Source<N>,
  depth: number,
  candidates: readonly N[],
  chosen: Chosen,
): SearchStep<N> {
  const samples: N[] = []
  const growing: N[] = []
  let asked = 0
  for (const [i, node] of candidates.entries()) {
    const width = chosen.widths[i] as number
    if (width === 0) continue
    asked += width
    growing.push(node)
    samples.push(...source.expand(node, width))
  }
  const fresh = samples.reduce((sum, s) => sum + s.tokens, 0)
  return {
    depth,
    candidates,
    chosen,
    samples,
    missing: asked - samples.length,
    unique: uniqueTokens(candidates),
    unshared: pathTokens(candidates),
    held: uniqueTokens(growing) + fresh,
  }
}

/** Of what could go on, how much did. */
export interface Going {
  readonly of: number
  readonly kept: number
}

/** Candidates of all steps after the first. */
export function going(steps: readonly SearchStep[]): Going {
  return total(steps, (candidates, goes) => {
    return { of: candidates.length, kept: candidates.filter((_, i) => goes(i)).length }
  })
}

/** Candidates that can still be right. */
export function coverage(steps: readonly SearchStep[]): Going {
  return total(steps, (candidates, goes) => {
    const right = candidates.map((c) => c.correct === true)
    return { of: right.filter(Boolean).length, kept: right.filter((r, i) => r && goes(i)).length }
  })
}

/** Approaches of those, each once a step. */
export function approaches(steps: readonly SearchStep[]): Going {
  return total(steps, (candidates, goes) => {
    const right = candidates.map((c) => (c.correct ? c.approach : undefined))
    const all = new Set(right.filter((a) => a !== undefined))
    return { of: all.size, kept: new Set(right.filter((a, i) => a !== undefined && goes(i))).size }
  })
}

function total(
  steps: readonly SearchStep[],
  of: (candidates: readonly Node[], goes: (i: number) => boolean) => Going,
): Going {
  let sum = { of: 0, kept: 0 }
  for (const { depth, candidates, chosen } of steps) {
    if (depth === 0) continue
    const one = of(candidates, (i) => (chosen.widths[i] as number) > 0)
    sum = { of: sum.of + one.of, kept: sum.kept + one.kept }
  }
  return sum
}
