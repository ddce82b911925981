// The ceilings of the device at hand: what it reads, computes, unpacks and fetches at most, each by a kernel that does
// little else, from operands in memory or in the cache. Not fitted on what is predicted with them.
import { type Ceilings, ceilingBounds, overlaps } from '../hardware/ceiling-time.ts'
import type { Backend } from './backend.ts'
import { loadKernel } from './catalog.ts'
import type { Sizes } from './kernel.ts'
import { type Measurement, measure, sizesOf } from './measure.ts'
import type { Protocol } from './protocol.ts'

/** Short: some thirty probes in less than a minute. */
export const probeProtocol: Protocol = {
  warmup: 0.02,
  sample: 2e-3,
  least: 9,
  most: 41,
  budget: 0.2,
  settled: 0.01,
  repeats: 256,
}

export interface Probe {
  readonly name: string
  /** What it says of the device, in bytes/s, FLOP/s, codes/s, exponentials/s or seconds. */
  readonly value: number
  readonly of: 'bytes/s' | 'FLOP/s' | 'codes/s' | 'exponentials/s' | 's'
  readonly row: Measurement
}

export interface Calibrated {
  readonly ceilings: Ceilings
  /** Bytes/s and FLOP/s that nothing measured here may beat: the best samples. */
  readonly roofs: { readonly bandwidth: number; readonly fp32: number; readonly fp16?: number }
  /** Bytes of the largest working set that is read as from a cache. */
  readonly cache: number
  readonly probes: readonly Probe[]
}

export interface CalibrateOptions {
  /** Bytes of the last-level cache, where the system says. */
  readonly cache?: number
  readonly protocol?: Protocol
  /** Told before each probe, and waited for. */
  readonly progress?: (done: number, all: number, at: string) => void | Promise<void>
  /** Seconds since any moment: a clock of the host. */
  readonly now?: () => number
}

/** Elements of what is read out of memory, and out of caches. */
const extents = {
  small: { streams: [2 ** 19, 2 ** 20, 2 ** 22, 2 ** 24], caches: [13, 15, 17, 19, 20, 21, 22, 23] },
  large: { streams: [2 ** 22, 2 ** 24, 2 ** 26, 2 ** 28], caches: [16, 18, 20, 21, 22, 23, 24, 25] },
} as const

/** Sizes of the probes: cache-resident but for gathered rows and copies, none of them a shape of the suites. */
const shapes = {
  small: {
    copy: 2 ** 24,
    // Long enough that the best sample has no wake-up of a thread in it.
    chains: { lanes: 2 ** 13, steps: 4096 },
    tiles: { m: 192, n: 192, k: 320, bits: 32 },
    rows: { m: 8, n: 160, k: 1600, bits: 32 },
    elements: { rows: 192, width: 1600, bits: 32 },
    blocks: 192,
    gather: { rows: 2 ** 18 },
  },
  large: {
    copy: 2 ** 28,
    chains: { lanes: 2 ** 20, steps: 4096 },
    tiles: { m: 3072, n: 3072, k: 2048, bits: 32 },
    rows: { m: 16, n: 8192, k: 2048, bits: 16 },
    elements: { rows: 4096, width: 2048, bits: 16 },
    blocks: 4096,
    gather: { rows: 2 ** 22 - 2 ** 18 },
  },
} as const

