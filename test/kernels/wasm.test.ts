// Every kernel that threads run, in every variant, against its f64 reference: odd sizes, planted outliers, poisoned
// outputs, one thread and more threads than there are pieces.
import { readFileSync } from 'node:fs'
import { describe, expect, it } from 'vitest'
import { DeviceError } from '../../kernels/backend.ts'
import { kernelNames, loadKernel } from '../../kernels/catalog.ts'
import { numbers } from '../../kernels/check.ts'
import { elementsOf, type Fill } from '../../kernels/input.ts'
import type { Sizes } from '../../kernels/kernel.ts'
import { measure, plansOf, shapeText, sizesOf } from '../../kernels/measure.ts'
import { wasmBackend } from '../../kernels/wasm/backend.ts'
import { Heap } from '../../kernels/wasm/heap.ts'
import { wasmDevice } from './device.ts'

const device = wasmDevice(3)

const shapes: Readonly<Record<string, readonly Sizes[]>> = {
  'stream-read': [{ elements: 1 }, { elements: 16385 }, { elements: 140003 }],
  'stream-copy': [{ elements: 3 }, { elements: 70001 }],
  'stream-triad': [{ elements: 5 }, { elements: 70002 }],
  fma: [
    { lanes: 300, steps: 64 },
    { lanes: 1, steps: 256 },
  ],
  unpack: [{ blocks: 1 }, { blocks: 37 }],
  lookup: [{ blocks: 1 }, { blocks: 37 }],
  gather: [
    { rows: 1000, every: 7 },
    { rows: 3, every: 1, elements: 8 },
  ],
  'empty-launch': [{}],
  gemm: [
    { m: 33, n: 70, k: 45, bits: 32 },
    { m: 1, n: 8, k: 1, bits: 32 },
    { m: 67, n: 129, k: 515, bits: 32 },
  ],
  gemv: [
    { m: 1, n: 37, k: 259 },
    { m: 3, n: 64, k: 1000 },
    { m: 16, n: 1, k: 7 },
  ],
  'gemv-int4': [
    { m: 1, n: 37, k: 1000 },
    { m: 3, n: 9, k: 130 },
    { m: 8, n: 16, k: 31 },
  ],
  'attention-decode': [
    { heads: 2, 'kv-heads': 2, 'head-dim': 64, tokens: 301 },
    { heads: 3, 'kv-heads': 1, 'head-dim': 80, tokens: 77, batch: 2 },
    { heads: 4, 'kv-heads': 2, 'head-dim': 24, tokens: 131, query: 8 },
    { heads: 1, 'kv-heads': 1, 'head-dim': 128, tokens: 2049 },
    { heads: 1, 'kv-heads': 1, 'head-dim': 8, tokens: 1 },
  ],
  'layer-norm': [
    { rows: 5, width: 301, residual: 1 },
    { rows: 3, width: 8 },
  ],
  'rms-norm': [
    { rows: 37, width: 130 },
    { rows: 2, width: 3, residual: 1 },
  ],
  softmax: [
    { rows: 7, width: 301 },
    { rows: 33, width: 64 },
    { rows: 2, width: 1 },
  ],
  swiglu: [{ rows: 5, width: 77 }],
  gelu: [{ rows: 5, width: 77 }],
  'convolution-depthwise': [
    { batch: 2, tokens: 77, channels: 20 },
    { batch: 1, tokens: 3, channels: 8, kernel: 7 },
  ],
  'time-reduction': [{ batch: 2, tokens: 77, channels: 20 }],
  'convolution-pointwise': [{ batch: 2, tokens: 13, input: 20, output: 36 }],
  'attention-int4': [
    { heads: 2, 'kv-heads': 2, 'head-dim': 128, tokens: 301 },
    { heads: 4, 'kv-heads': 2, 'head-dim': 80, tokens: 131, batch: 2 },
    { heads: 3, 'kv-heads': 1, 'head-dim': 24, tokens: 33, query: 3 },
    { heads: 1, 'kv-heads': 1, 'head-dim': 8, tokens: 1 },
  ],
  'attention-int8': [
    { heads: 2, 'kv-heads': 2, 'head-dim': 128, tokens: 301 },
    { heads: 4, 'kv-heads': 2, 'head-dim': 80, tokens: 261, batch: 2, query: 5 },
    { heads: 1, 'kv-heads': 1, 'head-dim': 40, tokens: 128 },
    { heads: 1, 'kv-heads': 1, 'head-dim': 8, tokens: 1 },
  ],
  'append-nuq4': [
    { batch: 2, 'kv-heads': 3, 'head-dim': 80, tokens: 41 },
    { batch: 3, 'kv-heads': 1, 'head-dim': 128, tokens: 64 },
    { batch: 1, 'kv-heads': 1, 'head-dim': 8, tokens: 1 },
  ],
  'centroid-lookup': [
    { heads: 2, 'kv-heads': 2, 'head-dim': 128, tokens: 301 },
    { heads: 4, 'kv-heads': 2, 'head-dim': 80, tokens: 6001, clusters: 10 },
    { heads: 1, 'kv-heads': 1, 'head-dim': 8, tokens: 101, clusters: 1 },
  ],
  'index-compaction': [
    { heads: 2, 'kv-heads': 2, 'head-dim': 8, tokens: 4301 },
    { heads: 1, 'kv-heads': 1, 'head-dim': 8, tokens: 101 },
    { heads: 1, 'kv-heads': 1, 'head-dim': 8, tokens: 8193, sparsity: 30 },
  ],
  'attention-squeezed': [
    { heads: 2, 'kv-heads': 2, 'head-dim': 24, tokens: 901 },
    { heads: 4, 'kv-heads': 2, 'head-dim': 40, tokens: 5003, clusters: 10, sparsity: 70 },
    { heads: 1, 'kv-heads': 1, 'head-dim': 128, tokens: 101 },
  ],
  'attention-nuq4': [
    { heads: 2, 'kv-heads': 2, 'head-dim': 128, tokens: 301 },
    { heads: 4, 'kv-heads': 2, 'head-dim': 80, tokens: 97, batch: 2 },
    { heads: 1, 'kv-heads': 1, 'head-dim': 24, tokens: 33, outliers: 0 },
    { heads: 1, 'kv-heads': 1, 'head-dim': 64, tokens: 1 },
    { heads: 2, 'kv-heads': 2, 'head-dim': 128, tokens: 301, bits: 3 },
    { heads: 4, 'kv-heads': 2, 'head-dim': 40, tokens: 97, batch: 2, bits: 3, outliers: 30 },
    { heads: 2, 'kv-heads': 2, 'head-dim': 128, tokens: 301, bits: 2 },
    { heads: 3, 'kv-heads': 1, 'head-dim': 24, tokens: 33, bits: 2, outliers: 0 },
  ],
}

