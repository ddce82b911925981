// Many kernels, one after the other, beside the roofs of the same run.
import type { Profile } from '../hardware/profile.ts'
import { type Backend, DeviceError } from './backend.ts'
import { loadKernel } from './catalog.ts'
import type { AnyKernel, Expectation, Problem, Sizes } from './kernel.ts'
import { MeasureError, type Measurement, type MeasureOptions, measure, plansOf, shapeText, sizesOf } from './measure.ts'
import type { Protocol } from './protocol.ts'

/** A kernel at a shape, in one of its variants. */
export interface Case {
  readonly kernel: AnyKernel
  readonly sizes: Sizes
  readonly variant?: string
}

/** What the device reached in this run: bytes/s of the longest stream read, FLOP/s of multiply-adds in fp32. */
export interface Roofs {
  readonly bytes_per_s: number | null
  readonly flops_per_s: number | null
}

/** A measurement with its share of the roof that is nearer, or the reason why there is none. */
export interface SuiteRow extends Measurement {
  readonly roof_fraction: number | null
}

export interface Suite {
  readonly roofs: Roofs
  readonly rows: readonly SuiteRow[]
  /** Kernels and shapes that the device could not run, with the reason. */
  readonly failed: readonly { readonly kernel: string; readonly shape: Sizes; readonly why: string }[]
}

export type Extent = 'small' | 'large'

/** The shapes of each kernel: those of its own, or those asked for that have only sizes that it has. */
export function casesOf(
  kernels: readonly AnyKernel[],
  asked: readonly Partial<Sizes>[],
  extent: Extent,
  backend: Backend,
  variants: boolean,
): Case[] {
  for (const shape of asked) {
    if (!kernels.some((k) => fits(k, shape))) {
      const has = kernels.map((k) => `${k.name} has ${Object.keys(k.sizes).join(', ') || 'no sizes'}`).join('; ')
      throw new RangeError(`--shape ${shapeText(shape as Sizes)}: fits none of the kernels; ${has}`)
    }
  }
  return kernels.flatMap((kernel) => {
    const own = asked.length === 0 ? kernel.shapes[extent] : asked.filter((shape) => fits(kernel, shape))
    return own.flatMap((shape): Case[] => {
      const sizes = sizesOf(kernel, shape, backend.facts)
      if (!variants) return [{ kernel, sizes }]
      const plans = kernel.plans[backend.name]?.(sizes, backend.facts) ?? []
      return plans.length === 0 ? [{ kernel, sizes }] : plans.map(({ variant }) => ({ kernel, sizes, variant }))
    })
  })
}

/** Shapes beside the kernels' own that a processor's report has: shorter, longer, of more rows. */
const beside: readonly (readonly [kernel: string, shape: Partial<Sizes>])[] = [
  ['stream-read', { elements: 2 ** 20 }],
  ['stream-triad', { elements: 2 ** 21 }],
  ['fma', { lanes: 2 ** 10, steps: 4096 }],
  ['lookup', { blocks: 64 }],
  ['gather', { rows: 2 ** 17, every: 4 }],
  ['gemm', { m: 64, n: 512, k: 1024, bits: 32 }],
  ['gemm', { m: 384, n: 640, k: 128, bits: 32 }],
  ['gemv', { m: 1, n: 4096, k: 4096 }],
  ['gemv', { m: 1, n: 512, k: 1024 }],
  ['gemv', { m: 2, n: 11008, k: 512 }],
  ['gemv-int4', { m: 1, n: 2048, k: 5504 }],
  ['attention-decode', { heads: 8, 'kv-heads': 2, tokens: 4096 }],
  ['attention-decode', { heads: 12, 'kv-heads': 12, 'head-dim': 64, tokens: 1500 }],
  ['attention-nuq4', { heads: 8, 'kv-heads': 8, tokens: 1024 }],
  ['attention-nuq4', { heads: 4, 'kv-heads': 4, tokens: 2048, bits: 3 }],
  ['attention-nuq4', { heads: 4, 'kv-heads': 4, tokens: 2048, bits: 2 }],
  ['layer-norm', { rows: 64, width: 768 }],
  ['rms-norm', { rows: 2048, width: 2048 }],
  ['softmax', { rows: 4096, width: 512 }],
  ['swiglu', { rows: 16, width: 1408 }],
  ['gelu', { rows: 1024, width: 3072 }],
  ['convolution-depthwise', { batch: 1, tokens: 500, channels: 144 }],
]

/**
 * What a report measures: every kernel that the backend runs at its own shapes, some beside, and what methods are
 * compared with.
 */
