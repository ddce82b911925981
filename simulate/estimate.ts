// The time of a round on a profile: bound, floor, expected and interval, with the ledger rows that they are sums of.

import type { Profile } from '../hardware/profile.ts'
import { type Limit, operatorTime, type Time } from '../hardware/time.ts'
import { addBytes, type Bytes, noBytes, type Operator, type Pass } from '../model/operator.ts'
import { pass } from '../model/pass.ts'
import type { Engine } from './engine.ts'
import { graph, passSeconds } from './engine.ts'
import type { Step } from './round.ts'

/** One operator of one step, over all its instances. */
export interface Row {
  readonly step: Step
  readonly operator: Operator
  readonly time: Time
  /** Instances in the round: count × times. */
  readonly instances: number
}

export interface Estimate {
  /** Seconds of the round. */
  readonly bound: number
  /** The least that any fusion or overlap of these operators takes: the largest of compute, compulsory bytes, network. */
  readonly floor: number
  readonly expected: number
  /** 90 % interval of `expected`. */
  readonly interval: readonly [number, number]
  readonly limit: Limit
  readonly flops: number
  readonly bytes: Bytes
  readonly rows: readonly Row[]
  /** The pass of each step, in order. */
  readonly passes: readonly Pass[]
}

/** Times the steps one after the other. All rows sum to the totals, except for the engine's own overheads. */
export function estimate(steps: readonly Step[], profile: Profile, engine: Engine = engineOf(profile)): Estimate {
  const rows: Row[] = []
  const passes: Pass[] = []
  const bytes = noBytes()
  const limits = { memory: 0, compute: 0, network: 0 }
  let bound = 0
  let expected = engine.synchronization
  let flops = 0
  let matrix = 0
  let vector = 0
  let network = 0
  let compulsory = 0
  for (const step of steps) {
    const operators = pass(step.deployment, step.workload)
    passes.push(operators)
    let device = 0
    let launches = 0
    let collective = 0
    for (const operator of operators) {
      const time = operatorTime(operator, profile)
      const instances = operator.count * step.times
      rows.push({ step, operator, time, instances })
      bound += time.bound * instances
      device += time.expected * operator.count
      if (operator.shape.kind === 'collective') collective += time.expected * operator.count
      launches += operator.launches * operator.count
      limits[time.limit] += time.bound * instances
      flops += (operator.matrix + operator.vector) * instances
      matrix += time.matrix * instances
      vector += time.vector * instances
      network += time.network * instances
      for (const s of operator.streams) if (s.owner !== 'activations') compulsory += s.bytes * instances
      addBytes(bytes, operator, step.times)
    }
    expected += step.times * passSeconds(engine, device, launches, sequences(step), collective)
  }
  const floor = Math.max(matrix, vector, network, compulsory / profile.machine.memory.bandwidth)
  const [low, high] = profile.constants?.interval.pass ?? [1, 1]
  const limit =
    limits.memory >= Math.max(limits.compute, limits.network)
      ? 'memory'
      : limits.compute >= limits.network
        ? 'compute'
        : 'network'
  // Operators may be fused or overlapped into less than their sum, but not into less than the floor.
  const interval = [Math.max(floor, expected * low), expected * high] as const
  return { bound, floor, expected, interval, limit, flops, bytes, rows, passes }
}

/** What a machine's own measurement says the host adds to a pass; else nothing. */
function engineOf({ constants }: Profile): Engine {
  return constants?.ceilings ? { ...graph, name: 'local', pass: constants.ceilings.pass } : graph
}

function sequences({ workload }: Step): number {
  return workload.groups.reduce((sum, g) => sum + g.sequences, 0)
}
