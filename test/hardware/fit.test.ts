import { describe, expect, it } from 'vitest'
import { attentionBounds } from '../../hardware/attention-time.ts'
import { loadMachine } from '../../hardware/catalog.ts'
import constantsFile from '../../hardware/constants.json' with { type: 'json' }
import { type AttentionRow, attentionRatios, fitAttention, scored } from '../../hardware/fit/attention.ts'
import { type CollectiveRow, collectiveRatios, fitCollectives } from '../../hardware/fit/collective.ts'
import { errorsOf, hash, quantile } from '../../hardware/fit/errors.ts'
import { fitGemm, type GemmRow, gemmRatios } from '../../hardware/fit/gemm.ts'
import { type Halved, heldOutIntervals, regimeIntervals } from '../../hardware/fit/interval.ts'
import { fitNarrow, narrowBounds, narrowRatios } from '../../hardware/fit/narrow.ts'
import { fitPlain, type PlainRow, plainRatios } from '../../hardware/fit/plain.ts'
import { fitProbes, nearestProbes, probeShapes } from '../../hardware/fit/probes.ts'
import { byGroup, otherHalf, ratiosBy, withoutEach } from '../../hardware/fit/schemes.ts'
import { type GemmConstants, gemmBounds, gemmFacts } from '../../hardware/gemm-time.ts'
import type { Interval } from '../../hardware/interval.ts'
import { collectiveBounds, collectiveSeconds, plainBounds } from '../../hardware/plain-time.ts'
import { globalConstants } from '../../hardware/profile.ts'

const names = ['a100-80gb-sxm', 'h100-sxm', 'l40s'] as const
const machines = new Map(
  await Promise.all(names.map(async (name) => [name as string, await loadMachine(name)] as const)),
)
const machine = (name: string) => machines.get(name) ?? expect.fail(name)

/** The same numbers in every run, uniform from 0 to 1. */
function random(seed: number): () => number {
  let state = seed
  return () => hash(`${seed} ${state++}`) / 2 ** 32
}

/** Errors of a few per cent, as measurements have them. */
function noisy(seconds: number, next: () => number): number {
  return seconds * Math.exp(0.04 * (next() + next() - 1))
}

const truth: GemmConstants = {
  launch: 5000,
  feed: 14,
  fill: 2500,
  cache: 36,
  stream: 40,
  memory: 0.78,
  join: 3000,
  reduce: 3,
  tail: 0.5,
  write: 0.4,
  energy: 3e-13,
  heat: 8e-4,
  asynchronous: 0.45,
}

const sizes = [512, 1024, 2048, 3584, 4096, 6144, 8192, 12288]
const tokens = [1, 4, 16, 48, 64, 128, 192, 256, 512, 1024, 2048, 4096, 8192]

function products(count: number, constants: GemmConstants, seed = 1): GemmRow[] {
  const next = random(seed)
  const pick = (from: readonly number[]) => from[Math.floor(next() * from.length)] as number
  const facts = new Map(names.map((name) => [name, gemmFacts(machine(name), 'bf16') ?? expect.fail(name)]))
  return Array.from({ length: count }, (_, i) => {
    const name = names[i % names.length] ?? 'l40s'
    const [m, n, k] = [pick(tokens), pick(sizes), pick(sizes)]
    const row = {
      machine: name,
      facts: facts.get(name) ?? expect.fail(),
      m,
      n,
      k,
      matrices: 1,
      weights: 2 * n * k,
      activation: 2,
    }
    const [exact = 1] = gemmRatios([{ ...row, measured: 1 }], constants)
    return { ...row, measured: noisy(exact, next) }
  })
}

