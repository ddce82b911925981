// Fits the collectives' constants to measured rows, with errors as for attention: on a machine left out, and on each
// half of a machine's rows from the other half. Reads no files.
import { type CollectiveConstants, collectiveBounds, collectiveSeconds } from '../collective-time.ts'
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

export interface CollectiveFit {
  readonly constants: CollectiveConstants
  /** Expected over measured of every row, in the rows' order. */
  readonly fitted: readonly number[]
  readonly unseen: readonly number[]
  readonly same: readonly number[]
}

const start: CollectiveConstants = { start: 6e-6, hop: 2e-6, network: 0.8, fill: 0.5, crowd: 1 }
const names = ['start', 'hop', 'network', 'fill', 'crowd'] as const
const prior = 0.003

/** Constants from all rows, and expected over measured by scheme. */
export function fitCollectives(rows: readonly CollectiveRow[]): CollectiveFit {
  const all = constantsFrom(rows)
  const unseen: number[] = []
  const same: number[] = []
  for (const machine of new Set(rows.map((r) => r.machine))) {
    const foreign = constantsFrom(rows.filter((r) => r.machine !== machine))
    const own = rows.filter((r) => r.machine === machine)
    const halves = [0, 1].map((half) => constantsFrom(own.filter((_, i) => i % 2 !== half)))
    let seen = 0
    for (const [i, r] of rows.entries()) {
      if (r.machine !== machine) continue
      unseen[i] = ratio(r, foreign)
      same[i] = ratio(r, halves[seen++ % 2] as CollectiveConstants)
    }
  }
  return { constants: all, fitted: rows.map((r) => ratio(r, all)), unseen, same }
}

function ratio({ wire, devices, bandwidth, shared, seconds }: CollectiveRow, k: CollectiveConstants): number {
  return collectiveSeconds(wire, devices, bandwidth, shared, k) / seconds
}

function constantsFrom(rows: readonly CollectiveRow[]): CollectiveConstants {
  const from = names.map((name) => Math.log(start[name]))
  const low = names.map((name) => Math.log(collectiveBounds[name][0]))
  const high = names.map((name) => Math.log(collectiveBounds[name][1]))
  const counts = new Map<string, number>()
  for (const { machine } of rows) counts.set(machine, (counts.get(machine) ?? 0) + 1)
  const loss = (x: readonly number[]) => {
    const k = constantsOf(x)
    let sum = 0
    for (const r of rows) sum += Math.min(1, Math.abs(Math.log(ratio(r, k)))) / (counts.get(r.machine) as number)
    return sum / counts.size + prior * x.reduce((away, v, i) => away + (v - (from[i] as number)) ** 2, 0)
  }
  return constantsOf(nelderMead(loss, from, low, high))
}

function constantsOf(logs: readonly number[]): CollectiveConstants {
  const [first = 0, hop = 0, network = 0, fill = 0, crowd = 0] = logs.map(Math.exp)
  return { start: first, hop, network, fill, crowd }
}
