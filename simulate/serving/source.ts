// Where requests come from: a process of arrivals, clients who each wait for their answer, or a trace.
import type { Random } from '../../model/random.ts'
import { type Clock, arrivals as clockOf } from './arrivals.ts'
import type { Law } from './law.ts'
import type { Lengths } from './lengths.ts'
import type { Arrival } from './request.ts'

export interface Source {
  /** Time of the next arrival as far as it is known; infinite where none is. */
  readonly next: number
  /** The next arrival. */
  take(): Arrival
  /** A request is over. */
  ended?(now: number): void
  /** Arrivals do not depend on service: their queue may grow without end. */
  readonly open: boolean
}

/** Draws the task of each request. */
export type Tasks = () => number

export interface Sizes {
  readonly prompt: Lengths
  readonly output: Lengths
  readonly tasks?: Tasks
}

/** Until so many requests have come, or seconds have passed; at least one of the two. */
export interface Until {
  readonly requests?: number | undefined
  readonly duration?: number | undefined
}

interface Draws {
  draw(time: number): Arrival
}

/** Separate streams, so that lengths do not change with the process of arrivals. */
function draws({ prompt, output, tasks }: Sizes, streams: () => Random): Draws {
  const [prompts, outputs] = [prompt.draw(streams()), output.draw(streams())]
  return { draw: (time) => ({ time, prompt: prompts(), output: outputs(), task: tasks?.() ?? 0 }) }
}

/** An open process. `streams` gives a new stream of random numbers at each call. */
export function openSource(law: Law, rate: number, sizes: Sizes, until: Until, streams: () => Random): Source {
  const clock: Clock = clockOf(law, rate, streams())
  const { draw } = draws(sizes, streams)
  const { requests = Number.POSITIVE_INFINITY, duration = Number.POSITIVE_INFINITY } = until
  let taken = 0
  const following = () => {
    const time = taken < requests ? clock() : Number.POSITIVE_INFINITY
    return time < duration ? time : Number.POSITIVE_INFINITY
  }
  let next = following()
  return {
    open: true,
    get next() {
      return next
    },
    take: () => {
      const arrival = draw(next)
      taken++
      next = following()
      return arrival
    },
  }
}

/** `clients` that each send their next request when the last one is over, all at once at first. */
export function closedSource(clients: number, sizes: Sizes, until: Until, streams: () => Random): Source {
  const { draw } = draws(sizes, streams)
  const { requests = Number.POSITIVE_INFINITY, duration = Number.POSITIVE_INFINITY } = until
  let taken = 0
  // Requests due at a time that has come.
  let due = clients
  let now = 0
  return {
    open: false,
    get next() {
      return due > 0 && taken < requests && now < duration ? now : Number.POSITIVE_INFINITY
    },
    take: () => {
      due--
      taken++
      return draw(now)
    },
    ended: (time) => {
      due++
      now = time
    },
  }
}

/** Requests one after the other, in the order of their times. */
export function listSource(requests: Iterable<Arrival>, scale = 1): Source {
  const iterator = requests[Symbol.iterator]()
  let following = iterator.next()
  return {
    open: false,
    get next() {
      return following.done ? Number.POSITIVE_INFINITY : following.value.time / scale
    },
    take: () => {
      if (following.done) throw new Error('take: no request is left')
      const { value } = following
      following = iterator.next()
      return scale === 1 ? value : { ...value, time: value.time / scale }
    },
  }
}
