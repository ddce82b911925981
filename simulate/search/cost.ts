// What a step of a search costs on machines: passes of the generator until the longest sample is there, and of the reward
// and embedding models over the samples, all made of ordinary operators. Where the next samples wait for the scores of
// these, nothing overlaps. As many problems run at once as threads ask for and as fit the memory; each step of theirs is
// taken to meet steps of its own size, so that the number that fits is a mean and need not be whole.
import type { Profile } from '../../hardware/profile.ts'
import type { Deployment } from '../../model/deployment.ts'
import { memory } from '../../model/memory.ts'
import { pass } from '../../model/pass.ts'
import { decode, encode, ownPast, prefill, type Segment, type Sequences, type Workload } from '../../model/workload.ts'
import { estimate } from '../estimate.ts'
import type { Step } from '../round.ts'
import { type Node, pathTokens, uniqueTokens } from './node.ts'
import type { SearchStep } from './search.ts'

/** A model where it runs. */
export interface Place {
  readonly deployment: Deployment
  readonly profile: Profile
  /** Bytes of the device that weights and cache may take, and that the weights do. */
  readonly budget: number
  readonly weights: number
  /** The share of the device's memory that `budget` is. */
  readonly fraction: number
}

/** How attention reads what several leaves share: on each leaf's path, or once per tree (a cascade or tree kernel). */
export const readings = ['paths', 'tree'] as const
export type Reading = (typeof readings)[number]

/** What the reward model keeps between the steps of a problem: all paths, or its prompt alone. */
export const retained = ['tree', 'prompt'] as const
export type Retained = (typeof retained)[number]

export interface Costs {
  readonly generator: Place
  readonly scorer?: Place & { readonly keeps: Retained }
  /** On the scorer's machine. */
  readonly embedder?: Place
  readonly reading: Reading
  /** Problems that are searched at once, at most. */
  readonly threads: number
}

export interface Seconds {
  readonly bound: number
  readonly expected: number
}

export interface StepCost {
  /** Problems that run at once; below 1 where not even one fits. */
  readonly together: number
  /** Seconds of the step, of that many problems. */
  readonly generate: Seconds
  readonly score: Seconds
  readonly embed: Seconds
  /** Bytes of weights and of one problem's cache over the budget of the fullest place, and that place. */
  readonly share: number
  readonly fullest: Place
}

/** A model on a machine of which engines take `share` for weights and cache. */
export function placed(deployment: Deployment, profile: Profile, share: number): Place {
  const workload = deployment.architecture.kind === 'encoder' ? encode(1, 1) : decode(1, 1)
  const { weights } = memory(deployment, workload, [])
  const { name, memory: dram } = profile.machine
  if (dram.capacity === undefined)
    throw new RangeError(`memory: nothing states how much ${name} has; expected --memory`)
  return { deployment, profile, budget: share * dram.capacity, fraction: share, weights }
}

const nothing: Seconds = { bound: 0, expected: 0 }

function plus(a: Seconds, b: Seconds, times = 1): Seconds {
  return { bound: a.bound + times * b.bound, expected: a.expected + times * b.expected }
}

function secondsOf({ deployment, profile }: Place, workload: Workload): Seconds {
  const step: Step = { name: 'search', on: 'target', deployment, workload, times: 1 }
  return estimate([step], profile)
}

/** Pieces of a step over which leaves that still grow are counted as their mean. */
export const usualPieces = 24

/** `recomputed`: tokens of one problem that fell out of the cache and are read again. */
export function stepCost(
  step: SearchStep,
  prompt: number,
  costs: Costs,
  recomputed = 0,
  pieces = usualPieces,
): StepCost {
  const { samples } = step
  if (samples.length === 0)
    return {
      together: costs.threads,
      generate: nothing,
      score: nothing,
      embed: nothing,
      share: 0,
      fullest: costs.generator,
    }
  const { generator, scorer, embedder, threads } = costs
  const whole = leavesOf(samples, prompt)
  const holding = [generator, ...(scorer?.keeps === 'tree' ? [scorer] : [])].map((place) => held(place, whole))
  const fits = Math.min(threads, ...holding.map((h) => h.fits))
  const worst = holding.reduce((a, b) => (b.share > a.share ? b : a))
  const runs = Math.max(1, fits)
  const start = step.depth === 0 && prompt > 0 ? secondsOf(generator, prefill(atLeastOne(runs), prompt)) : nothing
  const again = recomputed > 0 ? secondsOf(generator, catchUp(runs, whole, recomputed)) : nothing
  const growing = plus(plus(start, again), generate(costs, samples, prompt, runs, pieces))
  return {
    together: fits,
    generate: growing,
    score: scorer === undefined ? nothing : score(scorer, step, whole, prompt, runs),
    embed: embedder === undefined ? nothing : secondsOf(embedder, texts(embedder, runs * samples.length, whole.mean)),
    share: worst.share,
    fullest: worst.place,
  }
}

function atLeastOne(n: number): number {
  return Math.max(1, Math.round(n))
}