describe('products', () => {
  const rows = products(600, truth)
  const fitted = fitGemm(rows)

  it('gets back the constants that it knows', () => {
    for (const name of ['launch', 'memory', 'feed', 'energy', 'asynchronous'] as const) {
      expect(fitted[name] / truth[name], name).toBeGreaterThan(0.85)
      expect(fitted[name] / truth[name], name).toBeLessThan(1.18)
    }
    expect(errorsOf(gemmRatios(rows, fitted)).mape).toBeLessThan(0.03)
  })

  it('is the same for the same rows', () => {
    expect(fitGemm(rows)).toEqual(fitted)
  })

  it('stays within physical bounds, whatever the rows say', () => {
    const absurd = rows.map((r) => ({ ...r, measured: r.measured / 50 }))
    for (const constants of [fitGemm(absurd), fitGemm(rows.map((r) => ({ ...r, measured: r.measured * 50 })))]) {
      for (const [name, [low, high]] of Object.entries(gemmBounds)) {
        const value = constants[name as keyof GemmConstants]
        expect(value, name).toBeGreaterThanOrEqual(low * (1 - 1e-9))
        expect(value, name).toBeLessThanOrEqual(high * (1 + 1e-9))
      }
    }
  })

  it('is not bent by a few mistaken rows', () => {
    const mistaken = rows.map((r, i) => (i % 50 === 0 ? { ...r, measured: r.measured * 30 } : r))
    expect(fitGemm(mistaken).memory / truth.memory).toBeCloseTo(1, 1)
  })
})

describe('probes', () => {
  const rows = products(900, { ...truth, memory: 0.7, launch: 6000 }).filter((r) => r.machine === 'l40s')
  const probes = nearestProbes(rows)

  it('are eight rows, each once, near the shapes asked for', () => {
    expect(probes.length).toBe(probeShapes.length)
    expect(new Set(probes).size).toBe(probes.length)
    for (const [i, p] of probes.entries()) expect(Math.abs(Math.log(p.n / (probeShapes[i]?.n ?? 0)))).toBeLessThan(2)
  })

  it('bring a machine unlike the others nearer', () => {
    const before = errorsOf(gemmRatios(rows, truth)).mape
    const after = errorsOf(gemmRatios(rows, fitProbes(probes, truth))).mape
    expect(after).toBeLessThan(before)
  })

  it('hold where one of them is mistaken', () => {
    const good = rows.map((r) => ({ ...r, measured: gemmRatios([{ ...r, measured: 1 }], truth)[0] ?? 1 }))
    const chosen = nearestProbes(good)
    const bad = chosen.map((r, i) => (i === 3 ? { ...r, measured: 3 * r.measured } : r))
    expect(errorsOf(gemmRatios(good, fitProbes(bad, truth))).mape).toBeLessThan(0.15)
  })

  it('change nothing where there are none', () => {
    for (const [name, value] of Object.entries(fitProbes([], truth))) {
      expect(value / truth[name as keyof GemmConstants], name).toBeCloseTo(1, 10)
    }
  })
})

describe('attention', () => {
  const next = random(7)
  const blank: AttentionRow[] = Array.from({ length: 240 }, (_, i) => {
    const decode = i % 2 === 0
    const heads = [8, 16, 32, 64][Math.floor(next() * 4)] ?? 8
    return {
      kind: decode ? 'decode' : 'prefill',
      machine: names[i % 3] ?? 'l40s',
      sequences: decode ? 2 ** Math.floor(next() * 8) : 1 + Math.floor(next() * 4),
      query: decode ? 1 : 2 ** (10 + Math.floor(next() * 4)),
      kv: 2 ** (10 + Math.floor(next() * 5)),
      heads,
      kvHeads: heads / ([1, 4, 8][Math.floor(next() * 3)] ?? 1),
      headDim: 128,
      element: 2,
      cold: true,
      seconds: 1,
    }
  })
  const rows = blank.map((r) => {
    const row = r.kind === 'prefill' ? { ...r, kv: r.query } : r
    return { ...row, seconds: noisy(attentionRatios([row], machines, globalConstants.attention)[0] ?? 1, next) }
  })
  const fitted = fitAttention(rows, machines)

  it('gets back what it was made with', () => {
    expect(fitted.decode.memory / globalConstants.attention.decode.memory).toBeCloseTo(1, 1)
    expect(fitted.prefill.matrix / globalConstants.attention.prefill.matrix).toBeCloseTo(1, 0)
    expect(errorsOf(attentionRatios(rows, machines, fitted)).mape).toBeLessThan(0.04)
  })

  it('is the same for the same rows, and within its bounds', () => {
    expect(fitAttention(rows, machines)).toEqual(fitted)
    for (const kind of ['decode', 'prefill'] as const) {
      const bounds: Readonly<Record<string, readonly [number, number]>> = attentionBounds[kind]
      for (const [name, value] of Object.entries(fitted[kind])) {
        expect(value, name).toBeGreaterThanOrEqual((bounds[name]?.[0] ?? 0) * (1 - 1e-9))
        expect(value, name).toBeLessThanOrEqual((bounds[name]?.[1] ?? 0) * (1 + 1e-9))
      }
    }
  })

  it('scores decode beyond the cache and long prefill only', () => {
    const [row = expect.fail()] = rows
    expect(scored({ ...row, kind: 'decode', cold: false })).toBe(false)
    expect(scored({ ...row, kind: 'prefill', seconds: 0.5e-3 })).toBe(false)
    expect(scored({ ...row, kind: 'prefill', seconds: 2e-3 })).toBe(true)
  })
})

