// The simulations that the command line asks for: one for each rate, of a fleet, a source and a router made from flags.
import type { Random } from '../../model/random.ts'
import { type ServingAnswer, servingAnswer } from '../../simulate/serving/answer.ts'
import { saturationRate } from '../../simulate/serving/capacity.ts'
import { type Service, serviceServing } from '../../simulate/serving/fleet.ts'
import type { Law } from '../../simulate/serving/law.ts'
import { always, type Lengths } from '../../simulate/serving/lengths.ts'
import { optQuality, parseQuality, type Quality, qualityOf } from '../../simulate/serving/quality.ts'
import { type Deadlines, type Outcome, type Serving, simulate, streamsOf } from '../../simulate/serving/simulator.ts'
import { closedSource, listSource, openSource, type Source, type Tasks } from '../../simulate/serving/source.ts'
import { type Recorded, rateOf } from '../../simulate/serving/trace.ts'
import { FileError, UsageError } from '../errors.ts'
import { checkWritable } from '../output.ts'
import { type FleetFlags, type FleetOf, fleetOf } from './fleet.ts'
import type { Failure, WeightedTask } from './options.ts'
import { routerOf } from './routing.ts'

export interface ServeFlags extends FleetFlags {
  readonly service?: Service | 'model' | undefined
  readonly rate?: readonly number[] | undefined
  readonly load?: readonly number[] | undefined
  readonly concurrency?: number | undefined
  readonly trace?: string | undefined
  readonly arrivals?: Law | undefined
  readonly prompt?: Lengths | undefined
  readonly output?: Lengths | undefined
  readonly requests?: number | undefined
  readonly duration?: number | undefined
  readonly tasks?: readonly WeightedTask[] | undefined
  readonly seed?: number | undefined
  readonly queue?: 'shared' | 'per-replica' | undefined
  readonly router?: string | undefined
  readonly deadline?: number | undefined
  readonly ttftDeadline?: number | undefined
  readonly tpotDeadline?: number | undefined
  readonly soft?: number | undefined
  readonly dropLate?: true | undefined
  readonly quality?: string | undefined
  readonly fail?: readonly Failure[] | undefined
  readonly price?: number | undefined
  readonly rows?: string | undefined
}

/** What tells one run from another. Requests per second; null where there is none. */
export interface Point {
  readonly rate: number | null
  readonly load: number | null
}

export interface Run {
  readonly point: Point
  readonly answer: ServingAnswer
}

export interface Config {
  readonly models: readonly { readonly model: string; readonly replicas: number }[]
  readonly machine: string | null
  readonly service: string
  readonly replicas: number
  readonly devices: number
  readonly queue: string
  readonly router: string | null
  readonly arrivals: string
  readonly prompt: string | null
  readonly output: string | null
  readonly tasks: readonly string[]
  readonly deadline_s: Deadlines
  /** Requests per second of a fleet that is never idle; null of one whose models differ, or that was not asked for. */
  readonly saturation_rate: number | null
  readonly kv_tokens: readonly (number | null)[]
  readonly seed: number
}

const usualRequests = 10_000
const usualPrompt = always(128)
const usualOutput = always(48)

/** Throws UsageError, RangeError and FileError. */
export async function runsOf(
  models: string | undefined,
  flags: ServeFlags,
  seeded: (seed: number) => Random,
): Promise<{ config: Config; runs: readonly Run[]; warnings: readonly string[] }> {
  const theory = flags.service !== undefined && flags.service !== 'model' ? flags.service : undefined
  checkFlags(flags, theory)
  if (flags.rows !== undefined) checkWritable(flags.rows)
  const trace = flags.trace === undefined ? undefined : await (await import('./trace.ts')).readRequests(flags.trace)
  const means = meansOf(flags, trace)
  const warnings: string[] = []
  const { prompt, output } = means
  const fleet = theory ? undefined : await modelFleet(models, flags, prompt.mean + output.mean / 2)
  if (theory) warnings.push(...unused(models, flags))
  warnings.push(...(fleet?.warnings ?? []))
  const setup: Setup = { flags, trace, fleet, theory, prompt, output, seeded }
  const unit = flags.load === undefined ? null : unitOf(setup)
  const quality = await worthOf(setup)
  const runs: Run[] = []
  for (const point of points(setup, unit)) runs.push(await run(setup, point, quality, warnings))
  return { config: configOf(setup, unit), runs, warnings: [...new Set(warnings)] }
}

