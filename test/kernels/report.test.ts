// What a report says of rows that are made up.
import { describe, expect, it } from 'vitest'
import { loadKernel } from '../../kernels/catalog.ts'
import { regimeOf, reportOf, sameSizes } from '../../kernels/report.ts'
import { reportCases } from '../../kernels/suite.ts'
import { wasmDevice } from './device.ts'
import { madeRow, madeRun } from './made-run.ts'

const roofs = { bytes_per_s: 10e9, flops_per_s: 100e9 }

describe('a regime', () => {
  it.each([
    [{ term: 'launch', limit: 'memory', bytes: 1, flops: 1, warm: false }, 'launch'],
    [{ term: 'decode', limit: 'memory', bytes: 1, flops: 1, warm: false }, 'decode'],
    [{ term: 'gather', limit: 'memory', bytes: 1, flops: 1, warm: false }, 'decode'],
    [{ term: 'memory', limit: 'memory', bytes: 10, flops: 60, warm: false }, 'ridge'],
    [{ term: 'memory', limit: 'memory', bytes: 10, flops: 40, warm: false }, 'memory'],
    [{ term: 'compute', limit: 'compute', bytes: 10, flops: 190, warm: false }, 'ridge'],
    [{ term: 'compute', limit: 'compute', bytes: 10, flops: 210, warm: false }, 'compute'],
    [{ term: 'compute', limit: 'compute', bytes: 10, flops: 100, warm: true }, 'compute'],
  ] as const)('of %o is %s', (row, regime) => {
    expect(regimeOf(row, roofs)).toBe(regime)
  })
})

describe('a report', () => {
  it('has errors in all and by regime, the worst first, and what beat its bound', async () => {
    const report = await reportOf([madeRun])
    expect(report).toMatchObject({ machine: 'local', backend: 'wasm' })
    expect(report.rows).toHaveLength(4)
    // Expected over measured: 1.1, 0.5, 1, 2.
    expect(report.bias).toBeCloseTo(0.15, 9)
    expect(report.median_ape).toBeCloseTo(0.5, 9)
    expect(report.by_limit.memory).toMatchObject({ rows: 2 })
    expect(report.by_limit.decode).toMatchObject({ rows: 1, bias: 0 })
    expect(report.by_limit.ridge).toBeNull()
    expect(report.worst.map((w) => [w.kernel, w.term])).toEqual([
      ['gemv', 'memory'],
      ['gemm', 'compute'],
      ['stream-read', 'memory'],
      ['gemv-int4', 'decode'],
    ])
    expect(report.warnings).toEqual([
      'gemm m=8,n=8,k=8,bits=32: measured faster than its bound, an error of the model or of the measurement',
    ])
    expect(report.skipped).toEqual([
      { kernel: 'softmax', shape: { rows: 1 }, why: 'y[0] was not written' },
      { kernel: 'gelu', shape: { rows: 1 }, why: 'no room' },
    ])
  })

  it('sets methods beside what they are compared with, at the same sizes', async () => {
    const { speedups } = await reportOf([madeRun])
    expect(speedups).toHaveLength(1)
    expect(speedups[0]).toMatchObject({ method: 'gemv-int4', baseline: 'gemv', predicted: 2, measured: 4 })
  })

  it('joins runs, and compares no method with another run', async () => {
    const method = madeRun.rows.filter((r) => r.kernel === 'gemv-int4')
    const others = madeRun.rows.filter((r) => r.kernel !== 'gemv-int4')
    const report = await reportOf([
      { ...madeRun, rows: method },
      { ...madeRun, machine: 'h200', rows: others },
    ])
    expect(report.machine).toBe('local, h200')
    expect(report.speedups).toEqual([])
    expect(report.roofs).toEqual({ bytes_per_s: null, flops_per_s: null })
  })

  it('is none of rows without predictions', async () => {
    const rows = [madeRow('gemv', { bound_s: null, expected_s: null, limit: null, term: null })]
    await expect(reportOf([{ ...madeRun, rows, failed: [] }])).rejects.toThrow('nothing was predicted for it')
  })

  it('tells sizes alike whatever the width', () => {
    expect(sameSizes({ m: 1, bits: 16 }, { m: 1, bits: 32 })).toBe(true)
    expect(sameSizes({ m: 1 }, { m: 1, n: 2 })).toBe(false)
  })
})

describe('the short suite', () => {
  const device = wasmDevice(1)

  it('has every kernel of the backend, once at each shape, and what methods are compared with', async () => {
    const { kernelNames } = await import('../../kernels/catalog.ts')
    const kernels = await Promise.all(kernelNames.map(loadKernel))
    const cases = await reportCases(kernels, 'small', device.backend)
    const names = new Set(cases.map((c) => c.kernel.name))
    expect([...names].toSorted()).toEqual(
      kernels
        .filter((k) => k.plans.wasm)
        .map((k) => k.name)
        .toSorted(),
    )
    const keys = cases.map((c) => JSON.stringify([c.kernel.name, Object.entries(c.sizes).toSorted()]))
    expect(new Set(keys).size).toBe(keys.length)
    for (const { kernel, sizes } of cases) {
      const against = kernel.baseline?.(sizes)
      if (!against) continue
      expect(cases.some((c) => c.kernel.name === against.kernel && sameSizes(c.sizes, against.sizes))).toBe(true)
    }
  })
})
