// The same kernels and shapes on another backend in the same run: how many times as fast one is as the other. What the
// other cannot store in fp16 it is given in fp32, and the row says so.
import type { Backend, Facts } from './backend.ts'
import { loadKernel } from './catalog.ts'
import type { Sizes } from './kernel.ts'
import { shapeText } from './measure.ts'
import { type Case, measureSuite, type SuiteOptions, type SuiteRow } from './suite.ts'

export interface ComparedRow {
  readonly kernel: string
  readonly shape: Sizes
  readonly variant: string
  readonly median_s: number
  /** The shape that the other was given. */
  readonly against_shape: Sizes
  readonly against_s: number
  /** The other's time over this one's: above 1 this one is faster. */
  readonly ratio: number
}

export interface Comparison {
  readonly backend: string
  readonly device: string
  readonly driver: string
  readonly library: Facts['library'] | null
  readonly rows: readonly ComparedRow[]
  /** What the other has not, could not run, or got wrong, with the reason. */
  readonly failed: readonly { readonly kernel: string; readonly shape: Sizes; readonly why: string }[]
}

const keyOf = (kernel: string, shape: Sizes) => `${kernel} ${shapeText(shape)}`

/** Measures on `backend` what was measured elsewhere: the shapes that it was checked and timed at. */
export async function compared(
  backend: Backend,
  measured: readonly SuiteRow[],
  options: SuiteOptions,
): Promise<Comparison> {
  const own = measured.filter((r) => r.checked && r.median_s !== null)
  const shapeOf = ({ shape }: SuiteRow) => storable(shape, backend.facts)
  const cases = new Map<string, Case>()
  for (const row of own) {
    const sizes = shapeOf(row)
    cases.set(keyOf(row.kernel, sizes), { kernel: await loadKernel(row.kernel), sizes })
  }
  const { rows, failed } = await measureSuite(backend, [...cases.values()], options)
  const others = new Map(rows.map((r) => [keyOf(r.kernel, r.shape), r]))
  const wrong = rows.filter((r) => r.fault !== null)
  return {
    backend: backend.name,
    device: backend.facts.device,
    driver: backend.facts.driver,
    library: backend.facts.library ?? null,
    rows: own.flatMap((row): ComparedRow[] => {
      const { kernel, shape, variant, median_s } = row
      const other = others.get(keyOf(kernel, shapeOf(row)))
      if (!other || other.median_s === null || median_s === null) return []
      const against_s = other.median_s
      return [{ kernel, shape, variant, median_s, against_shape: other.shape, against_s, ratio: against_s / median_s }]
    }),
    failed: [...failed, ...wrong.map(({ kernel, shape, fault }) => ({ kernel, shape, why: `${fault}` }))],
  }
}

function storable(shape: Sizes, { stores }: Facts): Sizes {
  return shape.bits === 16 && !stores.includes('fp16') ? { ...shape, bits: 32 } : shape
}
