// A machine with the constants that real kernels on it obey. Where nothing was measured on it the constants are the
// global set, fitted on public measurements of other machines; `none` leaves only the roofline.
import type { AttentionConstants } from './attention-time.ts'
import type { CollectiveConstants } from './collective-time.ts'
import globalSet from './constants.json' with { type: 'json' }
import type { GemmConstants } from './gemm-time.ts'
import type { Machine } from './machine.ts'

export const calibrations = ['none', 'global', 'measured'] as const
export type Calibration = (typeof calibrations)[number]

/** Measured over expected: 5th and 95th percentile on rows that the constants were not fitted on. */
export type Interval = readonly [low: number, high: number]

export interface Constants {
  readonly gemm: GemmConstants
  readonly attention: AttentionConstants
  readonly collective: CollectiveConstants
  readonly interval: { readonly operator: Interval; readonly pass: Interval }
}

export interface Profile {
  readonly machine: Machine
  /** Absent: nothing is paid beyond the roofline. */
  readonly constants?: Constants
  readonly calibration: Calibration
}

const { gemm, attention, collective, interval } = globalSet.constants
const pair = ([low = 1, high = 1]: readonly number[]): Interval => [low, high]

export const globalConstants: Constants = {
  gemm,
  attention,
  collective,
  interval: { operator: pair(interval.operator), pass: pair(interval.pass) },
}

const globalProfiles = new WeakMap<Machine, Profile>()

/** The machine with the constants of the calibration asked for. Throws RangeError where nothing was measured. */
export function profileOf(machine: Machine, calibration: Calibration = 'global'): Profile {
  if (calibration === 'measured') {
    throw new RangeError(`calibration: nothing was measured on ${machine.name}; expected global or none`)
  }
  if (calibration === 'none') return { machine, calibration }
  let profile = globalProfiles.get(machine)
  if (!profile) {
    profile = { machine, constants: globalConstants, calibration }
    globalProfiles.set(machine, profile)
  }
  return profile
}
