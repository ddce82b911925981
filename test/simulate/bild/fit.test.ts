// The renewal form against measured runs: the constants that the table of the paper uses come of this fit.
import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { parse } from 'csv-parse/sync'
import { describe, expect, it } from 'vitest'
import { fitRuns, type MeasuredRun, runSeconds } from '../../../simulate/bild/fit.ts'
import { bildShares } from '../../../simulate/bild/renewal.ts'
import { constants } from '../../../simulate/papers/bild/latency.ts'
import { alone } from '../../../simulate/papers/bild/published.ts'

const path = join(import.meta.dirname, '../../../../shared/data/bild-measured.csv')

function errors(runs: readonly MeasuredRun[], c: typeof constants | ReturnType<typeof fitRuns>): number[] {
  return runs.map((run) => runSeconds(c, run) / run.seconds - 1)
}

const mean = (of: readonly number[]) => of.reduce((a, b) => a + Math.abs(b), 0) / of.length

describe('the fit', () => {
  it('finds the constants that runs were made with', () => {
    const made = { fixed: 0.02, small: 0.015, large: 0.05 }
    const runs = [0.01, 0.1, 0.3].map((unsure) => {
      const run = { tokens: 30, window: 10, shares: bildShares({ unsure, rejected: 0.02, window: 10 }) }
      return { ...run, seconds: runSeconds(made, run) }
    })
    const found = fitRuns(runs, { tokens: 29, seconds: 0.02 + 29 * 0.05 })
    for (const name of ['fixed', 'small', 'large'] as const) expect(found[name]).toBeCloseTo(made[name], 9)
    expect(() => fitRuns(runs.slice(0, 1), { tokens: 1, seconds: 1 })).toThrow('expected at least two')
  })
})

describe.skipIf(!existsSync(path))('measured runs (../shared/data/bild-measured.csv)', () => {
  const runs = (): MeasuredRun[] =>
    (parse(readFileSync(path), { columns: true }) as Record<string, string>[])
      .filter((r) => r.dataset === 'iwslt2017')
      .map((r) => ({
        tokens: Number(r.gen_len),
        seconds: Number(r.s_per_sample),
        shares: { fallback: Number(r.fallback_pct) / 100, rollback: Number(r.rollback_pct) / 100 },
        window: 10,
      }))

  it('55 of IWSLT: 1.9 % off in the mean, at most 6 %, by three constants', () => {
    const all = errors(runs(), constants)
    expect(all).toHaveLength(55)
    expect(mean(all)).toBeLessThan(0.0195)
    expect(Math.max(...all.map(Math.abs))).toBeLessThan(0.06)
    const fitted = fitRuns(runs(), alone)
    for (const name of ['fixed', 'small', 'large'] as const) expect(constants[name] / fitted[name]).toBeCloseTo(1, 2)
  })

  it('a fit without some of them predicts those', () => {
    const of = runs()
    for (const held of [0, 1, 2, 3, 4]) {
      const without = (keep: boolean) => of.filter((_, i) => (i % 5 === held) !== keep)
      const left = errors(without(false), fitRuns(without(true), alone))
      expect(mean(left)).toBeLessThan(0.025)
      expect(Math.max(...left.map(Math.abs))).toBeLessThan(0.08)
    }
  })
})
