// Predicted against measured: what rows of measurements say of the model, by the regime that each is in, the worst of
// them, and what each method gains over what it is compared with. Reads rows; runs nothing.
import type { Limit, Term } from '../hardware/time.ts'
import { score } from '../simulate/accuracy/score.ts'
import { loadKernel } from './catalog.ts'
import type { Sizes } from './kernel.ts'
import { shapeText } from './measure.ts'
import type { SuiteRow } from './suite.ts'

/** What sets the time of a row: latencies, codes and scattered rows, both roofs about alike, or one of them. */
export const regimes = ['memory', 'ridge', 'compute', 'launch', 'decode'] as const
export type Regime = (typeof regimes)[number]

/** A run of `measure`, as its JSON has it. */
export interface MeasuredRun {
  readonly machine: string
  readonly backend: string
  readonly device: string
  readonly driver: string
  readonly date: string
  readonly protocol: string
  readonly roofs: { readonly bytes_per_s: number | null; readonly flops_per_s: number | null }
  readonly rows: readonly SuiteRow[]
  readonly failed: readonly { readonly kernel: string; readonly shape: Sizes; readonly why: string }[]
  readonly warnings: readonly string[]
}

/** A row that was predicted and measured. */
export interface ReportRow extends SuiteRow {
  readonly median_s: number
  readonly bound_s: number
  readonly expected_s: number
  readonly limit: Limit
  readonly term: Term
  readonly regime: Regime
  /** Expected over measured, less one. */
  readonly error: number
}

export interface Errors {
  readonly rows: number
  readonly median_ape: number
  readonly p90_ape: number
  readonly bias: number
}

export interface Speedup {
  readonly method: string
  readonly shape: Sizes
  readonly baseline: string
  readonly baseline_shape: Sizes
  readonly predicted: number
  readonly measured: number
}

export interface Report
  extends Pick<MeasuredRun, 'machine' | 'backend' | 'device' | 'driver' | 'date' | 'protocol' | 'roofs'> {
  readonly median_ape: number
  readonly p90_ape: number
  readonly bias: number
  readonly by_limit: Readonly<Record<Regime, Errors | null>>
  readonly rows: readonly ReportRow[]
  /** The farthest off, the farthest first. */
  readonly worst: readonly {
    readonly kernel: string
    readonly shape: Sizes
    readonly error: number
    readonly term: Term
  }[]
  readonly speedups: readonly Speedup[]
  /** Rows that are in no error above, with the reason. */
  readonly skipped: readonly { readonly kernel: string; readonly shape: Sizes; readonly why: string }[]
  readonly warnings: readonly string[]
}

/** Rows named as the worst. */
const worstRows = 5
/** Memory and compute within this factor of each other are at the ridge. */
const ridge = 2

/** What the runs say together. Throws RangeError where no row was both predicted and measured. */
export async function reportOf(runs: readonly MeasuredRun[]): Promise<Report> {
  const skipped: { kernel: string; shape: Sizes; why: string }[] = []
  const rows: ReportRow[] = []
  const speedups: Speedup[] = []
  for (const run of runs) {
    const own: ReportRow[] = []
    for (const row of run.rows) {
      const why = reasonToSkip(row)
      if (why === undefined) own.push(reportRow(row, run))
      else skipped.push({ kernel: row.kernel, shape: row.shape, why })
    }
    skipped.push(...run.failed)
    rows.push(...own)
    speedups.push(...(await speedupsOf(own)))
  }
  if (rows.length === 0) {
    const why = skipped[0] ? `; the first: ${skipped[0].kernel}: ${skipped[0].why}` : ''
    throw new RangeError(`expected rows that were predicted and measured, got none${why}`)
  }
  const { median_ape, p90_ape, bias } = errorsOf(rows)
  const beaten = rows.filter((r) => r.median_s < r.bound_s)
  const first = runs[0] as MeasuredRun
  const one = (of: (run: MeasuredRun) => string) => [...new Set(runs.map(of))].join(', ')
  return {
    machine: one((r) => r.machine),
    backend: one((r) => r.backend),
    device: one((r) => r.device),
    driver: one((r) => r.driver),
    date: one((r) => r.date),
    protocol: one((r) => r.protocol),
    roofs: runs.length === 1 ? first.roofs : { bytes_per_s: null, flops_per_s: null },
    median_ape,
    p90_ape,
    bias,
    by_limit: Object.fromEntries(
      regimes.map((regime) => {
        const of = rows.filter((r) => r.regime === regime)
        return [regime, of.length === 0 ? null : errorsOf(of)]
      }),
    ) as Record<Regime, Errors | null>,
    rows,
    worst: rows
      .toSorted((a, b) => distance(b) - distance(a))
      .slice(0, worstRows)
      .map(({ kernel, shape, error, term }) => ({ kernel, shape, error, term })),
    speedups,
    skipped,
    warnings: [
      ...new Set(runs.flatMap((r) => r.warnings.filter((w) => !w.startsWith('faster than')))),
      ...beaten.map(
        (r) =>
          `${r.kernel} ${shapeText(r.shape)}: measured faster than its bound, an error of the model or of the measurement`,
      ),
    ],
  }
}

