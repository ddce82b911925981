// The only place where numbers get prefixes. Inside, everything is seconds, bytes, FLOP and plain counts; here they
// become what people read: three significant digits, powers of ten for B and FLOP, powers of two only where it says GiB.

const decimal = ['', 'k', 'M', 'G', 'T', 'P', 'E', 'Z', 'Y']
const binary = ['', 'Ki', 'Mi', 'Gi', 'Ti', 'Pi', 'Ei']

/** Three significant digits without an exponent: 1.02, 13.5, 979. */
export function digits(value: number): string {
  if (value === 0) return '0'
  if (!Number.isFinite(value)) return String(value)
  const rounded = Number(value.toPrecision(3))
  const places = Math.max(0, 2 - Math.floor(Math.log10(Math.abs(rounded))))
  return rounded.toFixed(Math.min(places, 20))
}

/** `value` with the prefix that leaves one to three digits before the point; values below 1 keep the bare unit. */
function prefixed(value: number, base: number, prefixes: readonly string[], unit: string): string {
  let scaled = value
  let i = 0
  // Rounding first: 999.7 MB is 1.00 GB, not 1000 MB; and 1023 MiB is 0.999 GiB, not 1020 MiB.
  while (Number(Math.abs(scaled).toPrecision(3)) >= 1000 && i < prefixes.length - 1) {
    scaled /= base
    i++
  }
  const shown = i === 0 && Number.isInteger(value) ? String(value) : digits(scaled)
  return `${shown} ${prefixes[i]}${unit}`.trimEnd()
}

/** Decimal bytes: 13.5 GB is 13.5e9. */
export function bytes(value: number): string {
  return prefixed(value, 1000, decimal, 'B')
}

/** Binary bytes: 80 GiB is 80 × 2^30. */
export function binaryBytes(value: number): string {
  return prefixed(value, 1024, binary, 'B')
}

/** The number of GiB alone, for columns and pairs that name the unit once. */
export function gibibytes(value: number): string {
  const gib = value / 2 ** 30
  return gib > 0 && gib < 0.01 ? '<0.01' : digits(gib)
}

/** Bytes per second. */
export function bandwidth(value: number): string {
  return prefixed(value, 1000, decimal, 'B/s')
}

/** FLOP; a multiply and an add are two. */
export function flop(value: number): string {
  return prefixed(value, 1000, decimal, 'FLOP')
}

/** FLOP/s, or OP/s where the unit computes integers. */
export function flopRate(value: number, unit = 'fp'): string {
  return prefixed(value, 1000, decimal, unit.startsWith('int') ? 'OP/s' : 'FLOP/s')
}

/** A bare number with a prefix: 13.4 G. */
export function quantity(value: number, unit = ''): string {
  return prefixed(value, 1000, decimal, unit)
}

/** Hertz. */
export function frequency(value: number): string {
  return prefixed(value, 1000, decimal, 'Hz')
}

/** Parameters as the field counts them: 6.74B is 6.74e9. */
export function parameterCount(value: number): string {
  return prefixed(value, 1000, ['', 'K', 'M', 'B', 'T'], '').replace(' ', '')
}

const clock = [
  { from: 172_800, seconds: 86_400, unit: 'days' },
  { from: 7200, seconds: 3600, unit: 'h' },
  { from: 120, seconds: 60, unit: 'min' },
  { from: 1, seconds: 1, unit: 's' },
  { from: 1e-3, seconds: 1e-3, unit: 'ms' },
  { from: 1e-6, seconds: 1e-6, unit: 'us' },
  { from: 0, seconds: 1e-9, unit: 'ns' },
] as const

/** A duration: 850 ns, 12.3 us, 8.51 ms, 42.0 s, 12.5 min, 3.20 h, 5.10 days. */
export function duration(seconds: number): string {
  if (seconds === 0) return '0 s'
  if (seconds < 0) return `-${duration(-seconds)}`
  const rounded = Number(seconds.toPrecision(3))
  const row = clock.find(({ from }) => rounded >= from) ?? clock[clock.length - 1]
  return row === undefined ? `${seconds} s` : `${digits(seconds / row.seconds)} ${row.unit}`
}

/** Two durations in one unit where they share it: 6.81 to 10.6 ms. */
export function durationRange(low: number, high: number): string {
  const [from = '', unit] = duration(low).split(' ')
  const to = duration(high)
  return to.endsWith(` ${unit}`) ? `${from} to ${to}` : `${duration(low)} to ${to}`
}

/** A share of the whole: 38 %, 4.2 %, <0.1 %. */
export function percent(share: number): string {
  const value = share * 100
  if (value > 0 && value < 0.1) return '<0.1 %'
  return `${value < 10 ? value.toFixed(1) : value.toFixed(0)} %`
}

/** A signed relative error: +1.23 %, -0.04 %, 0 %. */
export function relativeError(share: number): string {
  // What doubles round away is no error.
  if (Math.abs(share) < 1e-12) return '0 %'
  const value = share * 100
  const size = Math.abs(value)
  if (size < 0.005) return `${value < 0 ? '-' : '+'}<0.01 %`
  return `${value < 0 ? '-' : '+'}${size < 10 ? size.toFixed(2) : digits(size)} %`
}

/** How many times: 1.84x. */
export function times(ratio: number): string {
  return `${digits(ratio)}x`
}

/** A plain number for people: three digits where it is not whole, an exponent only where it is huge or tiny. */
export function plain(value: number): string {
  const size = Math.abs(value)
  if (Number.isInteger(value) && size < 1e15) return String(value)
  return size !== 0 && (size < 1e-3 || size >= 1e6) ? value.toExponential(2) : digits(value)
}
