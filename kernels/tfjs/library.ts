// TensorFlow.js on what it runs on: its Node package with CUDA where a user has installed that, its WebGPU backend where
// there is an adapter, else its WebAssembly backend. The library has one engine for a process: one is open at a time.
import { cpus } from 'node:os'
import { DeviceError, type Facts } from '../backend.ts'
import type { Core, Tensor } from './core.ts'

const version = '4.22.0'
const packages = ['core', 'backend-wasm', 'backend-webgpu'].map((name) => `@tensorflow/tfjs-${name}`)

export interface LibraryOptions {
  /** Of WebGPU: a part of the adapter's name, its number, or `software`. */
  readonly adapter?: string
  /** The backend that it is compared with: takes the library's own of the same kind. */
  readonly like?: 'webgpu' | 'wasm'
}

export interface Library {
  readonly tf: Core
  readonly facts: Pick<Facts, 'device' | 'driver' | 'software' | 'rising' | 'clock' | 'binding' | 'library'>
  /** Seconds of what `run` calls; it returns the last result. */
  time(run: () => Tensor): Promise<number>
  close(): Promise<void>
}

/** Throws DeviceError where its packages or the device are not there. */
export async function openLibrary({ adapter, like }: LibraryOptions = {}): Promise<Library> {
  if (like === 'wasm') return onWasm()
  if (like === undefined && adapter === undefined) {
    const node = await onNode()
    if (node) return node
  }
  const open = await adapterOf(adapter, like === 'webgpu')
  return open ? onWebgpu(open) : onWasm()
}

async function load<T>(name: string): Promise<T> {
  try {
    const module = await import(name)
    return module.default ?? module
  } catch (error) {
    const install = `npm install ${packages.map((p) => `${p}@${version}`).join(' ')}`
    throw new DeviceError(`TensorFlow.js: cannot load ${name} (${firstLine(error)}); ${install}`)
  }
}

const firstLine = (error: unknown) => String((error as Error).message ?? error).split('\n')[0]

async function onNode(): Promise<Library | undefined> {
  const name = '@tensorflow/tfjs-node-gpu'
  try {
    import.meta.resolve(name)
  } catch {
    return undefined
  }
  const tf = await load<Core>(name)
  const own = tf.version_core ?? version
  return {
    tf,
    facts: {
      ...processor(),
      driver: `TensorFlow.js ${own} with its Node package's TensorFlow, on CUDA where that finds a GPU`,
      binding: 2 ** 32 - 4,
      library: { name: 'TensorFlow.js', version: own, backend: tf.getBackend() },
    },
    time: async (run) => {
      const begin = performance.now()
      const first = tf.slice(tf.reshape(run(), [-1]), 0, 1)
      await first.data()
      first.dispose()
      return (performance.now() - begin) / 1000
    },
    close: async () => {},
  }
}

/** What is known of a processor. */
function processor() {
  const [first] = cpus()
  return { device: first?.model.trim() || process.arch, software: false, clock: 'host clock' } as const
}

interface WasmPackage {
  readonly version_wasm: string
  getThreadsCount(): number
}

async function onWasm(): Promise<Library> {
  const tf = await load<Core>('@tensorflow/tfjs-core')
  const wasm = await load<WasmPackage>('@tensorflow/tfjs-backend-wasm')
  if (!(await tf.setBackend('wasm'))) throw new DeviceError('TensorFlow.js: its WASM backend did not start')
  await tf.ready()
  const threads = wasm.getThreadsCount()
  const simd = (await tf.env().getAsync('WASM_HAS_SIMD_SUPPORT')) ? 'SIMD' : 'no SIMD'
  // Its flag for threads is off in Node, where its workers do not start.
  const width = threads === 1 ? 'one thread, which is all that it has in Node' : `${threads} threads`
  return {
    tf,
    facts: {
      ...processor(),
      driver: `TensorFlow.js ${tf.version_core}, its WASM backend ${wasm.version_wasm}, ${simd}, ${width}`,
      binding: 2 ** 31 - 2 ** 16,
      library: { name: 'TensorFlow.js', version: tf.version_core, backend: 'wasm' },
    },
    time: async (run) => {
      const begin = performance.now()
      run()
      return (performance.now() - begin) / 1000
    },
    close: async () => tf.removeBackend('wasm'),
  }
}

interface OpenAdapter {
  readonly adapter: GPUAdapter
  readonly gpu: GPU
}

