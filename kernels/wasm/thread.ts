// One thread: waits for a job, goes through its commands with the others, and takes pieces of each until none is left.
// Runs in a worker; the compiled file beside the compiled kernels is what is loaded.
import { parentPort, workerData } from 'node:worker_threads'
import {
  commandWords,
  control,
  controlWords,
  functionsOf,
  reserved,
  stamps,
  type ThreadData,
  type ThreadMessage,
  wasm,
} from './shared.ts'

/** Turns of looking before a thread goes to sleep: some twenty microseconds. */
const looks = 4_000

const { module, memory, thread, threads } = workerData as ThreadData
const instance = new wasm.Instance(module, { env: { memory } })
const functions = functionsOf(module).map((name) => instance.exports[name] as (args: number, piece: number) => void)
const words = new Int32Array(memory.buffer, 0, reserved / 4)
const times = new BigInt64Array(memory.buffer, 0, controlWords / 2)

function tell(message: ThreadMessage): void {
  parentPort?.postMessage(message)
}

/** Waits until word `at` is no longer `old`. */
function awaitChange(at: number, old: number): void {
  for (let i = 0; i < looks; i++) if (Atomics.load(words, at) !== old) return
  while (Atomics.load(words, at) === old) Atomics.wait(words, at, old)
}

/**
 * All threads have come here; the last one lets them go on, and writes the time where it is asked for: a thread that the
 * system put to sleep would look at the clock too late.
 */
function meet(step: number, stamp?: number): void {
  if (Atomics.add(words, control.arrived, 1) < threads - 1) {
    awaitChange(control.step, step)
    return
  }
  Atomics.store(words, control.arrived, 0)
  Atomics.store(words, control.piece, 0)
  if (stamp !== undefined) times[stamp] = process.hrtime.bigint()
  Atomics.store(words, control.step, (step + 1) | 0)
  Atomics.notify(words, control.step)
}

function work(): void {
  // Read once: whoever is late in the last meeting must not see the next job's.
  const commands = words[control.commands] as number
  let step = Atomics.load(words, control.step)
  meet(step++, stamps.begin)
  for (let c = 0; c < commands; c++) {
    const at = controlWords + c * commandWords
    const run = functions[words[at] as number] as (args: number, piece: number) => void
    const pieces = words[at + 1] as number
    for (;;) {
      const piece = Atomics.add(words, control.piece, 1)
      if (piece >= pieces) break
      run(4 * (at + 2), piece)
    }
    meet(step++, c === commands - 1 ? stamps.end : undefined)
  }
  if (thread === 0) tell({ done: true })
}

let job = Atomics.load(words, control.job)
tell({ ready: true })
try {
  for (;;) {
    awaitChange(control.job, job)
    job = Atomics.load(words, control.job)
    work()
  }
} catch (error) {
  tell({ error: (error as Error).message })
}
