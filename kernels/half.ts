// Numbers of 16 bits (IEEE 754 binary16) read from and written to words, for references and for data made on the host.

/** The value of a half. */
export function halfValue(bits: number): number {
  const exponent = (bits >>> 10) & 31
  const fraction = bits & 1023
  const size =
    exponent === 0
      ? fraction * 2 ** -24
      : exponent === 31
        ? fraction === 0
          ? Number.POSITIVE_INFINITY
          : Number.NaN
        : (1024 + fraction) * 2 ** (exponent - 25)
  return bits & 0x8000 ? -size : size
}

const single = new Float32Array(1)
const word = new Uint32Array(single.buffer)

/** The bits of the half nearest to `value`, ties to even. */
export function halfBits(value: number): number {
  const sign = value < 0 || Object.is(value, -0) ? 0x8000 : 0
  const size = Math.abs(value)
  if (Number.isNaN(value)) return 0x7e00
  if (size >= 65520) return sign | 0x7c00
  if (size < 2 ** -14) return sign | roundEven(size * 2 ** 24)
  const exponent = Math.floor(Math.log2(size))
  // Math.log2 may round up just below a power of two.
  const e = 2 ** exponent > size ? exponent - 1 : exponent
  return sign | (((e + 15) << 10) + (roundEven(size * 2 ** (10 - e)) - 1024))
}

function roundEven(value: number): number {
  const floor = Math.floor(value)
  const rest = value - floor
  return rest > 0.5 || (rest === 0.5 && floor % 2 === 1) ? floor + 1 : floor
}

/** The bits of a single. */
export function singleBits(value: number): number {
  single[0] = value
  return word[0] as number
}
