// The simulator against queues that are known exactly. The runs are short; bench/main.js has long ones.
import { describe, expect, it } from 'vitest'
import { seeded } from '../../../model/random.ts'
import { studentQuantile } from '../../../simulate/confidence.ts'
import { serviceServing } from '../../../simulate/serving/fleet.ts'
import { always } from '../../../simulate/serving/lengths.ts'
import { mean, meansOf } from '../../../simulate/serving/measure.ts'
import { leastLoadedRouter, type Router, randomRouter } from '../../../simulate/serving/router.ts'
import { type Outcome, simulate, streamsOf } from '../../../simulate/serving/simulator.ts'
import { openSource } from '../../../simulate/serving/source.ts'
import {
  controlledWait,
  erlangWait,
  leadingMean,
  leadingWaits,
  pollaczekWait,
} from '../../../simulate/serving/theory.ts'

interface Queueing {
  readonly kind?: 'exponential' | 'constant'
  readonly servers?: number
  readonly replicas?: number
  readonly shared?: boolean
  readonly router?: Router
  readonly requests?: number
}

function run(load: number, q: Queueing = {}, seed = 7): Outcome {
  const { kind = 'exponential', servers = 1, replicas = 1, shared = false, requests = 120_000 } = q
  const streams = streamsOf(seed, seeded)
  const one = always(1)
  return simulate({
    source: openSource(
      { name: 'poisson', values: {} },
      load * servers * replicas,
      { prompt: one, output: one },
      { requests },
      streams,
    ),
    replicas: Array.from({ length: replicas }, () => serviceServing({ kind, seconds: 1 }, servers, streams())),
    router: q.router ?? leastLoadedRouter(),
    shared,
  })
}

/** Half-width of the 99 % interval of the mean wait, by batch means. */
function half99(o: Outcome): number {
  const means = meansOf(o.wait.all)
  const centre = mean(means)
  const variance = means.reduce((sum, m) => sum + (m - centre) ** 2, 0) / (means.length - 1)
  // The 99.5 % quantile of Student's t with 31 degrees of freedom, from the 97.5 % one.
  return studentQuantile(31) * (2.744 / 2.0395) * Math.sqrt(variance / means.length)
}

function holds(o: Outcome, exact: number): void {
  expect(Math.abs(mean(o.wait.all) - exact)).toBeLessThan(half99(o))
  expect(o.saturated).toBe(false)
  const inSystem = o.inSystem.integral(o.end) / o.end
  expect(inSystem).toBeCloseTo(o.sojourns / o.end, 8)
}

describe('waiting', () => {
  it.each([0.3, 0.5, 0.7, 0.8, 0.9])('is that of M/M/1 at load %f', (load) => {
    holds(run(load), erlangWait(load, 1, 1))
  })

  it.each([0.3, 0.6, 0.9])('is that of M/D/1 at load %f', (load) => {
    holds(run(load, { kind: 'constant' }), pollaczekWait(load, 1, 0))
  })

  it.each([0.3, 0.6, 0.9])(
    'is that of M/M/4 at load %f, as replicas on one queue and as slots of one replica',
    (load) => {
      const exact = erlangWait(4 * load, 1, 4)
      holds(run(load, { replicas: 4, shared: true }), exact)
      holds(run(load, { servers: 4 }), exact)
    },
  )

  it('is that of M/M/1 behind each of several queues that are chosen at random', () => {
    holds(run(0.7, { replicas: 3, router: randomRouter(seeded(3)) }), erlangWait(0.7, 1, 1))
  })

  it('is known in closed form', () => {
    expect(erlangWait(0.8, 1, 1)).toBeCloseTo(4, 12)
    // Two servers: C = 2ρ²/(1 + ρ), wait = C/(2 - a).
    expect(erlangWait(1.5, 1, 2)).toBeCloseTo((2 * 0.75 ** 2) / 1.75 / 0.5, 12)
    expect(pollaczekWait(0.5, 2, 1)).toBe(Number.POSITIVE_INFINITY)
    expect(pollaczekWait(0.8, 1, 1)).toBeCloseTo(erlangWait(0.8, 1, 1), 12)
  })
})

