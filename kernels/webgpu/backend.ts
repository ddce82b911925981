// Kernels on WebGPU: WGSL sources, one compute pass per timing. Nothing here is Node's: given an adapter of a browser, it
// runs there.
import { type Backend, DeviceError, type Facts, type Groups } from '../backend.ts'
import { bytesOf, type ElementType, type Fill } from '../input.ts'
import { fillLaunch, fillSource } from './fill.ts'

/** Numbers of the interface's bit sets, which a browser has as globals. */
const usage = { mapRead: 1, copySource: 4, copyTarget: 8, storage: 128, query: 512 } as const

type Pipeline = GPUComputePipeline

const wanted: readonly GPUFeatureName[] = ['shader-f16', 'subgroups', 'timestamp-query']

/** Limits that kernels may use to the full. */
const limits = [
  'maxBufferSize',
  'maxStorageBufferBindingSize',
  'maxStorageBuffersPerShaderStage',
  'maxComputeWorkgroupStorageSize',
  'maxComputeInvocationsPerWorkgroup',
  'maxComputeWorkgroupSizeX',
] as const

/** Bytes that one download maps at once. */
const staging = 1 << 26

export async function webgpuBackend(adapter: GPUAdapter): Promise<Backend<GPUBuffer, Pipeline>> {
  const features = wanted.filter((f) => adapter.features.has(f))
  const requiredLimits = Object.fromEntries(limits.map((name) => [name, adapter.limits[name] as number]))
  const device = await adapter.requestDevice({ requiredFeatures: features, requiredLimits })
  return new WebgpuBackend(device, factsOf(adapter, new Set(features))).ready()
}

const fenceSource = `@group(0) @binding(0) var<storage, read_write> word: array<u32>;
@compute @workgroup_size(1) fn main() { word[0] += 1u; }`

/** Whether an adapter is emulated; clocks of others fall while nothing runs, and rise in a few tenths of a second (H200). */
export function emulation(info: GPUAdapterInfo): Pick<Facts, 'software' | 'rising'> {
  const software = info.isFallbackAdapter || /swiftshader|llvmpipe/i.test(`${info.device} ${info.description}`)
  return { software, ...(!software && { rising: 0.6 }) }
}

function factsOf({ info, limits }: GPUAdapter, features: ReadonlySet<GPUFeatureName>): Facts {
  const { subgroupMinSize: least = 1, subgroupMaxSize: most = 1 } = info
  return {
    device: info.device || info.description || info.vendor || 'unnamed adapter',
    driver: info.description,
    ...emulation(info),
    clock: features.has('timestamp-query') ? 'device timestamps' : 'host clock',
    stores: ['fp32', 'fp16', 'u32'],
    halves: features.has('shader-f16'),
    ...(features.has('subgroups') && { subgroup: [least, most] as const }),
    binding: Math.min(limits.maxStorageBufferBindingSize, limits.maxBufferSize),
    workgroup: Math.min(limits.maxComputeInvocationsPerWorkgroup, limits.maxComputeWorkgroupSizeX),
    shared: limits.maxComputeWorkgroupStorageSize,
  }
}

class WebgpuBackend implements Backend<GPUBuffer, Pipeline> {
  readonly name = 'webgpu'
  private fencing: { program: Pipeline; word: GPUBuffer } | undefined
  private pass: GPUComputePassEncoder | undefined
  private lost: string | undefined
  private readonly device: GPUDevice
  readonly facts: Facts
  private readonly bound = new Map<Pipeline, Map<string, GPUBindGroup>>()
  private readonly numbers = new Map<GPUBuffer, number>()
  private created = 0
  private readonly stamps: { set: GPUQuerySet; resolved: GPUBuffer; read: GPUBuffer } | undefined

