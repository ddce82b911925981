// The constants that each machine is scored with: fitted on the other machines.

import { publishedKernels } from '../../hardware/codec-time.ts'
import type { Intervals } from '../../hardware/interval.ts'
import { type Constants, globalConstants } from '../../hardware/profile.ts'
import type { Data } from './data.ts'
import type { Fits, Fitted } from './fitted.ts'

export interface Sets {
  readonly graph: Constants
  readonly profiler: Constants
  /** By a machine's name: without it, where it was fitted. */
  unseen(machine: string): Constants
  /** For the profiler's rows: products without the model, element-wise kernels without the machine. */
  unseenProfiler(model: string, machine: string): Constants
}

/** Complete sets with these intervals; by default those in use. */
export function setsOf(data: Data, fits: Fits, interval: Intervals = globalConstants.interval): Sets {
  const complete = (fitted: Fitted): Constants => ({ ...fitted, codec: publishedKernels, interval })
  const graph = complete(fits.graph)
  const byName = new Map(
    [...fits.unseen].map(([spelling, fitted]) => [data.machines.get(spelling)?.name, complete(fitted)]),
  )
  const profiler = { ...graph, ...fits.profiler }
  const plainByName = new Map(
    [...fits.unseenProfiler.plain].map(([spelling, plain]) => [data.machines.get(spelling)?.name, plain]),
  )
  // One set per model and machine, since what is multiplied out is kept by set.
  const profiled = new Map<string, Constants>()
  return {
    graph,
    profiler,
    unseen: (machine) => byName.get(machine) ?? graph,
    unseenProfiler: (model, machine) => {
      const key = JSON.stringify([model, machine])
      const gemm = fits.unseenProfiler.gemm.get(model)
      const plain = plainByName.get(machine)
      if (!gemm || !plain) throw new Error(`${model} on ${machine}: expected constants fitted without them`)
      const set = profiled.get(key) ?? { ...profiler, gemm, plain }
      profiled.set(key, set)
      return set
    },
  }
}
