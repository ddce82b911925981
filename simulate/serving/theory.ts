// Waiting times that queueing theory knows exactly, for Poisson arrivals. Seconds; they hold the simulator to account.
import { mean, meansOf } from './measure.ts'

/** Mean wait of M/M/k (Erlang's C): arrivals per second, mean service seconds, servers. Infinite at and above capacity. */
export function erlangWait(rate: number, service: number, servers: number): number {
  const offered = rate * service
  if (offered >= servers) return Number.POSITIVE_INFINITY
  // Erlang B by its recursion, which no factorial overflows.
  let blocked = 1
  for (let k = 1; k <= servers; k++) blocked = (offered * blocked) / (k + offered * blocked)
  const waits = blocked / (1 - (offered / servers) * (1 - blocked))
  return (waits * service) / (servers - offered)
}

/** Mean wait of M/G/1 (Pollaczek and Khinchine); `variation` is the squared coefficient of variation: 0 for M/D/1. */
export function pollaczekWait(rate: number, service: number, variation: number): number {
  const load = rate * service
  return load >= 1 ? Number.POSITIVE_INFINITY : (load * service * (1 + variation)) / (2 * (1 - load))
}

export interface Controlled {
  readonly mean: number
  /** Half of the 99 % interval. */
  readonly half: number
}

const batches = 64
/** The 99.5 % quantile of Student's t with 60 degrees of freedom: as many batches less their mean and three controls. */
const quantile = 2.6603

/** Numbers of the same customers whose mean is known. */
export interface Control {
  readonly values: ArrayLike<number>
  readonly mean: number
}

/**
 * The mean wait by batch means, with controls (service and interarrival times, waits behind those just before): where
 * their means are known, what they were off by in a run explains part of what the waits were off by (Lavenberg and Welch
 * 1981).
 */
export function controlledWait(waits: ArrayLike<number>, controls: readonly Control[]): Controlled {
  let left = meansOf(waits, batches)
  // One after the other, each on what the others leave of it.
  const residuals: number[][] = []
  for (const control of controls) {
    let own = meansOf(control.values, batches).map((x) => x - control.mean)
    for (const before of residuals) own = minus(own, before)
    if (own.every((x) => Math.abs(x) < 1e-12)) continue
    left = minus(left, own)
    residuals.push(own)
  }
  const middle = mean(left)
  const spread = left.reduce((sum, x) => sum + (x - middle) ** 2, 0) / (batches - 1 - residuals.length)
  // The slopes are estimated too: how far off the controls were adds to what is left.
  const slopes = residuals.reduce((sum, own) => sum + mean(own) ** 2 / squares(own), 0)
  return { mean: middle, half: quantile * Math.sqrt(spread * (1 / batches + slopes)) }
}

function squares(of: readonly number[]): number {
  const middle = mean(of)
  return of.reduce((sum, x) => sum + (x - middle) ** 2, 0)
}

/** What is left of some numbers without their linear part in others, whose expectation is 0. */
function minus(of: readonly number[], by: readonly number[]): number[] {
  const [a, b] = [mean(of), mean(by)]
  const covariance = of.reduce((sum, x, i) => sum + (x - a) * ((by[i] as number) - b), 0)
  const slope = covariance / squares(by)
  return of.map((x, i) => x - slope * (by[i] as number))
}

/**
 * A control for queues of exponential services on one line: the wait that each customer would have if only the `servers`
 * who came before it were there, which is what most waits are at light loads. Of customers in the order of arrival; its
 * mean is known: a service outlasts the gaps since with exp(-gaps / service), and the least of k is 1/k of one.
 */
export function leadingWaits(
  arrivals: ArrayLike<number>,
  services: ArrayLike<number>,
  law: { readonly rate: number; readonly service: number; readonly servers: number },
): Control {
  const { rate, service, servers } = law
  const values = Float64Array.from(services, (_, i) => {
    if (i < servers) return 0
    let least = Number.POSITIVE_INFINITY
    for (let k = 1; k <= servers; k++) {
      const left = (services[i - k] as number) - ((arrivals[i] as number) - (arrivals[i - k] as number))
      least = Math.min(least, left)
    }
    return Math.max(0, least)
  })
  let busy = 1
  for (let m = 1; m <= servers; m++) busy *= (rate * service) / (rate * service + m)
  return { values, mean: (busy * service) / servers }
}