  constructor(device: GPUDevice, facts: Facts) {
    this.device = device
    this.facts = facts
    device.lost.then(
      ({ reason, message }) => {
        if (reason !== 'destroyed') this.lost = message
      },
      () => {},
    )
    if (facts.clock === 'device timestamps') {
      this.stamps = {
        set: device.createQuerySet({ type: 'timestamp', count: 2 }),
        resolved: device.createBuffer({ size: 16, usage: usage.query | usage.copySource }),
        read: device.createBuffer({ size: 16, usage: usage.mapRead | usage.copyTarget }),
      }
    }
  }

  allocate(bytes: number): Promise<GPUBuffer> {
    const size = Math.max(16, Math.ceil(bytes / 16) * 16)
    return this.guarded(async () => {
      const buffer = this.device.createBuffer({
        size,
        usage: usage.storage | usage.copySource | usage.copyTarget,
      })
      this.numbers.set(buffer, this.created++)
      return buffer
    })
  }

  release(buffer: GPUBuffer): void {
    this.numbers.delete(buffer)
    this.bound.clear()
    buffer.destroy()
  }

  async upload(buffer: GPUBuffer, data: ArrayBufferView): Promise<void> {
    const bytes = new Uint8Array(Math.ceil(data.byteLength / 4) * 4)
    bytes.set(new Uint8Array(data.buffer, data.byteOffset, data.byteLength))
    await this.guarded(async () => {
      this.device.queue.writeBuffer(buffer, 0, bytes)
      await this.device.queue.onSubmittedWorkDone()
    })
  }

  async fill(buffer: GPUBuffer, type: ElementType, elements: number, fill: Fill, first = 0): Promise<void> {
    if (fill.kind === 'values') return this.upload(buffer, bytesOf(fill.values, type))
    const program = await this.compile(fillSource(type))
    const { args, groups } = fillLaunch(type, elements, fill, first)
    const given = await this.allocate(args.byteLength)
    await this.upload(given, args)
    await this.time(() => this.dispatch(program, [buffer, given], groups))
    this.release(given)
  }

  private readonly compiled = new Map<string, Promise<Pipeline>>()

  compile(source: string): Promise<Pipeline> {
    let pipeline = this.compiled.get(source)
    if (!pipeline) {
      pipeline = this.pipeline(source)
      this.compiled.set(source, pipeline)
    }
    return pipeline
  }

  private pipeline(source: string): Promise<Pipeline> {
    return this.guarded(async () => {
      const module = this.device.createShaderModule({ code: source })
      const { messages } = await module.getCompilationInfo()
      const error = messages.find((m) => m.type === 'error')
      if (error) throw new DeviceError(`WGSL line ${error.lineNum}: ${error.message}`)
      return this.device.createComputePipelineAsync({ layout: 'auto', compute: { module, entryPoint: 'main' } })
    })
  }

  dispatch(program: Pipeline, buffers: readonly GPUBuffer[], groups: Groups): void {
    if (!this.pass) throw new Error('dispatch: expected to be called inside time()')
    this.pass.setPipeline(program)
    this.pass.setBindGroup(0, this.bindGroup(program, buffers))
    this.pass.dispatchWorkgroups(...groups)
  }

  /** A barrier waits for all that ran before, whatever buffer it is for: one dispatch that rewrites its own word is one. */
  fence(): void {
    if (!this.fencing) throw new Error('fence: expected to be called after ready()')
    this.dispatch(this.fencing.program, [this.fencing.word], [1, 1, 1])
  }

  /** Compiles what the backend itself runs. */
  async ready(): Promise<this> {
    this.fencing = { program: await this.compile(fenceSource), word: await this.allocate(16) }
    return this
  }

  private bindGroup(program: Pipeline, buffers: readonly GPUBuffer[]): GPUBindGroup {
    let groups = this.bound.get(program)
    if (!groups) {
      groups = new Map()
      this.bound.set(program, groups)
    }
    const key = buffers.map((b) => this.numbers.get(b)).join()
    let group = groups.get(key)
    if (!group) {
      const entries = buffers.map((buffer, binding) => ({ binding, resource: { buffer } }))
      group = this.device.createBindGroup({ layout: program.getBindGroupLayout(0), entries })
      groups.set(key, group)
    }
    return group
  }

