// The answer of `simulate serve --json`. Seconds, requests, tokens; null where a figure does not apply or, of a system
// that is saturated, where it would tell the length of the run.
import { type Distribution, distribution, type Percentiles, percentilesOf } from './measure.ts'
import type { Deadlines, Outcome } from './simulator.ts'

export interface ServingAnswer {
  readonly saturated: boolean
  /** From arrival to the first token; per further token; to the last token; to the first step. */
  readonly ttft_s: Distribution | null
  readonly tpot_s: Distribution | null
  readonly e2e_s: Distribution | null
  readonly wait_s: Distribution | null
  /** From the first step to the first token: TTFT less waiting. */
  readonly prefill_s: Distribution | null
  /** Completed requests per second, from 0 to the last completion; and tokens made. */
  readonly throughput: number
  readonly tokens_per_s: number
  /** Share of counted requests that met all deadlines, and how many a second did; null without deadlines. */
  readonly availability: number | null
  readonly goodput: number | null
  readonly requests: {
    readonly offered: number
    readonly completed: number
    readonly dropped: number
    readonly rejected: number
    readonly unfinished: number
    readonly preemptions: number
  }
  readonly rejected: readonly { readonly why: string; readonly count: number; readonly first: number }[]
  readonly duration_s: number
  /** Share of the time that replicas worked. */
  readonly utilization: number
  readonly queue: { readonly mean: number; readonly max: number }
  readonly in_system: { readonly mean: number; readonly max: number }
  /** Sequences of a running step, of a replica; idle time apart. */
  readonly batch: { readonly mean: number; readonly max: number }
  /** Share of the cache's blocks. */
  readonly kv: { readonly mean: number; readonly max: number }
  /** Mean number in the system beside arrival rate times mean time there: equal in every run. */
  readonly littles_law: { readonly in_system: number; readonly rate_times_time: number }
  readonly steps: number
  readonly events: number
  readonly energy_j: number | null
  readonly cost: number | null
  /** Reward over the largest model's, all in time; null without tasks' qualities. */
  readonly performance: number | null
  readonly by_model: readonly number[]
  readonly timeline: {
    readonly width_s: number
    readonly rows: readonly {
      readonly time_s: number
      readonly arrivals: number
      readonly completed: number
      readonly waiting: number
      readonly running: number
      readonly kv: number
      /** Of the requests completed in it. */
      readonly ttft_s: Percentiles | null
      readonly tpot_s: Percentiles | null
      readonly e2e_s: Percentiles | null
    }[]
  }
}

export interface AnswerOptions {
  readonly deadlines?: Deadlines
  /** Late requests are dropped: the queue is bounded, and its latencies are the system's. */
  readonly dropLate?: boolean
  readonly replicas: number
  /** Watts of all devices of a replica, and dollars an hour of all devices. */
  readonly watts?: number | undefined
  readonly dollarsPerHour?: number | undefined
  /** Tokens are counted: false of services from theory. */
  readonly tokens: boolean
}

export function servingAnswer(o: Outcome, options: AnswerOptions): ServingAnswer {
  const { deadlines = {}, dropLate = false, tokens } = options
  const explodes = o.saturated && !dropLate
  const stationary = <T>(value: T) => (explodes ? null : value)
  const promised = Object.values(deadlines).some((d) => d !== undefined)
  const end = o.end > 0 ? o.end : Number.NaN
  const perSecond = (n: number) => (o.end > 0 ? n / o.end : 0)
  const { windows } = o.timeline
  const completed = windows.map((w) => w.completed)
  const over = {
    ttft: percentilesOf(o.ttft, completed),
    tpot: percentilesOf(
      o.tpot,
      windows.map((w) => w.paced),
    ),
    e2e: percentilesOf(o.e2e, completed),
  }
  const average = (integral: number) => (o.end > 0 ? integral / end : 0)
  return {
    saturated: o.saturated,
    ttft_s: tokens ? stationary(distribution(o.ttft)) : null,
    tpot_s: tokens ? distribution(o.tpot) : null,
    e2e_s: stationary(distribution(o.e2e)),
    wait_s: stationary(distribution(o.wait)),
    prefill_s: tokens ? distribution(o.prefill) : null,
    throughput: perSecond(o.completed),
    tokens_per_s: tokens ? perSecond(o.tokens) : 0,
    availability: promised && o.counted > 0 && !o.overflowed ? o.inTime / o.counted : null,
    goodput: promised && !o.overflowed ? perSecond(o.inTime) : null,
    requests: {
      offered: o.offered,
      completed: o.completed,
      dropped: o.dropped,
      rejected: [...o.rejected.values()].reduce((sum, r) => sum + r.count, 0),
      unfinished: o.unfinished,
      preemptions: o.preemptions,
    },
    rejected: [...o.rejected].map(([why, { count, first }]) => ({ why, count, first })),
    duration_s: o.end,
    utilization: o.end > 0 ? Math.min(1, o.busy / (o.end * o.stations)) : 0,
    queue: { mean: average(o.waiting.integral(o.end)), max: o.waiting.most },
    in_system: { mean: average(o.inSystem.integral(o.end)), max: o.inSystem.most },
    batch: { mean: o.busy > 0 ? o.batch.integral(o.end) / o.busy : 0, max: o.mostBatch },
    kv: { mean: average(o.kv.integral(o.end)) / o.stations, max: o.mostKv },
    littles_law: { in_system: average(o.inSystem.integral(o.end)), rate_times_time: perSecond(o.sojourns) },
    steps: o.steps,
    events: o.events,
    energy_j: options.watts === undefined ? null : options.watts * o.busy,
    cost: options.dollarsPerHour === undefined ? null : (options.dollarsPerHour * o.end) / 3600,
    performance: o.bestReward > 0 && !explodes ? o.reward / o.bestReward : null,
    by_model: o.byModel,
    timeline: {
      width_s: o.timeline.width,
      rows: windows.map((w, i) => ({
        time_s: i * o.timeline.width,
        arrivals: w.arrivals,
        completed: w.completed,
        waiting: w.waiting,
        running: w.running,
        kv: w.kv,
        ttft_s: tokens ? stationary(over.ttft[i] ?? null) : null,
        tpot_s: tokens ? (over.tpot[i] ?? null) : null,
        e2e_s: stationary(over.e2e[i] ?? null),
      })),
    },
  }
}
