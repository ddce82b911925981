// WGSL as a GPU with wide subgroups gets it, which the software adapter does not run: all of it must be valid, and a few
// short ones are pinned.
import { describe, expect, it } from 'vitest'
import type { Facts } from '../../kernels/backend.ts'
import { kernelNames, loadKernel } from '../../kernels/catalog.ts'
import type { Sizes } from '../../kernels/kernel.ts'
import { sizesOf } from '../../kernels/measure.ts'
import { hasDriver, openAdapter } from '../../kernels/webgpu/adapter.ts'

/** As an H200's driver states them. */
const facts: Facts = {
  device: 'a GPU',
  driver: '',
  software: false,
  clock: 'device timestamps',
  stores: ['fp32', 'fp16', 'u32'],
  halves: true,
  subgroup: [32, 32],
  binding: 2 ** 32 - 4,
  workgroup: 1024,
  shared: 49152,
}

async function launches(name: string, asked: Sizes) {
  const kernel = await loadKernel(name)
  const [plan] = kernel.plans.webgpu?.(sizesOf(kernel, asked, facts), facts) ?? []
  expect(plan, `${name} has a plan for ${JSON.stringify(asked)}`).toBeDefined()
  return plan?.launches ?? []
}

describe('sources for a GPU', () => {
  it('are valid at all large shapes, and take what every device has', async ({ skip }) => {
    const open = await openAdapter({ software: true }).catch((error: Error) => {
      if (process.env.CI === 'true') throw error
      return error.message
    })
    if (typeof open === 'string') return skip(open)
    const { maxComputeWorkgroupStorageSize } = open.adapter.limits
    const device = await open.adapter.requestDevice({
      requiredFeatures: ['subgroups'],
      requiredLimits: { maxComputeWorkgroupStorageSize },
    })
    const seen = new Set<string>()
    for (const name of kernelNames) {
      for (const shape of (await loadKernel(name)).shapes.large) {
        for (const { source, buffers, groups } of await launches(name, shape as Sizes)) {
          expect(buffers.length, name).toBeLessThanOrEqual(10)
          for (const n of groups) expect(n >= 1 && n <= 65535, `${name}: groups ${groups}`).toBe(true)
          // The software adapter has no arithmetic in halves.
          if (seen.has(source) || source.includes('enable f16')) continue
          seen.add(source)
          const { messages } = await device.createShaderModule({ code: source }).getCompilationInfo()
          const error = messages.find((m) => m.type === 'error')
          expect(error && `${name}, line ${error.lineNum}: ${error.message}`).toBeUndefined()
        }
      }
    }
    device.destroy()
    await device.lost
  })

  it.each([
    ['stream-copy', { elements: 4099 }],
    ['gemv', { m: 1, n: 4096, k: 4096 }],
    ['softmax', { rows: 4096, width: 512 }],
    ['swiglu', { rows: 2, width: 11008 }],
    ['index-compaction', { tokens: 131072 }],
  ] as const)('%s', async (name, shape) => {
    const all = await launches(name, shape as Sizes)
    expect(all.map((l) => `${l.source}${l.groups.join(' × ')} of ${l.buffers.join(', ')}`).join('\n')).toMatchSnapshot()
  })
})

describe('the loader of Vulkan drivers', () => {
  it('is asked only where it would find one', () => {
    const none = { HOME: '/none', XDG_CONFIG_DIRS: '/none', XDG_DATA_DIRS: '/none' }
    expect(hasDriver({ ...none, VK_ICD_FILENAMES: '/some/driver.json' }, 'linux')).toBe(true)
    expect(hasDriver(none, 'darwin')).toBe(true)
  })
})
