// The memory wall: the paper's six series with its fits; those that the shipped machines continue, continued by the best
// of each later year and fitted anew; and the ridge point, the FLOPs that a chip can do for each byte it can read.
import type { Machine } from '../machine.ts'
import { type Growth, growth, quotient, yearAt, yearOf } from './fit.ts'
import { type Point, paperSeries, type SeriesName, seriesNames } from './points.ts'

export interface Extended {
  /** The points beyond the paper's last. */
  readonly points: readonly Point[]
  readonly per_2_years: number
  readonly per_20_years: number
}

/** Keys as `trends --json` prints them. */
export interface Trend {
  readonly name: SeriesName
  readonly title: string
  readonly unit: string
  readonly per_2_years: number
  readonly per_20_years: number
  readonly printed_per_2_years: number
  readonly points: readonly Point[]
  /** Null where the shipped machines have no such figure. */
  readonly extended: Extended | null
}

/** What of a machine continues a series, in its unit; undefined where it is not known. */
const figures: Partial<Readonly<Record<SeriesName, (m: Machine) => number | undefined>>> = {
  compute: (m) => scaled(halfPeak(m), 1e9),
  'dram-bandwidth': (m) => m.memory.bandwidth / 1e9,
  memory: (m) => scaled(m.memory.capacity, 1e9),
}

function scaled(value: number | undefined, unit: number): number | undefined {
  return value === undefined ? undefined : value / unit
}

/** Dense FLOP/s in 16 bits, which the paper's points are from 2017 on. */
function halfPeak({ peaks }: Machine): number | undefined {
  return peaks.bf16 ?? peaks.fp16
}

/** What the paper's series are of: chips made to compute beside a host, not parts of a processor. */
function accelerator({ kind, year, links }: Machine): boolean {
  if (kind === 'cpu' || year === undefined) return false
  return kind !== 'gpu' || links.host !== undefined || links.scaleUp !== undefined
}

/** Machines are known by their year: the middle of it stands for the day. */
function middleOf(year: number): string {
  return `${year}-07-01`
}

/** The best machine of each year after the paper's last point. */
function later(name: SeriesName, machines: readonly Machine[]): Point[] {
  const { [name]: figure } = figures
  const last = Math.max(...paperSeries[name].points.map((p) => yearOf(p.date)))
  const best = new Map<number, Point>()
  for (const m of figure === undefined ? [] : machines.filter(accelerator)) {
    const [year, value] = [m.year as number, figure?.(m)]
    if (value === undefined || yearOf(middleOf(year)) <= last) continue
    const known = best.get(year)
    if (known === undefined || value > known.value) best.set(year, { date: middleOf(year), value, name: m.name })
  }
  return [...best.values()].sort((a, b) => a.date.localeCompare(b.date))
}

/** All series, fitted. */
export function trends(machines: readonly Machine[]): Trend[] {
  return seriesNames.map((name) => {
    const { title, unit, printed, points } = paperSeries[name]
    const own = growth(points)
    const more = later(name, machines)
    const refitted = growth([...points, ...more])
    return {
      name,
      title,
      unit,
      per_2_years: own.per2,
      per_20_years: own.per20,
      printed_per_2_years: Number(printed.per2),
      points,
      extended: more.length === 0 ? null : { points: more, per_2_years: refitted.per2, per_20_years: refitted.per20 },
    }
  })
}

export interface RidgePoint {
  readonly name: string
  readonly title: string
  readonly date: string
  /** FLOP/byte in 16 bits. */
  readonly ridge: number
}

export interface Ridge {
  /** Of the quotient of the paper's two fits, FLOP/byte. */
  readonly growth: Growth
  readonly per_2_years: number
  readonly machines: readonly RidgePoint[]
}

/** The ridge point over time: the paper's compute over its bandwidth, and that of each shipped accelerator. */
export function ridge(machines: readonly Machine[]): Ridge {
  const over = quotient(growth(paperSeries.compute.points), growth(paperSeries['dram-bandwidth'].points))
  const points = machines.filter(accelerator).flatMap((m) => {
    const peak = halfPeak(m)
    if (peak === undefined) return []
    return [{ name: m.name, title: m.title, date: middleOf(m.year as number), ridge: peak / m.memory.bandwidth }]
  })
  points.sort((a, b) => a.date.localeCompare(b.date) || a.ridge - b.ridge)
  return { growth: over, per_2_years: over.per2, machines: points }
}

/** The year from which a workload of this intensity (FLOP/byte) is below the ridge of the trend, so bound by memory. */
export function memoryBoundSince({ growth: over }: Ridge, intensity: number): number {
  return yearAt(over, intensity)
}
