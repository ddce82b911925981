// What `memwall accuracy` answers: files of measurements, predicted and scored.
import { existsSync, realpathSync } from 'node:fs'
import { loadMachine, machineName } from '../hardware/catalog.ts'
import type { Machine } from '../hardware/machine.ts'
import { type Calibration, type Constants, type Profile, profileOf } from '../hardware/profile.ts'
import { nearest } from '../model/nearest.ts'
import { BadField, type Case, Unmappable } from '../simulate/accuracy/case.ts'
import { defaultGroups, groupKeys } from '../simulate/accuracy/keys.ts'
import { outcomeOf } from '../simulate/accuracy/outcome.ts'
import { probedConstants, probeKey } from '../simulate/accuracy/probes.ts'
import { type GroupScore, type Outcome, type Score, score, scoreBy } from '../simulate/accuracy/score.ts'
import { type Simulated, type Simulation, simulatedOutcome, simulationOf } from '../simulate/accuracy/simulated.ts'
import { serving as servingEngine } from '../simulate/serving/engines.ts'
import { FileError, UsageError } from './errors.ts'
import { measuredRows } from './measured.ts'

export interface Skipped {
  /** `file:line`. */
  readonly row: string
  readonly why: string
}

export interface Accuracy {
  readonly calibration: Calibration
  readonly group_by: readonly string[]
  readonly rows: number
  readonly skipped: readonly Skipped[]
  /** Null where no row could be scored. */
  readonly bound: Score['bound'] | null
  readonly expected: Score['expected'] | null
  readonly groups: readonly GroupScore[]
  /** Of rows whose clients were simulated: the engine, and the other figures; null where nothing was. */
  readonly simulation: Simulation | null
  /** Each scored row, in the files' order. */
  readonly outcomes: readonly Outcome[]
}

export interface AccuracyOptions {
  readonly calibration: Calibration
  readonly probes?: string | undefined
  readonly groupBy?: readonly string[] | undefined
  /** Simulate the clients of rows of serving; other rows are an error. */
  readonly simulate?: boolean | undefined
}

/** Predicts and scores every row of the files. Throws UsageError and FileError. */
export async function accuracyOf(files: readonly string[], options: AccuracyOptions): Promise<Accuracy> {
  const { calibration, groupBy = defaultGroups, simulate = false } = options
  checkKeys(groupBy)
  checkDistinct(files)
  const probed = options.probes === undefined ? undefined : await readProbes(options.probes)
  const profileFor = profiles(calibration, probed)
  const keysOf = shared()
  const outcomes: Outcome[] = []
  const simulated: Simulated[] = []
  const skipped: Skipped[] = []
  for (const file of files) {
    for await (const measured of measuredRows(file)) {
      const told = 'why' in measured ? measured.why : await tell(measured, profileFor, probed, simulate)
      if (typeof told === 'string') skipped.push({ row: measured.row, why: told })
      else {
        outcomes.push({ ...told, keys: keysOf({ ...told.keys, file }) })
        if (isSimulated(told)) simulated.push(told)
      }
    }
  }
  const all = outcomes.length > 0 ? score(outcomes) : { bound: null, expected: null }
  return {
    calibration,
    group_by: groupBy,
    rows: outcomes.length,
    skipped,
    bound: all.bound,
    expected: all.expected,
    groups: scoreBy(outcomes, groupBy),
    simulation: simulated.length > 0 ? simulationOf(simulated, servingEngine) : null,
    outcomes,
  }
}

function isSimulated(row: Outcome | Simulated): row is Simulated {
  return 'stepAlone' in row
}

type Keys = Outcome['keys']

/** Like keys as one object: a million rows have some hundred kinds of them. */
function shared(): (keys: Keys) => Keys {
  const known = new Map<string, Keys>()
  return (keys) => {
    const name = JSON.stringify(keys)
    const first = known.get(name)
    if (first) return first
    known.set(name, keys)
    return keys
  }
}

