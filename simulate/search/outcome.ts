// What a strategy comes to over many problems: tokens of cache, throughput, coverage and accuracy, with their intervals
// over problems, and its ratios to another strategy on the same problems.
import { perToken } from '../../model/memory.ts'
import { type Interval, Pairs, studentQuantile } from '../confidence.ts'
import { type Costs, type Seconds, type StepCost, stepCost } from './cost.ts'
import type { Node, Source } from './node.ts'
import type { Solver } from './program.ts'
import { recomputedTokens } from './radix.ts'
import { approaches, type Clock, coverage, type Going, going, type Search, search } from './search.ts'
import type { Settings } from './select.ts'

/** `fitting`: a problem starts when its whole tree fits. `all`: every thread starts one, and they take turns. */
export const admissions = ['fitting', 'all'] as const
export type Admission = (typeof admissions)[number]

export interface Experiment {
  readonly source: Source
  readonly settings: Settings
  readonly solve: Solver
  /** Where seconds are wanted. */
  readonly costs?: Costs
  /** Default: fitting. */
  readonly admission?: Admission
  readonly clock?: Clock
  /** Sees every search. */
  log?(search: Search, problem: number): void
}

/** One problem's part. Tokens with the prompt. */
interface Part {
  readonly choices: number
  readonly unique: number
  readonly unshared: number
  readonly peak: number
  readonly going: Going
  /** Of those that can be right, and of their approaches. */
  readonly right: Going
  readonly approaches: Going
  readonly correct: boolean | undefined
  readonly generated: number
  readonly missing: number
  readonly requested: number
  readonly recomputed: number
  readonly solving: number
  readonly solves: number
  readonly unproven: number
  readonly clusters: number
  /** Undefined where no machine is given. */
  readonly time: Time | undefined
}

interface Time {
  /** Seconds of the machines that the problem takes for itself: each step's over the problems that run together. */
  readonly share: Seconds
  /** Seconds of the steps as they pass, and of their models. */
  readonly generate: number
  readonly score: number
  readonly embed: number
  /** Whether all steps fit, and else the least memory of the device that would hold them. */
  readonly fits: boolean
  readonly least: number
}

export interface Outcome {
  readonly parts: readonly Part[]
  readonly problems: number
  /** Per step that chooses among samples: its tree before it is pruned. Peak: the most that is held at once. */
  readonly kv: { readonly mean: number; readonly peak: number; readonly unshared: number; readonly total: number }
  readonly kvInterval: Interval | undefined
  /** Share of the candidates that can be right that go on. Undefined where nobody knows which can. */
  readonly coverage: number | undefined
  readonly coverageInterval: Interval | undefined
  /** The same of the approaches that they take, each once a step. */
  readonly approaches: number | undefined
  /** Share of all candidates that go on. */
  readonly going: number
  readonly accuracy: number | undefined
  /** Wilson's. */
  readonly accuracyInterval: Interval | undefined
  /** Mean per problem. */
  readonly steps: number
  readonly generated: number
  readonly missing: number
  /** Tokens that the steps' requests begin with, and of these the ones that were lost from the cache. */
  readonly requested: number
  readonly recomputed: number
  readonly solver: {
    readonly solves: number
    readonly unproven: number
    readonly seconds: number
    readonly clusters: number
  }
  readonly time: TimeOutcome | undefined
}

export interface TimeOutcome {
  readonly fits: boolean
  /** Bytes of the device: the least that would hold every tree. */
  readonly least: number
  /** Problems per second. */
  readonly throughput: number
  readonly throughputBound: number
  readonly throughputInterval: Interval | undefined
  /** Problems that run at once, over time. */
  readonly together: number
  /** Seconds of a problem as they pass, beside the others that run with it. */
  readonly latency: number
  readonly generate: number
  readonly score: number
  readonly embed: number
}

/** Searches every problem of the source. */
export function experiment(e: Experiment): Outcome {
  const { source, settings, costs, admission = 'fitting' } = e
  const run = (index: number): Search => search<Node>(source, index, settings, e.solve, e.clock)
  const indices = Array.from({ length: source.problems }, (_, i) => i)
  const parts =
    admission === 'all' && costs !== undefined
      ? inTurns(indices.map(run), costs, e.log)
      : indices.map((i) => {
          const one = run(i)
          e.log?.(one, i)
          return partOf(one, costs)
        })
  return outcomeOf(parts)
}

