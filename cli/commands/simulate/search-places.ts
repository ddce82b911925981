// The models of a search and the machines that they run on, from the flags.
import type { Machine } from '../../../hardware/machine.ts'
import { type Calibration, profileOf } from '../../../hardware/profile.ts'
import type { Format } from '../../../model/format.ts'
import { perToken } from '../../../model/memory.ts'
import { type Query, resolve } from '../../../simulate/query.ts'
import { type Costs, type Place, placed, type Reading, type Retained } from '../../../simulate/search/cost.ts'
import { UsageError } from '../../errors.ts'
import type { WeightFormats } from '../../options.ts'
import { queryOf } from '../../query.ts'
import { loadMachineArgument, loadModelArgument } from '../../source.ts'

/** Shares of a device that engines take for weights and cache: recalled of SGLang, and as ETS's release starts its scorer. */
export const memoryShare = 0.88
const scorerShare = 0.85
const usualThreads = 8

export interface PlaceFlags {
  readonly model?: string | undefined
  readonly on?: string | undefined
  readonly weights?: WeightFormats | undefined
  readonly kv?: Format | undefined
  readonly tp?: number | undefined
  readonly with?: readonly string[] | undefined
  readonly memory?: number | undefined
  readonly memoryShare?: number | undefined
  readonly threads?: number | undefined
  readonly attention?: Reading | undefined
  readonly prm?: string | undefined
  readonly prmOn?: string | undefined
  readonly prmKeeps?: Retained | undefined
  readonly embedder?: string | undefined
  readonly calibration?: Calibration | undefined
}

/** What the flags need beside what they give: each is nothing without the other. */
const needs = [
  ['on', 'model'],
  ['model', 'on'],
  ['weights', 'model'],
  ['kv', 'model'],
  ['tp', 'model'],
  ['with', 'model'],
  ['memory', 'model'],
  ['memoryShare', 'model'],
  ['threads', 'model'],
  ['attention', 'model'],
  ['calibration', 'model'],
  ['prm', 'model'],
  ['prmOn', 'prm'],
  ['prmKeeps', 'prm'],
  ['embedder', 'prm'],
] as const satisfies readonly (readonly [keyof PlaceFlags, keyof PlaceFlags])[]

const named: Readonly<Partial<Record<keyof PlaceFlags, string>>> = {
  memoryShare: 'memory-share',
  prmOn: 'prm-on',
  prmKeeps: 'prm-keeps',
}

export interface Places {
  readonly costs: Costs
  readonly json: object
  /** One line: what runs where. */
  readonly title: string
  readonly kvBytesPerToken: number
  /** Bytes of one device of the generator. */
  readonly capacity: number
  readonly warnings: readonly string[]
}

/** The places, or undefined where no model is asked for. `longest`: tokens of the longest path with its prompt. */
export async function searchPlaces(flags: PlaceFlags, longest: number): Promise<Places | undefined> {
  for (const [flag, other] of needs) {
    if (flags[flag] !== undefined && flags[other] === undefined) {
      throw new UsageError(`--${named[flag] ?? flag}: expected --${other} beside it, got none`)
    }
  }
  if (flags.model === undefined || flags.on === undefined) return undefined
  const { threads = usualThreads, attention: reading = 'paths', calibration } = flags
  const machine = withMemory(await loadMachineArgument(flags.on), flags.memory)
  const query = await queryFor(flags.model, machine, flags, longest)
  const share = flags.memoryShare ?? memoryShare
  const generator = place(query, machine, share, calibration)
  const scorerMachine = flags.prmOn === undefined ? machine : await loadMachineArgument(flags.prmOn)
  const scored = flags.prm === undefined ? undefined : await queryFor(flags.prm, scorerMachine, {}, longest)
  const scorer = scored && {
    ...place(scored, scorerMachine, scorerShare, calibration),
    keeps: flags.prmKeeps ?? ('tree' as const),
  }
  const embedder =
    flags.embedder === undefined ? undefined : await embedderOf(flags.embedder, scorerMachine, calibration)
  for (const p of [generator, scorer]) if (p) checkWeights(p)
  const names = [generator, scorer, embedder].map((p) => p?.deployment.architecture.name ?? null)
  return {
    costs: { generator, reading, threads, ...(scorer && { scorer }), ...(embedder && { embedder }) },
    json: {
      model: names[0],
      machine: machine.name,
      prm: names[1],
      prm_machine: scorer ? scorerMachine.name : null,
      embedder: names[2],
      tp: flags.tp ?? 1,
      methods: flags.with ?? [],
      memory_share: share,
      threads,
      attention: reading,
    },
    title: `${names[0]}${using(flags)} on ${machine.name}${scorer ? `, scored by ${names[1]} on its own ${scorerMachine.name}` : ''}`,
    kvBytesPerToken: perToken(generator.deployment).kvBytesPerToken,
    capacity: machine.memory.capacity ?? 0,
    warnings: [...query.warnings, ...(scored?.warnings ?? [])],
  }
}

/** What changes the model, as it was typed. */
function using({ tp, with: methods = [] }: PlaceFlags): string {
  const all = [...methods, ...(tp === undefined ? [] : [`tp ${tp}`])]
  return all.length === 0 ? '' : ` (${all.join(', ')})`
}

function withMemory(machine: Machine, capacity: number | undefined): Machine {
  return capacity === undefined ? machine : { ...machine, memory: { ...machine.memory, capacity } }
}

type Ready = ReturnType<typeof resolve>

async function queryFor(model: string, machine: Machine, flags: PlaceFlags, longest: number): Promise<Ready> {
  const architecture = await loadModelArgument(model)
  if (architecture.kind !== 'decoder') {
    throw new UsageError(`${model}: expected a decoder, got an ${architecture.kind} model`)
  }
  const { weights, kv, tp } = flags
  const asked = { weights, kv, tp, with: flags.with, calibration: flags.calibration }
  const query: Query = await queryOf(architecture, machine, { ...asked, context: longest } as never)
  const onDocument = query.methods?.find((m) => m.document)
  if (onDocument) {
    throw new UsageError(`--with ${onDocument.name}: it works on a document known beforehand, and a search has none`)
  }
  return resolve(query)
}

function place({ deployment }: Ready, machine: Machine, share: number, calibration: Calibration | undefined): Place {
  return placed(deployment, profileOf(machine, calibration), share)
}

async function embedderOf(model: string, machine: Machine, calibration: Calibration | undefined): Promise<Place> {
  const architecture = await loadModelArgument(model)
  if (architecture.kind !== 'encoder') {
    throw new UsageError(`--embedder: expected an encoder such as bert-base, got the ${architecture.kind} ${model}`)
  }
  return place(resolve({ architecture, machine }), machine, 1, calibration)
}

function checkWeights({ weights, budget, deployment, profile, fraction }: Place): void {
  if (weights < budget) return
  const gib = (bytes: number) => `${(bytes / 2 ** 30).toFixed(1)} GiB`
  throw new UsageError(
    `${deployment.architecture.name}: expected weights below ${gib(budget)} (${fraction} of ${profile.machine.name}), got ${gib(weights)}, which a device of more than ${gib(weights / fraction)} would hold; try --weights int4, --tp or another machine`,
  )
}