async function adapterOf(asked: string | undefined, needed: boolean): Promise<OpenAdapter | undefined> {
  const { openAdapter } = await import('../webgpu/adapter.ts')
  const software = asked === 'software'
  try {
    return await openAdapter({ software, ...(asked !== undefined && !software && { adapter: asked }) })
  } catch (error) {
    if (needed || asked !== undefined || !(error instanceof DeviceError)) throw error
    return undefined
  }
}

/** What the library asks of a browser: that there is WebGPU. */
function browserLike(gpu: GPU): void {
  const { navigator = null } = globalThis as { navigator?: object }
  const value = Object.create(navigator, { gpu: { value: gpu } })
  Object.defineProperty(globalThis, 'navigator', { value, configurable: true, writable: true })
}

interface WebgpuBackend {
  time(run: () => void): Promise<{ kernelMs: number }>
}
interface WebgpuPackage {
  readonly WebGPUBackend?: new (device: GPUDevice, info: GPUAdapterInfo) => WebgpuBackend
}

/** Its limits: those that the library itself asks for in a browser. */
const limits = [
  'maxComputeWorkgroupStorageSize',
  'maxComputeWorkgroupsPerDimension',
  'maxStorageBufferBindingSize',
  'maxBufferSize',
  'maxComputeWorkgroupSizeX',
  'maxComputeInvocationsPerWorkgroup',
] as const

async function onWebgpu({ adapter, gpu }: OpenAdapter): Promise<Library> {
  const tf = await load<Core>('@tensorflow/tfjs-core')
  const [{ globals }, { emulation }] = await Promise.all([import('webgpu'), import('../webgpu/backend.ts')])
  Object.assign(globalThis, globals)
  const { WebGPUBackend } = await load<WebgpuPackage>('@tensorflow/tfjs-backend-webgpu')
  if (!WebGPUBackend) throw new DeviceError('TensorFlow.js: expected its WebGPU package to have WebGPUBackend')
  // Set after the package was loaded, which would else register a backend of its own.
  browserLike(gpu)
  const stamps = adapter.features.has('timestamp-query')
  const device = await adapter.requestDevice({
    requiredFeatures: stamps ? ['timestamp-query'] : [],
    requiredLimits: Object.fromEntries(limits.map((name) => [name, adapter.limits[name] as number])),
  })
  const backend = new WebGPUBackend(device, adapter.info)
  tf.registerBackend('webgpu', () => backend)
  // Small operands would else be computed on the processor.
  tf.env().set('WEBGPU_CPU_FORWARD', false)
  await tf.setBackend('webgpu')
  const { info } = adapter
  const name = info.device || info.description || 'unnamed adapter'
  return {
    tf,
    facts: {
      device: name,
      ...emulation(info),
      clock: stamps ? 'device timestamps' : 'host clock',
      driver: `TensorFlow.js ${tf.version_core}, its WebGPU backend ${version}; ${info.description}`,
      binding: Math.min(adapter.limits.maxStorageBufferBindingSize, adapter.limits.maxBufferSize),
      library: { name: 'TensorFlow.js', version: tf.version_core, backend: 'webgpu' },
    },
    time: (run) => guarded(device, () => (stamps ? stamped(backend, run) : submitted(device, run))),
    close: async () => {
      tf.removeBackend('webgpu')
      device.destroy()
      await device.lost
      instances.delete(gpu)
    },
  }

  async function stamped(on: WebgpuBackend, run: () => void) {
    instances.add(gpu)
    return (await on.time(run)).kernelMs / 1000
  }
}

/** Dawn's instances must live as long as their devices. */
const instances = new Set<object>()

async function submitted(device: GPUDevice, run: () => Tensor): Promise<number> {
  const begin = performance.now()
  await run().data()
  await device.queue.onSubmittedWorkDone()
  return (performance.now() - begin) / 1000
}

async function guarded<T>(device: GPUDevice, work: () => Promise<T>): Promise<T> {
  device.pushErrorScope('out-of-memory')
  device.pushErrorScope('validation')
  let result: T | undefined
  let thrown: unknown
  try {
    result = await work()
  } catch (error) {
    thrown = error
  }
  const errors = await Promise.all([device.popErrorScope(), device.popErrorScope()])
  const refused = errors.find((e) => e !== null)
  if (refused) throw new DeviceError(`TensorFlow.js on WebGPU: ${firstLine(refused)}`)
  if (thrown !== undefined) throw thrown
  return result as T
}
