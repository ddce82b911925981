// Fits the collectives' constants to measured rows. Deterministic, as for attention. Reads no files.
import { type CollectiveConstants, collectiveBounds, collectiveSeconds } from '../plain-time.ts'
import { nelderMead } from './nelder-mead.ts'

/** One measurement. */
export interface CollectiveRow {
  readonly machine: string
  readonly devices: number
  /** Bytes of the busiest direction of one device's link. */
  readonly wire: number
  /** Bytes/s of that link, and whether the host's other devices share it. */
  readonly bandwidth: number
  readonly shared: boolean
  readonly seconds: number
}

const start: CollectiveConstants = { start: 6e-6, hop: 2e-6, network: 0.8, fill: 0.5, crowd: 1 }
const all = ['start', 'hop', 'network', 'fill', 'crowd'] as const
const prior = 0.003

/** Expected over measured of each row. */
export function collectiveRatios(rows: readonly CollectiveRow[], k: CollectiveConstants): number[] {
  return rows.map((r) => ratio(r, k))
}

function ratio({ wire, devices, bandwidth, shared, seconds }: CollectiveRow, k: CollectiveConstants): number {
  return collectiveSeconds(wire, devices, bandwidth, shared, k) / seconds
}

/** The constants of these rows; every machine weighs alike. */
export function fitCollectives(
  rows: readonly CollectiveRow[],
  held: Partial<CollectiveConstants> = {},
): CollectiveConstants {
  const names = all.filter((name) => held[name] === undefined)
  const from = names.map((name) => Math.log(start[name]))
  const low = names.map((name) => Math.log(collectiveBounds[name][0]))
  const high = names.map((name) => Math.log(collectiveBounds[name][1]))
  const counts = new Map<string, number>()
  for (const { machine } of rows) counts.set(machine, (counts.get(machine) ?? 0) + 1)
  const loss = (x: readonly number[]) => {
    const k = constantsOf(names, x, held)
    let sum = 0
    for (const r of rows) sum += Math.min(1, Math.abs(Math.log(ratio(r, k)))) / (counts.get(r.machine) as number)
    return sum / counts.size + prior * x.reduce((away, v, i) => away + (v - (from[i] as number)) ** 2, 0)
  }
  return constantsOf(names, nelderMead(loss, from, low, high), held)
}

function constantsOf(
  names: readonly (typeof all)[number][],
  logs: readonly number[],
  held: Partial<CollectiveConstants>,
) {
  const moved = Object.fromEntries(names.map((name, i) => [name, Math.exp(logs[i] as number)]))
  return { ...start, ...moved, ...held }
}