describe('small fits', () => {
  it('finds the constants of element-wise kernels', () => {
    const next = random(3)
    const made = { launch: 5000, memory: 0.6 }
    const blank = Array.from({ length: 120 }, (_, i): PlainRow => {
      const { memory, units } = machine(names[i % 3] ?? 'l40s')
      return {
        machine: 'x',
        bytes: 2 ** (10 + 16 * next()),
        bandwidth: memory.bandwidth,
        clock: units.clock ?? 1,
        seconds: 1,
      }
    })
    const rows = blank.map((r) => ({ ...r, seconds: noisy(plainRatios([r], made)[0] ?? 1, next) }))
    const fitted = fitPlain(rows)
    expect(fitted.launch / made.launch).toBeCloseTo(1, 1)
    expect(fitted.memory / made.memory).toBeCloseTo(1, 1)
    const fast = fitPlain(rows.map((r) => ({ ...r, seconds: r.seconds / 100 })))
    expect(fast.launch).toBeGreaterThanOrEqual(plainBounds.launch[0] * (1 - 1e-9))
    expect(fast.memory).toBeLessThanOrEqual(plainBounds.memory[1] * (1 + 1e-9))
  })

  it('finds how slow narrow products are', () => {
    const next = random(5)
    const facts = gemmFacts(machine('h100-sxm'), 'fp8') ?? expect.fail('fp8')
    const made = { slow: 1.3, launch: 4000, memory: 0.6 }
    const blank = products(240, truth).map((r) => ({ ...r, facts, weights: r.n * r.k, activation: 1, measured: 1 }))
    const rows = blank.map((r) => ({ ...r, measured: noisy(narrowRatios([r], truth, made)[0] ?? 1, next) }))
    const fitted = fitNarrow(rows, truth)
    expect(fitted.slow / made.slow).toBeCloseTo(1, 1)
    expect(fitted.launch / made.launch).toBeCloseTo(1, 0)
    expect(fitNarrow(rows, truth)).toEqual(fitted)
    const fast = fitNarrow(
      rows.map((r) => ({ ...r, measured: r.measured / 10 })),
      truth,
    )
    expect(fast.slow).toBeGreaterThanOrEqual(narrowBounds.slow[0] * (1 - 1e-9))
  })

  it('finds the constants of collectives, and holds those it is told to', () => {
    const next = random(11)
    const made = { start: 8e-6, hop: 1.5e-6, network: 0.7, fill: 0.8, crowd: 1.5 }
    const rows = Array.from({ length: 150 }, (_, i): CollectiveRow => {
      const devices = [2, 4, 8][i % 3] ?? 2
      const shared = i % 2 === 0
      const bandwidth = shared ? 31.5e9 : 450e9
      const wire = 2 ** (10 + 20 * next())
      const seconds = noisy(collectiveSeconds(wire, devices, bandwidth, shared, made), next)
      return { machine: shared ? 'l40s' : 'h100-sxm', devices, wire, bandwidth, shared, seconds }
    })
    const fitted = fitCollectives(rows)
    expect(errorsOf(collectiveRatios(rows, fitted)).mape).toBeLessThan(0.03)
    for (const [name, [low, high]] of Object.entries(collectiveBounds)) {
      const value = fitted[name as keyof typeof fitted]
      expect(value).toBeGreaterThanOrEqual(low * (1 - 1e-9))
      expect(value).toBeLessThanOrEqual(high * (1 + 1e-9))
    }
    expect(fitCollectives(rows, { fill: 0.5 }).fill).toBe(0.5)
  })
})