interface Setup {
  readonly flags: ServeFlags
  readonly trace: Recorded | undefined
  readonly fleet: FleetOf | undefined
  readonly theory: Service | undefined
  readonly prompt: Lengths
  readonly output: Lengths
  readonly seeded: (seed: number) => Random
}

async function modelFleet(models: string | undefined, flags: ServeFlags, usualContext: number): Promise<FleetOf> {
  if (models === undefined) throw new UsageError('expected a model, or --service exponential:S or constant:S')
  return fleetOf(models, flags, Math.max(1, Math.round(usualContext)))
}

/** Options that cannot be meant together. */
function checkFlags(f: ServeFlags, theory: Service | undefined): void {
  const ways = (['rate', 'load', 'concurrency', 'trace'] as const).filter((name) => f[name] !== undefined)
  const stretched = ways.length === 2 && f.trace !== undefined && f.concurrency === undefined
  if (ways.length !== 1 && !stretched) {
    const got = ways.length === 0 ? 'none' : ways.map((w) => `--${w}`).join(' and ')
    throw new UsageError(`expected one of --rate, --load, --concurrency and --trace, got ${got}`)
  }
  const refuse = (condition: boolean, message: string) => {
    if (condition) throw new UsageError(message)
  }
  const drawn = f.trace !== undefined ? '--trace' : undefined
  for (const name of ['prompt', 'output', 'arrivals', 'requests', 'duration', 'tasks'] as const) {
    refuse(drawn !== undefined && f[name] !== undefined, `--${name}: expected none beside ${drawn}, which says it`)
  }
  refuse(f.concurrency !== undefined && f.arrivals !== undefined, '--arrivals: expected a rate, got --concurrency')
  refuse(f.queue === 'shared' && f.router !== undefined, '--router: one queue needs none; expected --queue per-replica')
  const promised = (f.deadline ?? f.ttftDeadline) !== undefined
  refuse(f.dropLate === true && !promised, '--drop-late: expected --deadline or --ttft-deadline, got none')
  refuse(f.soft !== undefined && f.deadline === undefined, '--soft: expected --deadline, got none')
  refuse(theory !== undefined && f.prefill !== undefined, '--prefill: a --service has no prompts to read')
  const lengths = theory === undefined ? undefined : (f.ttftDeadline ?? f.tpotDeadline)
  refuse(lengths !== undefined, '--ttft-deadline and --tpot-deadline: a --service has no tokens; expected --deadline')
  const several = (f.rate ?? f.load ?? []).length > 1
  refuse(several && f.rows !== undefined, '--rows: expected one rate, got several')
}

/** What a service from theory leaves unasked. */
function unused(models: string | undefined, f: ServeFlags): string[] {
  const names = (
    [
      'on',
      'weights',
      'activations',
      'kv',
      'tp',
      'pp',
      'ep',
      'fusion',
      'with',
      'calibration',
      'tokenCap',
      'chunk',
      'prefix',
      'block',
      'memoryShare',
      'engine',
      'engineS',
      'prompt',
      'output',
      'price',
    ] as const
  ).filter((name) => f[name] !== undefined)
  const flags = names.map((name) => `--${name.replace(/[A-Z]/g, (c) => `-${c.toLowerCase()}`)}`)
  const all = [...(models === undefined ? [] : [models]), ...flags]
  return all.length === 0 ? [] : [`--service takes the place of the model: ${all.join(', ')} changes nothing`]
}

function meansOf(flags: ServeFlags, trace: Recorded | undefined): { prompt: Lengths; output: Lengths } {
  if (trace === undefined) return { prompt: flags.prompt ?? usualPrompt, output: flags.output ?? usualOutput }
  const mean = (of: 'prompt' | 'output') => trace.requests.reduce((sum, r) => sum + r[of], 0) / trace.requests.length
  const fixed = (value: number): Lengths => ({ ...always(Math.max(1, Math.round(value))), label: 'trace' })
  return { prompt: fixed(mean('prompt')), output: fixed(mean('output')) }
}