describe('kernels on threads', () => {
  const cases = Object.entries(shapes).flatMap(([name, all]) =>
    all.map((sizes) => ({ name, sizes, title: `${name} ${shapeText(sizes)}` })),
  )

  it('are all tested', async () => {
    const kernels = await Promise.all(kernelNames.map(loadKernel))
    const threaded = kernels.filter((k) => k.plans.wasm).map((k) => k.name)
    expect(Object.keys(shapes).toSorted()).toEqual(threaded.toSorted())
  })

  it.each(cases)('$title', async ({ name, sizes }) => {
    const kernel = await loadKernel(name)
    const all = sizesOf(kernel, sizes, device.backend.facts)
    for (const { variant } of plansOf(kernel, all, device.backend)) {
      const row = await measure(device.backend, kernel, all, { variant, checkOnly: true })
      expect(row.fault, variant).toBeNull()
    }
  })
})

describe('threads', () => {
  const fills: readonly Fill[] = [
    { kind: 'normal', seed: 7, outliers: 5, scale: 2 },
    { kind: 'positive', seed: 8, scale: -4 },
    { kind: 'affine', seed: 9 },
    { kind: 'bits', seed: 10 },
    { kind: 'index', seed: 11, below: 1000, least: 7 },
    { kind: 'sparse', seed: 12, each: 5, stride: 99, scale: 1 },
  ]
  it.each(fills)('make the elements of $kind that the references have', async (fill) => {
    const type = ['bits', 'index', 'sparse'].includes(fill.kind) ? 'u32' : 'fp32'
    const buffer = await device.backend.allocate(4 * 70_000)
    await device.backend.fill(buffer, type, 70_000, fill, 12_345)
    const made = numbers(await device.backend.download(buffer, 0, 4 * 70_000), type)
    expect(Array.from(made)).toEqual(Array.from(elementsOf(fill, 12_345, 70_000)))
    device.backend.release(buffer)
  })

  it('make halves too', async () => {
    const fill: Fill = { kind: 'normal', seed: 3, outliers: 4 }
    const buffer = await device.backend.allocate(2 * 1001)
    await device.backend.fill(buffer, 'fp16', 1001, fill)
    const made = numbers(await device.backend.download(buffer, 0, 2 * 1001), 'fp16')
    expect(Array.from(made, Math.abs)).toEqual(Array.from(elementsOf(fill, 0, 1001), Math.abs))
    device.backend.release(buffer)
  })

  it('run thousands of launches in order, in one timing', async () => {
    const { backend } = device
    const buffer = await backend.allocate(4)
    const program = await backend.compile('mark')
    const seconds = await backend.time(() => {
      for (let i = 0; i < 8200; i++) backend.dispatch(program, [buffer], [1, 1, 1], [i])
    })
    expect(seconds).toBeGreaterThan(0)
    expect(new Uint32Array(await backend.download(buffer, 0, 4))[0]).toBe(8199)
    backend.release(buffer)
  })

  it('have no data of their own, which commands would overwrite', () => {
    const bytes = readFileSync(new URL('../../dist/kernels/wasm/kernels.wasm', import.meta.url))
    const sections: number[] = []
    for (let at = 8; at < bytes.length; ) {
      sections.push(bytes[at++] as number)
      let size = 0
      let shift = 0
      let more = true
      while (more) {
        const byte = bytes[at++] as number
        size |= (byte & 127) << shift
        shift += 7
        more = byte >= 128
      }
      at += size
    }
    const [code, data] = [10, 11]
    expect(sections).toContain(code)
    expect(sections).not.toContain(data)
  })

  it('refuse what they cannot do', async () => {
    const { backend } = device
    await expect(backend.compile('nonsense')).rejects.toThrow(DeviceError)
    await expect(backend.allocate(2 ** 32)).rejects.toThrow("of WebAssembly's 4 GiB")
    const gemm = await loadKernel('gemm')
    const sizes = { m: 8, n: 8, k: 8, bits: 16 }
    expect(() => plansOf(gemm, sizes, backend)).toThrow('gemm (m=8,n=8,k=8,bits=16): wasm on')
  })
})