/** The estimate of the benchmark, on the recursion of the same queue: each customer takes the server that is free first. */
function controlled(load: number, servers: number, seed: number, requests: number) {
  const random = seeded(seed)
  const rate = load * servers
  const exponential = (mean: number) => Float64Array.from({ length: requests }, () => -mean * Math.log(1 - random()))
  const [gaps, services] = [exponential(1 / rate), exponential(1)]
  let time = 0
  const arrivals = gaps.map((gap) => {
    time += gap
    return time
  })
  const free = new Float64Array(servers)
  const waits = arrivals.map((at, i) => {
    let first = 0
    for (let k = 1; k < servers; k++) if ((free[k] as number) < (free[first] as number)) first = k
    const start = Math.max(at, free[first] as number)
    free[first] = start + (services[i] as number)
    return start - at
  })
  const leading = leadingWaits(arrivals, services, { rate, service: 1, servers })
  const plain = controlledWait(waits, [])
  const found = controlledWait(waits, [{ values: services, mean: 1 }, { values: gaps, mean: 1 / rate }, leading])
  return { leading, found, plain }
}

/** How many of `runs` miss an interval that each misses by chance with `share`, at most but once in a thousand times. */
function mostMisses(runs: number, share: number): number {
  let term = (1 - share) ** runs
  let sum = term
  let misses = 0
  while (sum < 0.999) {
    term *= ((runs - misses) / (misses + 1)) * (share / (1 - share))
    sum += term
    misses++
  }
  return misses
}

describe('the controlled estimate', () => {
  it.each([
    [0.3, 4],
    [0.6, 1],
  ])(
    'misses the exact wait as rarely as it says and is narrower than batch means, load %f of %i servers',
    (load, servers) => {
      const exact = erlangWait(load * servers, 1, servers)
      const runs = Array.from({ length: 100 }, (_, i) => controlled(load, servers, i + 1, 64_000))
      const missed = runs.filter(({ found }) => exact < found.low || exact > found.high).length
      expect(missed).toBeLessThanOrEqual(mostMisses(runs.length, 0.01))
      const width = (of: 'found' | 'plain') => mean(runs.map((r) => r[of].half))
      expect(width('found')).toBeLessThan(0.75 * width('plain'))
    },
    60_000,
  )

  it('is held to at most 5 misses of 100', () => expect(mostMisses(100, 0.01)).toBe(5))

  it('has a control whose mean is exact', () => {
    for (const servers of [1, 2, 4]) {
      const { leading } = controlled(0.5, servers, 3, 400_000)
      expect(mean([...(leading.values as Float64Array)]) / leading.mean).toBeCloseTo(1, 1)
    }
  })

  it('has a control that is the least of the services left of those just before, and of all before the wait', () => {
    // With as many before as there are servers: a service outlasts all gaps since, and the least of k is 1/k of one.
    const [rate, servers] = [1.2, 4]
    let busy = 1
    for (let m = 1; m <= servers; m++) busy *= rate / (rate + m)
    const line = { rate, service: 1, servers }
    expect(leadingMean(line, servers)).toBeCloseTo(busy / servers, 14)
    expect(leadingMean(line, 200)).toBeCloseTo(erlangWait(rate, 1, servers), 12)
  })
})

describe('saturation', () => {
  it.each([1.05, 1.2, 2, 100])('is said at load %f', (load) => {
    expect(run(load, { requests: 20_000 }).saturated).toBe(true)
  })

  it.each([1, 2, 3, 4, 5, 6])('is not said at load 0.95, seed %i', (seed) => {
    expect(run(0.95, { requests: 20_000 }, seed).saturated).toBe(false)
  })

  it('ends a queue that explodes', () => {
    const o = run(1e9, { requests: 1e9 })
    expect(o).toMatchObject({ overflowed: true, saturated: true })
    expect(o.offered).toBeLessThan(400_000)
    expect(o.unfinished + o.completed).toBe(o.offered)
  })
})
