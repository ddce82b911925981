// A run of `measure` that is made up, for reports.
import type { MeasuredRun } from '../../kernels/report.ts'
import type { SuiteRow } from '../../kernels/suite.ts'

export function madeRow(kernel: string, row: Partial<SuiteRow>): SuiteRow {
  return {
    kernel,
    shape: { m: 1, n: 4096, k: 4096, bits: 32 },
    variant: '',
    checked: true,
    fault: null,
    max_error: 0,
    tolerance: 1,
    median_s: 1e-3,
    best_s: 1e-3,
    spread_s: 1e-5,
    samples: 11,
    repeats: 1,
    warm: false,
    bytes: 1e7,
    flops: 1e6,
    bytes_per_s: 1e10,
    flops_per_s: 1e9,
    codes: 0,
    bound_s: 1e-4,
    expected_s: 1e-3,
    limit: 'memory',
    term: 'memory',
    beats_bound: false,
    launches: 1,
    roof_fraction: 1,
    ...row,
  }
}

export const madeRun: MeasuredRun = {
  machine: 'local',
  backend: 'wasm',
  device: 'a processor',
  driver: '2 threads',
  date: '2030-01-02T03:04:05.000Z',
  protocol: 'made up',
  roofs: { bytes_per_s: 10e9, flops_per_s: 100e9 },
  rows: [
    madeRow('stream-read', { shape: { elements: 8 }, expected_s: 1.1e-3 }),
    madeRow('gemv', { median_s: 4e-3, expected_s: 2e-3 }),
    madeRow('gemv-int4', { median_s: 1e-3, expected_s: 1e-3, limit: 'memory', term: 'decode' }),
    madeRow('gemm', {
      shape: { m: 8, n: 8, k: 8, bits: 32 },
      expected_s: 2e-3,
      bound_s: 1.5e-3,
      limit: 'compute',
      term: 'compute',
      flops: 1e9,
      beats_bound: true,
    }),
    madeRow('softmax', { shape: { rows: 1 }, checked: false, fault: 'y[0] was not written', median_s: null }),
  ],
  failed: [{ kernel: 'gelu', shape: { rows: 1 }, why: 'no room' }],
  warnings: ['faster than their bound, an error of the model or of the measurement: gemm'],
}
