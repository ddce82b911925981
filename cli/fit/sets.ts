// The constants that each machine is scored with: fitted on the other machines.
import type { Intervals } from '../../hardware/interval.ts'
import { type Constants, globalConstants } from '../../hardware/profile.ts'
import type { Data } from './data.ts'
import type { Fits, Fitted } from './fitted.ts'

export interface Sets {
  readonly graph: Constants
  readonly profiler: Constants
  /** By a machine's name: without it, where it was fitted. */
  unseen(machine: string): Constants
}

/** Complete sets with these intervals; by default those in use. */
export function setsOf(data: Data, fits: Fits, interval: Intervals = globalConstants.interval): Sets {
  const complete = (fitted: Fitted): Constants => ({ ...fitted, interval })
  const graph = complete(fits.graph)
  const byName = new Map(
    [...fits.unseen].map(([spelling, fitted]) => [data.machines.get(spelling)?.name, complete(fitted)]),
  )
  return {
    graph,
    profiler: { ...graph, ...fits.profiler },
    unseen: (machine) => byName.get(machine) ?? graph,
  }
}