export async function reportCases(kernels: readonly AnyKernel[], extent: Extent, backend: Backend): Promise<Case[]> {
  const runs = (c: Case) => (c.kernel.plans[backend.name]?.(c.sizes, backend.facts) ?? []).length > 0
  const own = casesOf(kernels, [], extent, backend, false)
  const more = (extent === 'small' ? beside : []).flatMap(([name, shape]) => {
    const kernel = kernels.find((k) => k.name === name)
    return kernel ? [{ kernel, sizes: sizesOf(kernel, shape, backend.facts) }] : []
  })
  const cases = [...own, ...more].filter(runs)
  const baselines: Case[] = []
  for (const { kernel, sizes } of cases) {
    const against = kernel.baseline?.(sizes)
    if (!against) continue
    const narrow = against.sizes.bits === 16 && !backend.facts.stores.includes('fp16')
    const other = await loadKernel(against.kernel)
    baselines.push({ kernel: other, sizes: { ...against.sizes, ...(narrow && { bits: 32 }) } })
  }
  const seen = new Set<string>()
  return [...cases, ...baselines].filter((c) => {
    const key = `${c.kernel.name} ${shapeText(Object.fromEntries(Object.entries(c.sizes).toSorted()))}`
    return runs(c) && !seen.has(key) && seen.add(key)
  })
}

/** Whether a kernel has all sizes of a shape. */
export function fits(kernel: AnyKernel, shape: Partial<Sizes>): boolean {
  return Object.keys(shape).every((name) => Object.hasOwn(kernel.sizes, name))
}

export interface SuiteOptions extends Pick<MeasureOptions, 'checkOnly'> {
  readonly profile?: Profile
  readonly protocol?: Protocol
  readonly extent: Extent
  /** Told before each case. */
  readonly progress?: (done: number, all: number, at: string) => void | Promise<void>
  /** No case is begun after so many seconds; those left are listed as failed. */
  readonly seconds?: number
}

/** Measures the cases. A device that is lost ends the run with what there is. */
export async function measureSuite(backend: Backend, cases: readonly Case[], options: SuiteOptions): Promise<Suite> {
  const begin = performance.now()
  const roofs = options.checkOnly ? { bytes_per_s: null, flops_per_s: null } : await roofsOf(backend, options)
  const rows: SuiteRow[] = []
  const failed: { kernel: string; shape: Sizes; why: string }[] = []
  const problemOf = lastProblem()
  for (const [i, { kernel, sizes, variant }] of cases.entries()) {
    await options.progress?.(i, cases.length, `${kernel.name} ${shapeText(sizes)}`)
    const fail = (why: string) => failed.push({ kernel: kernel.name, shape: sizes, why })
    if ((performance.now() - begin) / 1000 > (options.seconds ?? Number.POSITIVE_INFINITY)) {
      fail(`not begun after ${options.seconds} s`)
      continue
    }
    try {
      plansOf(kernel, sizes, backend)
      const problem = problemOf(kernel, sizes)
      const row = await measure(backend, kernel, sizes, {
        ...options,
        problem,
        ...(variant !== undefined && { variant }),
      })
      rows.push({ ...row, roof_fraction: roofFraction(row, roofs) })
    } catch (error) {
      if (!(error instanceof MeasureError || error instanceof DeviceError || error instanceof RangeError)) throw error
      fail(error.message)
    }
  }
  return { roofs, rows, failed }
}

/** Makes a kernel's problem, its reference included, once for all variants that follow each other. */
function lastProblem(): (kernel: AnyKernel, sizes: Sizes) => Problem {
  let key: string | undefined
  let problem: Problem | undefined
  return (kernel, sizes) => {
    const asked = `${kernel.name} ${shapeText(sizes)}`
    if (problem === undefined || key !== asked) {
      const made = kernel.problem(sizes)
      let expectations: readonly Expectation[] | undefined
      problem = {
        ...made,
        expectations: (random) => {
          expectations ??= [...made.expectations(random)]
          return expectations
        },
      }
      key = asked
    }
    return problem
  }
}

async function roofsOf(backend: Backend, { extent, protocol }: SuiteOptions): Promise<Roofs> {
  const [read, fma] = await Promise.all([loadKernel('stream-read'), loadKernel('fma')])
  const of = async (kernel: AnyKernel, shape: Partial<Sizes> | undefined) =>
    kernel.plans[backend.name] &&
    measure(backend, kernel, sizesOf(kernel, shape ?? {}, backend.facts), protocol ? { protocol } : {})
  const bytes = await of(read, read.shapes[extent].at(-1))
  const flops = await of(fma, fma.shapes[extent][0])
  return { bytes_per_s: bytes?.bytes_per_s ?? null, flops_per_s: flops?.flops_per_s ?? null }
}

function roofFraction(row: Measurement, roofs: Roofs): number | null {
  if (row.bytes_per_s === null || row.flops_per_s === null) return null
  if (roofs.bytes_per_s === null && roofs.flops_per_s === null) return null
  const memory = row.warm || roofs.bytes_per_s === null ? 0 : row.bytes_per_s / roofs.bytes_per_s
  const compute = roofs.flops_per_s === null ? 0 : row.flops_per_s / roofs.flops_per_s
  return Math.max(memory, compute)
}
