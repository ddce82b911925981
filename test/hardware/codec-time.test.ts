import { expect, it } from 'vitest'
import { loadMachine } from '../../hardware/catalog.ts'
import { codecBounds, codecTime, gatherEfficiency, publishedKernels } from '../../hardware/codec-time.ts'
import { loadModel } from '../../model/catalog.ts'
import { fitKernels } from '../../simulate/papers/kvquant/kernels.ts'

it('has the constants that KVQuant’s kernel times give', async () => {
  const machine = await loadMachine('rtx-a6000')
  const fit = fitKernels(await loadModel('llama-7b'), machine)
  expect(publishedKernels.memory).toBeCloseTo(fit.memory, 3)
  expect(publishedKernels.scatter).toBeCloseTo(fit.scatter, 3)
  // Five kernels: codes and outliers of keys and of values, and the turn of the new key.
  const launch = (fit.start['K nuq4-1%'] + fit.start['V nuq4-1%']) / 5
  expect(publishedKernels.launch / (launch * (machine.units.clock ?? 0))).toBeCloseTo(1, 2)
})

it('has physical constants', () => {
  for (const [name, [low, high]] of Object.entries(codecBounds)) {
    const value = publishedKernels[name as keyof typeof publishedKernels]
    expect(value).toBeGreaterThanOrEqual(low)
    expect(value).toBeLessThanOrEqual(high)
  }
})

// One row in ten of 8 GiB in ascending order, read by a CUDA kernel of 16-byte loads on an H200, GB/s; median of seven.
const gathered = [
  [32, 1587.7],
  [64, 2797.7],
  [128, 3654.9],
  [256, 3977],
  [512, 4053],
  [1024, 4095.6],
  [4096, 4101.2],
] as const

it.each(gathered)('gathers rows of %i bytes as an H200 does', (run, rate) => {
  const measured = rate / 4101.2
  expect(gatherEfficiency(run, publishedKernels) / measured).toBeGreaterThan(0.9)
  expect(gatherEfficiency(run, publishedKernels) / measured).toBeLessThan(1.15)
})

it('adds up unpacking, scattering and gathering by stream', () => {
  const rates = { units: 10, clock: 1e9, bandwidth: 1e12 }
  const k = { ...publishedKernels, table: 2, affine: 4, scatter: 0.5, gather: 64 }
  const stream = { owner: 'kv', way: 'read', bytes: 1000, metadata: 0 } as const
  expect(
    codecTime(
      [
        { ...stream, codec: 'table', codes: 1e10, scattered: 5e9 },
        { ...stream, codec: 'affine', codes: 2000 },
        { ...stream, codec: 'affine', codes: 1000 },
        { ...stream, owner: 'weights', codec: 'table', codes: 1e10 },
        { ...stream, run: 64 },
      ],
      rates,
      k,
    ),
  ).toEqual({ decode: 0.5 + 2000 / 4e10, scatter: 1, gather: 1e-9 })
})
