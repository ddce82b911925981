// The experiments behind best-effort serving's rows: how far a placement and its router hold, what that costs in quality,
// and how often windows of bursty load reach most of the peak. Static and capped routers run when they are asked for;
// trained routers were measured by bench/best-effort.js, which trains them, and their figures are committed.
import { seeded } from '../../../model/random.ts'
import { studentQuantile } from '../../confidence.ts'
import { type BestEffort, bestEffortScenario, usualBestEffort } from '../../serving/best-effort.ts'
import { type Policy, policyRouter } from '../../serving/dqn/policy.ts'
import type { Law } from '../../serving/law.ts'
import { deadlineCapped, type Router, staticRouter } from '../../serving/router.ts'
import { simulate, streamsOf } from '../../serving/simulator.ts'
import { openSource } from '../../serving/source.ts'

export type Placement = readonly [large: number, mid: number, small: number]

export interface Point {
  readonly rate: number
  readonly availability: number
  readonly performance: number
}

export interface Load {
  readonly arrivals: Law
  readonly rate: number
  readonly seconds: number
  /** Weights of the tasks; equal where absent. */
  readonly mix?: readonly number[]
}

export interface Served extends Point {
  /** Shares of 8-second windows that earn at least so much of the peak. */
  readonly above96: number
  readonly above98: number
}

const window = 8
export const poisson: Law = { name: 'poisson', values: {} }

export type RouterOf = (b: BestEffort) => Router

export const statics: RouterOf = () => staticRouter()

/** Capped at three quarters of the feasible batch, tasks that lose least first to leave. */
export const capped: RouterOf = (b) => {
  const { quality, scales } = bestEffortScenario(b)
  const [large, small] = [quality[0] ?? [], quality.at(-1) ?? []]
  return deadlineCapped({ batches: scales.batches, gains: large.map((a, t) => 1 - (small[t] ?? 0) / a) })
}

export function learned(policy: Policy): RouterOf {
  return () => policyRouter(policy)
}

/** One run. Performance is a share of what the largest model placed would earn, always in time. */
export function serve(b: BestEffort, routerOf: RouterOf, load: Load, seed: number): Served {
  const scenario = bestEffortScenario(b)
  const streams = streamsOf(1_000_000 + seed, seeded)
  const { prompt, output } = scenario
  const random = streams()
  const tasks = load.mix ? mixed(load.mix, random) : scenario.drawTasks(random)
  const sizes = { prompt, output, tasks }
  const o = simulate({
    source: openSource(load.arrivals, load.rate, sizes, { duration: load.seconds }, streams),
    replicas: scenario.replicas(streams),
    router: routerOf(b),
    deadlines: { e2e: b.deadline },
    worth: { quality: scenario.quality },
    mostInSystem: Number.POSITIVE_INFINITY,
    window,
  })
  const windows = o.timeline.windows.filter((w) => w.best > 0)
  const above = (share: number) => windows.filter((w) => w.reward >= share * w.best).length / windows.length
  return {
    rate: load.rate,
    availability: o.inTime / o.counted,
    performance: o.reward / o.bestReward,
    above96: above(0.96),
    above98: above(0.98),
  }
}

function mixed(weights: readonly number[], random: () => number): () => number {
  const sum = weights.reduce((all, w) => all + w, 0)
  return () => {
    let left = random() * sum
    const i = weights.findIndex((w) => {
      left -= w
      return left < 0
    })
    return i < 0 ? weights.length - 1 : i
  }
}

/** Availability from which a placement holds. */
export const holding = 0.95
const step = 1.08
const firstRate = 60
const sweepSeconds = 20

/** Rates one after the other, each 8 % more, until `give up` of them in a row do not hold. */
export function sweep(b: BestEffort, routerOf: RouterOf, seed: number, most: number, begin = firstRate): Point[] {
  const points: Point[] = []
  for (let rate = begin; rate <= most * step; rate *= step) {
    const { availability, performance } = serve(b, routerOf, { arrivals: poisson, rate, seconds: sweepSeconds }, seed)
    points.push({ rate, availability, performance })
    if (points.slice(-2).every((p) => p.availability < holding) && points.length > 1) break
  }
  return points
}

/** The last rate up to which all hold; undefined where not even the first does. */
export function held(points: readonly Point[]): Point | undefined {
  const broken = points.findIndex((p) => p.availability < holding)
  return points[(broken < 0 ? points.length : broken) - 1]
}

export interface Mean {
  readonly mean: number
  /** Half of the 95 % interval over seeds; 0 of one seed. */
  readonly half: number
  readonly seeds: number
}

export function meanOf(values: readonly number[]): Mean {
  const n = values.length
  const mean = values.reduce((sum, v) => sum + v, 0) / n
  if (n < 2) return { mean, half: 0, seeds: n }
  const variance = values.reduce((sum, v) => sum + (v - mean) ** 2, 0) / (n - 1)
  return { mean, half: studentQuantile(n - 1) * Math.sqrt(variance / n), seeds: n }
}