describe('schemes', () => {
  const rows = ['a', 'b', 'a', 'c', 'b', 'a'].map((group, i) => ({ group, value: i }))
  const groupOf = (r: (typeof rows)[number]) => r.group
  const values = {
    constants: (some: readonly (typeof rows)[number][]) => some.map((r) => r.value),
    ratios: (some: readonly (typeof rows)[number][], seen: number[]) => some.map((r) => Number(seen.includes(r.value))),
  }

  it('never score a row by constants that saw it', () => {
    expect(ratiosBy(rows, groupOf, withoutEach(rows, groupOf, values), values)).toEqual([0, 0, 0, 0, 0, 0])
    expect(otherHalf(rows, groupOf, (r) => String(r.value % 2), values)).toEqual([0, 0, 0, 0, 0, 0])
  })

  it('keep the order of the rows', () => {
    expect(byGroup(rows, groupOf, (own) => own.map((r) => r.value))).toEqual([0, 1, 2, 3, 4, 5])
  })
})

describe('intervals', () => {
  const regimes = ['slow', 'fast', 'rare'] as const

  /** Rows of machines by what their measurements are off by, in the mean. */
  function residuals(offsets: Readonly<Record<string, number>>, count = 1000): Halved[] {
    const next = random(13)
    return Object.entries(offsets).flatMap(([name, offset]) =>
      Array.from({ length: count }, (_, i) => ({
        ratio: offset * Math.exp(next() + next() - 1),
        regime: i % 3 === 0 ? 'slow' : 'fast',
        machine: name,
        half: String(i % 2),
      })),
    )
  }
  const inside = ({ ratio }: { readonly ratio: number }, [low, high]: Interval) => ratio >= low && ratio <= high
  const share = <T>(rows: readonly T[], is: (row: T) => boolean) => rows.filter(is).length / rows.length
  const heldOutShare = (rows: readonly Halved[], name: string) => {
    const intervalOf = heldOutIntervals<string>(regimes, rows)
    return share(
      rows.filter((r) => r.machine === name),
      (r) => inside(r, intervalOf(r).interval),
    )
  }

  it('hold what tails of 8 % leave of machines that are alike, and always 1', () => {
    const rows = residuals({ a: 1, b: 1 })
    const { slow, fast, rare } = regimeIntervals(regimes, rows)
    for (const [regime, interval] of Object.entries({ slow, fast })) {
      const held = share(
        rows.filter((r) => r.regime === regime),
        (r) => inside(r, interval),
      )
      expect(held).toBeGreaterThan(0.83)
      expect(held).toBeLessThan(0.92)
    }
    expect(rare[0]).toBeLessThan(1)
    const late = rows.map((r) => ({ ...r, ratio: 2 + r.ratio }))
    expect(regimeIntervals(['slow'], late).slow[0]).toBeLessThanOrEqual(1)
  })

  it('hold most of the machine that is furthest off, and of its mirror image', () => {
    const { fast } = regimeIntervals(regimes, residuals({ a: 1, b: 1, c: 1.5 }))
    for (const offset of [1.5, 1 / 1.5]) {
      const own = residuals({ c: offset }).filter((r) => r.regime === 'fast')
      expect(share(own, (r) => inside(r, fast))).toBeGreaterThan(0.88)
    }
  })

  it('are held out: a machine unlike all others is outside those learnt without it', () => {
    const rows = residuals({ a: 1, b: 1.1, shifted: 9 })
    const shipped = regimeIntervals<string>(regimes, rows)
    const own = rows.filter((r) => r.machine === 'shifted')
    expect(share(own, (r) => inside(r, shipped[r.regime] as Interval))).toBeGreaterThan(0.88)
    expect(heldOutShare(rows, 'shifted')).toBe(0)
    expect(heldOutShare(rows, 'a')).toBe(1)
  })

  it('are held out by halves where there is no other machine', () => {
    const rows = residuals({ only: 1 }).map((r) => ({ ...r, ratio: r.half === '0' ? r.ratio : 9 * r.ratio }))
    const intervalOf = heldOutIntervals<string>(regimes, rows)
    expect(new Set(rows.map((r) => intervalOf(r).by))).toEqual(new Set(['half']))
    // The half around 9 is outside what the half around 1 says.
    expect(share(rows, (r) => r.half === '1' && inside(r, intervalOf(r).interval))).toBe(0)
  })

  it('are not narrowed by rows whose constants saw the machine', () => {
    const rows = residuals({ a: 1 })
    const near = rows.map((r) => ({ ...r, ratio: r.ratio ** 0.01, seen: true }) as const)
    expect(regimeIntervals(regimes, [...rows, ...near, ...near])).toEqual(regimeIntervals(regimes, rows))
  })

  it('take machines of a few rows together', () => {
    const few = residuals({ c: 3, d: 1 / 3 }, 9)
    const { fast } = regimeIntervals(regimes, [...residuals({ a: 1 }), ...few])
    const { fast: without } = regimeIntervals(regimes, residuals({ a: 1 }))
    expect(fast[1]).toBeGreaterThan(without[1])
    expect(fast[1]).toBeLessThan(9)
  })
})