/** Requests per second that saturate the fleet. */
function unitOf({ flags, fleet, theory, prompt, output }: Setup): number {
  if (theory) return ((flags.replicas ?? 1) * (flags.batchCap ?? 1)) / theory.seconds
  return (fleet?.members ?? []).reduce((sum, m) => sum + m.count * saturationRate(m.kind, prompt, output), 0)
}

function points({ flags, trace }: Setup, unit: number | null): Point[] {
  if (flags.rate !== undefined) return flags.rate.map((rate) => ({ rate, load: unit === null ? null : rate / unit }))
  if (flags.load !== undefined && unit !== null) return flags.load.map((load) => ({ rate: load * unit, load }))
  const rate = trace === undefined ? Number.NaN : rateOf(trace)
  return [{ rate: Number.isFinite(rate) ? rate : null, load: null }]
}

interface WorthOf {
  readonly tasks: readonly string[]
  readonly quality: readonly (readonly number[])[] | undefined
}

/** The tasks, and what each model is worth on them where that is known. */
async function worthOf({ flags, fleet, trace }: Setup): Promise<WorthOf> {
  const tasks = trace ? trace.classes.filter((c) => c !== '') : (flags.tasks ?? []).map((t) => t.name)
  const models = fleet?.members.map((m) => m.kind.name) ?? []
  if (flags.quality !== undefined) {
    if (tasks.length === 0) throw new UsageError('--quality: expected --tasks, or classes in a trace, got none')
    return { tasks, quality: qualityOf(await readQuality(flags.quality), models, tasks) }
  }
  const known: Quality = optQuality
  const published = models.every((m) => m in known.models) && tasks.every((t) => known.tasks.includes(t))
  const quality = published && tasks.length > 0 && models.length > 0 ? qualityOf(known, models, tasks) : undefined
  if (quality === undefined && flags.soft !== undefined) {
    throw new UsageError('--soft: expected tasks whose quality is known (--quality), got none')
  }
  return { tasks, quality }
}

export async function readQuality(path: string): Promise<Quality> {
  const { parseJson } = await import('../json.ts')
  const { readLines } = await import('../source.ts')
  const json = parseJson(readLines(path), path)
  try {
    return parseQuality(json, path)
  } catch (error) {
    throw error instanceof RangeError ? new FileError(`${path}: ${error.message}`) : error
  }
}

function servings({ flags, fleet, theory }: Setup, streams: () => Random): Serving[] {
  if (theory) {
    const servers = flags.batchCap ?? 1
    return Array.from({ length: flags.replicas ?? 1 }, () => serviceServing(theory, servers, streams()))
  }
  return (fleet?.members ?? []).flatMap(({ kind, count }, model) =>
    Array.from({ length: count }, () => kind.serving(model, streams())),
  )
}

function sourceOf({ flags, trace, prompt, output }: Setup, { rate }: Point, streams: () => Random): Source {
  if (trace) return listSource(trace.requests, flags.rate || flags.load ? (rate ?? 1) / rateOf(trace) : 1)
  const { duration } = flags
  const requests = flags.requests ?? (duration === undefined ? usualRequests : undefined)
  const tasks = flags.tasks === undefined ? undefined : drawTasks(flags.tasks, streams())
  const sizes = tasks === undefined ? { prompt, output } : { prompt, output, tasks }
  const until = { requests, duration }
  if (flags.concurrency !== undefined) return closedSource(flags.concurrency, sizes, until, streams)
  return openSource(flags.arrivals ?? { name: 'poisson', values: {} }, rate ?? 1, sizes, until, streams)
}

/** Indices of tasks by their weights. */
export function drawTasks(tasks: readonly WeightedTask[], random: Random): Tasks {
  const sum = tasks.reduce((all, t) => all + t.weight, 0)
  return () => {
    let left = random() * sum
    for (const [i, { weight }] of tasks.entries()) {
      left -= weight
      if (left < 0) return i
    }
    return tasks.length - 1
  }
}

