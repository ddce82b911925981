// The backends by name, each loaded only when it is asked for.
import { type Backend, type BackendName, DeviceError } from './backend.ts'

export interface OpenOptions {
  /** Of WebGPU: a part of the adapter's name, its number, or `software`. */
  readonly adapter?: string
  /** Of TensorFlow.js: the backend that it is compared with. */
  readonly like?: 'webgpu' | 'wasm'
}

/** The backends that kernels are written for, the one to take first, first. */
export const openBackends = ['webgpu', 'wasm'] as const satisfies readonly BackendName[]
export type OpenBackend = (typeof openBackends)[number]

const openers: Readonly<Record<BackendName, (options: OpenOptions) => Promise<Backend>>> = {
  webgpu: async ({ adapter }) => {
    const [{ openAdapter }, { webgpuBackend }] = await Promise.all([
      import('./webgpu/adapter.ts'),
      import('./webgpu/backend.ts'),
    ])
    const software = adapter === 'software'
    const open = await openAdapter({ software, ...(adapter !== undefined && !software && { adapter }) })
    const backend = await webgpuBackend(open.adapter)
    // Dawn's instance must live as long as the device.
    instances.add(open.gpu)
    return backend as Backend
  },
  wasm: async () => (await (await import('./wasm/backend.ts')).wasmBackend()) as Backend,
  tfjs: async (options) => (await (await import('./tfjs/backend.ts')).tfjsBackend(options)) as Backend,
}

const instances = new Set<object>()

/** Opens a backend: the one named, or the first that is there. Throws DeviceError where there is none. */
export async function openBackend(name: BackendName | undefined, options: OpenOptions = {}): Promise<Backend> {
  if (name !== undefined) return openers[name](options)
  const reasons: string[] = []
  for (const candidate of openBackends) {
    try {
      return await openers[candidate](options)
    } catch (error) {
      if (!(error instanceof DeviceError)) throw error
      reasons.push(error.message)
    }
  }
  throw new DeviceError(reasons.join('; '))
}
