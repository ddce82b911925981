// Where the values of a numeric axis stand: evenly by their logarithm where they span a factor of eight or more, else
// evenly; with the ticks and words for them.
import { faint, ink } from './canvas.ts'
import { valueLabel } from './value-label.ts'

export interface ValueScale {
  readonly values: readonly number[]
  /** A value's place on a linear scale of chart.js. */
  place(value: number): number
  /** The borders between the cells of neighbouring values, one more than there are values. */
  readonly edges: readonly number[]
  readonly ticks: readonly number[]
  label(value: number): string
}

const mostTicks = 12

/** The scale of an axis' values, which rise. */
export function valueScale(name: string, values: readonly number[]): ValueScale {
  const [low, high] = [values[0] as number, values.at(-1) as number]
  const logarithmic = low > 0 && high / low >= 8
  const place = logarithmic ? Math.log2 : (v: number) => v
  const places = values.map(place)
  const inner = places.slice(1).map((p, i) => (p + (places[i] as number)) / 2)
  const first = places.length > 1 ? (places[1] as number) - (places[0] as number) : 1
  const last = places.length > 1 ? (places.at(-1) as number) - (places.at(-2) as number) : 1
  const edges = [(places[0] as number) - first / 2, ...inner, (places.at(-1) as number) + last / 2]
  return {
    values,
    place,
    edges,
    ticks: logarithmic ? powersOfTwo(low, high) : evenly(values),
    label: (v) => valueLabel(name, v),
  }
}

function powersOfTwo(low: number, high: number): number[] {
  const first = Math.ceil(Math.log2(low) - 1e-9)
  const count = Math.floor(Math.log2(high) + 1e-9) - first + 1
  const every = Math.ceil(count / mostTicks)
  return Array.from({ length: Math.ceil(count / every) }, (_, i) => 2 ** (first + i * every))
}

function evenly(values: readonly number[]): number[] {
  const every = Math.ceil(values.length / mostTicks)
  return values.filter((_, i) => i % every === 0)
}

/** Options of a chart.js axis for the scale, from `min` to `max` in its places. */
export function placeAxis(title: string, scale: ValueScale, min: number, max: number) {
  return {
    type: 'linear' as const,
    min,
    max,
    title: { display: true, text: title, color: ink, font: { size: 15 } },
    grid: { color: '#e8e8e8', tickColor: faint },
    border: { color: faint },
    afterBuildTicks: (axis: unknown) => {
      ;(axis as { ticks: { value: number }[] }).ticks = scale.ticks.map((value) => ({ value: scale.place(value) }))
    },
    ticks: {
      color: ink,
      autoSkip: false,
      callback: (place: string | number) => {
        const tick = scale.ticks.find((t) => Math.abs(scale.place(t) - Number(place)) < 1e-9)
        return tick === undefined ? '' : scale.label(tick)
      },
    },
  }
}
