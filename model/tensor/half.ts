// The 16-bit formats as bits: fp16 (IEEE 754 binary16) and bf16 (the upper half of fp32).

const bits32 = new Uint32Array(1)
const value32 = new Float32Array(bits32.buffer)

let table: Float32Array | undefined

/** The 65536 values of fp16 by their bits, made once. */
export function fp16Values(): Float32Array {
  table ??= Float32Array.from({ length: 65536 }, (_, bits) => fp16Value(bits))
  return table
}

function fp16Value(bits: number): number {
  const sign = bits & 0x8000 ? -1 : 1
  const exponent = (bits >> 10) & 31
  const fraction = bits & 1023
  if (exponent === 0) return sign * fraction * 2 ** -24
  if (exponent === 31) return fraction === 0 ? sign * Number.POSITIVE_INFINITY : Number.NaN
  return sign * (1 + fraction / 1024) * 2 ** (exponent - 15)
}

/** The largest finite fp16. */
export const fp16Max = 65504

/** The bits of the nearest fp16, ties to even; infinity from 65520 on. */
export function fp16Bits(value: number): number {
  const sign = value < 0 || Object.is(value, -0) ? 0x8000 : 0
  const size = Math.abs(value)
  if (Number.isNaN(size)) return 0x7e00
  if (size >= 65520) return sign | 0x7c00
  // The distance of neighbours: 2^-24 among the subnormal, else 2^-10 of the leading power of two.
  const exponent = Math.max(-14, exponentOf(size))
  const steps = halfToEven(size * 2 ** (10 - exponent))
  // 1024 steps and more carry into the exponent's bits by themselves.
  return sign | (((exponent + 14) << 10) + steps)
}

/** The nearest fp16 as a number. */
export function roundFp16(value: number): number {
  return fp16Values()[fp16Bits(value)] as number
}

/** The bits of the nearest bf16, ties to even. */
export function bf16Bits(value: number): number {
  value32[0] = value
  const bits = bits32[0] as number
  if (Number.isNaN(value)) return 0x7fc0
  return ((bits + 0x7fff + ((bits >>> 16) & 1)) >>> 16) & 0xffff
}

export function bf16Value(bits: number): number {
  bits32[0] = bits << 16
  return value32[0] as number
}

/** floor(log2(size)), exactly; -Infinity's stand-in for 0 is -150. */
function exponentOf(size: number): number {
  value32[0] = size
  // Rounding to fp32 may carry to the next power of two, and so does fp16 then.
  const exponent = (((bits32[0] as number) >>> 23) & 255) - 127
  return size < 2 ** exponent ? exponent - 1 : exponent
}

function halfToEven(value: number): number {
  const floor = Math.floor(value)
  const rest = value - floor
  return rest > 0.5 || (rest === 0.5 && floor % 2 === 1) ? floor + 1 : floor
}
