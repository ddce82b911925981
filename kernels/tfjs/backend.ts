// Kernels as the library that a user would otherwise take has them: TensorFlow.js, operation by operation. What is timed
// are its calls alone; operands are brought to its device before, without what fills up their rows.
import { type Backend, DeviceError, type Facts, type Groups } from '../backend.ts'
import { bytesOf, type ElementType, elementsOf, type Fill } from '../input.ts'
import type { Tensor } from './core.ts'
import { type Library, type LibraryOptions, openLibrary } from './library.ts'
import { type Dimensions, type Operation, operationOf } from './operations.ts'
import { compact, expanded } from './storage.ts'

/** A tensor as kernels store it, as the library does, or both. */
interface Held {
  readonly bytes: number
  host: ArrayBuffer | undefined
  tensor: Tensor | undefined
}

interface Call {
  readonly operation: Operation
  readonly buffers: readonly Held[]
  readonly args: readonly number[]
  readonly constants: readonly Tensor[]
}

/** Throws DeviceError where the library's packages or its device are not there. */
export async function tfjsBackend(options: LibraryOptions = {}): Promise<Backend<Held, Operation>> {
  return new TfjsBackend(await openLibrary(options))
}

class TfjsBackend implements Backend<Held, Operation> {
  readonly name = 'tfjs'
  readonly facts: Facts
  private readonly library: Library
  private readonly constants = new Map<string, readonly Tensor[]>()
  private queue: Call[] | undefined

  constructor(library: Library) {
    this.library = library
    this.facts = { stores: ['fp32', 'u32'], halves: false, workgroup: 1, shared: 0, ...library.facts }
  }

  async allocate(bytes: number): Promise<Held> {
    return { bytes, host: undefined, tensor: undefined }
  }

  release(held: Held): void {
    held.tensor?.dispose()
    held.tensor = undefined
    held.host = undefined
  }

  async upload(held: Held, data: ArrayBufferView): Promise<void> {
    this.release(held)
    const host = new Uint8Array(held.bytes)
    host.set(new Uint8Array(data.buffer, data.byteOffset, data.byteLength))
    held.host = host.buffer
  }

  async fill(held: Held, type: ElementType, elements: number, fill: Fill, first = 0): Promise<void> {
    if (fill.kind === 'values') return this.upload(held, bytesOf(fill.values, type))
    if (fill.kind === 'word') return this.upload(held, new Uint32Array(Math.ceil(held.bytes / 4)).fill(fill.word))
    return this.upload(held, bytesOf(elementsOf(fill, first, elements), type))
  }

  async compile(source: string): Promise<Operation> {
    const operation = operationOf(source)
    if (!operation) throw new DeviceError(`expected an operation of TensorFlow.js, got ${source}`)
    return operation
  }

  dispatch(operation: Operation, buffers: readonly Held[], _: Groups, args: readonly number[]): void {
    if (!this.queue) throw new Error('dispatch: expected to be called inside time()')
    this.queue.push({ operation, buffers, args, constants: [] })
  }

  /** The library orders its calls itself. */
  fence(): void {}

  async time(run: () => void): Promise<number> {
    this.queue = []
    try {
      run()
      const calls = this.queue.map((call) => this.prepared(call))
      const [last] = calls.slice(-1)
      if (!last) return 0
      return await this.library.time(() => {
        for (const call of calls) this.call(call)
        return last.buffers.at(-1)?.tensor as Tensor
      })
    } catch (error) {
      if (error instanceof DeviceError) throw error
      throw new DeviceError(`TensorFlow.js: ${String((error as Error).message ?? error).split('\n')[0]}`)
    } finally {
      this.queue = undefined
    }
  }

  private prepared(call: Call): Call {
    const { operation, args, buffers } = call
    for (const [i, shape] of operation.inputs(args).entries()) {
      const held = buffers[i] as Held
      held.tensor ??= this.resident(compact(new Float32Array(held.host ?? new ArrayBuffer(held.bytes)), shape), shape)
    }
    return { ...call, constants: this.constantsOf(operation, args) }
  }

  private constantsOf(operation: Operation, args: readonly number[]): readonly Tensor[] {
    if (!operation.constants) return []
    const key = args.join()
    const found = this.constants.get(key) ?? operation.constants(args).map((c) => this.resident(c.values, c.shape))
    this.constants.set(key, found)
    return found
  }

  /** A result lies on the device, where what came from the host may still wait for its first use. */
  private resident(values: Float32Array, shape: Dimensions): Tensor {
    const { tf } = this.library
    return tf.tidy(() => tf.mul(tf.tensor(values, shape, 'float32'), 1))
  }

  private call({ operation, buffers, args, constants }: Call): void {
    const { tf } = this.library
    const inputs = buffers.slice(0, operation.inputs(args).length)
    const outputs = buffers.slice(inputs.length)
    const given = [...inputs.map((b) => b.tensor as Tensor), ...constants]
    const results = tf.tidy(() => operation.run(tf, given, args))
    for (const [i, held] of outputs.entries()) {
      held.tensor?.dispose()
      held.host = undefined
      held.tensor = results[i]
    }
  }

  async download(held: Held, offset: number, bytes: number): Promise<ArrayBuffer> {
    if (!held.host && held.tensor) {
      const { shape } = held.tensor
      held.host = expanded(await held.tensor.data(), shape).buffer as ArrayBuffer
    }
    return (held.host ?? new ArrayBuffer(held.bytes)).slice(offset, offset + bytes)
  }

  async close(): Promise<void> {
    for (const tensors of this.constants.values()) for (const tensor of tensors) tensor.dispose()
    await this.library.close()
  }
}
