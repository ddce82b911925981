// Every measured row as `memwall accuracy` predicts it: the operators that were timed, on a profile of any constants.
import { loadMachine, machineName } from '../../hardware/catalog.ts'
import type { Regime } from '../../hardware/interval.ts'
import type { Machine } from '../../hardware/machine.ts'
import type { Constants, Profile } from '../../hardware/profile.ts'
import { BadField, type Case, Unmappable } from '../../simulate/accuracy/case.ts'
import { type FileKind, fileKind } from '../../simulate/accuracy/kinds.ts'
import { outcomeOf } from '../../simulate/accuracy/outcome.ts'
import { FileError } from '../errors.ts'
import type { Data, FileName, Row } from './data.ts'

export interface Measured {
  readonly row: Case
  readonly machine: Machine
}

export interface Cases {
  readonly measured: readonly Measured[]
  /** Why each of the other rows is not predicted. */
  readonly dropped: readonly string[]
}

export type CasesOf = (file: FileName) => readonly Measured[]

/** The cases of these files, by file. Throws FileError; says how many rows of a file are dropped. */
export async function readCases(
  { rows }: Data,
  files: readonly FileName[],
  constants: Constants,
  say: (what: string) => void,
): Promise<CasesOf> {
  const all = new Map<FileName, readonly Measured[]>()
  for (const file of files) {
    const cases = await casesOf(rows[file], constants)
    if (cases.dropped.length > 0) say(describeDropped(file, cases))
    all.set(file, cases.measured)
  }
  return (file) => all.get(file) ?? []
}

/** The rows that can be predicted with constants, and why the others cannot. Throws FileError where the file is at fault. */
export async function casesOf(rows: readonly Row[], constants: Constants): Promise<Cases> {
  const measured: Measured[] = []
  const dropped: string[] = []
  const [first] = rows
  if (!first) return { measured, dropped }
  const kind = fileKind(Object.keys(first.fields))
  if (!kind) throw new FileError(`${first.at}: expected the columns of a kind of measurements`)
  for (const row of rows) {
    try {
      const own = await measuredOf(row, kind)
      told(own, constants)
      measured.push(own)
    } catch (error) {
      if (error instanceof BadField) throw new FileError(`${row.at}: ${error.message}`)
      if (!(error instanceof Unmappable)) throw error
      dropped.push(error.message)
    }
  }
  return { measured, dropped }
}

const machines = new Map<string, Machine>()

async function measuredOf({ fields }: Row, kind: FileKind): Promise<Measured> {
  const row = await kind.read(fields)
  const name = machineName(row.machine)
  if (name === undefined) throw new Unmappable(`machine: '${row.machine}' is not known`)
  const machine = machines.get(name) ?? (await loadMachine(name))
  machines.set(name, machine)
  return { row, machine }
}

/** One line: how many rows were dropped, and why most of them. */
export function describeDropped(file: string, { measured, dropped }: Cases): string {
  const counts = new Map<string, number>()
  for (const why of dropped) counts.set(why, (counts.get(why) ?? 0) + 1)
  const [most = ['', 0]] = [...counts].sort(([, a], [, b]) => b - a)
  return `${file}.csv: dropped ${dropped.length} of ${measured.length + dropped.length} rows, ${most[1]} of them for ${most[0]}`
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

/** What these constants say of a row. Throws Unmappable where the machine cannot run it. */
export function told({ row, machine }: Measured, constants: Constants): Told {
  const { expected, keys } = outcomeOf(row, profileWith(machine, constants))
  return { ratio: expected / row.seconds, regime: keys.kernels as Regime }
}
