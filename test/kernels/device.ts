// The backends that kernels are tested on. WebGPU runs on a real adapter or, where there is none, in software; where
// there is neither a test is skipped with the reason, and fails in CI.
import { afterAll, beforeAll } from 'vitest'
import type { Backend } from '../../kernels/backend.ts'
import { wasmBackend } from '../../kernels/wasm/backend.ts'
import { openAdapter } from '../../kernels/webgpu/adapter.ts'
import { webgpuBackend } from '../../kernels/webgpu/backend.ts'

export interface Device {
  /** Throws where there is none. */
  readonly backend: Backend
  /** Why there is none. */
  readonly missing: string | undefined
}

/** Opens WebGPU for the tests of a file and closes it after them. */
export function webgpuDevice(): Device {
  let backend: Backend | undefined
  let missing: string | undefined
  // Dawn's instance must not be collected while the device is in use.
  let open: Awaited<ReturnType<typeof openAdapter>> | undefined
  beforeAll(async () => {
    try {
      open = await openAdapter({ software: true })
      backend = (await webgpuBackend(open.adapter)) as Backend
    } catch (error) {
      missing = (error as Error).message
      if (process.env.CI === 'true') throw error
    }
  })
  afterAll(async () => {
    await backend?.close()
    open = undefined
  })
  return {
    get backend() {
      if (!backend) throw new Error(missing ?? 'expected to be asked after beforeAll')
      return backend
    },
    get missing() {
      return missing
    },
  }
}

/** Opens WebAssembly with so many threads for the tests of a file and closes it after them. */
export function wasmDevice(threads: number): { readonly backend: Backend } {
  let backend: Backend | undefined
  beforeAll(async () => {
    backend = (await wasmBackend(threads)) as Backend
  })
  afterAll(async () => backend?.close())
  return {
    get backend() {
      if (!backend) throw new Error('expected to be asked after beforeAll')
      return backend
    },
  }
}
