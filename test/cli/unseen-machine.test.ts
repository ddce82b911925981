// A machine that no constant was fitted on, measured by ourselves: what is claimed of unseen machines must hold there.
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, describe, expect, it } from 'vitest'
import { accuracyOf } from '../../cli/accuracy.ts'

const file = join(import.meta.dirname, '../data/gemm-h200.csv')
const folder = mkdtempSync(join(tmpdir(), 'memwall-unseen-'))
afterAll(() => rmSync(folder, { recursive: true }))

describe('matrix products of an H200', () => {
  it('are within 10 % in the mean from the datasheet alone', async () => {
    const { expected, bound, rows, skipped } = await accuracyOf([file], { calibration: 'global' })
    expect([rows, skipped]).toEqual([581, []])
    expect(expected?.mape).toBeLessThan(0.1)
    expect(Math.abs(expected?.bias ?? 1)).toBeLessThan(0.05)
    expect(expected?.coverage).toBeGreaterThan(0.8)
    // The roofline alone is far off, and always low.
    expect(bound?.mape).toBeGreaterThan(0.25)
    expect(bound?.bias).toBeCloseTo(-(bound?.mape ?? 0), 2)
  })

  it('are within 7.5 % after eight probes, which are not scored', async () => {
    const probes = join(folder, 'probes.csv')
    writeFileSync(probes, readFileSync(file, 'utf8').split('\n').slice(0, 9).join('\n'))
    const { expected, rows } = await accuracyOf([file], { calibration: 'measured', probes })
    expect(rows).toBeLessThan(581)
    expect(expected?.mape).toBeLessThan(0.075)
  })
})
