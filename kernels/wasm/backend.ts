// Kernels on the processor: SIMD WebAssembly on threads over one shared memory. Threads take the pieces of a launch one by
// one and meet after each launch. The memory holds 4 GiB at most.
import { existsSync, readFileSync } from 'node:fs'
import { availableParallelism, cpus } from 'node:os'
import { Worker } from 'node:worker_threads'
import { type Backend, DeviceError, type Facts, type Groups } from '../backend.ts'
import { bytesOf, type ElementType, elementBytes, elementsOf, type Fill } from '../input.ts'
import { type Block, Heap } from './heap.ts'
import {
  commandWords,
  control,
  controlWords,
  functionsOf,
  mostCommands,
  mostPages,
  page,
  reserved,
  stamps,
  type ThreadData,
  type ThreadMessage,
  wasm,
} from './shared.ts'

/** Elements that one piece of a fill makes. */
const fillEach = 2 ** 16
const fillKinds = { normal: 0, positive: 1, bits: 2, word: 3, affine: 4, index: 5, sparse: 6 } as const

/** The largest tensor: what leaves room for others. */
const binding = 2 ** 31 - page

/** A file that the build puts beside this one; from sources it is the build's. */
function built(name: string): URL {
  const beside = new URL(name, import.meta.url)
  const found = existsSync(beside) ? beside : new URL(`../../dist/kernels/wasm/${name}`, import.meta.url)
  if (!existsSync(found)) throw new DeviceError(`expected ${name} of the build, got none; run npm run build`)
  return found
}

/** Opens as many threads as the machine runs at once, or so many. */
export async function wasmBackend(threads = availableParallelism()): Promise<Backend<Block, number>> {
  const module = new wasm.Module(readFileSync(built('kernels.wasm')))
  const memory = sharedMemory()
  const workers = Array.from({ length: threads }, (_, thread) => {
    const workerData = { module, memory, thread, threads } satisfies ThreadData
    return new Worker(built('thread.js'), { workerData })
  })
  const backend = new WasmBackend(module, memory, workers)
  await backend.ready()
  return backend
}

function sharedMemory() {
  try {
    return new wasm.Memory({ initial: Math.ceil(reserved / page), maximum: mostPages, shared: true })
  } catch (error) {
    throw new DeviceError(`cannot reserve 4 GiB of addresses for WebAssembly: ${(error as Error).message}`)
  }
}

function factsOf(threads: number): Facts {
  const [first] = cpus()
  return {
    device: first?.model.trim() || process.arch,
    driver: `V8 ${process.versions.v8}, 128-bit SIMD, ${threads} ${threads === 1 ? 'thread' : 'threads'}`,
    software: false,
    clock: 'host clock',
    stores: ['fp32', 'u32'],
    halves: false,
    binding,
    workgroup: 1,
    shared: 0,
    threads,
  }
}

/** What only some fills have, where their program looks for it. */
function numbersOf(fill: Fill): readonly [word: number, stride: number] {
  if (fill.kind === 'word') return [fill.word, 0]
  if (fill.kind === 'index') return [fill.below, fill.least ?? 0]
  return fill.kind === 'sparse' ? [fill.each, fill.stride] : [0, 0]
}

interface Command {
  readonly program: number
  readonly pieces: number
  readonly words: readonly number[]
}

class WasmBackend implements Backend<Block, number> {
  readonly name = 'wasm'
  readonly facts: Facts
  private readonly functions: readonly string[]
  private readonly memory: InstanceType<typeof wasm.Memory>
  private readonly workers: readonly Worker[]
  private readonly heap: Heap
  private words: Int32Array
  private queue: Command[] | undefined
  private lost: string | undefined
  /** Where the threads' next message goes. */
  private answer: { resolve: () => void; reject: (error: Error) => void } | undefined
  private waiting: number

  constructor(module: object, memory: InstanceType<typeof wasm.Memory>, workers: readonly Worker[]) {
    this.facts = factsOf(workers.length)
    this.functions = functionsOf(module)
    this.memory = memory
    this.workers = workers
    this.waiting = workers.length
    this.words = new Int32Array(memory.buffer)
    this.heap = new Heap(reserved, mostPages * page, (end) => this.reaches(end))
    for (const worker of workers) {
      worker.on('message', (message: ThreadMessage) => this.hear(message))
      worker.on('error', (error: Error) => this.fail(error.message))
    }
  }

  ready(): Promise<void> {
    return this.next()
  }

  private next(): Promise<void> {
    return new Promise((resolve, reject) => {
      this.answer = { resolve, reject }
      if (this.lost !== undefined) this.fail(this.lost)
    })
  }

