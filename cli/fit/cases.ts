// Every measured row as `memwall accuracy` predicts it: the operators that were timed, on a profile of any constants.
import { loadMachine } from '../../hardware/catalog.ts'
import type { Regime } from '../../hardware/interval.ts'
import type { Machine } from '../../hardware/machine.ts'
import type { Constants, Profile } from '../../hardware/profile.ts'
import { type Case, Unmappable } from '../../simulate/accuracy/case.ts'
import { fileKind } from '../../simulate/accuracy/kinds.ts'
import { outcomeOf } from '../../simulate/accuracy/outcome.ts'
import type { Line } from './data.ts'

export interface Measured {
  readonly row: Case
  readonly machine: Machine
}

/** The rows that can be predicted; the others are `memwall accuracy`'s to list. */
export async function casesOf(lines: readonly Line[]): Promise<Measured[]> {
  const kind = fileKind(Object.keys(lines[0] ?? {}))
  if (!kind) return []
  const out: Measured[] = []
  const machines = new Map<string, Machine>()
  for (const line of lines) {
    try {
      const row = await kind.read(line)
      const machine = machines.get(row.machine) ?? (await loadMachine(row.machine))
      machines.set(row.machine, machine)
      out.push({ row, machine })
    } catch {}
  }
  return out
}

export interface Told {
  /** Expected over measured. */
  readonly ratio: number
  /** Of the longest operator. */
  readonly regime: Regime
}

/** One profile per machine and constants: models are multiplied out once. */
const profiles = new WeakMap<Constants, Map<string, Profile>>()

function profileWith(machine: Machine, constants: Constants): Profile {
  const known = profiles.get(constants) ?? new Map<string, Profile>()
  profiles.set(constants, known)
  const profile = known.get(machine.name) ?? { machine, constants, calibration: 'global' }
  known.set(machine.name, profile)
  return profile
}

/** What these constants say of a row, or undefined where the machine cannot run it. */
export function told({ row, machine }: Measured, constants: Constants): Told | undefined {
  try {
    const { expected, keys } = outcomeOf(row, profileWith(machine, constants))
    return { ratio: expected / row.seconds, regime: keys.kernels as Regime }
  } catch (error) {
    if (error instanceof Unmappable) return undefined
    throw error
  }
}
