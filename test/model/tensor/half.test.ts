import fc from 'fast-check'
import { expect, test } from 'vitest'
import { bf16Bits, bf16Value, fp16Bits, fp16Values, roundFp16 } from '../../../model/tensor/half.ts'

test('every fp16 keeps its bits', () => {
  const values = fp16Values()
  for (let bits = 0; bits < 65536; bits++) {
    const value = values[bits] as number
    if (!Number.isNaN(value)) expect(fp16Bits(value)).toBe(bits)
  }
  expect([values[0x3c00], values[0x0001], values[0x7bff], values[0xfc00]]).toEqual([1, 2 ** -24, 65504, -Infinity])
  expect(Number.isNaN(values[0x7e00])).toBe(true)
  expect(Number.isNaN(roundFp16(Number.NaN))).toBe(true)
})

test('every bf16 keeps its bits', () => {
  for (let bits = 0; bits < 65536; bits++) {
    const value = bf16Value(bits)
    if (!Number.isNaN(value)) expect(bf16Bits(value)).toBe(bits)
  }
  expect(bf16Value(0x3f80)).toBe(1)
})

test('rounding takes the nearest fp16, the even one of two', () => {
  const values = [...fp16Values()].filter(Number.isFinite).sort((a, b) => a - b)
  fc.assert(
    fc.property(fc.double({ min: -70000, max: 70000, noNaN: true }), (x) => {
      const rounded = roundFp16(x)
      if (Math.abs(x) >= 65520) return Math.abs(rounded) === Infinity
      const nearest = Math.min(...values.map((v) => Math.abs(v - x)))
      return Math.abs(rounded - x) === nearest
    }),
    { numRuns: 50 },
  )
  expect(roundFp16(2049)).toBe(2048)
  expect(roundFp16(2051)).toBe(2052)
  expect(roundFp16(2 ** -25)).toBe(0)
  expect(roundFp16(3 * 2 ** -25)).toBe(2 ** -23)
  expect(roundFp16(1 - 2 ** -30)).toBe(1)
})