/** Samples of one problem with what is before them. */
interface Leaves {
  readonly count: number
  /** Mean tokens before each, the prompt too. */
  readonly before: number
  /** The same over all of them, each node once. */
  readonly unique: number
  /** Mean tokens of a sample. */
  readonly mean: number
}

function leavesOf(samples: readonly Node[], prompt: number): Leaves {
  const parents = samples.map((s) => s.parent as Node)
  const count = samples.length
  const mean = samples.reduce((sum, s) => sum + s.tokens, 0) / count
  return { count, before: prompt + pathTokens(parents) / count, unique: prompt + uniqueTokens(parents), mean }
}

/**
 * `n` times these leaves as one group of sequences. A stretch read by several is as many copies as make its distinct
 * tokens, over the mean path: what is read and what is attended are both exact, whatever the tree's shape.
 */
function grouped(
  { count, before, unique }: Leaves,
  n: number,
  reading: Reading,
): Pick<Sequences, 'sequences' | 'past'> {
  const sequences = atLeastOne(n * count)
  if (before === 0) return { sequences, past: [] }
  const copies = reading === 'tree' ? Math.min(sequences, (sequences * unique) / (count * before)) : sequences
  const shared: Segment = { tokens: before, copies, sharers: sequences / copies }
  return { sequences, past: [shared] }
}

/** How many problems of this size the place holds. */
function held(place: Place, leaves: Leaves): { place: Place; fits: number; share: number } {
  const { sequences, past } = grouped(leaves, 1, 'tree')
  const own = ownPast(Math.max(0, leaves.mean - 1), sequences)
  const group: Sequences = { sequences, query: 1, past: [...past, ...own], logits: 1 }
  const workload: Workload = { stack: 'decoder', groups: [group] }
  const { kv } = memory(place.deployment, workload, pass(place.deployment, workload))
  const free = place.budget - place.weights
  return { place, fits: Math.max(0, free / kv), share: (place.weights + kv) / place.budget }
}

/** One token for every leaf that still grows, until none does. */
function generate(
  { generator, reading }: Costs,
  samples: readonly Node[],
  prompt: number,
  n: number,
  pieces: number,
): Seconds {
  const longest = samples.reduce((most, s) => Math.max(most, s.tokens), 0)
  const growing = activeAt(samples, longest)
  let seconds = nothing
  const count = Math.min(pieces, longest)
  for (let piece = 0; piece < count; piece++) {
    const begin = Math.floor((piece * longest) / count)
    const end = Math.floor(((piece + 1) * longest) / count)
    let active = 0
    for (let k = begin; k < end; k++) active += growing[k] as number
    active /= end - begin
    const middle = (begin + end - 1) / 2
    const leaves = leavesOf(
      samples.filter((s) => s.tokens > middle),
      prompt,
    )
    const { sequences, past } = grouped(
      { ...leaves, count: active, unique: (leaves.unique * active) / leaves.count },
      n,
      reading,
    )
    const own = ownPast(middle, sequences)
    const group: Sequences = { sequences, query: 1, past: [...past, ...own], logits: 1 }
    seconds = plus(seconds, secondsOf(generator, { stack: 'decoder', groups: [group] }), end - begin)
  }
  return seconds
}

/** Samples that need a token at each place of the step. */
function activeAt(samples: readonly Node[], longest: number): Float64Array {
  const active = new Float64Array(longest)
  for (const s of samples) active[s.tokens - 1] = (active[s.tokens - 1] as number) + 1
  for (let k = longest - 2; k >= 0; k--) active[k] = (active[k] as number) + (active[k + 1] as number)
  return active
}

/** The reward model reads the new steps, or the paths after the prompt where it keeps no more. */
function score(
  scorer: NonNullable<Costs['scorer']>,
  step: SearchStep,
  leaves: Leaves,
  prompt: number,
  n: number,
): Seconds {
  const start = step.depth === 0 && prompt > 0 ? secondsOf(scorer, prefill(atLeastOne(n), prompt)) : nothing
  const path = leaves.before - prompt
  const kept = scorer.keeps === 'tree' ? leaves : { ...leaves, before: prompt, unique: prompt }
  const query = atLeastOne(leaves.mean + (scorer.keeps === 'tree' ? 0 : path))
  const group: Sequences = { ...grouped(kept, n, 'paths'), query, logits: 1, prompt: true }
  return plus(start, secondsOf(scorer, { stack: 'decoder', groups: [group] }))
}

/** Steps through the embedding model, cut to what it takes. */
function texts({ deployment }: Place, count: number, mean: number): Workload {
  const { architecture } = deployment
  const tokens = Math.min(atLeastOne(mean), architecture.positions ?? Number.POSITIVE_INFINITY)
  return encode(atLeastOne(count), tokens)
}

/** Lost tokens read again, spread over the paths that need them. */
function catchUp(n: number, { count, before, unique }: Leaves, lost: number): Workload {
  const paths = Math.max(1, Math.min(count, Math.round(unique / before)))
  const query = atLeastOne(lost / paths)
  return prefill(atLeastOne(n * paths), query, Math.max(0, Math.round(before) - query))
}
