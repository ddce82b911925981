// Which replica serves a request. A router sees what a front door can see: the request's task and prompt, how many wait
// and run at each replica, and the recent rate of arrivals; never how long an answer will be, nor what comes later.
import type { Random } from '../../model/random.ts'
import type { Request } from './request.ts'

/** One replica as a router sees it. */
export interface Place {
  readonly model: number
  readonly waiting: number
  readonly running: number
  readonly up: boolean
}

export interface Fleet {
  readonly places: readonly Place[]
  /** Models from the largest to the smallest, with their replicas' indices. */
  readonly models: readonly (readonly number[])[]
  /** Arrivals in the last second. */
  readonly rate: number
}

export type Seen = Pick<Request, 'id' | 'task' | 'prompt'> & { memo: unknown }

export interface Router {
  readonly name: string
  /** The replica's index; -1 where none is up. */
  route(request: Seen, fleet: Fleet): number
  /** Told when a request that it routed is over; seconds of the whole, infinite where it was not served. */
  ended?(request: Request, latency: number): void
}

export const routerNames = ['static', 'random', 'least-loaded', 'largest-that-fits', 'deadline-capped', 'dqn'] as const
export type RouterName = (typeof routerNames)[number]

function load({ waiting, running }: Place): number {
  return waiting + running
}

/** The least loaded of some replicas that are up; the first of equals. */
export function leastLoaded(of: readonly number[], { places }: Fleet): number {
  let best = -1
  let least = Number.POSITIVE_INFINITY
  for (const i of of) {
    const place = places[i] as Place
    if (!place.up || load(place) >= least) continue
    best = i
    least = load(place)
  }
  return best
}

/** Requests in turn over the replicas of the largest model. */
export function staticRouter(): Router {
  let turn = 0
  return {
    name: 'static',
    route: (_, { models, places }) => {
      const of = models[0] ?? []
      for (let tried = 0; tried < of.length; tried++) {
        const i = of[turn++ % of.length] as number
        if (places[i]?.up) return i
      }
      return -1
    },
  }
}

export function randomRouter(random: Random): Router {
  return {
    name: 'random',
    route: (_, { places }) => {
      const up = places.map((_, i) => i).filter((i) => places[i]?.up)
      return up[Math.floor(random() * up.length)] ?? -1
    },
  }
}

/** The replica with the fewest requests, of all models. */
export function leastLoadedRouter(): Router {
  return { name: 'least-loaded', route: (_, fleet) => leastLoaded(fleet.models.flat(), fleet) }
}

/** A replica of the first model that has one up. */
function anyUp(fleet: Fleet): number {
  for (const of of fleet.models) {
    const i = leastLoaded(of, fleet)
    if (i >= 0) return i
  }
  return -1
}

/**
 * The largest model whose latency, predicted from what is there now, fits the deadline; else the smallest. It forgets
 * that each admission slows down those admitted before.
 */
export function largestThatFits(deadline: number, latency: (model: number, batch: number) => number): Router {
  return {
    name: 'largest-that-fits',
    route: (_, fleet) => {
      let last = -1
      for (const [model, of] of fleet.models.entries()) {
        const i = leastLoaded(of, fleet)
        if (i < 0) continue
        last = i
        if (latency(model, load(fleet.places[i] as Place) + 1) <= deadline) return i
      }
      return last
    },
  }
}

/** Share of the largest feasible batch up to which a model is filled. */
export const capShare = 0.75

export interface Capped {
  /** By model, the largest batch at which requests still meet the deadline. */
  readonly batches: readonly number[]
  /** By task, what the largest model gains over the smallest; tasks are equal where absent. */
  readonly gains?: readonly number[] | undefined
  /** Default: `capShare`. */
  readonly share?: number
}

/**
 * The largest model whose replicas hold less than a share of the batch that meets the deadline: tasks that gain least
 * from a larger model leave it first.
 */
export function deadlineCapped({ batches, gains, share = capShare }: Capped): Router {
  const thresholds = thresholdsOf(gains)
  return {
    name: 'deadline-capped',
    route: ({ task }, fleet) => {
      const threshold = thresholds[task] ?? 1
      for (const [model, of] of fleet.models.entries()) {
        const i = leastLoaded(of, fleet)
        const smallest = model === fleet.models.length - 1
        const limit = share * (batches[model] ?? 0) * (smallest ? 1 : threshold)
        if (i >= 0 && load(fleet.places[i] as Place) < limit) return i
      }
      // All are full: the smallest model recovers soonest.
      for (let model = fleet.models.length - 1; model >= 0; model--) {
        const i = leastLoaded(fleet.models[model] ?? [], fleet)
        if (i >= 0) return i
      }
      return anyUp(fleet)
    },
  }
}

/** From a half, for the task that gains least, to 1. */
function thresholdsOf(gains: readonly number[] | undefined): number[] {
  if (gains === undefined || gains.length < 2) return []
  const order = [...gains.keys()].sort((a, b) => (gains[a] ?? 0) - (gains[b] ?? 0))
  const thresholds: number[] = []
  order.forEach((task, rank) => {
    thresholds[task] = 0.5 + (0.5 * rank) / (order.length - 1)
  })
  return thresholds
}
