// Fits the constants of element-wise kernels to measured rows. Reads no files.
import { type PlainConstants, plainBounds, plainSeconds } from '../plain-time.ts'
import { fitLogs } from './logs.ts'

export interface PlainRow {
  readonly machine: string
  /** Bytes read and written, bytes/s of memory, Hz. */
  readonly bytes: number
  readonly bandwidth: number
  readonly clock: number
  readonly seconds: number
}

const start: PlainConstants = { launch: 4500, memory: 0.6 }

export function plainRatios(rows: readonly PlainRow[], k: PlainConstants): number[] {
  return rows.map((r) => plainSeconds(1, r.bytes / r.bandwidth, 0, r.clock, k) / r.seconds)
}

export function fitPlain(rows: readonly PlainRow[]): PlainConstants {
  return fitLogs(start, plainBounds, (k) => plainRatios(rows, k))
}
