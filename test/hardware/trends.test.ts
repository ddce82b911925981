// The growth factors of AI and Memory Wall from its points, and what the shipped machines add.
import { expect, test } from 'vitest'
import { loadMachine, machineNames } from '../../hardware/catalog.ts'
import { growth, quotient, valueAt, yearAt, yearOf } from '../../hardware/trends/fit.ts'
import { paperSeries } from '../../hardware/trends/points.ts'
import { memoryBoundSince, ridge, trends } from '../../hardware/trends/trends.ts'

const machines = await Promise.all(machineNames.map(loadMachine))

test.each([
  ['compute', 37, '3.026', 64313],
  ['dram-bandwidth', 12, '1.592', 104],
  ['interconnect', 10, '1.415', 32],
  ['parameters', 10, '413.1', undefined],
  ['memory', 7, '1.863', undefined],
  ['training-compute', 10, '754.9', undefined],
] as const)('%s: %i points grow %sx in two years', (name, count, per2, per20) => {
  const { points } = paperSeries[name]
  expect(points).toHaveLength(count)
  const fit = growth(points)
  expect(fit.per2.toPrecision(4)).toBe(per2)
  if (per20 !== undefined) expect(Math.round(fit.per20)).toBe(per20)
})

test('a fit of points on a line is that line', () => {
  const points = [2000, 2003, 2010, 2021].map((year) => ({
    date: `${year}-01-01`,
    value: 2 * 10 ** (0.25 * yearOf(`${year}-01-01`) - 500),
  }))
  const fit = growth(points)
  expect(fit.slope).toBeCloseTo(0.25, 9)
  expect(valueAt(fit, yearOf('2010-01-01')) / (points[2]?.value ?? 0)).toBeCloseTo(1, 9)
  expect(yearAt(fit, points[2]?.value ?? 0)).toBeCloseTo(yearOf('2010-01-01'), 6)
  expect(quotient(fit, fit).per2).toBe(1)
  expect(() => growth(points.slice(0, 1))).toThrow(RangeError)
})

test('years are counted in days', () => {
  expect(yearOf('1970-01-01')).toBe(1970)
  expect(yearOf('2017-06-21')).toBeCloseTo(2017.47, 2)
})

test('the shipped machines continue three series beyond their last point, the best of each year', () => {
  const all = trends(machines)
  expect(all.filter((t) => t.extended).map((t) => t.name)).toEqual(['compute', 'dram-bandwidth', 'memory'])
  for (const { points, extended } of all) {
    if (extended === null) continue
    const last = Math.max(...points.map((p) => yearOf(p.date)))
    expect(extended.points.every((p) => yearOf(p.date) > last)).toBe(true)
    expect(new Set(extended.points.map((p) => p.date)).size).toBe(extended.points.length)
    expect(extended.per_2_years).toBe(growth([...points, ...extended.points]).per2)
  }
})

test('the ridge point grows by the quotient, and passes a workload once', () => {
  const over = ridge(machines)
  expect(over.per_2_years).toBeCloseTo(3.0257 / 1.5915, 3)
  const h100 = over.machines.find((m) => m.name === 'h100-sxm')
  expect(h100?.ridge).toBeCloseTo(989.4 / 3.35, 6)
  expect(over.machines.some((m) => m.name === 'epyc-9654' || m.name === 'm4')).toBe(false)
  const since = memoryBoundSince(over, 30)
  expect(valueAt(over.growth, since)).toBeCloseTo(30, 6)
  expect(memoryBoundSince(over, 60)).toBeGreaterThan(since)
})
