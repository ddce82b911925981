// All fits of one run: the global set, and for every machine the set without it.
import { attentionRatios, fitAttention } from '../../hardware/fit/attention.ts'
import { collectiveRatios, fitCollectives } from '../../hardware/fit/collective.ts'
import { hash } from '../../hardware/fit/errors.ts'
import { fitGemm, type GemmRow, gemmRatios } from '../../hardware/fit/gemm.ts'
import { fitNarrow, narrowRatios } from '../../hardware/fit/narrow.ts'
import { fitPlain, type PlainRow, plainRatios } from '../../hardware/fit/plain.ts'
import { type Fitting, withoutEach } from '../../hardware/fit/schemes.ts'
import type { GemmConstants } from '../../hardware/gemm-time.ts'
import type { Constants } from '../../hardware/profile.ts'
import type { Data } from './data.ts'

/** What a fit yields; intervals come after, from its errors. */
export type Fitted = Omit<Constants, 'interval' | 'codec'>

/** Digits that constants are kept with: far below what the data determines, and the same on every machine. */
const digits = 5

/** Every number of the constants, rounded. */
export function rounded<T>(value: T): T {
  if (typeof value === 'number') return Number(value.toPrecision(digits)) as T
  if (Array.isArray(value)) return value.map(rounded) as T
  return Object.fromEntries(Object.entries(value as object).map(([k, v]) => [k, rounded(v)])) as T
}

export const machineOf = (row: { readonly machine: string }) => row.machine
export const modelOf = (row: { readonly model: string }) => row.model

/** Halves by shape, so that no shape is in both. */
export const halfOfProduct = ({ m, n, k }: GemmRow) => String(hash(`${m},${n},${k}`) & 1)
export const halfOf = (row: object) => String(hash(JSON.stringify({ ...row, seconds: 0 })) & 1)

export const gemmFitting = {
  constants: (rows: readonly GemmRow[]) => fitGemm(rows),
  ratios: gemmRatios,
} satisfies Fitting<GemmRow, GemmConstants>

export function attentionFitting({ machines }: Data) {
  return {
    constants: (rows: Data['attention']) => fitAttention(rows, machines),
    ratios: (rows: Data['attention'], k: Constants['attention']) => attentionRatios(rows, machines, k),
  }
}

export const collectiveFitting = { constants: fitCollectives, ratios: collectiveRatios }

export function narrowFitting(gemm: GemmConstants) {
  return {
    constants: (rows: readonly GemmRow[]) => fitNarrow(rows, gemm),
    ratios: (rows: readonly GemmRow[], k: ReturnType<typeof fitNarrow>) => narrowRatios(rows, gemm, k),
  }
}

export const plainFitting = { constants: fitPlain, ratios: plainRatios } satisfies Fitting<PlainRow, Constants['plain']>

export interface Fits {
  readonly graph: Fitted
  readonly profiler: Pick<Fitted, 'gemm' | 'plain'>
  /** By machine, fitted on the others. */
  readonly unseen: ReadonlyMap<string, Fitted>
  /**
   * Of the profiler's rows: products by model, since its two machines are too few to leave one out; element-wise
   * kernels by machine.
   */
  readonly unseenProfiler: {
    readonly gemm: ReadonlyMap<string, GemmConstants>
    readonly plain: ReadonlyMap<string, Constants['plain']>
  }
}

export function fitAll(data: Data, say: (what: string) => void): Fits {
  const attention = attentionFitting(data)
  say('attention')
  const attentionAll = attention.constants(data.attention)
  const attentionWithout = withoutEach(data.attention, machineOf, attention)
  say('products')
  const gemmAll = rounded(fitGemm(data.gemm))
  const gemmWithout = withoutEach(data.gemm, machineOf, gemmFitting)
  say('collectives and element-wise kernels')
  const collectiveAll = fitCollectives(data.collectives)
  const collectiveWithout = withoutEach(data.collectives, machineOf, collectiveFitting)
  const set = (
    gemm: GemmConstants,
    attentionSet: Constants['attention'],
    collective: Constants['collective'],
    fp8: readonly GemmRow[],
  ): Fitted => {
    const { slow, ...plain } = fitNarrow(fp8, gemm)
    return rounded({ gemm, narrow: { slow }, attention: attentionSet, collective, plain })
  }
  return {
    graph: set(gemmAll, attentionAll, collectiveAll, data.fp8),
    profiler: rounded({ gemm: fitGemm(data.layers), plain: fitPlain(data.plain) }),
    unseenProfiler: {
      gemm: withoutEach(data.layers, modelOf, gemmFitting),
      plain: withoutEach(data.plain, machineOf, plainFitting),
    },
    unseen: new Map(
      [...data.machines.keys()].flatMap((name) => {
        const gemm = gemmWithout.get(name)
        const own = attentionWithout.get(name)
        if (!gemm || !own) return []
        const others = data.fp8.filter((r) => r.machine !== name)
        return [[name, set(gemm, own, collectiveWithout.get(name) ?? collectiveAll, others)]]
      }),
    ),
  }
}
