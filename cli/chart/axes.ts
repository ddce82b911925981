// Logarithmic axes with ticks at powers of ten, or at given values.
import { faint, ink } from './canvas.ts'

/** Options of a logarithmic axis from `min` to `max`. */
export function logAxis(
  title: string,
  min: number,
  max: number,
  label: (value: number) => string,
  ticks: readonly number[] = powersOfTen(min, max),
) {
  return {
    type: 'logarithmic' as const,
    min,
    max,
    title: { display: true, text: title, color: ink, font: { size: 15 } },
    grid: { color: '#e8e8e8', tickColor: faint },
    border: { color: faint },
    afterBuildTicks: (axis: unknown) => {
      ;(axis as { ticks: { value: number }[] }).ticks = ticks.map((value) => ({ value }))
    },
    ticks: { color: ink, autoSkip: false, callback: (value: string | number) => label(Number(value)) },
  }
}

/** Round numbers from `min` to `max`, the more of each power of ten the fewer powers there are. */
export function roundTicks(min: number, max: number): number[] {
  const steps = max / min < 20 ? [1, 2, 3, 4, 6, 8] : max / min < 1000 ? [1, 2, 5] : [1]
  return powersOfTen(min / 10, max)
    .flatMap((power) => steps.map((step) => step * power))
    .filter((value) => value >= min && value <= max)
}

/** Powers of ten from `min` to `max`. */
export function powersOfTen(min: number, max: number): number[] {
  const first = Math.ceil(Math.log10(min) - 1e-9)
  const last = Math.floor(Math.log10(max) + 1e-9)
  return Array.from({ length: Math.max(0, last - first + 1) }, (_, i) => 10 ** (first + i))
}
