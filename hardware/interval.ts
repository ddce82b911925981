// 90 % intervals: how far measurements were from what was expected, by the regime that an operator is in, on machines
// that the constants were not fitted on. Fitted by `fit/interval.ts`; a pass has one of its own, since the errors of
// its operators neither add nor cancel.
import type { Operator } from '../model/operator.ts'
import type { Time } from './time.ts'

/** Measured over expected: where nine in ten rows are of a machine that neither constants nor interval have seen. */
export type Interval = readonly [low: number, high: number]

/** What errors depend on: the kind of kernel, and whether latency or throughput sets its time. */
export const regimes = [
  'gemm-launch',
  'gemm-memory',
  'gemm-compute',
  'narrow',
  'experts',
  'decode-launch',
  'decode',
  'prefill-launch',
  'prefill',
  'latent',
  'collective-launch',
  'collective',
  'plain',
] as const
export type Regime = (typeof regimes)[number]

export interface Intervals {
  readonly operators: Readonly<Record<Regime, Interval>>
  readonly pass: Interval
  /** Of the time per token of a serving engine, whose queues and batches are in no pass. */
  readonly serving: Interval
  /** Of prompts read by llama.cpp, whose kernels are not tuned to every machine's matrix units. */
  readonly untuned: Interval
}

/** Seconds below which latencies are most of an attention kernel's time, of few queries and of many. */
const shortDecode = 50e-6
const shortPrefill = 1e-3

/** The regime of one operator, by its shape and its times. */
export function regimeOf({ shape, streams, unit }: Operator, time: Time): Regime {
  switch (shape.kind) {
    case 'collective':
      return time.term === 'network' ? 'collective' : 'collective-launch'
    case 'attention': {
      if (shape.kvHeads === 1 && shape.headDim !== shape.valueDim) return 'latent'
      const most = shape.rows.reduce((query, r) => Math.max(query, r.query), 0)
      if (most <= 16) return time.expected < shortDecode ? 'decode-launch' : 'decode'
      return time.expected < shortPrefill ? 'prefill-launch' : 'prefill'
    }
    case 'gemm': {
      if (shape.matrices > 1) return 'experts'
      const narrow = unit.length > 0 && !wide.has(unit)
      if (narrow || streams.some((s) => s.codes !== undefined)) return 'narrow'
      if (time.term === 'launch') return 'gemm-launch'
      return time.term === 'memory' ? 'gemm-memory' : 'gemm-compute'
    }
    default:
      return 'plain'
  }
}

const wide: ReadonlySet<string> = new Set(['bf16', 'fp16', 'tf32', 'fp32'])

/** The 90 % interval of one operator's expected time, in seconds. */
export function intervalOf(operator: Operator, time: Time, intervals: Intervals): Interval {
  const [low, high] = intervals.operators[regimeOf(operator, time)]
  return [time.expected * low, time.expected * high]
}