async function run(setup: Setup, point: Point, { tasks, quality }: WorthOf, warnings: string[]): Promise<Run> {
  const { flags, fleet, prompt, output } = setup
  const streams = streamsOf(flags.seed ?? 1, setup.seeded)
  const source = sourceOf(setup, point, streams)
  const replicas = servings(setup, streams)
  const members = fleet?.members ?? []
  const models = members.map((m) => m.kind.name)
  const deadlines = { e2e: flags.deadline, ttft: flags.ttftDeadline, tpot: flags.tpotDeadline }
  const { deadline } = flags
  const context = { members, prompt: prompt.mean, output: output.mean, deadline, tasks, quality, random: streams() }
  const router = routerOf(flags.router ?? 'least-loaded', context)
  const rows = flags.rows === undefined ? undefined : new (await import('./rows.ts')).Rows(flags.rows, models, tasks)
  const outcome = simulate({
    source,
    replicas,
    router,
    shared: flags.queue === 'shared',
    deadlines,
    dropLate: flags.dropLate === true,
    ...(quality && { worth: { quality, soft: flags.soft } }),
    ...(flags.fail && { failures: flags.fail }),
    ...(rows && { onEnd: rows.add.bind(rows) }),
  })
  rows?.end()
  warnings.push(...warningsOf(setup, outcome))
  return {
    point,
    answer: servingAnswer(outcome, {
      ...money(setup),
      deadlines,
      dropLate: flags.dropLate === true,
      replicas: replicas.length,
      tokens: setup.theory === undefined,
    }),
  }
}

function money({ flags, fleet }: Setup): { watts?: number | undefined; dollarsPerHour?: number | undefined } {
  const devices = fleet?.members.reduce((sum, m) => sum + m.kind.devices * m.count, 0) ?? 0
  const [first] = fleet?.members ?? []
  const power = fleet?.machine.power
  return {
    watts: power === undefined || first === undefined ? undefined : power * first.kind.devices,
    dollarsPerHour: flags.price === undefined || devices === 0 ? undefined : flags.price * devices,
  }
}

function warningsOf({ flags }: Setup, o: Outcome): string[] {
  const warnings: string[] = []
  if (o.overflowed) {
    warnings.push(
      `saturated: given up with ${o.unfinished} requests in the system; expected a lower rate or more replicas`,
    )
  } else if (o.saturated) {
    warnings.push(
      flags.dropLate
        ? `saturated: arrivals exceed service, ${o.dropped} of ${o.offered} requests were dropped`
        : 'saturated: arrivals exceed service; latencies grow with the length of the run and are not given',
    )
  }
  for (const [why, { count, first }] of o.rejected) {
    warnings.push(`${count} of ${o.offered} requests rejected: ${why} (the first is request ${first})`)
  }
  if (o.unfinished > 0 && !o.overflowed)
    warnings.push(`${o.unfinished} requests were left when no replica was up any more`)
  return warnings
}

function configOf({ flags, fleet, theory, trace, prompt, output }: Setup, unit: number | null): Config {
  const members = fleet?.members ?? []
  const law = flags.arrivals
  const values = Object.entries(law?.values ?? {}).map(([k, v]) => `${k}=${v}`)
  const arrivals = trace
    ? 'trace'
    : flags.concurrency !== undefined
      ? `${flags.concurrency} clients`
      : [law?.name ?? 'poisson', ...(values.length > 0 ? [values.join()] : [])].join(':')
  return {
    models: members.map((m) => ({ model: m.kind.name, replicas: m.count })),
    machine: fleet?.machine.name ?? null,
    service: theory ? `${theory.kind}:${theory.seconds}` : 'model',
    replicas: theory ? (flags.replicas ?? 1) : members.reduce((sum, m) => sum + m.count, 0),
    devices: members.reduce((sum, m) => sum + m.count * m.kind.devices, 0),
    queue: flags.queue ?? 'per-replica',
    router: flags.queue === 'shared' ? null : (flags.router ?? 'least-loaded'),
    arrivals,
    prompt: theory ? null : prompt.label,
    output: theory ? null : output.label,
    tasks: trace ? trace.classes.filter((c) => c !== '') : (flags.tasks ?? []).map((t) => t.name),
    deadline_s: { e2e: flags.deadline, ttft: flags.ttftDeadline, tpot: flags.tpotDeadline },
    saturation_rate: unit,
    kv_tokens: members.map(({ kind: { room } }) =>
      Number.isFinite(room.blocks * room.block) ? room.blocks * room.block : null,
    ),
    seed: flags.seed ?? 1,
  }
}
