// Inputs made on the device are those that the reference repeats, and numbers survive being stored.
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { numbers } from '../../kernels/check.ts'
import { halfBits, halfValue } from '../../kernels/half.ts'
import { elementBytes, elementsOf, elementTypes, type Fill, isOutlier, normalAt } from '../../kernels/input.ts'
import { webgpuDevice } from './device.ts'

const device = webgpuDevice()

const fills: readonly Fill[] = [
  { kind: 'normal', seed: 5 },
  { kind: 'normal', seed: 77, outliers: 4, scale: -3 },
  { kind: 'positive', seed: 9, scale: -4 },
  { kind: 'affine', seed: 10, scale: -4 },
  { kind: 'values', values: [1, -2, 0.5, 3, 4] },
]

describe('halves', () => {
  it('survive being read and written', () => {
    for (let bits = 0; bits < 0x10000; bits++) {
      const value = halfValue(bits)
      if (!Number.isNaN(value)) expect(halfBits(value)).toBe(bits)
    }
  })

  it('are the nearest ones', () => {
    fc.assert(
      fc.property(fc.double({ min: -65000, max: 65000, noNaN: true }), (value) => {
        const bits = halfBits(value)
        const error = Math.abs(halfValue(bits) - value)
        for (const other of [bits - 1, bits + 1]) {
          const near = halfValue(other & 0xffff)
          if (Number.isFinite(near)) expect(error).toBeLessThanOrEqual(Math.abs(near - value))
        }
      }),
    )
  })
})

describe('normal fills', () => {
  it('are near normal, with the outliers asked for, and exact in fp16', () => {
    const fill = { kind: 'normal', seed: 3, outliers: 6 } as const
    const values = elementsOf(fill, 0, 50_000)
    const inner = values.filter((_, i) => !isOutlier(3, i, 6))
    const mean = inner.reduce((a, b) => a + b, 0) / inner.length
    const deviation = Math.sqrt(inner.reduce((a, b) => a + (b - mean) ** 2, 0) / inner.length)
    expect(Math.abs(mean)).toBeLessThan(0.02)
    expect(deviation).toBeCloseTo(0.577, 1)
    expect(values.length - inner.length).toBeGreaterThan(50_000 / 64 / 2)
    expect(values.every((v) => halfValue(halfBits(v)) === v)).toBe(true)
    expect(values[7]).toBe(normalAt(fill, 7))
  })
})

describe('fills on the device', () => {
  const cases = fills.flatMap((fill) => elementTypes.filter((t) => t !== 'u32').map((type) => ({ fill, type })))
  it.for(cases)('$fill.kind in $type', async ({ fill, type }, { skip }) => {
    skip(device.missing !== undefined, device.missing)
    const { backend } = device
    const [first, count] = fill.kind === 'values' ? [0, 5] : [1_000_001 * 2, 3001]
    const bytes = count * elementBytes[type]
    const buffer = await backend.allocate(bytes)
    await backend.fill(buffer, type, count, fill, first)
    const got = numbers(await backend.download(buffer, 0, bytes), type)
    expect(Float64Array.from(got)).toEqual(elementsOf(fill, first, count))
    backend.release(buffer)
  })

  it('are random bits and words', async ({ skip }) => {
    skip(device.missing !== undefined, device.missing)
    const { backend } = device
    const buffer = await backend.allocate(4000)
    for (const fill of [
      { kind: 'bits', seed: 8 },
      { kind: 'index', seed: 8, below: 1000, least: 7 },
      { kind: 'sparse', seed: 8, each: 12, stride: 85, scale: 1 },
      { kind: 'word', word: 0x7fc17fc1 },
    ] as const) {
      await backend.fill(buffer, 'u32', 1000, fill)
      const got = new Uint32Array(await backend.download(buffer, 0, 4000))
      expect(Float64Array.from(got)).toEqual(elementsOf(fill, 0, 1000))
    }
    backend.release(buffer)
  })
})