/** Measures all ceilings. Throws MeasureError and DeviceError where the device refuses. */
export async function calibrate(backend: Backend, options: CalibrateOptions = {}): Promise<Calibrated> {
  const large = backend.name === 'webgpu' && !backend.facts.software
  const extent = large ? 'large' : 'small'
  const { streams, caches } = extents[extent]
  const s = shapes[extent]
  const probes: Probe[] = []
  const count = streams.length + caches.length + (backend.facts.halves ? 11 : 10)
  const run = async (name: string, kernelName: string, asked: Sizes, cold: boolean): Promise<Measurement> => {
    await options.progress?.(probes.length, count, name)
    const kernel = await loadKernel(kernelName)
    const row = await measure(backend, kernel, sizesOf(kernel, asked, backend.facts), {
      protocol: options.protocol ?? probeProtocol,
      ...(cold ? options.cache !== undefined && { cache: options.cache } : { cache: 0 }),
    })
    if (row.median_s === null) throw new Error(`${name}: ${row.fault}`)
    return row
  }
  let launching = 0
  const beyondLaunch = (seconds: number) => Math.max(seconds - launching, seconds / 10)
  const probe = async (name: string, of: Probe['of'], kernel: string, asked: Sizes, cold = false) => {
    const row = await run(name, kernel, asked, cold)
    const seconds = row.median_s as number
    const { rows = 0, width = 0 } = asked
    const amounts = { 'bytes/s': row.bytes, 'FLOP/s': row.flops, 'codes/s': row.codes, 'exponentials/s': rows * width }
    const made = { name, of, value: of === 's' ? seconds : amounts[of] / beyondLaunch(seconds), row }
    probes.push(made)
    return made
  }

  const launch = await probe('launch', 's', 'empty-launch', {})
  launching = launch.value
  const reads: Probe[] = []
  for (const elements of streams) {
    reads.push(await probe(`read ${4 * elements} bytes`, 'bytes/s', 'stream-read', { elements }, true))
  }
  const warm: Probe[] = []
  for (const power of caches) {
    const elements = 2 ** power
    warm.push(await probe(`read ${4 * elements} bytes again`, 'bytes/s', 'stream-read', { elements }))
  }
  const copy = await probe('copy', 'bytes/s', 'stream-copy', { elements: s.copy }, true)
  const chains = await probe('multiply-adds', 'FLOP/s', 'fma', s.chains)
  const halves = backend.facts.halves
    ? await probe('multiply-adds in fp16', 'FLOP/s', 'fma', { ...s.chains, bits: 16 })
    : undefined
  const tiles = await probe('products in tiles', 'FLOP/s', 'gemm', s.tiles)
  const rows = await probe('products of a few rows', 'FLOP/s', 'gemv', s.rows)
  const exponentials = await probe('exponentials', 'exponentials/s', 'softmax', s.elements)
  const codes = await probe('codes unpacked', 'codes/s', 'unpack', { blocks: s.blocks })
  const tables = await probe('table look-ups', 'codes/s', 'lookup', { blocks: s.blocks })
  const gather = await probe('gathered rows', 'bytes/s', 'gather', s.gather, true)
  const pass = await passSeconds(backend, launch.value, options.now)

  const { start, rate } = streamLine(
    reads.map(({ row }) => ({ bytes: row.bytes, seconds: row.median_s as number })),
    launch.value,
  )
  const ceilings: Ceilings = {
    launch: launch.value,
    start,
    read: rate,
    // Half of a copy's bytes are read.
    write: ((copy.row.median_s as number) - launch.value - start) * rate * (2 / copy.row.bytes) - 1,
    cache: warm.map(({ row, value }) => ({ bytes: row.bytes, rate: value })),
    tiles: tiles.value,
    rows: rows.value,
    chains: chains.value,
    exponentials: exponentials.value,
    codes: codes.value,
    tables: tables.value,
    gather: gatheredBeside(gather.row, launch.value + start, rate),
    pass,
    ...(large && { overlap: overlaps.gpu }),
  }
  return {
    ceilings: bounded(ceilings),
    roofs: {
      bandwidth: Math.max(...[...reads, copy].map((p) => p.row.bytes / (p.row.best_s as number))),
      fp32: Math.max(...[chains, tiles, rows].map((p) => p.row.flops / (p.row.best_s as number))),
      ...(halves && { fp16: halves.row.flops / (halves.row.best_s as number) }),
    },
    cache: options.cache ?? lastCache(ceilings),
    probes,
  }
}

/** Seconds = start + bytes / rate through streams of several lengths, by least squares of relative errors. */
export function streamLine(
  points: readonly { readonly bytes: number; readonly seconds: number }[],
  launch: number,
): { start: number; rate: number } {
  // Weights 1/seconds²: minimises the sum of ((start + bytes·slope)/t - 1)², start from 0 on.
  let [a, b, c, d, e] = [0, 0, 0, 0, 0]
  for (const { bytes, seconds } of points) {
    const t = Math.max(seconds - launch, seconds / 10)
    a += 1 / t / t
    b += bytes / t / t
    c += (bytes / t) ** 2
    d += 1 / t
    e += bytes / t
  }
  const determinant = a * c - b * b
  const start = determinant === 0 ? 0 : (d * c - b * e) / determinant
  if (start <= 0) return { start: 0, rate: c / e }
  return { start, rate: determinant / (a * e - b * d) }
}

/** Bytes beside itself that each gathered piece seems to move at the rate of a stream. */
function gatheredBeside({ bytes, median_s, shape }: Measurement, before: number, rate: number): number {
  const pieces = Math.floor((shape.rows as number) / (shape.every as number))
  return Math.max(0, (((median_s as number) - before) * rate - bytes) / pieces)
}

/** The largest working set that is read markedly faster than memory. */
function lastCache({ cache, read }: Ceilings): number {
  return cache.findLast((p) => p.rate > 1.5 * read)?.bytes ?? cache[0]?.bytes ?? 0
}

/** Seconds between asking for a pass of one launch and knowing that it is done, beyond the device's. */
async function passSeconds(backend: Backend, launch: number, now = () => performance.now() / 1000): Promise<number> {
  const kernel = await loadKernel('empty-launch')
  const plan = kernel.plans[backend.name]?.({}, backend.facts)[0]?.launches[0]
  if (!plan) return 0
  const program = await backend.compile(plan.source)
  const buffer = await backend.allocate(16)
  const times: number[] = []
  for (let i = 0; i < 31; i++) {
    const begin = now()
    await backend.time(() => backend.dispatch(program, [buffer], plan.groups, plan.args ?? []))
    times.push(now() - begin)
  }
  backend.release(buffer)
  const median = times.toSorted((a, b) => a - b)[15] as number
  return Math.max(0, median - launch)
}

/** Inside what a machine's file may say: a probe that another process disturbed must not make a machine unreadable. */
function bounded(c: Ceilings): Ceilings {
  const held = Object.entries(ceilingBounds).map(([name, [low, high]]) => {
    const value = c[name as keyof typeof ceilingBounds]
    return [name, Math.min(high, Math.max(low, value))]
  })
  return { ...c, ...Object.fromEntries(held) }
}
