// How the time answers to each figure of the machine and each size of the workload: the elasticity, the percent that the
// time changes by for each percent of the parameter.
import type { Machine } from '../../hardware/machine.ts'
import { type Prediction, predict } from '../predict.ts'
import type { Query } from '../query.ts'
import { figureOf, machineFigures, withFigure } from './setting.ts'

export interface Elasticity {
  readonly parameter: string
  /** As it is; of the peak, that of the 16-bit unit. */
  readonly value: number
  /** The values that the times were compared at. */
  readonly low: number
  readonly high: number
  /** d ln time / d ln parameter. */
  readonly bound: number
  readonly expected: number
}

/** Share by which a parameter is changed each way; whole numbers by at least one. */
const share = 0.05

/** Elasticities of the pass's time, the strongest first. Parameters that the query has no use for are left out. */
export function sensitivity(query: Query): Elasticity[] {
  const { workload } = predict(query)
  const figures = machineFigures.flatMap((f) => {
    const value = figureOf(query.machine, f)
    // Capacity takes no time, and one device uses no link.
    const idle = f === 'capacity' || (f === 'link' && workload.devices === 1)
    return value === undefined || idle
      ? []
      : [real(f, value, (v) => ({ ...query, machine: withFigure(query.machine, f, v) }))]
  })
  const vector = query.machine.vector.fp32
  const vectors =
    vector === undefined ? [] : [real('vector', vector, (v) => ({ ...query, machine: withVector(query.machine, v) }))]
  const { batch = 1 } = query
  const sizes = [
    whole('batch', batch, (v) => ({ ...query, batch: v })),
    ...(query.audio === undefined && workload.phase !== 'encode'
      ? [whole('context', workload.context, (v) => ({ ...query, context: v }))]
      : []),
    ...(workload.past > 0 ? [whole('past', workload.past, (v) => ({ ...query, past: v }))] : []),
    ...(workload.source !== null && query.audio === undefined && workload.phase !== 'encode'
      ? [whole('source', workload.source, (v) => ({ ...query, source: v }))]
      : []),
  ]
  return [...figures, ...vectors, ...sizes].sort((a, b) => Math.abs(b.expected) - Math.abs(a.expected))
}

function withVector(machine: Machine, fp32: number): Machine {
  return { ...machine, vector: { ...machine.vector, fp32 } }
}

function real(parameter: string, value: number, at: (value: number) => Query): Elasticity {
  return between(parameter, value, value * (1 - share), value * (1 + share), at)
}

/** A size changes by whole numbers, and stays above 0. */
function whole(parameter: string, value: number, at: (value: number) => Query): Elasticity {
  const step = Math.max(1, Math.round(value * share))
  return between(parameter, value, Math.max(1, value - step), value + step, at)
}

function between(
  parameter: string,
  value: number,
  low: number,
  high: number,
  at: (value: number) => Query,
): Elasticity {
  const [from, a] = lowest(value, low, at)
  const b = predict(at(high))
  const slope = (of: (p: Prediction) => number) => Math.log(of(b) / of(a)) / Math.log(high / from)
  return { parameter, value, low: from, high, bound: slope((p) => p.bound_s), expected: slope((p) => p.expected_s) }
}

/** The lower value, or the parameter as it is where less of it cannot be asked, such as a context within its document. */
function lowest(value: number, low: number, at: (value: number) => Query): [from: number, answer: Prediction] {
  try {
    return [low, predict(at(low))]
  } catch (error) {
    if (!(error instanceof RangeError)) throw error
    return [value, predict(at(value))]
  }
}