describe('errors', () => {
  it('are of expected over measured', () => {
    const errors = errorsOf([1.1, 0.9, 1.2, 1, 1])
    expect(errors.rows).toBe(5)
    expect(errors.mape).toBeCloseTo(0.08)
    expect(errors.median).toBeCloseTo(0.1)
    expect(errors.bias).toBeCloseTo(0.04)
    expect(quantile([], 0.5)).toBeNaN()
  })
})

describe('the constants that ship', () => {
  it('lie within the bounds', () => {
    const { gemm, attention, collective, plain, narrow, profiler } = constantsFile.constants
    const within = (set: object, bounds: Readonly<Record<string, readonly [number, number]>>) => {
      for (const [name, value] of Object.entries(set) as [string, number][]) {
        expect(value, name).toBeGreaterThanOrEqual((bounds[name]?.[0] ?? Number.NaN) * 0.9999)
        expect(value, name).toBeLessThanOrEqual((bounds[name]?.[1] ?? Number.NaN) * 1.0001)
      }
    }
    within(gemm, gemmBounds)
    within(profiler.gemm, gemmBounds)
    within(attention.decode, attentionBounds.decode)
    within(attention.prefill, attentionBounds.prefill)
    within(collective, collectiveBounds)
    within(plain, plainBounds)
    within(profiler.plain, plainBounds)
    within(narrow, narrowBounds)
  })

  it('have intervals around 1, and say what they were fitted on', () => {
    for (const [low, high] of [...Object.values(globalConstants.interval.operators), globalConstants.interval.pass]) {
      expect(low).toBeGreaterThan(0)
      expect(low).toBeLessThanOrEqual(1)
      expect(high).toBeGreaterThanOrEqual(1)
    }
    expect(constantsFile.fit.date).toMatch(/^\d{4}-\d\d-\d\d$/)
    for (const sum of Object.values(constantsFile.fit.data)) expect(sum).toMatch(/^[0-9a-f]{64}$/)
    for (const { mape, rows } of constantsFile.fit.errors) {
      expect(rows).toBeGreaterThan(0)
      expect(mape).toBeLessThan(1)
    }
  })
})
