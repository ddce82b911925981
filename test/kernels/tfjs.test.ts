// What TensorFlow.js computes, on both of its backends that need nothing to be installed beside, against the f64
// references of the kernels: odd sizes, rows that are filled up, planted outliers.
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { type Backend, DeviceError } from '../../kernels/backend.ts'
import { kernelNames, loadKernel } from '../../kernels/catalog.ts'
import type { Sizes } from '../../kernels/kernel.ts'
import { measure, plansOf, shapeText, sizesOf } from '../../kernels/measure.ts'
import { tfjsBackend } from '../../kernels/tfjs/backend.ts'
import { compact, expanded } from '../../kernels/tfjs/storage.ts'

const shapes: Readonly<Record<string, readonly Sizes[]>> = {
  gemm: [
    { m: 33, n: 70, k: 45 },
    { m: 1, n: 8, k: 1 },
    { m: 130, n: 19, k: 515 },
  ],
  'attention-unfused': [
    { heads: 2, 'kv-heads': 1, 'head-dim': 80, tokens: 70, past: 7 },
    { heads: 4, 'kv-heads': 2, 'head-dim': 24, tokens: 9, batch: 2 },
    { heads: 1, 'kv-heads': 1, 'head-dim': 128, tokens: 1 },
  ],
  'layer-norm': [
    { rows: 5, width: 100 },
    { rows: 3, width: 2000, residual: 1 },
  ],
  softmax: [
    { rows: 5, width: 77 },
    { rows: 3, width: 1000 },
  ],
}

const places = [
  { on: 'WASM', options: { like: 'wasm' } },
  { on: 'WebGPU in software', options: { adapter: 'software' } },
] as const

describe.each(places)('TensorFlow.js on $on', ({ options }) => {
  let backend: Backend | undefined
  let missing = ''
  beforeAll(async () => {
    try {
      backend = (await tfjsBackend(options)) as Backend
    } catch (error) {
      if (!(error instanceof DeviceError) || process.env.CI === 'true') throw error
      missing = error.message
    }
  })
  afterAll(async () => backend?.close())

  const cases = Object.entries(shapes).flatMap(([name, all]) =>
    all.map((sizes) => ({ name, sizes, title: `${name} ${shapeText(sizes)}` })),
  )

  it.for(cases)('$title', async ({ name, sizes }, context) => {
    if (!backend) return context.skip(missing)
    const kernel = await loadKernel(name)
    const all = sizesOf(kernel, sizes, backend.facts)
    expect(all.bits).toBe(32)
    const row = await measure(backend, kernel, all, { checkOnly: true })
    expect(row.fault).toBeNull()
  })

  it('says which library it is, and times it', async (context) => {
    if (!backend) return context.skip(missing)
    expect(backend.facts.library).toMatchObject({ name: 'TensorFlow.js', version: '4.22.0' })
    const gemm = await loadKernel('gemm')
    const once = { warmup: 0, sample: 0, least: 1, most: 1, budget: 0, settled: 1, repeats: 2 }
    const sizes = sizesOf(gemm, { m: 64, n: 64, k: 64 }, backend.facts)
    const row = await measure(backend, gemm, sizes, { protocol: once })
    expect(row.samples).toBe(1)
    expect(row.median_s).not.toBeNull()
  })

  it('refuses what it has not', async (context) => {
    if (!backend) return context.skip(missing)
    const { facts } = backend
    await expect(backend.compile('nonsense')).rejects.toThrow('expected an operation of TensorFlow.js')
    const [gemm, stream] = await Promise.all(['gemm', 'stream-read'].map(loadKernel))
    if (!gemm || !stream) throw new Error('expected both kernels')
    expect(() => plansOf(gemm, sizesOf(gemm, { bits: 16 }, facts), backend as Backend)).toThrow('cannot run it')
    expect(() => plansOf(stream, sizesOf(stream, {}, facts), backend as Backend)).toThrow('cannot run it')
  })
})

describe('the kernels of TensorFlow.js', () => {
  it('are all tested', async () => {
    const kernels = await Promise.all(kernelNames.map(loadKernel))
    expect(Object.keys(shapes)).toEqual(kernels.filter((k) => k.plans.tfjs).map((k) => k.name))
  })

  it('lose only what fills up the rows', () => {
    const stored = Float32Array.from({ length: 16 }, (_, i) => (i % 8 < 3 ? i : 0))
    const rows = compact(stored, [2, 3])
    expect([...rows]).toEqual([0, 1, 2, 8, 9, 10])
    expect(expanded(rows, [2, 3])).toEqual(stored)
  })
})
