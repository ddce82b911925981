// A runnable operator and the backend that runs it. Only the interface: a kernel comes with the same Operator that the
// model emits, so that what is predicted and what is measured cannot be two things.
import type { Operator } from '../model/operator.ts'

/** What a device does for a kernel. Sizes in bytes, times in seconds. */
export interface Backend<Buffer, Program> {
  readonly name: string
  allocate(bytes: number): Buffer
  upload(buffer: Buffer, data: ArrayBufferView): Promise<void>
  compile(source: string): Promise<Program>
  dispatch(program: Program, buffers: readonly Buffer[], groups: readonly [number, number, number]): void
  /** Device seconds of what `run` dispatches. */
  time(run: () => void): Promise<number>
  download(buffer: Buffer): Promise<ArrayBuffer>
}

export interface Kernel<Sizes> {
  readonly name: string
  /** The work of these sizes, as the model counts it. */
  operator(sizes: Sizes): Operator
}

/** One timed configuration: the median and spread of repeated runs, and how it was timed. */
export interface Measurement {
  readonly kernel: string
  readonly machine: string
  readonly backend: string
  readonly driver: string
  readonly protocol: string
  readonly median: number
  readonly spread: number
}
