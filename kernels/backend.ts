// What a device does for kernels. A backend is one folder that implements this and knows no kernel; a kernel has a plan
// for each backend and knows no device.
import type { ElementType, Fill } from './input.ts'

export const backendNames = ['webgpu', 'wasm', 'tfjs'] as const
export type BackendName = (typeof backendNames)[number]

/** What plans may depend on. Sizes in bytes. */
export interface Facts {
  /** The device as its driver calls it. */
  readonly device: string
  readonly driver: string
  /** What computes, where that is not this project: its name, version, and which of its own backends. */
  readonly library?: { readonly name: string; readonly version: string; readonly backend: string }
  /** A real device, or one emulated in software, whose times mean nothing. */
  readonly software: boolean
  /** What seconds are read from. */
  readonly clock: 'device timestamps' | 'host clock'
  /** Seconds of work until clocks have risen from where they were while nothing ran; absent where they need no work. */
  readonly rising?: number
  /** Elements that tensors may be stored in. */
  readonly stores: readonly ElementType[]
  /** Arithmetic in fp16. */
  readonly halves: boolean
  /** Lanes of the narrowest and the widest subgroup; absent where they cannot be used. */
  readonly subgroup?: readonly [least: number, most: number]
  /** The largest tensor that one binding takes. */
  readonly binding: number
  /** The largest workgroup, and its shared memory. */
  readonly workgroup: number
  readonly shared: number
  /** Threads that run at once, on a processor. */
  readonly threads?: number
}

/** One dispatch of a program: `groups` workgroups (or, on a processor, pieces of work dealt out to the threads). */
export type Groups = readonly [x: number, y: number, z: number]

/**
 * What is dispatched inside `time` runs in order on the device. Every promise rejects with a DeviceError where the
 * device refused: a source that does not compile, a size over its limits, memory that is not there, a lost device.
 */
export interface Backend<Buffer = unknown, Program = unknown> {
  readonly name: BackendName
  readonly facts: Facts
  allocate(bytes: number): Promise<Buffer>
  release(buffer: Buffer): void
  upload(buffer: Buffer, data: ArrayBufferView): Promise<void>
  /** Makes the elements of `fill` from number `first` on, on the device where it can. */
  fill(buffer: Buffer, type: ElementType, elements: number, fill: Fill, first?: number): Promise<void>
  compile(source: string): Promise<Program>
  dispatch(program: Program, buffers: readonly Buffer[], groups: Groups, args: readonly number[]): void
  /** What is dispatched next starts after all before has ended, also where they share no buffer. */
  fence(): void
  /** Seconds of what `run` dispatches. */
  time(run: () => void): Promise<number>
  download(buffer: Buffer, offset: number, bytes: number): Promise<ArrayBuffer>
  close(): Promise<void>
}

/** The device refused or was lost; the message is one line. */
export class DeviceError extends Error {
  override name = 'DeviceError'
}
