// When requests come: as a Poisson process, evenly, in renewals of chosen burstiness (gamma), or at a rate that changes
// from window to window.
import { normals, type Random } from '../../model/random.ts'
import { type Law, type Laws, parseLaw } from './law.ts'

/** The time of the next arrival at each call, from 0 on. Seconds. */
export type Clock = () => number

export const arrivalLaws = {
  poisson: {},
  even: {},
  gamma: { cv: { above: 0 } },
  bursty: { cv: { above: 0 }, window: { default: 8, above: 0 } },
} as const satisfies Laws

export function parseArrivals(text: string): Law {
  return parseLaw(text, arrivalLaws)
}

/** Rates from which a double has no room for the time between two arrivals, and below which none comes in a lifetime. */
export const rates = { least: 1e-9, most: 1e9 } as const

/** Arrivals of `rate` a second in the long run. Throws RangeError for a rate that no clock can follow. */
export function arrivals({ name, values }: Law, rate: number, random: Random): Clock {
  if (!(rate >= rates.least && rate <= rates.most)) {
    throw new RangeError(`rate: expected requests per second from ${rates.least} to ${rates.most}, got ${rate}`)
  }
  if (name === 'bursty') return bursty(rate, values.cv ?? 1, values.window ?? 8, random)
  const gap = gaps(name, values.cv ?? 1, random)
  let now = 0
  return () => {
    now += gap() / rate
    return now
  }
}

/** Times between arrivals with mean 1. */
function gaps(name: string, cv: number, random: Random): Random {
  if (name === 'even') return () => 1
  if (name === 'gamma' && cv !== 1) {
    const shape = 1 / (cv * cv)
    const draw = gamma(shape, random)
    return () => draw() / shape
  }
  return () => -Math.log(1 - random())
}

/** A Poisson process whose rate is drawn for each window: its mean times a lognormal number of mean 1. */
function bursty(rate: number, cv: number, window: number, random: Random): Clock {
  const factor = lognormal(1, cv, random)
  let now = 0
  let end = window
  let current = rate * factor()
  return () => {
    for (;;) {
      now += -Math.log(1 - random()) / current
      if (now < end) return now
      // What is left of an exponential gap starts anew at the border.
      now = end
      end += window
      current = rate * factor()
    }
  }
}

/** Lognormal numbers of a mean and a coefficient of variation. */
export function lognormal(mean: number, cv: number, random: Random): Random {
  const variance = Math.log(1 + cv * cv)
  const middle = Math.log(mean) - variance / 2
  const normal = normals(random)
  return () => Math.exp(middle + Math.sqrt(variance) * normal())
}

/** Gamma numbers of scale 1 (Marsaglia and Tsang 2000). */
export function gamma(shape: number, random: Random): Random {
  const normal = normals(random)
  const boost = shape < 1
  const d = (boost ? shape + 1 : shape) - 1 / 3
  const c = 1 / Math.sqrt(9 * d)
  const large = () => {
    for (;;) {
      const x = normal()
      const v = (1 + c * x) ** 3
      if (v > 0 && Math.log(1 - random()) < (x * x) / 2 + d - d * v + d * Math.log(v)) return d * v
    }
  }
  return boost ? () => large() * (1 - random()) ** (1 / shape) : large
}
