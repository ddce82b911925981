// How often something is timed: warm up, then take samples until the median is settled or the time is spent. Knows no
// device and no clock: it is given a function that runs a number of repeats and says how long they took.

export interface Protocol {
  /** Seconds of running before the first sample: clocks rise, caches and tables fill. */
  readonly warmup: number
  /** Seconds that one sample takes at least, by repeating. */
  readonly sample: number
  readonly least: number
  readonly most: number
  /** Seconds of samples after which no more are taken. */
  readonly budget: number
  /** Half-width of the median's 95 % interval, over the median, at which it is settled. */
  readonly settled: number
  /** Repeats in a sample, at most. */
  readonly repeats: number
}

export const usualProtocol: Protocol = {
  warmup: 0.1,
  sample: 1e-3,
  least: 11,
  most: 101,
  budget: 1,
  settled: 0.005,
  repeats: 256,
}

export interface Timing {
  /** Seconds of one repeat. */
  readonly median: number
  /** The shortest: what other work on the machine left alone. */
  readonly best: number
  /** Between the quartiles. */
  readonly spread: number
  readonly samples: number
  readonly repeats: number
  readonly settled: boolean
}

/** Times what `run` does: it runs so many repeats and returns the seconds that they took together. */
export async function timed(run: (repeats: number) => Promise<number>, p: Protocol = usualProtocol): Promise<Timing> {
  const repeats = await warm(run, p)
  const samples: number[] = []
  let spent = 0
  while (samples.length < p.most && !(samples.length >= p.least && (isSettled(samples, p) || spent >= p.budget))) {
    const seconds = await run(repeats)
    check(seconds)
    spent += seconds
    samples.push(seconds / repeats)
    // One very long sample after another: a few say as much as is to be had.
    if (spent >= 4 * p.budget && samples.length >= 3) break
  }
  const sorted = samples.toSorted((a, b) => a - b)
  return {
    median: quantile(sorted, 0.5),
    best: quantile(sorted, 0),
    spread: quantile(sorted, 0.75) - quantile(sorted, 0.25),
    samples: sorted.length,
    repeats,
    settled: isSettled(samples, p),
  }
}

/** Runs until the device is warm; returns the repeats that make a sample long enough. */
async function warm(run: (repeats: number) => Promise<number>, p: Protocol): Promise<number> {
  let repeats = 1
  let spent = 0
  for (let runs = 0; ; runs++) {
    const seconds = await run(repeats)
    check(seconds)
    spent += seconds
    const enough = seconds >= p.sample || repeats >= p.repeats
    if (enough && runs >= 2 && (spent >= p.warmup || runs >= 1000)) return repeats
    if (!enough) {
      const wanted = seconds > 0 ? Math.ceil((repeats * p.sample) / seconds) : p.repeats
      repeats = Math.min(p.repeats, Math.max(repeats + 1, Math.min(wanted, 4 * repeats)))
    }
  }
}

function check(seconds: number): void {
  if (!(seconds >= 0 && Number.isFinite(seconds))) {
    throw new Error(`expected the clock to give seconds from 0, got ${seconds}`)
  }
}

/** Whether the median's 95 % interval (by order statistics) is narrow enough. */
function isSettled(samples: readonly number[], p: Protocol): boolean {
  const sorted = samples.toSorted((a, b) => a - b)
  const n = sorted.length
  const reach = 0.98 * Math.sqrt(n)
  const low = sorted[Math.max(0, Math.floor(n / 2 - reach))] as number
  const high = sorted[Math.min(n - 1, Math.ceil(n / 2 + reach))] as number
  return (high - low) / 2 <= p.settled * quantile(sorted, 0.5)
}

/** A quantile of sorted numbers, between neighbours linearly. */
export function quantile(sorted: readonly number[], q: number): number {
  const at = (sorted.length - 1) * q
  const low = sorted[Math.floor(at)] ?? Number.NaN
  const high = sorted[Math.ceil(at)] ?? Number.NaN
  return low + (high - low) * (at - Math.floor(at))
}
