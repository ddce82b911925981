// What a measurement says, and what it refuses: on a device that is made up, with a clock of its own.
import { describe, expect, it } from 'vitest'
import { loadMachine } from '../../hardware/catalog.ts'
import { profileOf } from '../../hardware/profile.ts'
import { type Backend, DeviceError, type Facts } from '../../kernels/backend.ts'
import { loadKernel } from '../../kernels/catalog.ts'
import { bytesOf, type ElementType, elementsOf, type Fill } from '../../kernels/input.ts'
import { measure, plansOf, sizesOf } from '../../kernels/measure.ts'

const facts: Facts = {
  device: 'a made-up device',
  driver: '1',
  software: false,
  clock: 'host clock',
  stores: ['fp32', 'fp16', 'u32'],
  halves: false,
  binding: 2 ** 20,
  workgroup: 256,
  shared: 2 ** 14,
}

/** Copies its second buffer to its first, `wrong` elements of them not, and takes `seconds` for each. */
function device(seconds: number, wrong: 'none' | 'last value' | 'last unwritten' = 'none'): Backend<Uint8Array> {
  let spent = 0
  return {
    name: 'webgpu',
    facts,
    allocate: async (bytes) => new Uint8Array(bytes),
    release: () => {},
    upload: async (buffer, data) => buffer.set(new Uint8Array(data.buffer)),
    fill: async (buffer, type: ElementType, elements, fill: Fill, first = 0) => {
      const values = elementsOf(fill, first, elements)
      const data = fill.kind === 'word' ? Uint32Array.from(values) : bytesOf(values, type)
      buffer.set(new Uint8Array(data.buffer as ArrayBuffer))
    },
    compile: async () => undefined,
    dispatch: (_, [to, from]) => {
      const end = wrong === 'last unwritten' ? (to?.length ?? 0) - 4 : undefined
      to?.set((from as Uint8Array).subarray(0, end))
      if (wrong === 'last value')
        new Float32Array((to as Uint8Array).buffer).set([1e9], (to as Uint8Array).length / 4 - 1)
      spent += seconds
    },
    fence: () => {},
    time: async (run) => {
      spent = 0
      run()
      return spent
    },
    download: async (buffer, offset, bytes) => buffer.slice(offset, offset + bytes).buffer,
    close: async () => {},
  }
}

const copy = await loadKernel('stream-copy')
const sizes = { elements: 4096 }
const profile = profileOf(await loadMachine('h200'))

describe('measure', () => {
  it('gives time, rates, and what was predicted', async () => {
    const row = await measure(device(1e-4) as Backend, copy, sizes, { profile })
    expect(row).toMatchObject({ kernel: 'stream-copy', checked: true, fault: null, bytes: 8 * 4096, flops: 0 })
    expect(row.median_s).toBeCloseTo(1e-4, 10)
    expect(row.bytes_per_s).toBeCloseTo((8 * 4096) / 1e-4, 0)
    expect(row.beats_bound).toBe(false)
    expect(row.expected_s).toBeGreaterThanOrEqual(row.bound_s as number)
  })

  it('says where a bound was beaten', async () => {
    const row = await measure(device(1e-10) as Backend, copy, sizes, { profile })
    expect(row.beats_bound).toBe(true)
  })

  it('times nothing that is wrong', async () => {
    const row = await measure(device(1e-4, 'last value') as Backend, copy, sizes)
    expect(row).toMatchObject({ checked: false, median_s: null })
    expect(row.fault).toContain('a[4095]: expected')
    const unwritten = await measure(device(1e-4, 'last unwritten') as Backend, copy, sizes)
    expect(unwritten.fault).toBe('a[4095] was not written')
  })

  it('names kernel and shape where the device refuses', async () => {
    const refusing = { ...device(1), allocate: () => Promise.reject(new DeviceError('out of device memory')) }
    await expect(measure(refusing as Backend, copy, sizes)).rejects.toThrow(
      'stream-copy (elements=4096) on a made-up device: out of device memory',
    )
    await expect(measure(device(1) as Backend, copy, { elements: 2 ** 20 })).rejects.toThrow(
      "a takes 4194304 bytes, more than a binding's 1048576",
    )
  })

  it('refuses variants, sizes and shapes that are not there', async () => {
    await expect(measure(device(1) as Backend, copy, sizes, { variant: 'x' })).rejects.toThrow('expected a variant of')
    expect(() => sizesOf(copy, { elements: 0 }, facts)).toThrow('elements: expected a whole number from 1, got 0')
    expect(() => sizesOf(copy, { rows: 1 }, facts)).toThrow('expected elements, got rows')
    expect(() => plansOf(copy, sizes, { ...device(1), name: 'tfjs' } as Backend)).toThrow('tfjs on a made-up device')
  })
})