  time(run: () => void): Promise<number> {
    return this.guarded(async () => {
      const encoder = this.device.createCommandEncoder()
      const { stamps } = this
      const timestampWrites = stamps && {
        querySet: stamps.set,
        beginningOfPassWriteIndex: 0,
        endOfPassWriteIndex: 1,
      }
      this.pass = encoder.beginComputePass(timestampWrites ? { timestampWrites } : {})
      try {
        run()
      } finally {
        this.pass.end()
        this.pass = undefined
      }
      if (stamps) {
        encoder.resolveQuerySet(stamps.set, 0, 2, stamps.resolved, 0)
        encoder.copyBufferToBuffer(stamps.resolved, 0, stamps.read, 0, 16)
      }
      const commands = encoder.finish()
      const begin = performance.now()
      this.device.queue.submit([commands])
      if (!stamps) {
        await this.device.queue.onSubmittedWorkDone()
        return (performance.now() - begin) / 1000
      }
      await stamps.read.mapAsync(1)
      const [from = 0n, to = 0n] = new BigInt64Array(stamps.read.getMappedRange().slice(0))
      stamps.read.unmap()
      return Number(to - from) / 1e9
    })
  }

  async download(buffer: GPUBuffer, offset: number, bytes: number): Promise<ArrayBuffer> {
    const begin = Math.floor(offset / 4) * 4
    const end = Math.ceil((offset + bytes) / 4) * 4
    const out = new Uint8Array(end - begin)
    const size = Math.min(staging, end - begin)
    const read = await this.guarded(async () =>
      this.device.createBuffer({ size, usage: usage.mapRead | usage.copyTarget }),
    )
    for (let at = 0; at < out.length; at += size) {
      const part = Math.min(size, out.length - at)
      await this.guarded(async () => {
        const encoder = this.device.createCommandEncoder()
        encoder.copyBufferToBuffer(buffer, begin + at, read, 0, part)
        this.device.queue.submit([encoder.finish()])
        await read.mapAsync(1, 0, part)
        out.set(new Uint8Array(read.getMappedRange(0, part)), at)
        read.unmap()
      })
    }
    read.destroy()
    return out.buffer.slice(offset - begin, offset - begin + bytes)
  }

  async close(): Promise<void> {
    this.device.destroy()
    await this.device.lost
  }

  /** Does the work and waits for the device's word on it. Rejects with a DeviceError. */
  private async guarded<T>(work: () => Promise<T>): Promise<T> {
    const { device } = this
    if (this.lost !== undefined) throw new DeviceError(`the device was lost: ${oneLine(this.lost)}`)
    device.pushErrorScope('out-of-memory')
    device.pushErrorScope('validation')
    device.pushErrorScope('internal')
    let result: T | undefined
    let thrown: unknown
    try {
      result = await work()
    } catch (error) {
      thrown = error
    }
    const [internal, invalid, memory] = await Promise.all([
      device.popErrorScope(),
      device.popErrorScope(),
      device.popErrorScope(),
    ])
    if (this.lost !== undefined) throw new DeviceError(`the device was lost: ${oneLine(this.lost)}`)
    if (thrown instanceof DeviceError) throw thrown
    if (memory) throw new DeviceError(`out of device memory: ${oneLine(memory.message)}`)
    if (invalid ?? internal) throw new DeviceError(oneLine((invalid ?? internal)?.message ?? ''))
    if (thrown !== undefined) throw new DeviceError(oneLine((thrown as Error).message))
    return result as T
  }
}

/** The first line of Dawn's message, which says it; the others say where in Dawn. */
function oneLine(message: string): string {
  return (message.split('\n').find((line) => line.trim() !== '') ?? 'no reason given').trim()
}
