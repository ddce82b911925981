// Squeezeformer's published figures: which of ours they are, to which digit, and that what was only recalled is never
// called reproduced.
import { expect, test } from 'vitest'
import { loadMachine } from '../../../hardware/catalog.ts'
import { loadModel } from '../../../model/catalog.ts'
import { asThePaper, everything, flops, operatorsOf } from '../../../simulate/papers/squeezeformer/convention.ts'
import { scoresAndRest, takeover } from '../../../simulate/papers/squeezeformer/curves.ts'
import { agrees, loadPaper, type Row, summary } from '../../../simulate/reproduce.ts'

const paper = await loadPaper('squeezeformer')
const rows = paper.rows()
const of = (table: string) => rows.filter((r) => r.table.startsWith(table))
const giga = (r: Row) => ((r.computed ?? Number.NaN) / 1e9).toFixed(1)

test('nine parameter counts are ours to the printed digit', () => {
  const counts = of('Parameters')
  expect(counts).toHaveLength(9)
  expect(counts.filter((r) => !agrees(r))).toEqual([])
  expect(counts.map((r) => r.status)).toEqual([...Array(3).fill('unverified'), ...Array(6).fill('reproduced')])
})

test("all operators' FLOPs are the profiler's within 1 %", () => {
  const profiled = of('Profiled')
  expect(profiled.map((r) => r.status)).toEqual(Array(6).fill('reproduced'))
  for (const r of profiled) expect(Math.abs(r.relative_error ?? 1), r.item).toBeLessThan(0.01)
})

test("the paper's convention gives its FLOPs, but for three that contradict the profiler", () => {
  expect(Object.fromEntries(of('FLOPs').map((r) => [r.item.split('/')[0], giga(r)]))).toEqual({
    'conformer-ctc-s': '26.2',
    'conformer-ctc-m': '71.7',
    'conformer-ctc-l': '280.6',
    'squeezeformer-xs': '15.8',
    'squeezeformer-s': '29.7',
    'squeezeformer-sm': '42.7',
    'squeezeformer-m': '79.9',
    'squeezeformer-ml': '169.2',
    'squeezeformer-l': '309.6',
  })
  expect(
    of('FLOPs')
      .filter((r) => !agrees(r))
      .map((r) => r.item),
  ).toEqual(['squeezeformer-s/flops', 'squeezeformer-m/flops', 'squeezeformer-l/flops'])
})

test('the ablation is ours to a tenth of a million and of a GFLOP', () => {
  const steps = of('Ablation')
  expect(steps).toHaveLength(12)
  expect(steps.filter((r) => !agrees(r))).toEqual([])
})

test('what each step is said to save is what it saves', () => {
  expect(of('Claims').map((r) => r.computed?.toFixed(1))).toEqual(['20.5', '27.8', '21.8'])
  expect(of('Claims').every(agrees)).toBe(true)
})

test('nothing recalled is called reproduced', () => {
  for (const r of rows) {
    expect(
      [r.published, r.computed, r.tolerance].every((n) => n === null || Number.isFinite(n)),
      r.item,
    ).toBe(true)
    if (/recalled|notes/.test(r.source)) expect(['unverified', 'not reproducible']).toContain(r.status)
    if (r.status !== 'reproduced') expect(r.why, r.item).not.toBeNull()
  }
  expect(summary(rows)).toMatchObject({ reproduced: 12, off: 0, unverified: 27 })
  expect(new Set(rows.map((r) => `${r.table} ${r.item}`)).size).toBe(rows.length)
})

test('the conventions differ by what they say', async () => {
  const operators = operatorsOf(await loadModel('conformer-ctc-m'))
  const all = flops(operators, everything)
  expect(all).toBe(operators.reduce((sum, o) => sum + o.count * (o.matrix + o.vector), 0))
  const products = flops(operators, { ...everything, elementwise: false })
  const [tokens, width] = [750, 256]
  // Positions cost a projection and the scores of T - 1 distances less in every layer; the head goes.
  const positions = 16 * 2 * (tokens - 1) * width * (width + tokens)
  const head = 2 * tokens * width * 128
  expect(flops(operators, asThePaper)).toBeCloseTo(products - positions - head, -2)
})

test('scores take over as audio grows, and later where half of the layers run at half the rate', async () => {
  const a100 = await loadMachine('a100-80gb-sxm')
  const [conformer, sm] = await Promise.all(['conformer-ctc-m', 'squeezeformer-sm'].map(loadModel))
  if (!conformer || !sm) throw new Error('no models')
  const [early, late] = [takeover(conformer, a100), takeover(sm, a100)] as [number, number]
  expect(early).toBeLessThan(late)
  for (const [a, at] of [
    [conformer, early],
    [sm, late],
  ] as const) {
    const [before, after] = [scoresAndRest(a, a100, at - 2), scoresAndRest(a, a100, at)]
    expect(before[0]).toBeLessThan(before[1])
    expect(after[0]).toBeGreaterThan(after[1])
  }
})

test('the chart has all nine models on both machines, and audio from 1 s to 10 min', () => {
  const curves = paper.curves?.() ?? []
  const points = (i: number) => curves[i]?.series.flatMap((s) => s.points) ?? []
  expect(points(0)).toHaveLength(2 * 9)
  const lengths = points(1).map(([x]) => x)
  expect([Math.min(...lengths), Math.max(...lengths)]).toEqual([1, 600])
})
