// Clients that each wait for their answer and then ask again, in steady state: what the simulator counts step by step, of
// clients that are spread evenly over their requests. Prompts are read whole beside decoding. Neither a cache that is too
// small nor a start in which all ask at once is in it: those are the simulator's.
import { Batch } from './batch.ts'
import type { StepTime } from './step-time.ts'

export interface Loop {
  /** Requests that are always under way. */
  readonly clients: number
  /** Tokens of every prompt and output. */
  readonly prompt: number
  readonly output: number
}

export interface Steady {
  /** Seconds per output token after the first; NaN where there is none. */
  readonly tpot: number
  /** Seconds from a request to its first token. */
  readonly ttft: number
  /** Requests a second. */
  readonly throughput: number
}

/** New prompt tokens of a step, as in `simulate serve`; a longer prompt is read alone. */
const usualTokens = 16384

/**
 * A request is read in one step and decodes in `output - 1` others, of which those that read another client's prompt are
 * longer. Where prompts come faster than steps can read them, requests wait their turn. Throws RangeError for sizes that
 * are not whole numbers from 1.
 */
export function closedLoop(time: StepTime, { clients, prompt, output }: Loop, tokens = usualTokens): Steady {
  for (const [name, n] of Object.entries({ clients, prompt, output })) {
    if (!Number.isInteger(n) || n < 1) throw new RangeError(`${name}: expected a whole number from 1, got ${n}`)
  }
  const most = Math.max(1, Math.floor(tokens / prompt))
  // Steps from one request of a client to its next, and the prompts of a step that reads any.
  const cycle = Math.max(output, clients / most)
  const together = Math.max(1, Math.min(most, Math.round(clients / cycle)))
  const decoding = Math.round((clients * (output - 1)) / cycle)
  const middle = prompt + output / 2
  const step = (prompts: number, decoders: number) => {
    const batch = new Batch()
    if (decoders > 0) batch.decode(middle, decoders)
    for (let i = 0; i < prompts; i++) batch.read(0, prompt, true)
    return batch.size === 0 ? 0 : time.seconds(batch)
  }
  const mixed = step(together, Math.min(decoding, clients - 1))
  // A lone client never decodes beside another's prompt.
  const plain = output > 1 ? step(0, Math.max(1, decoding)) : 0
  const share = (of: number) => Math.min(1, of / (cycle * together))
  const tpot = output > 1 ? plain + (mixed - plain) * share(clients - 1) : Number.NaN
  const ttft = mixed + (cycle - output) * mixed
  return { tpot, ttft, throughput: clients / (ttft + (output > 1 ? tpot * (output - 1) : 0)) }
}