  private hear(message: ThreadMessage): void {
    if ('error' in message) this.fail(message.error)
    else if ('done' in message || --this.waiting === 0) this.answer?.resolve()
  }

  private fail(reason: string): void {
    this.lost = reason
    this.answer?.reject(new DeviceError(`a thread failed: ${reason}`))
  }

  private reaches(end: number): boolean {
    const missing = Math.ceil((end - this.memory.buffer.byteLength) / page)
    if (missing <= 0) return true
    try {
      this.memory.grow(missing)
    } catch {
      return false
    }
    this.words = new Int32Array(this.memory.buffer)
    return true
  }

  async allocate(bytes: number): Promise<Block> {
    if (this.lost !== undefined) throw new DeviceError(`a thread failed: ${this.lost}`)
    const block = this.heap.allocate(bytes)
    if (!block) throw new DeviceError(`out of memory: ${bytes} bytes beside what is held, of WebAssembly's 4 GiB`)
    return block
  }

  release(block: Block): void {
    this.heap.release(block)
  }

  async upload(block: Block, data: ArrayBufferView): Promise<void> {
    new Uint8Array(this.memory.buffer, block.address, data.byteLength).set(
      new Uint8Array(data.buffer, data.byteOffset, data.byteLength),
    )
  }

  async fill(block: Block, type: ElementType, elements: number, fill: Fill, first = 0): Promise<void> {
    if (fill.kind === 'values') return this.upload(block, bytesOf(fill.values, type))
    if (fill.kind === 'index' || fill.kind === 'sparse') {
      return this.upload(block, bytesOf(elementsOf(fill, first, elements), type))
    }
    const scale = 'scale' in fill ? 2 ** ((fill.scale ?? 0) - 8) : 2 ** -8
    const [word, stride] = numbersOf(fill)
    const args = [
      fillKinds[fill.kind],
      first,
      elements,
      fill.kind === 'word' ? 0 : fill.seed,
      fill.kind === 'normal' && fill.outliers !== undefined ? 2 ** fill.outliers : 0,
      new Int32Array(Float32Array.of(scale).buffer)[0] as number,
      word,
      stride,
      fillEach,
    ]
    const program = await this.compile(elementBytes[type] === 2 ? 'fillHalf' : 'fill')
    await this.time(() => this.dispatch(program, [block], [Math.ceil(elements / fillEach), 1, 1], args))
  }

  async compile(source: string): Promise<number> {
    const at = this.functions.indexOf(source)
    if (at < 0) throw new DeviceError(`expected a function of kernels.wasm, got ${source}`)
    return at
  }

  dispatch(program: number, buffers: readonly Block[], [x, y, z]: Groups, args: readonly number[]): void {
    if (!this.queue) throw new Error('dispatch: expected to be called inside time()')
    const words = [...buffers.map((b) => b.address), ...args]
    if (words.length > commandWords - 2) {
      throw new Error(`expected at most ${commandWords - 2} buffers and numbers, got ${words.length}`)
    }
    this.queue.push({ program, pieces: x * y * z, words })
  }

  /** Threads meet after every launch. */
  fence(): void {}

  async time(run: () => void): Promise<number> {
    this.queue = []
    try {
      run()
      let seconds = 0
      for (let at = 0; at < this.queue.length; at += mostCommands) {
        seconds += await this.job(this.queue.slice(at, at + mostCommands))
      }
      return seconds
    } finally {
      this.queue = undefined
    }
  }

  /** Seconds from when all threads were awake until the last was done. */
  private async job(commands: readonly Command[]): Promise<number> {
    for (const [i, { program, pieces, words }] of commands.entries()) {
      this.words.set([program, pieces, ...words.map((w) => w | 0)], controlWords + i * commandWords)
    }
    this.words[control.commands] = commands.length
    const answer = this.next()
    Atomics.add(this.words, control.job, 1)
    Atomics.notify(this.words, control.job)
    await answer
    const times = new BigInt64Array(this.memory.buffer, 0, controlWords / 2)
    return Number((times[stamps.end] as bigint) - (times[stamps.begin] as bigint)) / 1e9
  }

  async download(block: Block, offset: number, bytes: number): Promise<ArrayBuffer> {
    const out = new Uint8Array(bytes)
    out.set(new Uint8Array(this.memory.buffer, block.address + offset, bytes))
    return out.buffer
  }

  async close(): Promise<void> {
    await Promise.all(this.workers.map((worker) => worker.terminate()))
  }
}