function checkKeys(keys: readonly string[]): void {
  const unknown = keys.find((key) => !(groupKeys as readonly string[]).includes(key))
  if (unknown !== undefined) {
    const [near] = nearest(unknown, groupKeys, 1)
    const hint = near === undefined ? '' : `; nearest: ${near}`
    throw new UsageError(`--group-by: expected keys of ${groupKeys.join(', ')}, got ${unknown}${hint}`)
  }
  const twice = keys.find((key, i) => keys.indexOf(key) !== i)
  if (twice !== undefined) throw new UsageError(`--group-by: expected different keys, got ${twice} twice`)
}

/** A path through links, where something is there. */
function realPath(path: string): string {
  return existsSync(path) ? realpathSync(path) : path
}

function checkDistinct(files: readonly string[]): void {
  const real = files.map(realPath)
  const twice = files.find((_, i) => real.indexOf(real[i] ?? '') !== i)
  if (twice !== undefined)
    throw new UsageError(`expected different files, got ${twice} twice: its rows would count twice`)
}

type ProfileFor = (row: Case, machine: Machine) => Profile

/** The row's outcome, or why there is none. */
async function tell(
  { row: place, of: row }: { readonly row: string; readonly of: Case },
  profileFor: ProfileFor,
  probed: Probed | undefined,
  simulate: boolean,
): Promise<Outcome | Simulated | string> {
  if (simulate && !row.served) {
    throw new UsageError(`--simulate: expected rows of serving, got one of ${row.kind} (${place})`)
  }
  try {
    const machine = await machineOf(row.machine)
    const key = probed && probeKey(row, machine.name)
    if (key !== undefined && probed?.keys.has(key)) return 'it is a probe: the machine was calibrated on it'
    const profile = profileFor(row, machine)
    return simulate && row.served ? simulatedOutcome(row, row.served, profile, servingEngine) : outcomeOf(row, profile)
  } catch (error) {
    if (error instanceof Unmappable) return error.message
    throw error
  }
}

const machines = new Map<string, Promise<Machine>>()

export function machineOf(spelling: string): Promise<Machine> {
  let machine = machines.get(spelling)
  if (!machine) {
    if (machineName(spelling) === undefined) throw new Unmappable(`machine: '${spelling}' is not known`)
    machine = loadMachine(spelling)
    machines.set(spelling, machine)
  }
  return machine
}

interface Probed {
  /** By the machine's name. */
  readonly constants: ReadonlyMap<string, Constants>
  readonly keys: ReadonlySet<string>
}

/** The machines that a file of probes calibrates. */
async function readProbes(path: string): Promise<Probed> {
  const rows = await probesOf(path)
  const keys = new Set([...rows].flatMap(([machine, own]) => own.map((row) => probeKey(row, machine.name) ?? '')))
  const constants = new Map([...rows].map(([machine, own]) => [machine.name, probedConstants(machine, own)]))
  return { constants, keys }
}

/** Probes by machine: every row of the file has to be one. */
export async function probesOf(path: string): Promise<ReadonlyMap<Machine, readonly Case[]>> {
  const rows = new Map<Machine, Case[]>()
  for await (const measured of measuredRows(path)) {
    if ('why' in measured) throw new FileError(`${measured.row}: ${measured.why}`)
    try {
      const machine = await machineOf(measured.of.machine)
      const key = probeKey(measured.of, machine.name)
      if (key === undefined) throw new BadField(`expected a product in bf16 or fp16, got a row of ${measured.of.kind}`)
      rows.set(machine, [...(rows.get(machine) ?? []), measured.of])
    } catch (error) {
      if (!(error instanceof Unmappable || error instanceof BadField)) throw error
      throw new FileError(`${measured.row}: ${error.message}`)
    }
  }
  return rows
}

function profiles(calibration: Calibration, probed: Probed | undefined): ProfileFor {
  if (probed === undefined) return (row, machine) => profileOf(machine, calibration, row.basis)
  const known = new Map<string, Profile>()
  return (row, machine) => {
    const constants = probed.constants.get(machine.name)
    if (!constants) throw new Unmappable(`machine: no probe was measured on ${machine.name}`)
    if (row.basis === 'profiler') throw new Unmappable('calibration: probes say nothing of what a profiler sees')
    const profile = known.get(machine.name) ?? { machine, constants, calibration }
    known.set(machine.name, profile)
    return profile
  }
}
