// Engines that serve: what they add to, or save of, the kernels of a step. The fitted one is one set for all machines,
// models and engines (`npm run fit:serving -- serving.csv`).
import { type Engine, graph } from '../engine.ts'
import fitted from './engine.json' with { type: 'json' }

/** Kernels as serving engines run them: overlapped and fused, and collectives by the links' own reductions. */
export const serving: Engine = { ...graph, name: 'serving', ...fitted.engine }

/** `graph` has the times of `memwall predict`. */
export const engineNames = ['graph', 'serving'] as const
export type EngineName = (typeof engineNames)[number]

export const servingEngine = (name: EngineName): Engine => (name === 'serving' ? serving : graph)
