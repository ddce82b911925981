// What was measured on a GPU is kept with the profile that predicts it: the expected times in it are this model's.
import { readFileSync } from 'node:fs'
import { expect, test } from 'vitest'
import type { Machine } from '../../hardware/machine.ts'
import { profileOf } from '../../hardware/profile.ts'
import { operatorTime } from '../../hardware/time.ts'
import { parseMachine } from '../../hardware/validate.ts'
import { loadKernel } from '../../kernels/catalog.ts'
import type { SuiteRow } from '../../kernels/suite.ts'

const kept = (name: string) => readFileSync(new URL(`../../kernels/results/${name}.json`, import.meta.url), 'utf8')
const machine: Machine = parseMachine(JSON.parse(kept('h200-webgpu')), 'h200-webgpu.json')
const { rows, roofs } = JSON.parse(kept('h200')) as { rows: readonly SuiteRow[]; roofs: { bytes_per_s: number } }

test('bound and expected of every row are what the model says with the profile', { timeout: 60_000 }, async () => {
  const profile = profileOf(machine)
  for (const row of rows) {
    const kernel = await loadKernel(row.kernel)
    const usual = Object.fromEntries(Object.entries(kernel.sizes).map(([name, size]) => [name, size.default]))
    const { operators } = kernel.problem({ ...usual, ...row.shape })
    const times = operators.map((o) => ({ count: o.count, ...operatorTime(o, profile, row.warm) }))
    expect(row.checked).toBe(true)
    const sum = (of: 'bound' | 'expected') => times.reduce((all, t) => all + t.count * t[of], 0)
    expect((row.expected_s as number) / sum('expected')).toBeCloseTo(1, 9)
    if (row.bound_s) expect(row.bound_s / sum('bound')).toBeCloseTo(1, 9)
  }
})

test('the median error is at most 15 %, the bias within 10 %, and no row beats its bound', () => {
  const errors = rows.map((r) => (r.expected_s as number) / (r.median_s as number) - 1)
  const median = errors.map(Math.abs).toSorted((a, b) => a - b)[Math.floor(errors.length / 2)]
  expect(rows).toHaveLength(112)
  expect(median).toBeLessThanOrEqual(0.15)
  const logs = errors.map((e) => Math.log1p(e)).reduce((a, b) => a + b, 0) / errors.length
  expect(Math.abs(Math.expm1(logs))).toBeLessThanOrEqual(0.1)
  expect(rows.filter((r) => r.beats_bound)).toEqual([])
})

test('a stream is read at 4.3 TB/s at least, and decoding attention reaches 85 % of it from 32k tokens on', () => {
  expect(roofs.bytes_per_s).toBeGreaterThanOrEqual(4.3e12)
  const heads = { batch: 1, heads: 32, 'kv-heads': 32, 'head-dim': 128, query: 1, bits: 16 }
  for (const tokens of [32768, 131072, 524288]) {
    const row = rows.find(
      (r) =>
        r.kernel === 'attention-decode' &&
        Object.entries({ ...heads, tokens }).every(([name, size]) => r.shape[name] === size),
    )
    expect(row?.roof_fraction).toBeGreaterThanOrEqual(0.85)
  }
})