/** What searches with the same settings come to on these machines, as many at once as fit. */
export function outcomeOn(searches: readonly Search[], costs?: Costs): Outcome {
  return outcomeOf(searches.map((one) => partOf(one, costs)))
}

function inTurns(searches: readonly Search[], costs: Costs, log: Experiment['log']): Part[] {
  const { deployment, budget, weights } = costs.generator
  const free = Math.max(0, budget - weights)
  const lost = recomputedTokens(searches, costs.threads, free / perToken(deployment).kvBytesPerToken)
  return searches.map((one, i) => {
    log?.(one, i)
    return partOf(one, costs, lost[i])
  })
}

function partOf(one: Search, costs: Costs | undefined, lost: readonly number[] = []): Part {
  const { steps, prompt } = one
  const choices = steps.filter((s) => s.depth > 0)
  const sum = (of: (s: (typeof steps)[number]) => number, over = steps) => over.reduce((n, s) => n + of(s), 0)
  const solved = steps.filter((s) => s.chosen.optimal !== undefined)
  return {
    choices: choices.length,
    unique: sum((s) => s.unique + prompt, choices),
    unshared: sum((s) => s.unshared + prompt * s.candidates.length, choices),
    peak: steps.reduce((most, s) => Math.max(most, s.held + prompt, s.unique + prompt), 0),
    going: going(steps),
    right: coverage(steps),
    approaches: approaches(steps),
    correct: one.right,
    generated: sum((s) => s.samples.reduce((n, x) => n + x.tokens, 0)),
    missing: sum((s) => s.missing),
    requested: sum((s) => s.samples.reduce((n, x) => n + (x.parent?.path ?? 0) + prompt, 0)),
    recomputed: lost.reduce((n, x) => n + x, 0),
    solving: one.solving,
    solves: solved.length,
    unproven: solved.filter((s) => s.chosen.optimal === false).length,
    clusters: sum((s) => s.chosen.clusters ?? 0),
    time: costs === undefined ? undefined : timeOf(one, costs, lost),
  }
}

function timeOf({ steps, prompt }: Search, costs: Costs, lost: readonly number[]): Time {
  const each = steps.map((s, i) => stepCost(s, prompt, costs, lost[i] ?? 0))
  const over = (of: (c: StepCost) => number) => each.reduce((n, c) => n + of(c), 0)
  const alone = (c: StepCost, key: keyof Seconds) => c.generate[key] + c.score[key] + c.embed[key]
  const share = (key: keyof Seconds) => over((c) => alone(c, key) / Math.max(1, c.together))
  return {
    share: { bound: share('bound'), expected: share('expected') },
    generate: over((c) => c.generate.expected),
    score: over((c) => c.score.expected),
    embed: over((c) => c.embed.expected),
    fits: each.every((c) => c.together >= 1),
    least: each.reduce((most, c) => Math.max(most, (c.share * c.fullest.budget) / c.fullest.fraction), 0),
  }
}

