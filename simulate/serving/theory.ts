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
  /** The 99 % interval, which reaches further to the side of the longer tail. */
  readonly low: number
  readonly high: number
  /** Half of its width. */
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
 * 1981). Batches of waits are skewed, rarely far above their mean, so that Student's interval would lie too low: it is
 * taken back through Hall's transformation of t, which is not (Hall 1992).
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
  const error = Math.sqrt(spread * (1 / batches + slopes))
  const lean = skewness(left) / Math.sqrt(batches)
  const [low, high] = [middle - error * unskewed(quantile, lean), middle - error * unskewed(-quantile, lean)]
  return { mean: middle, low, high, half: (high - low) / 2 }
}

/** The t of skewed numbers at which Hall's transformation, which is monotone, is `x`; `lean` is their skewness over √n. */
function unskewed(x: number, lean: number): number {
  if (Math.abs(lean) < 1e-9) return x
  return (3 / lean) * (Math.cbrt(1 + lean * (x - lean / 6)) - 1)
}

/** Of the numbers behind a sample, without the bias of a small one. */
function skewness(of: readonly number[]): number {
  const [n, middle] = [of.length, mean(of)]
  const cubes = of.reduce((sum, x) => sum + (x - middle) ** 3, 0) / n
  const variance = squares(of) / n
  return variance === 0 ? 0 : ((cubes / variance ** 1.5) * Math.sqrt(n * (n - 1))) / (n - 2)
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

export interface Line {
  readonly rate: number
  readonly service: number
  readonly servers: number
}

/**
 * A control for queues of exponential services on one line: the wait that each customer would have if only the `depth`
 * who came before it were there, which is most of what waits are at light loads. Of customers in the order of arrival.
 * The busier the servers, the further back a wait begins.
 */
export function leadingWaits(
  arrivals: ArrayLike<number>,
  services: ArrayLike<number>,
  line: Line,
  depth = Math.round(line.servers / (1 - (line.rate * line.service) / line.servers)),
): Control {
  const free = new Float64Array(line.servers)
  const values = Float64Array.from(services, (_, i) => {
    // The first have fewer before them.
    if (i < depth) return 0
    free.fill(0)
    for (let j = i - depth; j < i; j++) {
      const first = earliest(free)
      free[first] = Math.max(arrivals[j] as number, free[first] as number) + (services[j] as number)
    }
    return Math.max(0, (free[earliest(free)] as number) - (arrivals[i] as number))
  })
  return { values, mean: leadingMean(line, depth) }
}

function earliest(free: Float64Array): number {
  let first = 0
  for (let k = 1; k < free.length; k++) if ((free[k] as number) < (free[first] as number)) first = k
  return first
}

/** The mean wait of who comes after `depth` others to servers that were empty, by the chances of how many are there. */
export function leadingMean({ rate, service, servers }: Line, depth: number): number {
  let chances = new Float64Array(depth + 2)
  chances[0] = 1
  for (let customer = 0; customer < depth; customer++) {
    const next = new Float64Array(depth + 2)
    for (let there = 0; there <= depth; there++) next[there + 1] = chances[there] as number
    // Until the next arrival they leave one by one, each as likely first as its rate has it.
    for (let there = depth + 1; there > 0; there--) {
      const leaving = Math.min(there, servers) / service
      const mass = next[there] as number
      next[there] = (mass * rate) / (rate + leaving)
      next[there - 1] = (next[there - 1] as number) + (mass * leaving) / (rate + leaving)
    }
    chances = next
  }
  let wait = 0
  for (let there = servers; there <= depth; there++) {
    wait += ((chances[there] as number) * (there - servers + 1) * service) / servers
  }
  return wait
}