/** Unpredictable loads, means and bursts of 8-second windows: the lighter three as looked at before, and heavier ones. */
export const bursts: readonly { readonly name: string; readonly rate: number; readonly cv: number }[] = [
  { name: 'mean-90-cv-1', rate: 90, cv: 1 },
  { name: 'mean-150-cv-1', rate: 150, cv: 1 },
  { name: 'mean-120-cv-1.5', rate: 120, cv: 1.5 },
  { name: 'mean-200-cv-0.5', rate: 200, cv: 0.5 },
  { name: 'mean-250-cv-0.5', rate: 250, cv: 0.5 },
  { name: 'mean-250-cv-1', rate: 250, cv: 1 },
]
const burstSeconds = 320

export function burst({ rate, cv }: (typeof bursts)[number], seconds = burstSeconds): Load {
  return { arrivals: { name: 'bursty', values: { cv, window } }, rate, seconds }
}

/** Arrivals and tasks that no router was trained on. */
export const shifts: readonly { readonly name: string; readonly load: Omit<Load, 'seconds'> }[] = [
  { name: 'arrivals-gamma-cv-3', load: { arrivals: { name: 'gamma', values: { cv: 3 } }, rate: 500 } },
  { name: 'arrivals-bursty-cv-1.5', load: { arrivals: { name: 'bursty', values: { cv: 1.5, window } }, rate: 250 } },
  { name: 'tasks-mostly-piqa', load: { arrivals: poisson, rate: 500, mix: [7, 1, 1, 1] } },
  { name: 'tasks-mostly-lambada', load: { arrivals: poisson, rate: 500, mix: [1, 1, 1, 7] } },
  { name: 'none', load: { arrivals: poisson, rate: 500 } },
]
const shiftSeconds = 60

export interface Measured {
  readonly placement: readonly number[]
  readonly router: string
  readonly seeds: readonly number[]
  /** How its routers were trained; null of those that are not. */
  readonly training: unknown
  /** The rate up to which all of a sweep hold, and the performance there. */
  readonly held: { readonly rate: Mean; readonly performance: Mean }
  /** Over the rate that static serving of the large model holds. */
  readonly gain: Mean
  /** At ten times that rate. */
  readonly tenfold: { readonly rate: number; readonly availability: Mean; readonly performance: Mean }
  readonly sweep: readonly { readonly rate: number; readonly availability: Mean; readonly performance: Mean }[]
  readonly bursts: readonly {
    readonly name: string
    readonly availability: Mean
    readonly above96: Mean
    readonly above98: Mean
  }[]
  readonly shifts: readonly { readonly name: string; readonly availability: Mean; readonly performance: Mean }[]
}

export interface Candidate {
  readonly placement: readonly number[]
  readonly router: string
  readonly training: unknown
  /** The router of each seed; equal but for learned ones. */
  of(seed: number): RouterOf
}

/** Placements with routers that need no training; the first is what others are measured against. */
export const untrained: readonly Candidate[] = [
  { placement: [4, 0, 0], router: 'static', training: null, of: () => statics },
  ...[
    [3, 1, 0],
    [2, 1, 1],
    [1, 1, 2],
  ].map((placement) => ({ placement, router: 'capped', training: null, of: () => capped })),
]

/** Rates of the sweep that is given whole. */
const grid = [60, 120, 190, 300, 500, 800, 1200, 1600, 1900, 2050]

/** Measures each candidate over the seeds; each seed draws its own traffic, the same for all candidates. */
export function measure(candidates: readonly Candidate[], seeds: readonly number[], say: (what: string) => void) {
  let base: readonly number[] = []
  return candidates.map((candidate): Measured => {
    const { placement, router, training, of } = candidate
    const b = { ...usualBestEffort, placement }
    say(`${placement.join('/')} ${router}`)
    const nothing = { rate: 0, availability: 0, performance: 0 }
    const most = bestEffortScenario(b).scales.rate * 1.15
    const helds = seeds.map((seed) => held(sweep(b, of(seed), seed, most)) ?? nothing)
    const rates = helds.map((h) => h.rate)
    if (base.length === 0) base = rates
    const each = (load: Load) => {
      const runs = seeds.map((seed) => serve(b, of(seed), load, seed))
      return (key: keyof Served) => meanOf(runs.map((run) => run[key]))
    }
    const at = (rate: number) => {
      const mean = each({ arrivals: poisson, rate, seconds: sweepSeconds })
      return { rate, availability: mean('availability'), performance: mean('performance') }
    }
    return {
      placement,
      router,
      seeds,
      training,
      held: { rate: meanOf(rates), performance: meanOf(helds.map((h) => h.performance)) },
      gain: meanOf(rates.map((rate, i) => rate / (base[i] ?? Number.NaN))),
      tenfold: at(10 * meanOf(base).mean),
      sweep: grid.map(at),
      bursts: bursts.map((load) => {
        const mean = each(burst(load))
        const { name } = load
        return { name, availability: mean('availability'), above96: mean('above96'), above98: mean('above98') }
      }),
      shifts: shifts.map(({ name, load }) => {
        const mean = each({ ...load, seconds: shiftSeconds })
        return { name, availability: mean('availability'), performance: mean('performance') }
      }),
    }
  })
}
