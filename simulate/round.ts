// What a decoding strategy repeats: passes on named places, each a number of times, and the tokens that come of it.
import type { Deployment } from '../model/deployment.ts'
import type { Beside } from '../model/memory.ts'
import { encode, type Workload } from '../model/workload.ts'

export interface Step {
  readonly name: string
  /** The place that runs it: the target's machine, or another one's. */
  readonly on: string
  readonly deployment: Deployment
  readonly workload: Workload
  /** Times per round; fractions are expectations. */
  readonly times: number
}

export interface Round {
  /** Once, before the first round: prompts, a draft's prefill, encoders. */
  readonly start: readonly Step[]
  readonly steps: readonly Step[]
  /** The target as it is held, where that is not as it was asked for. */
  readonly holds?: { readonly deployment: Deployment; readonly workload: Workload }
  /** What is held on the target's place beside the target itself. */
  readonly beside?: readonly Beside[]
  /** Expected tokens per sequence and round; 0 where the pass generates none. */
  readonly tokens: number
  /** Tokens of one round of one sequence, from a uniform random source. */
  sample(random: () => number): number
}

export type Strategy = (target: Deployment, workload: Workload) => Round

/** The encoder passes that a decoder's sequences need before their first round. */
export function encoders(target: Deployment, workload: Workload): Step[] {
  if (target.architecture.kind !== 'encoder-decoder' || workload.stack === 'encoder') return []
  return workload.groups
    .filter((g) => g.source !== undefined && g.source > 0)
    .map((g) => ({
      name: 'encode',
      on: 'target',
      deployment: target,
      workload: encode(g.sequences, g.source ?? 0),
      times: 1,
    }))
}

/** Every round is one pass of the target; a pass that takes the head for each sequence gives each one token. */
export const autoregressive: Strategy = (target, workload) => {
  const generates = workload.stack === 'decoder' && workload.groups.every((g) => g.logits > 0)
  const tokens = generates ? 1 : 0
  const name = workload.stack === 'encoder' ? 'encode' : workload.groups.some((g) => g.prompt) ? 'prefill' : 'decode'
  return {
    start: encoders(target, workload),
    steps: [{ name, on: 'target', deployment: target, workload, times: 1 }],
    tokens,
    sample: () => tokens,
  }
}
