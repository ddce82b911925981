// Seconds of the steps of two models on one machine, for simulations that need nothing else of them. Two modes: `bound`
// is the roofline of the step; `eager` is that of Hugging Face's Python, where a step takes what its kernels take or what
// the host needs to launch them, a + b × layers, whichever is longer. Published latencies of BiLD are of the second kind.
import type { Machine } from '../../hardware/machine.ts'
import { profileOf } from '../../hardware/profile.ts'
import { type Architecture, layerCount, mainStack } from '../../model/architecture.ts'
import { verify } from '../../model/workload.ts'
import { type Engine, graph } from '../engine.ts'
import { estimate } from '../estimate.ts'
import { resolve } from '../query.ts'

export const stepModes = ['bound', 'eager'] as const
export type StepMode = (typeof stepModes)[number]

/** Seconds of the host per pass and per layer. */
export interface Launch {
  readonly pass: number
  readonly layer: number
}

/**
 * Two-point fits of steps measured on an RTX 2080 Ti under Hugging Face (github.com/PopoDev/BiLD): mT5-small and -large
 * (16.6 and 45.9 ms), T5-small and -large (11.4 and 40.0 ms).
 */
export const measuredLaunches = {
  mt5: { pass: 1.94e-3, layer: 1.83e-3 },
  t5: { pass: 1.95e-3, layer: 1.58e-3 },
} as const satisfies Record<string, Launch>

export interface StepQuery {
  readonly small: Architecture
  readonly large: Architecture
  readonly machine: Machine
  readonly mode: StepMode
  /** Cached tokens that a step reads. */
  readonly context: number
  /** The encoder's tokens; only of encoder-decoders. */
  readonly source?: number
  /** Default: as measured on T5 and mT5, with a warning where a model is neither. */
  readonly launch?: Launch
}

export interface ModelSteps {
  readonly small: number
  /** By the tokens that the step computes at once. */
  large(queries: number): number
  /** Arithmetic of a small step over that of a large one. */
  readonly operations: number
  readonly warnings: readonly string[]
}

/** Times the steps of both models at batch 1. Throws RangeError where a model cannot run on the machine. */
export function modelSteps(query: StepQuery): ModelSteps {
  const small = stepTime(query.small, query)
  const large = stepTime(query.large, query)
  const known = new Map<number, number>()
  const timed = (queries: number) => {
    const seconds = known.get(queries) ?? large.seconds(queries)
    known.set(queries, seconds)
    return seconds
  }
  const warnings = [...new Set([...small.warnings, ...large.warnings, ...launchWarnings(query)])]
  return { small: small.seconds(1), large: timed, operations: small.flops() / large.flops(), warnings }
}

function stepTime(architecture: Architecture, query: StepQuery) {
  const { machine, mode, context } = query
  const source = architecture.kind === 'encoder-decoder' ? query.source : undefined
  const { deployment, workload, warnings } = resolve({ architecture, machine, context, ...(source && { source }) })
  const cross = workload.groups[0]?.source
  const profile = profileOf(machine, mode === 'bound' ? 'none' : undefined)
  const engine = mode === 'bound' ? graph : eager(architecture, query.launch)
  const step = (queries: number) => {
    const workload = verify(1, context, queries, cross)
    return estimate([{ name: 'step', on: 'target', deployment, workload, times: 1 }], profile, engine)
  }
  const seconds = (queries: number) => step(queries)[mode === 'bound' ? 'bound' : 'expected']
  return { seconds, flops: () => step(1).flops, warnings }
}

function eager(architecture: Architecture, given: Launch | undefined): Engine {
  const { pass, layer } = given ?? measuredLaunches[gated(architecture) ? 'mt5' : 't5']
  return { ...graph, name: 'eager', host: pass + layer * layerCount(mainStack(architecture)) }
}

/** mT5's layers are T5's but for the gate of their FFN, which launches more. */
function gated(architecture: Architecture): boolean {
  return mainStack(architecture).groups.some((g) => g.modules.some((m) => m.kind === 'ffn' && m.gated))
}

function launchWarnings({ small, large, mode, launch }: StepQuery): string[] {
  const others = [small, large].filter(({ type }) => type !== 't5' && type !== 'mt5').map((a) => a.name)
  if (mode === 'bound' || launch !== undefined || others.length === 0) return []
  return [`eager: launches were measured on T5's layers; ${others.join(' and ')} may need more or less`]
}
