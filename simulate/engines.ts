// The engines of public measurements, by what they add to their kernels. Each number says what it was fitted on; none is
// used by a prediction that names no engine.
import type { Engine } from './engine.ts'

const none = { pass: 0, sequence: 0, synchronization: 0 } as const

/** Operators launched one by one from Python and waited for: the paper's small operators take 20 to 30 µs whatever they do. */
export const eager: Engine = { ...none, name: 'eager', host: 25e-6 }

/** vLLM's latent attention outside a graph: rows of up to 32 tokens take 110 to 230 µs, the median 168. */
export const vllmEager: Engine = { ...none, name: 'vllm eager', host: 165e-6 }

/**
 * C++ that launches kernels on a stream. One number, fitted to the 81 rows of FasterTransformer's BERT; with one machine
 * left out it is 2.25 to 4.75 µs. docs/accuracy.md has the errors.
 */
export const fasterTransformer: Engine = { ...none, name: 'FasterTransformer', kernel: 2.75e-6 }