/** How far off, the same for a half as for the double. */
function distance({ error }: ReportRow): number {
  return Math.abs(Math.log1p(error))
}

function reasonToSkip(r: SuiteRow): string | undefined {
  if (!r.checked) return r.fault ?? 'it was not found right'
  if (r.median_s === null) return 'it was not timed'
  return r.expected_s === null || r.bound_s === null ? 'nothing was predicted for it' : undefined
}

function reportRow(row: SuiteRow, { roofs }: MeasuredRun): ReportRow {
  const [median_s, expected_s] = [row.median_s as number, row.expected_s as number]
  return {
    ...row,
    median_s,
    expected_s,
    bound_s: row.bound_s as number,
    limit: row.limit as Limit,
    term: row.term as Term,
    regime: regimeOf(row, roofs),
    error: expected_s / median_s - 1,
  }
}

/** The regime of a row, by what it was expected to be made of. */
export function regimeOf(
  row: Pick<SuiteRow, 'term' | 'limit' | 'bytes' | 'flops' | 'warm'>,
  roofs: MeasuredRun['roofs'],
): Regime {
  if (row.term === 'launch') return 'launch'
  if (row.term === 'decode' || row.term === 'gather' || row.term === 'scatter') return 'decode'
  const { bytes_per_s, flops_per_s } = roofs
  if (bytes_per_s !== null && flops_per_s !== null && row.flops > 0 && !row.warm) {
    const ratio = row.bytes / bytes_per_s / (row.flops / flops_per_s)
    if (ratio < ridge && ratio > 1 / ridge) return 'ridge'
  }
  return row.limit === 'compute' ? 'compute' : 'memory'
}

function errorsOf(rows: readonly ReportRow[]): Errors {
  const outcomes = rows.map((r) => ({ measured: r.median_s, bound: r.bound_s, expected: r.expected_s, keys: {} }))
  const { median_ape, p90_ape, bias } = score(outcomes).expected
  return { rows: rows.length, median_ape, p90_ape, bias }
}

/** Of every row whose kernel is compared with another one that was measured in the same run at its shape. */
async function speedupsOf(rows: readonly ReportRow[]): Promise<Speedup[]> {
  const found: Speedup[] = []
  for (const row of rows) {
    const { baseline } = await loadKernel(row.kernel)
    if (!baseline) continue
    const { kernel, sizes } = baseline(row.shape)
    const alike = rows.filter((r) => r.kernel === kernel && sameSizes(r.shape, sizes))
    const against = alike.find((r) => r.shape.bits === sizes.bits) ?? alike[0]
    if (!against) continue
    found.push({
      method: row.kernel,
      shape: row.shape,
      baseline: kernel,
      baseline_shape: against.shape,
      predicted: against.expected_s / row.expected_s,
      measured: against.median_s / row.median_s,
    })
  }
  return found
}

/** The same sizes, in whatever width the backend keeps them. */
export function sameSizes(a: Sizes, b: Sizes): boolean {
  const names = new Set([...Object.keys(a), ...Object.keys(b)])
  names.delete('bits')
  return [...names].every((name) => a[name] === b[name])
}
