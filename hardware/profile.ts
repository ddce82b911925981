// A machine with the constants that real kernels on it obey. Where nothing was measured on it the constants are the
// global set, fitted on public measurements of other machines; `none` leaves only the roofline.
import type { AttentionConstants } from './attention-time.ts'
import { type Ceilings, ceilingIntervals } from './ceiling-time.ts'
import { type CodecConstants, publishedKernels } from './codec-time.ts'
import globalSet from './constants.json' with { type: 'json' }
import type { GemmConstants, NarrowProducts } from './gemm-time.ts'
import type { Intervals } from './interval.ts'
import type { Machine } from './machine.ts'
import type { CollectiveConstants, PlainConstants } from './plain-time.ts'

export const calibrations = ['none', 'global', 'measured'] as const
export type Calibration = (typeof calibrations)[number]

/**
 * What a clock sees of a kernel. `graph`: its share of a replayed graph, as engines run. `profiler`: the durations that a
 * profiler prints, of libraries that run kernel by kernel.
 */
export const bases = ['graph', 'profiler'] as const
export type Basis = (typeof bases)[number]

export interface Constants {
  readonly gemm: GemmConstants
  readonly narrow: NarrowProducts
  readonly attention: AttentionConstants
  readonly collective: CollectiveConstants
  readonly plain: PlainConstants
  readonly codec: CodecConstants
  readonly interval: Intervals
  /** Where the machine's own were measured they are all that its kernels obey, but for collectives. */
  readonly ceilings?: Ceilings
}

export interface Profile {
  readonly machine: Machine
  /** Absent: nothing is paid beyond the roofline. */
  readonly constants?: Constants
  readonly calibration: Calibration
}

const { profiler, ...shared } = globalSet.constants

/** The constants of a replayed graph. */
export const globalConstants = { ...shared, codec: publishedKernels } as unknown as Constants

/** By basis; attention and collectives were measured in graphs only. */
const constantsOf: Readonly<Record<Basis, Constants>> = {
  graph: globalConstants,
  profiler: { ...globalConstants, ...profiler },
}

const profiles: Readonly<Record<Basis, WeakMap<Machine, Profile>>> = { graph: new WeakMap(), profiler: new WeakMap() }

/** What is known best of a machine: its own measurements, else those of all. */
export function bestCalibration(machine: Machine): Calibration {
  return machine.calibrated ? 'measured' : 'global'
}

/** The machine with the constants of the calibration asked for. Throws RangeError where nothing was measured. */
export function profileOf(
  machine: Machine,
  calibration: Calibration = bestCalibration(machine),
  basis: Basis = 'graph',
): Profile {
  if (calibration === 'measured') return measuredProfile(machine, basis)
  if (calibration === 'none') return { machine, calibration }
  let profile = profiles[basis].get(machine)
  if (!profile) {
    profile = { machine, constants: constantsOf[basis], calibration }
    profiles[basis].set(machine, profile)
  }
  return profile
}

const measured = new WeakMap<Machine, Profile>()

function measuredProfile(machine: Machine, basis: Basis): Profile {
  const { calibrated } = machine
  if (!calibrated || basis !== 'graph') {
    throw new RangeError(
      `calibration: nothing was measured on ${machine.name}; expected global or none, or a machine from \`memwall calibrate\``,
    )
  }
  let profile = measured.get(machine)
  if (!profile) {
    const { gemm = globalConstants.gemm, ceilings } = calibrated
    const constants = { ...globalConstants, gemm, ...(ceilings && { ceilings, interval: ceilingIntervals }) }
    profile = { machine, constants, calibration: 'measured' }
    measured.set(machine, profile)
  }
  return profile
}
