// What `reproduce ets` says, and what it does not claim.
import { beforeAll, describe, expect, it } from 'vitest'
import { loadPaper, type Row } from '../../../simulate/reproduce.ts'

let rows: readonly Row[]
beforeAll(async () => {
  rows = (await loadPaper('ets')).rows()
}, 120_000)

const computed = (item: string) => rows.find((r) => r.item === item)?.computed ?? Number.NaN

describe('ETS', () => {
  it('claims nothing as reproduced: its steps are made up', () => {
    expect(rows.filter((r) => r.status === 'reproduced')).toEqual([])
    for (const r of rows) expect(r.why).not.toBeNull()
    expect(
      rows.filter((r) => r.published === 1.8 || r.published === 1.4).every((r) => r.evidence === 'synthetic'),
    ).toBe(true)
  })
  it('shows the mechanism: more problems fit, where the width makes memory short', () => {
    const gain = (width: number) => computed(`width-${width}/lambda-1.5-1/throughput-94-GB`)
    expect(gain(16)).toBeLessThan(1.1)
    expect(gain(256)).toBeGreaterThan(1.3)
    const at = (name: string, capacity: string) => computed(`${capacity}/width-256/${name}/problems-at-once`)
    for (const capacity of ['94-GB', '94-GiB']) {
      expect(at('ets/lambda-1.5-1', capacity)).toBeGreaterThan(1.6 * at('rebase', capacity))
    }
    expect(computed('94-GB/kv-capacity-tokens') / 77.5e3).toBeCloseTo(1, 2)
    expect(computed('94-GiB/kv-capacity-tokens') / 108e3).toBeCloseTo(1, 1)
  })
  it('lies where the same generator was seen before: 1.35, 1.65 and 1.92 times less cache', () => {
    const reduction = (width: number, lambda: string) => computed(`width-${width}/${lambda}/kv-reduction`)
    for (const [width, seen] of [
      [16, 1.35],
      [64, 1.65],
      [256, 1.92],
    ] as const) {
      expect(Math.abs(reduction(width, 'lambda-1.5-1') / seen - 1)).toBeLessThan(0.15)
      expect(reduction(width, 'lambda-1-1.45')).toBeGreaterThan(1.15)
      expect(reduction(width, 'lambda-1-1.45')).toBeLessThan(1.65)
    }
  })
  it("has the thumbnail's budgets", () => {
    expect(['rebase', 'cache-alone', 'ets'].map((name) => computed(`nodes/${name}`))).toEqual([7, 3, 4])
  })
})
