// A machine with the constants that real kernels on it obey. Where nothing was measured on it the constants are the
// global set, fitted on public measurements of other machines; `none` leaves only the roofline.
import globalConstants from './constants.json' with { type: 'json' }
import type { Machine } from './machine.ts'

export const calibrations = ['none', 'global', 'measured'] as const
export type Calibration = (typeof calibrations)[number]

export interface Constants {
  /** Seconds before a kernel's first byte moves: one node of a replayed graph, fill and drain included. */
  readonly launch: number
  /** Share of the datasheet bandwidth that a long stream reaches. */
  readonly memory: number
  /** Seconds of bandwidth that must be in flight to reach half of that share: half-saturation bytes over bandwidth. */
  readonly saturation: number
  /** Share of the dense peak that a large matrix product reaches. */
  readonly matrix: number
  /** Share of the vector peak that element-wise work reaches. */
  readonly vector: number
  /** Seconds per collective and per further device in it. */
  readonly link: number
  readonly hop: number
  /** Share of a link's bandwidth that a long message reaches. */
  readonly network: number
  /** Measured over expected: 5th and 95th percentile on the data behind the constants. */
  readonly interval: readonly [number, number]
}

export interface Profile {
  readonly machine: Machine
  readonly constants: Constants
  readonly calibration: Calibration
}

/** No overheads: expected equals bound. */
const ideal: Constants = {
  launch: 0,
  memory: 1,
  saturation: 0,
  matrix: 1,
  vector: 1,
  link: 0,
  hop: 0,
  network: 1,
  interval: [1, 1],
}

const { interval, ...rest } = globalConstants.constants
const globalSet: Constants = { ...rest, interval: [interval[0] ?? 1, interval[1] ?? 1] }

/** The machine with the constants of the calibration asked for. Throws RangeError where nothing was measured. */
export function profileOf(machine: Machine, calibration: Calibration = 'global'): Profile {
  if (calibration === 'measured') {
    throw new RangeError(`calibration: nothing was measured on ${machine.name}; expected global or none`)
  }
  return { machine, constants: calibration === 'none' ? ideal : globalSet, calibration }
}
