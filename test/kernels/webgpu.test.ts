// Every kernel in every variant on WebGPU against its f64 reference: odd sizes, planted outliers, poisoned outputs.
import { describe, expect, it } from 'vitest'
import type { Backend, Facts } from '../../kernels/backend.ts'
import { kernelNames, loadKernel } from '../../kernels/catalog.ts'
import type { Plan, Sizes } from '../../kernels/kernel.ts'
import { measure, plansOf, shapeText, sizesOf } from '../../kernels/measure.ts'
import { webgpuDevice } from './device.ts'

const device = webgpuDevice()

const shapes: Readonly<Record<string, readonly Sizes[]>> = {
  'stream-read': [{ elements: 1 }, { elements: 16384 }, { elements: 40003 }],
  'stream-copy': [{ elements: 3 }, { elements: 70001 }],
  'stream-triad': [{ elements: 70002 }],
  fma: [{ lanes: 300, steps: 64 }],
  unpack: [{ blocks: 3 }],
  lookup: [{ blocks: 3 }],
  gather: [
    { rows: 1000, every: 7 },
    { rows: 3, every: 1, elements: 8 },
  ],
  'empty-launch': [{}],
  gemm: [
    { m: 33, n: 70, k: 45 },
    { m: 130, n: 19, k: 8, bits: 32 },
  ],
  gemv: [
    { m: 1, n: 37, k: 259 },
    { m: 3, n: 64, k: 1000, bits: 32 },
    { m: 2, n: 33, k: 7 },
    { m: 5, n: 9, k: 131 },
    { m: 16, n: 40, k: 520 },
  ],
  'gemv-int4': [
    { m: 1, n: 37, k: 1000 },
    { m: 3, n: 9, k: 130, bits: 32 },
    { m: 1, n: 16, k: 31 },
  ],
  'attention-decode': [
    { heads: 2, 'kv-heads': 2, 'head-dim': 16, tokens: 301 },
    { heads: 3, 'kv-heads': 1, 'head-dim': 80, tokens: 77, batch: 2 },
    { heads: 4, 'kv-heads': 2, 'head-dim': 24, tokens: 41, query: 8 },
    { heads: 1, 'kv-heads': 1, 'head-dim': 128, tokens: 1, bits: 32 },
  ],
  'attention-prefill': [
    { heads: 2, 'kv-heads': 1, 'head-dim': 80, tokens: 70, batch: 2 },
    { heads: 1, 'kv-heads': 1, 'head-dim': 128, tokens: 67, past: 30, bits: 32 },
  ],
  'attention-unfused': [
    { heads: 2, 'kv-heads': 1, 'head-dim': 80, tokens: 70, past: 7 },
    { heads: 1, 'kv-heads': 1, 'head-dim': 24, tokens: 9, bits: 32 },
  ],
  'attention-int4': [
    { heads: 2, 'kv-heads': 2, 'head-dim': 32, tokens: 301 },
    { heads: 2, 'kv-heads': 1, 'head-dim': 80, tokens: 130 },
  ],
  'attention-int8': [
    { heads: 1, 'kv-heads': 1, 'head-dim': 40, tokens: 45, query: 3 },
    { heads: 1, 'kv-heads': 1, 'head-dim': 128, tokens: 129 },
  ],
  'attention-nuq4': [
    { heads: 2, 'kv-heads': 2, 'head-dim': 16, tokens: 101, outliers: 30 },
    { heads: 2, 'kv-heads': 1, 'head-dim': 40, tokens: 65, batch: 2 },
    { heads: 1, 'kv-heads': 1, 'head-dim': 16, tokens: 33, outliers: 0 },
  ],
  'append-nuq4': [
    { batch: 2, 'kv-heads': 3, 'head-dim': 80, tokens: 41 },
    { batch: 3, 'kv-heads': 1, 'head-dim': 128, tokens: 64 },
    { batch: 1, 'kv-heads': 1, 'head-dim': 8, tokens: 1 },
  ],
  'centroid-lookup': [
    { heads: 2, 'kv-heads': 2, 'head-dim': 24, tokens: 301 },
    { heads: 2, 'kv-heads': 1, 'head-dim': 80, tokens: 6000, clusters: 10 },
  ],
  'index-compaction': [
    { heads: 2, 'kv-heads': 2, 'head-dim': 8, tokens: 4301 },
    { heads: 1, 'kv-heads': 1, 'head-dim': 8, tokens: 101 },
  ],
  'attention-squeezed': [
    { heads: 2, 'kv-heads': 2, 'head-dim': 24, tokens: 901 },
    { heads: 4, 'kv-heads': 2, 'head-dim': 40, tokens: 5003, clusters: 10, sparsity: 70 },
  ],
  'attention-tree': [
    { trees: 2, leaves: 3, heads: 4, 'kv-heads': 2, 'head-dim': 24, prefix: 150, own: 5 },
    { trees: 1, leaves: 70, heads: 1, 'kv-heads': 1, 'head-dim': 32, prefix: 40, own: 1 },
  ],
  'attention-tree-pages': [{ trees: 2, leaves: 3, heads: 4, 'kv-heads': 2, 'head-dim': 24, prefix: 150, own: 5 }],
  'layer-norm': [
    { rows: 5, width: 100 },
    { rows: 3, width: 2000, residual: 1, bits: 32 },
  ],
  'rms-norm': [{ rows: 9, width: 130, residual: 1 }],
  softmax: [
    { rows: 5, width: 77 },
    { rows: 3, width: 1000, bits: 32 },
  ],
  swiglu: [{ rows: 3, width: 100 }],
  gelu: [{ rows: 5, width: 77, bits: 32 }],
  'convolution-depthwise': [
    { batch: 2, tokens: 13, channels: 20, kernel: 7 },
    { batch: 1, tokens: 3, channels: 9, kernel: 5, bits: 32 },
  ],
  'convolution-pointwise': [{ batch: 2, tokens: 20, input: 24, output: 40 }],
  'time-reduction': [{ batch: 2, tokens: 13, channels: 20 }],
  'decoder-layer': [{ batch: 2, width: 64, heads: 4, 'kv-heads': 2, 'head-dim': 24, hidden: 104, tokens: 33 }],
  'encoder-block': [{ batch: 2, tokens: 37, heads: 3, 'head-dim': 24, hidden: 72 }],
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

/** Sources that unroll much take the software device seconds to compile. */
const long = 5000

function sourceLength(plan: Plan): number {
  return plan.launches.reduce((sum, l) => sum + l.source.length, 0)
}

/**
 * Checks one variant, another for each shape of a kernel, so that most are run without running all of all; with
 * MEMWALL_EVERY_VARIANT=true, and before anything is timed, all are.
 */
async function check(backend: Backend, name: string, asked: Sizes, turn: number): Promise<void> {
  const kernel = await loadKernel(name)
  const sizes = sizesOf(kernel, asked, backend.facts)
  const plans = plansOf(kernel, sizes, backend)
  const every = process.env.MEMWALL_EVERY_VARIANT === 'true'
  const [shortest] = plans.toSorted((a, b) => sourceLength(a) - sourceLength(b))
  const turned = plans[turn % plans.length] as Plan
  const chosen = every ? plans : [sourceLength(turned) > long ? (shortest as Plan) : turned]
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
