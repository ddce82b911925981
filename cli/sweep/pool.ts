// Answers the chunks of a sweep in order, on worker threads where there is enough to do: each formats its own rows, and
// no more chunks are under way than are soon written.
import { Worker } from 'node:worker_threads'
import { FileError, UsageError } from '../errors.ts'
import { answerChunk, type Chunk, chunkPoints } from './chunk.ts'
import { rowFormat } from './rows.ts'
import type { Sweep } from './spec.ts'

/** Chunks that a worker has waiting, so that it never waits itself. */
const ahead = 3

/** The chunks from the point `begin` on, in order. */
export function chunks(sweep: Sweep, begin: number, workers: number): AsyncGenerator<Chunk> {
  return workers === 0 ? alone(sweep, begin) : shared(sweep, begin, workers)
}

async function* alone(sweep: Sweep, begin: number): AsyncGenerator<Chunk> {
  const format = rowFormat(sweep.spec.format, sweep)
  // Small, so that there is progress to see and a moment to interrupt.
  const size = 64
  for (let at = begin; at < sweep.plan.count; at += size) {
    yield await answerChunk(sweep, format, at, Math.min(at + size, sweep.plan.count))
  }
}

interface Reply {
  readonly begin: number
  readonly chunk?: Chunk
  readonly error?: { readonly message: string; readonly code: 1 | 2 }
}

async function* shared(sweep: Sweep, begin: number, workers: number): AsyncGenerator<Chunk> {
  const { count } = sweep.plan
  const done = new Map<number, Chunk>()
  let failure: Error | undefined
  let wake = () => {}
  const fail = (error: Error) => {
    failure ??= error
    wake()
  }
  const pool = Array.from({ length: workers }, () => {
    const worker = new Worker(new URL('./worker.js', import.meta.url), { workerData: sweep.spec })
    worker.on('message', ({ begin: at, chunk, error }: Reply) => {
      if (chunk) done.set(at, chunk)
      if (error) fail(error.code === 2 ? new UsageError(error.message) : new FileError(error.message))
      wake()
    })
    worker.on('error', fail)
    return { worker, waiting: 0 }
  })
  const owner = new Map<number, (typeof pool)[number]>()
  let next = begin
  const send = () => {
    while (next < count && owner.size < workers * ahead) {
      const idle = pool.reduce((a, b) => (b.waiting < a.waiting ? b : a))
      idle.worker.postMessage({ begin: next, end: Math.min(next + chunkPoints, count) })
      idle.waiting++
      owner.set(next, idle)
      next += chunkPoints
    }
  }
  try {
    for (let at = begin; at < count; at += chunkPoints) {
      send()
      while (!done.has(at)) {
        if (failure) throw failure
        await new Promise<void>((resolve) => {
          wake = resolve
        })
      }
      const chunk = done.get(at) as Chunk
      done.delete(at)
      const from = owner.get(at)
      if (from) from.waiting--
      owner.delete(at)
      send()
      yield chunk
    }
  } finally {
    await Promise.all(pool.map(({ worker }) => worker.terminate()))
  }
}