describe('a thread that fails', () => {
  it('is the end of the device', async () => {
    const backend = await wasmBackend(2)
    try {
      const copy = await backend.compile('copy')
      const beyond = { address: 2 ** 31, bytes: 64 }
      const run = backend.time(() => backend.dispatch(copy, [beyond, beyond], [1, 1, 1], [64, 16]))
      await expect(run).rejects.toThrow('a thread failed: memory access out of bounds')
      await expect(backend.allocate(4)).rejects.toThrow(DeviceError)
    } finally {
      await backend.close()
    }
  })
})

describe('a heap', () => {
  it('gives back what was released, as one piece', () => {
    const heap = new Heap(0, 10_000, () => true)
    const blocks = [1000, 1000, 1000].map((bytes) => heap.allocate(bytes))
    expect(blocks.map((b) => b?.address)).toEqual([0, 2112, 4224])
    expect(heap.allocate(5000)).toBeUndefined()
    for (const block of blocks) if (block) heap.release(block)
    expect(heap.allocate(8800)?.address).toBe(0)
  })

  it('has no room where the memory cannot grow', () => {
    const heap = new Heap(0, 10_000, (end) => end < 5000)
    expect(heap.allocate(1000)).toBeDefined()
    expect(heap.allocate(3000)).toBeUndefined()
  })
})
