import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import * as units from '../../cli/units.ts'

describe('digits', () => {
  it.each([
    [0, '0'],
    [1, '1.00'],
    [1.0049, '1.00'],
    [13.4567, '13.5'],
    [99.96, '100'],
    [999.4, '999'],
    [0.0012345, '0.00123'],
    [-2.5, '-2.50'],
  ])('writes %d as %s', (value, text) => expect(units.digits(value)).toBe(text))

  it('keeps three significant digits', () => {
    fc.assert(
      fc.property(fc.double({ min: 1e-6, max: 1e6, noNaN: true }), (value) => {
        const shown = Number(units.digits(value))
        expect(Math.abs(shown - value) / value).toBeLessThanOrEqual(0.00501)
      }),
    )
  })
})

describe('quantities with units', () => {
  it.each([
    [units.bytes(0), '0 B'],
    [units.bytes(999), '999 B'],
    [units.bytes(999.7e6), '1.00 GB'],
    [units.bytes(13.5e9), '13.5 GB'],
    [units.binaryBytes(80 * 2 ** 30), '80.0 GiB'],
    [units.binaryBytes(1023 * 2 ** 20), '0.999 GiB'],
    [units.gibibytes(1.5 * 2 ** 30), '1.50'],
    [units.gibibytes(1), '<0.01'],
    [units.bandwidth(3.35e12), '3.35 TB/s'],
    [units.flop(14.3e9), '14.3 GFLOP'],
    [units.flopRate(989e12), '989 TFLOP/s'],
    [units.flopRate(1.98e15, 'int8'), '1.98 POP/s'],
    [units.frequency(1.98e9), '1.98 GHz'],
    [units.quantity(192), '192'],
    [units.quantity(7.25e9), '7.25 G'],
    [units.parameterCount(6.74e9), '6.74B'],
    [units.parameterCount(671e9), '671B'],
    [units.times(1.844), '1.84x'],
  ])('writes %s', (got, expected) => expect(got).toBe(expected))

  it.each([
    [0, '0 s'],
    [8.04e-9, '8.04 ns'],
    [4.2e-6, '4.20 us'],
    [999.9e-6, '1.00 ms'],
    [8.51e-3, '8.51 ms'],
    [42, '42.0 s'],
    [119.4, '119 s'],
    [119.9, '2.00 min'],
    [750, '12.5 min'],
    [11_520, '3.20 h'],
    [864_000, '10.0 days'],
  ])('writes %d s as %s', (seconds, text) => expect(units.duration(seconds)).toBe(text))

  it('names a shared unit once', () => {
    expect(units.duration(-28.7e-3)).toBe('-28.7 ms')
    expect(units.durationRange(6.81e-3, 10.6e-3)).toBe('6.81 to 10.6 ms')
    expect(units.durationRange(0.9e-3, 1.1e-3)).toBe('900 us to 1.10 ms')
  })

  it.each([
    [0.384, '38 %'],
    [0.0421, '4.2 %'],
    [0.0004, '<0.1 %'],
    [0, '0.0 %'],
    [1, '100 %'],
  ])('writes the share %d as %s', (share, text) => expect(units.percent(share)).toBe(text))

  it.each([
    [0, '0 %'],
    [-2e-16, '0 %'],
    [0.0123, '+1.23 %'],
    [-0.00001, '-<0.01 %'],
    [-0.573, '-57.3 %'],
  ])('writes the error %d as %s', (share, text) => expect(units.relativeError(share)).toBe(text))
})