function outcomeOf(parts: readonly Part[]): Outcome {
  const sum = (of: (p: Part) => number) => parts.reduce((n, p) => n + of(p), 0)
  const choices = sum((p) => p.choices)
  const known = parts.filter((p) => p.correct !== undefined)
  const correct = known.filter((p) => p.correct).length
  const covered = share(parts, (p) => p.right)
  const tree = pairs(
    parts.filter((p) => p.choices > 0),
    (p) => [p.unique, p.choices],
  )
  return {
    parts,
    problems: parts.length,
    kv: {
      mean: choices === 0 ? 0 : sum((p) => p.unique) / choices,
      peak: parts.reduce((most, p) => Math.max(most, p.peak), 0),
      unshared: choices === 0 ? 0 : sum((p) => p.unshared) / choices,
      total: sum((p) => p.unique) / parts.length,
    },
    kvInterval: within(tree.ratioInterval),
    coverage: covered?.ratio,
    coverageInterval: within(covered?.ratioInterval, 1),
    approaches: share(parts, (p) => p.approaches)?.ratio,
    going: share(parts, (p) => p.going)?.ratio ?? 1,
    accuracy: known.length === 0 ? undefined : correct / known.length,
    accuracyInterval: known.length === 0 ? undefined : wilson(correct, known.length),
    steps: choices / parts.length,
    generated: sum((p) => p.generated) / parts.length,
    missing: sum((p) => p.missing),
    requested: sum((p) => p.requested) / parts.length,
    recomputed: sum((p) => p.recomputed) / parts.length,
    solver: {
      solves: sum((p) => p.solves),
      unproven: sum((p) => p.unproven),
      seconds: sum((p) => p.solving),
      clusters: choices === 0 ? 0 : sum((p) => p.clusters) / choices,
    },
    time: parts.every((p) => p.time !== undefined) ? timeOutcome(parts.map((p) => p.time as Time)) : undefined,
  }
}

function share(parts: readonly Part[], of: (p: Part) => Going): Pairs | undefined {
  const some = parts.map(of).filter((g) => g.of > 0)
  return some.length === 0 ? undefined : pairs(some, (g) => [g.kept, g.of])
}

function timeOutcome(times: readonly Time[]): TimeOutcome {
  const mean = (of: (t: Time) => number) => times.reduce((n, t) => n + of(t), 0) / times.length
  const shares = pairs(times, (t) => [1, t.share.expected])
  const share = mean((t) => t.share.expected)
  const latency = mean((t) => t.generate + t.score + t.embed)
  return {
    fits: times.every((t) => t.fits),
    least: times.reduce((most, t) => Math.max(most, t.least), 0),
    throughput: 1 / share,
    throughputBound: 1 / mean((t) => t.share.bound),
    throughputInterval: within(shares.ratioInterval),
    together: latency / share,
    latency,
    generate: mean((t) => t.generate),
    score: mean((t) => t.score),
    embed: mean((t) => t.embed),
  }
}

function pairs<T>(items: readonly T[], of: (item: T) => readonly [number, number]): Pairs {
  const all = new Pairs()
  for (const item of items) all.add(...of(item))
  return all
}

/** 95 % interval of a proportion, which is of use where it is 0 or 1 too (Wilson, 1927). */
export function wilson(successes: number, trials: number): Interval {
  const z = studentQuantile(1e9)
  const p = successes / trials
  const middle = (p + z ** 2 / (2 * trials)) / (1 + z ** 2 / trials)
  const half = (z / (1 + z ** 2 / trials)) * Math.sqrt((p * (1 - p)) / trials + z ** 2 / (4 * trials ** 2))
  return [Math.max(0, middle - half), Math.min(1, middle + half)]
}

export interface Ratio {
  readonly value: number
  readonly interval: Interval | undefined
}

/** Cut to what can be: nothing here is below 0, and no share above 1. Few problems spread wider than that. */
function within(interval: Interval | undefined, most = Number.POSITIVE_INFINITY): Interval | undefined {
  return interval && [Math.max(0, interval[0]), Math.min(most, interval[1])]
}

export interface Gain {
  /** Undefined where no step had anything to choose among. */
  readonly kv: Ratio | undefined
  /** Undefined without machines, or where a tree does not fit them. */
  readonly throughput: Ratio | undefined
}

/** How much less cache, and how many times the throughput, over another strategy on the same problems. */
export function against(base: Outcome, other: Outcome): Gain {
  const both = base.parts.map((a, i) => [a, other.parts[i] as Part] as const)
  const ratio = (of: (p: Part) => number): Ratio => {
    const all = pairs(both, ([a, b]) => [of(a), of(b)])
    return { value: all.ratio, interval: within(all.ratioInterval) }
  }
  const timed = base.time?.fits && other.time?.fits
  return {
    kv: base.kv.total > 0 && other.kv.total > 0 ? ratio((p) => p.unique) : undefined,
    throughput: timed ? ratio((p) => (p.time as Time).share.expected) : undefined,
  }
}
