// Fits what 8-bit floating-point products pay beyond 16-bit ones: slower matrix work, and the kernel that quantizes the
// activations. The other constants are those of 16 bits. Reads no files.
import { type GemmConstants, type GemmModel, gemmModel, gemmTime, noGemmTime, quantizedBytes } from '../gemm-time.ts'
import { plainBounds, plainSeconds } from '../plain-time.ts'
import type { GemmRow } from './gemm.ts'
import { fitLogs } from './logs.ts'

export interface NarrowConstants {
  /** Matrix time over that at the datasheet's rate. */
  readonly slow: number
  /** Clocks of the quantizing kernel, and its share of the bandwidth. */
  readonly launch: number
  readonly memory: number
}

/** With the two constants of 16-bit products that a machine's own rows can move. */
export interface OwnNarrowConstants extends NarrowConstants {
  readonly productLaunch: number
  readonly productMemory: number
}

export const narrowBounds = {
  slow: [1, 3],
  launch: plainBounds.launch,
  memory: plainBounds.memory,
} as const

const start: NarrowConstants = { slow: 1.1, launch: 3000, memory: 0.8 }

const time = noGemmTime()

export function narrowRatios(rows: readonly GemmRow[], gemm: GemmConstants, k: NarrowConstants): number[] {
  const models = new Map<object, GemmModel>()
  return rows.map(({ facts, m, n, k: depth, weights, activation, measured }) => {
    let model = models.get(facts)
    if (!model) {
      model = gemmModel(facts, { ...gemm, slow: k.slow })
      models.set(facts, model)
    }
    const bytes = weights + m * (activation * depth + 2 * n)
    const product = gemmTime(model, m, n, depth, 1, weights, activation, bytes, time)
    const moved = quantizedBytes(m * depth) / facts.bandwidth
    return (product + plainSeconds(1, moved, 0, facts.clock, k)) / measured
  })
}

export function fitNarrow(rows: readonly GemmRow[], gemm: GemmConstants): NarrowConstants {
  return fitLogs(start, narrowBounds, (k) => narrowRatios(rows, gemm, k))
}

/** Ratios with a machine's own launch and memory of products. */
export function ownNarrowRatios(rows: readonly GemmRow[], gemm: GemmConstants, k: OwnNarrowConstants): number[] {
  return narrowRatios(rows, { ...gemm, launch: k.productLaunch, memory: k.productMemory }, k)
}

export function fitOwnNarrow(rows: readonly GemmRow[], gemm: GemmConstants): OwnNarrowConstants {
  const from = { ...start, productLaunch: gemm.launch, productMemory: gemm.memory }
  const bounds = { ...narrowBounds, productLaunch: [500, 20_000], productMemory: [0.5, 0.95] } as const
  return fitLogs<OwnNarrowConstants>(from, bounds, (k) => ownNarrowRatios(rows, gemm, k))
}
