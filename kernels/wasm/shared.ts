// What the threads and the one that directs them share: the first words of the memory, and how commands are written
// there. Nothing here runs anything.

/** Words of the control block, all 32 bits. */
export const control = {
  /** Counts the jobs; threads wait for the next. */
  job: 0,
  /** Commands of the job. */
  commands: 1,
  /** The next piece of the current command that nobody has taken. */
  piece: 2,
  /** Threads that are done with the current command. */
  arrived: 3,
  /** Counts the commands done, over all jobs. */
  step: 4,
} as const

/** Where, in words of 64 bits, nanoseconds of the job's begin and end are written. */
export const stamps = { begin: 4, end: 5 } as const

export const controlWords = 16

/** A command: which function, how many pieces, then its buffers' addresses and its numbers. */
export const commandWords = 32
export const mostCommands = 8192

/** Bytes before the first buffer. */
export const reserved = 4 * (controlWords + commandWords * mostCommands)
/** Bytes of a page of WebAssembly, and all that its addresses reach. */
export const page = 2 ** 16
export const mostPages = 2 ** 16

export interface ThreadData {
  readonly module: object
  readonly memory: { readonly buffer: SharedArrayBuffer }
  readonly thread: number
  readonly threads: number
}

/** What a thread tells: that it is ready, that a job is done (the first thread), or what went wrong. */
export type ThreadMessage = { readonly ready: true } | { readonly done: true } | { readonly error: string }

/** WebAssembly's own interface, which neither Node's types nor es2023's have. */
export interface WasmInterface {
  readonly Module: { new (bytes: Uint8Array): object; exports(module: object): { name: string; kind: string }[] }
  readonly Instance: {
    new (
      module: object,
      imports: object,
    ): { readonly exports: Readonly<Record<string, (args: number, piece: number) => void>> }
  }
  readonly Memory: {
    new (limits: {
      initial: number
      maximum: number
      shared: true
    }): {
      readonly buffer: SharedArrayBuffer
      grow(pages: number): number
    }
  }
}

export const wasm = (globalThis as unknown as { WebAssembly: WasmInterface }).WebAssembly

/** The functions of a module in an order that all threads see alike. */
export function functionsOf(module: object): string[] {
  return wasm.Module.exports(module)
    .filter((e) => e.kind === 'function')
    .map((e) => e.name)
}
