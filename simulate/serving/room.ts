// How much cache a replica has room for, in blocks of tokens, and how much a sequence takes of it.
import type { Machine } from '../../hardware/machine.ts'
import type { Deployment } from '../../model/deployment.ts'
import { besideMemory, memory } from '../../model/memory.ts'
import { pass } from '../../model/pass.ts'
import { chunk, decode } from '../../model/workload.ts'
import { autoregressive, type Strategy } from '../round.ts'

export interface Room {
  /** Tokens of a block. */
  readonly block: number
  /** Blocks in all; infinite where the machine's capacity is not known. */
  readonly blocks: number
  /** What each sequence takes beside its tokens (states, residuals), in blocks. */
  readonly each: number
}

export interface RoomOptions {
  readonly deployment: Deployment
  readonly machine: Machine
  readonly strategy?: Strategy
  /** Share of the device's memory that weights, cache and working memory may take. */
  readonly share: number
  readonly block: number
  /** Tokens of the largest step, whose activations need room. */
  readonly stepTokens: number
}

/** Lengths between which the cache's growth is measured: whole pages, beyond every residual. */
const short = 4096
const long = 8192

/** Room for the cache beside the weights. Throws RangeError where the weights do not leave any. */
export function roomOf({
  deployment,
  machine,
  strategy = autoregressive,
  share,
  block,
  stepTokens,
}: RoomOptions): Room {
  const at = (tokens: number) => held(deployment, strategy, tokens)
  const [a, b] = [at(short), at(long)]
  const perToken = Math.max(0, (b.reserved - a.reserved) / (long - short))
  const state = Math.max(0, a.reserved - perToken * short)
  const { capacity } = machine.memory
  const unit = perToken > 0 ? perToken * block : state
  if (capacity === undefined || unit === 0) return { block, blocks: Number.POSITIVE_INFINITY, each: 0 }
  const prompt = chunk(1, stepTokens, 0, true)
  const working = memory(deployment, prompt, pass(deployment, prompt)).activations
  const left = capacity * share - a.weights - working
  const blocks = Math.floor(left / unit)
  if (blocks < 1) {
    const gib = (bytes: number) => (bytes / 2 ** 30).toFixed(1)
    throw new RangeError(
      `${deployment.architecture.name} leaves no room for a cache: weights take ${gib(a.weights)} GiB and a step's work ${gib(working)} of the ${gib(capacity * share)} GiB of one ${machine.name}; expected more --tp, narrower --weights or another machine`,
    )
  }
  // A sequence of nothing but states takes one unit, its tokens none.
  return perToken > 0 ? { block, blocks, each: state / unit } : { block: Number.POSITIVE_INFINITY, blocks, each: 0 }
}

/** Bytes that one sequence of so many tokens holds, with what a strategy holds beside. */
function held(deployment: Deployment, strategy: Strategy, tokens: number): { weights: number; reserved: number } {
  // The step's own token is one of them.
  const workload = decode(1, tokens - 1)
  const round = strategy(deployment, workload)
  const holds = round.holds ?? { deployment, workload }
  // A round's further tokens are not counted here: a replica asks for their blocks as they come.
  const own = memory(holds.deployment, workload, [])
  const sum = { weights: own.weights, reserved: own.reserved }
  for (const b of round.beside ?? []) {
    const more = besideMemory({ ...b, workload })
    sum.weights += more.weights
    sum.reserved += more.reserved
  }
  return sum
}

/** Blocks of a sequence of so many tokens. */
export function blocksOf(tokens: number, { block, each }: Room): number {
  return (block === Number.POSITIVE_INFINITY ? 1 : Math.ceil(tokens / block)) + each
}
