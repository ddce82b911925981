import { describe, expect, it } from 'vitest'
import { powersOfTen, roundTicks } from '../../cli/chart/axes.ts'
import { apart, overlap, place } from '../../cli/chart/place.ts'

const area = { left: 0, top: 0, right: 700, bottom: 600 }

describe('labels', () => {
  it('do not overlap, even around one point', () => {
    const labels = Array.from({ length: 14 }, (_, i) => ({ at: { x: 300, y: 300, r: 5 + i }, width: 18, height: 14 }))
    const placed = place(
      labels,
      labels.map((l) => l.at),
      area,
    )
    const pairs = placed.flatMap((a, i) => placed.slice(i + 1).map((b) => [a.box, b.box] as const))
    expect(pairs.filter(([a, b]) => overlap(a, b))).toEqual([])
  })
  it('stay within the area', () => {
    const [label] = place([{ at: { x: 699, y: 1, r: 4 }, width: 40, height: 14 }], [], area)
    expect(label?.box.right).toBeLessThanOrEqual(area.right)
    expect(label?.box.top).toBeGreaterThanOrEqual(area.top)
  })
  it('keep off what is taken', () => {
    const taken = { left: 100, top: 80, right: 160, bottom: 99 }
    const [label] = place([{ at: { x: 100, y: 100, r: 4 }, width: 20, height: 14 }], [], area, [taken])
    expect(overlap(label?.box ?? taken, taken)).toBe(false)
  })
})

describe('names at the ends of lines', () => {
  it('are moved apart and kept above the bottom, and stay where there is room', () => {
    expect(apart([10, 100, 105, 300], 18, 400)).toEqual([10, 100, 118, 300])
    expect(apart([10, 290, 295, 299], 18, 300)).toEqual([10, 264, 282, 300])
    expect(apart([], 18, 300)).toEqual([])
  })
})

describe('an axis', () => {
  it('has its ticks at powers of ten', () => {
    expect(powersOfTen(0.05, 2500)).toEqual([0.1, 1, 10, 100, 1000])
    expect(powersOfTen(1, 1000)).toEqual([1, 10, 100, 1000])
    expect(powersOfTen(2, 9)).toEqual([])
  })
  it('has more of them where few powers are in sight', () => {
    expect(roundTicks(1.75, 12.8)).toEqual([2, 3, 4, 6, 8, 10])
    expect(roundTicks(0.5, 200)).toEqual([0.5, 1, 2, 5, 10, 20, 50, 100, 200])
    expect(roundTicks(0.05, 2500)).toEqual(powersOfTen(0.05, 2500))
  })
})
