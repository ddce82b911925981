// Every kernel in every variant on WebGPU against its f64 reference: odd sizes, planted outliers, poisoned outputs.
import { describe, expect, it } from 'vitest'
import type { Backend, Facts } from '../../kernels/backend.ts'
import { kernelNames, loadKernel } from '../../kernels/catalog.ts'
import type { Sizes } from '../../kernels/kernel.ts'
import { measure, plansOf, shapeText, sizesOf } from '../../kernels/measure.ts'
import { webgpuDevice } from './device.ts'

const device = webgpuDevice()

const shapes: Readonly<Record<string, readonly Sizes[]>> = {
  'stream-read': [{ elements: 1 }, { elements: 16384 }, { elements: 40003 }],
  'stream-copy': [{ elements: 3 }, { elements: 70001 }],
  'stream-triad': [{ elements: 70002 }],
  fma: [{ lanes: 300, steps: 64 }],
  'empty-launch': [{}],
  gemv: [
    { m: 1, n: 37, k: 259 },
    { m: 3, n: 64, k: 1000, bits: 32 },
    { m: 2, n: 33, k: 7 },
    { m: 5, n: 9, k: 131 },
    { m: 16, n: 40, k: 520 },
  ],
}

/** The device without what not all have. */
function without(backend: Backend, what: keyof Facts): Backend {
  const facts = { ...backend.facts, [what]: undefined }
  return new Proxy(backend, {
    get: (target, key) => {
      if (key === 'facts') return facts
      const value = Reflect.get(target, key)
      return typeof value === 'function' ? value.bind(target) : value
    },
  })
}

/** Checks one variant, another for each shape of a kernel, so that all are run without running all of all. */
async function check(backend: Backend, name: string, asked: Sizes, turn: number): Promise<void> {
  const kernel = await loadKernel(name)
  const sizes = sizesOf(kernel, asked, backend.facts)
  const plans = plansOf(kernel, sizes, backend)
  const every = process.env.MEMWALL_EVERY_VARIANT === 'true'
  const chosen = every ? plans : plans.filter((_, i) => i === turn % plans.length)
  for (const { variant } of chosen) {
    const row = await measure(backend, kernel, sizes, { variant, checkOnly: true })
    expect(row.fault, variant).toBeNull()
    expect(row.checked, variant).toBe(true)
  }
}

describe('kernels on WebGPU', () => {
  it('are all tested', () => {
    expect(Object.keys(shapes)).toEqual(kernelNames)
  })

  const cases = kernelNames.flatMap((name) =>
    (shapes[name] ?? []).map((sizes, turn) => ({ name, sizes, turn, title: `${name} ${shapeText(sizes)}` })),
  )
  it.for(cases)('$title', async ({ name, sizes, turn }, { skip }) => {
    skip(device.missing !== undefined, device.missing)
    await check(device.backend, name, sizes, turn)
  })

  it('run without subgroups', async ({ skip }) => {
    skip(device.missing !== undefined, device.missing)
    await check(without(device.backend, 'subgroup'), 'gemv', { m: 2, n: 33, k: 259 }, 0)
  })
})
