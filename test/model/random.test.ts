import { expect, test } from 'vitest'
import { normals, seeded, xoshiro } from '../../model/random.ts'

test('equal seeds give equal sequences, others do not', () => {
  const draw = (seed: number) => {
    const random = seeded(seed)
    return Array.from({ length: 100 }, () => random())
  }
  expect(draw(7)).toEqual(draw(7))
  for (const other of [8, -7, 7 + 2 ** 32]) expect(draw(7)).not.toEqual(draw(other))
  for (const value of draw(7)) expect(value >= 0 && value < 1).toBe(true)
  expect(() => seeded(0.5)).toThrow('seed: expected a whole number, got 0.5')
})

test('uniform numbers have the mean, variance and serial correlation of such', () => {
  const random = seeded(1)
  const n = 200_000
  const draws = Array.from({ length: n }, () => random() - 0.5)
  const mean = draws.reduce((a, b) => a + b) / n
  const variance = draws.reduce((a, b) => a + b * b, 0) / n
  const serial = draws.slice(1).reduce((sum, x, i) => sum + x * (draws[i] as number), 0) / n
  // Four standard errors each.
  expect(Math.abs(mean)).toBeLessThan((4 * Math.sqrt(1 / 12)) / Math.sqrt(n))
  expect(Math.abs(variance - 1 / 12)).toBeLessThan((4 * Math.sqrt(1 / 180)) / Math.sqrt(n))
  expect(Math.abs(serial)).toBeLessThan(4 / 12 / Math.sqrt(n))
})

test('every bit of the words is as often set as not', () => {
  const next = xoshiro(3)
  const n = 20_000
  const set = new Array<number>(32).fill(0)
  for (let i = 0; i < n; i++) {
    const word = next()
    for (let bit = 0; bit < 32; bit++) set[bit] = (set[bit] as number) + ((word >>> bit) & 1)
  }
  for (const times of set) expect(Math.abs(times - n / 2)).toBeLessThan(5 * Math.sqrt(n / 4))
})

test('normal numbers have moments 0, 1, 0, 3', () => {
  const normal = normals(seeded(2))
  const n = 200_000
  let [m1, m2, m3, m4] = [0, 0, 0, 0]
  for (let i = 0; i < n; i++) {
    const x = normal()
    m1 += x / n
    m2 += x ** 2 / n
    m3 += x ** 3 / n
    m4 += x ** 4 / n
  }
  expect(m1).toBeCloseTo(0, 1)
  expect(m2).toBeCloseTo(1, 1)
  expect(Math.abs(m3)).toBeLessThan(0.03)
  expect(Math.abs(m4 - 3)).toBeLessThan(0.1)
})
