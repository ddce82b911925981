// The answer to a what-if question, with the keys that `predict --json` prints. Seconds, bytes, FLOPs, tokens; figures
// are one device's, and null stands where a figure does not apply.
import { type Intervals, intervalOf } from '../hardware/interval.ts'
import { type Calibration, type Profile, profileOf } from '../hardware/profile.ts'
import { type Limit, operatorTime, peak, type Term, vectorPeak } from '../hardware/time.ts'
import type { Architecture } from '../model/architecture.ts'
import type { Store } from '../model/cache.ts'
import { devices } from '../model/deployment.ts'
import type { Unit } from '../model/format.ts'
import { besideMemory, memory as memoryOf } from '../model/memory.ts'
import { addBytes, type Bytes, noBytes, operatorBytes, type Shape } from '../model/operator.ts'
import { formatLabel } from '../model/quantity.ts'
import { decode, tokens as newTokens, prefill, type Workload } from '../model/workload.ts'
import { type Estimate, estimate, type Row } from './estimate.ts'
import type { MadeStrategy, Values } from './method.ts'
import { deployBeside, type Query, type Resolved, resolve, strategist } from './query.ts'
import { autoregressive, type Round, type Step, type Strategy } from './round.ts'

export interface OperatorAnswer {
  readonly name: string
  /** gemm, attention, convolution, recurrence, stream or collective. */
  readonly kind: string
  readonly step: string
  readonly layers: string
  readonly count: number
  readonly times: number
  readonly flops: number
  readonly bytes: Bytes
  readonly bound_s: number
  readonly expected_s: number
  /** 90 % interval of this operator's time; those of operators do not add up to the pass's. */
  readonly interval_s: readonly [number, number]
  readonly limit: Limit
  readonly term: Term
  readonly unit: Unit
  readonly launches: number
  /** One instance's: sizes of products, heads and rows of attention, message bytes and devices of collectives. */
  readonly shape: Shape
}

export interface PreparationAnswer {
  readonly name: string
  readonly flops: number
  readonly bytes: number
  readonly bound_s: number
  readonly expected_s: number
  readonly note: string
}

export interface Prediction {
  readonly model: string
  readonly machine: string
  readonly workload: {
    readonly phase: string
    readonly batch: number
    readonly context: number
    readonly past: number
    /** Of the cached tokens, the first so many are a document: of the whole batch, or of each sequence. */
    readonly shared: number | null
    readonly fixed: number | null
    readonly source: number | null
    /** Seconds of each length asked for. */
    readonly audio: readonly number[] | null
    readonly new_tokens: number | null
    readonly tp: number
    readonly pp: number
    readonly ep: number
    readonly devices: number
    readonly fusion: string
    readonly formats: { readonly weights: string; readonly activations: string; readonly kv: string }
  }
  readonly methods: readonly { readonly name: string; readonly options: Values }[]
  readonly bound_s: number
  readonly floor_s: number
  readonly expected_s: number
  readonly interval_s: readonly [number, number]
  readonly calibration: Calibration
  readonly tokens_per_round: number | null
  readonly tokens_per_s: number
  readonly time_per_output_token_s: number | null
  readonly time_to_first_token_s: number | null
  readonly real_time_factor: number | null
  readonly flops: number
  readonly bytes: Bytes
  readonly arithmetic_intensity: number
  readonly limit: Limit
  /** The unit of the matrix arithmetic, its dense peak, and the intensity from which it is the roof (FLOP/byte). */
  readonly arithmetic: { readonly unit: Unit; readonly peak: number; readonly ridge: number }
  readonly memory: {
    readonly weights: number
    readonly kv: number
    readonly activations: number
    readonly total: number
    readonly reserved: number
    readonly capacity: number | null
    readonly fits: boolean | null
  }
  readonly operators: readonly OperatorAnswer[]
  readonly total: { readonly bound_s: number; readonly expected_s: number } | null
  /** Work done once before any pass, in no other figure. */
  readonly preparation: readonly PreparationAnswer[]
  readonly baseline: Omit<Prediction, 'operators' | 'baseline' | 'speedup'> | null
  readonly speedup: { readonly bound: number; readonly expected: number } | null
  readonly warnings: readonly string[]
  /** What the model's config did not say, and what of it was left out, with the reason. */
  readonly assumed: readonly string[]
}

/** Answers the query. Throws RangeError where it cannot be asked. */
export function predict(query: Query): Prediction {
  const resolved = resolve(query)
  const own = answer(resolved)
  if (query.methods === undefined || query.methods.length === 0) return own
  const { operators: _, baseline: __, speedup: ___, ...baseline } = answer(resolve({ ...query, methods: [] }))
  const per = (p: { time_per_output_token_s: number | null; bound_s: number; expected_s: number }) =>
    p.time_per_output_token_s ?? p.expected_s
  const tokens = (own.tokens_per_round ?? 1) / (baseline.tokens_per_round ?? 1)
  const speedup = {
    bound: (baseline.bound_s / own.bound_s) * tokens,
    expected: per(baseline) / per(own),
  }
  return { ...own, baseline, speedup, warnings: [...own.warnings, ...slowerWarnings(own, speedup)] }
}

function slowerWarnings({ methods }: Prediction, speedup: NonNullable<Prediction['speedup']>): string[] {
  const names = methods.map((m) => m.name).join(' and ')
  const by = (ratio: number) => (ratio < 0.995 ? `${((1 / ratio - 1) * 100).toFixed(0)} %` : 'less than 1 %')
  if (speedup.expected < 1) return [`${names}: slower here than without, by ${by(speedup.expected)}`]
  if (speedup.bound < 1) return [`${names}: slower here than without by the bound, by ${by(speedup.bound)}`]
  return []
}

/** What the methods do once, in advance. */
function prepared(r: Resolved): PreparationAnswer[] {
  const profile = profileOf(r.query.machine, r.query.calibration)
  return (r.query.methods ?? []).flatMap((m) => {
    const work = m.prepare(r)
    if (!work) return []
    const sum = { flops: 0, bytes: 0, bound_s: 0, expected_s: 0 }
    for (const o of work.operators) {
      const time = operatorTime(o, profile)
      sum.flops += (o.matrix + o.vector) * o.count
      sum.bytes += operatorBytes(o) * o.count
      sum.bound_s += time.bound * o.count
      sum.expected_s += time.expected * o.count
    }
    return [{ name: work.name, ...sum, note: work.note }]
  })
}

function answer(r: Resolved): Prediction {
  const { query, deployment, workload, phase, batch } = r
  const { architecture, machine } = query
  const profile = profileOf(machine, query.calibration)
  const made = strategyOf(r, profile)
  const round = made.strategy(deployment, workload)
  const e = estimate(round.steps, profile)
  const { activations } = deployment
  const rate = peak(machine, activations.unit) ?? 0
  const memory = held(r, round, e)
  const { tensor, pipeline, expert } = deployment.parallel
  const generation = query.newTokens === undefined ? undefined : generate(r, made.strategy)
  const perRound = round.tokens > 0 && phase === 'decode' ? round.tokens : null
  return {
    model: architecture.name,
    machine: machine.name,
    workload: {
      phase,
      batch,
      context: r.context,
      past: r.past,
      shared: r.document?.shared === true ? r.document.tokens : null,
      fixed: r.document?.shared === false ? r.document.tokens : null,
      source: r.source ?? null,
      audio: query.audio === undefined ? null : [query.audio].flat(),
      new_tokens: query.newTokens ?? null,
      tp: tensor,
      pp: pipeline,
      ep: expert,
      devices: devices(deployment),
      fusion: deployment.fusion,
      formats: {
        weights: weightsLabel(r),
        activations: formatLabel(activations),
        kv: storeLabel(deployment.store),
      },
    },
    methods: (query.methods ?? []).map((m) => ({ name: m.name, options: m.strategy ? made.values : m.values })),
    bound_s: e.bound,
    floor_s: e.floor,
    expected_s: e.expected,
    interval_s: e.interval,
    calibration: profile.calibration,
    tokens_per_round: perRound,
    tokens_per_s: throughput(r, round, e),
    time_per_output_token_s: perRound === null ? null : e.expected / perRound,
    time_to_first_token_s: firstToken(r, made.strategy, round, e),
    real_time_factor: realTimeFactor(r, e, generation),
    flops: e.flops,
    bytes: e.bytes,
    arithmetic_intensity: e.flops / e.bytes.total,
    limit: e.limit,
    arithmetic: { unit: activations.unit, peak: rate, ridge: rate / machine.memory.bandwidth },
    memory,
    operators: merged(
      e.rows.map((row) => operatorAnswer(row, profile.constants?.interval)),
      round.steps,
    ),
    total: generation === undefined ? null : { bound_s: generation.bound, expected_s: generation.expected },
    preparation: prepared(r),
    baseline: null,
    speedup: null,
    warnings: [...r.warnings, ...made.warnings, ...warningsOf(r, memory)],
    assumed: assumptions(architecture),
  }
}

/** A dense store is its format; others have a name. */
function storeLabel({ name, format }: Store): string {
  return name === 'dense' ? formatLabel(format) : name
}

/** The format of most linear weights, and the roles that were given another: `int4,head=int8`. */
function weightsLabel(r: Resolved): string {
  const { weights } = r.deployment
  const roles = Object.entries(r.query.deployment?.roles ?? {}).map(([role, f]) => `${role}=${formatLabel(f)}`)
  return [formatLabel(weights[dominantRole(r)]), ...roles].join()
}

/** The role that holds most of the linear weights. */
function dominantRole({ query }: Resolved): 'experts' | 'ffn' {
  const { stacks } = query.architecture
  const routed = stacks.some((s) => s.groups.some((g) => g.modules.some((m) => m.kind === 'moe')))
  return routed ? 'experts' : 'ffn'
}

/** Assumed fields, and fields left out for a stated reason; those that no cost depends on are in `show model` alone. */
function assumptions({ reading }: Architecture): string[] {
  return [
    ...reading.assumed,
    ...reading.ignored.filter((field) => field.endsWith(')')).map((field) => `without ${field}`),
  ]
}

const plainly: MadeStrategy = { strategy: autoregressive, values: {}, warnings: [] }

/** How the query decodes: as one of its methods does, else token by token. */
export function strategyOf(r: Resolved, profile: Profile): MadeStrategy {
  const by = strategist(r.query)
  if (!by?.strategy) return plainly
  const warnings: string[] = []
  const made = by.strategy({
    target: r.deployment,
    workload: generating(r),
    deploy: (architecture, options) => deployBeside(r.query, architecture, options, warnings),
    seconds: (round) => estimate(round.steps, profile).expected,
  })
  return { ...made, warnings: [...warnings, ...made.warnings] }
}

/** The step that rounds are chosen for. */
function generating({ query, phase, workload, batch, context, past, source, document }: Resolved): Workload {
  if (phase !== 'prefill') return workload
  return decode(batch, context + past, query.architecture.kind === 'encoder-decoder' ? source : undefined, document)
}

/** The target, what a draft holds beside it, and the largest working set of any pass. */
function held({ deployment, workload, query }: Resolved, round: Round, e: Estimate): Prediction['memory'] {
  const { holds = { deployment, workload }, beside = [] } = round
  const m = memoryOf(holds.deployment, holds.workload, e.passes.length === 1 ? (e.passes[0] ?? []) : e.passes.flat())
  let { weights, kv, reserved } = m
  for (const b of beside) {
    const more = besideMemory(b)
    weights += more.weights
    kv += more.kv
    reserved += more.reserved
  }
  const total = weights + kv + m.activations
  const { capacity = null } = query.machine.memory
  const fits = capacity === null ? null : total <= capacity
  return { weights, kv, activations: m.activations, reserved, total, capacity, fits }
}

/** Tokens a second of the whole batch: generated ones in decode, read ones in prefill and encode. */
function throughput({ phase, batch, workload }: Resolved, round: Round, e: Estimate): number {
  return (phase === 'decode' ? batch * round.tokens : newTokens(workload)) / e.expected
}

/** Rows of passes that are alike but for their sizes (checks of several lengths) are one row. */
function merged(rows: OperatorAnswer[], steps: readonly Step[]): OperatorAnswer[] {
  if (new Set(steps.map((s) => s.name)).size === steps.length) return rows
  const byName = new Map<string, OperatorAnswer>()
  for (const row of rows) {
    const key = `${row.step}|${row.name}|${row.layers}`
    const first = byName.get(key)
    byName.set(key, first ? joined(first, row) : row)
  }
  return [...byName.values()]
}

function joined(a: OperatorAnswer, b: OperatorAnswer): OperatorAnswer {
  const bytes = Object.fromEntries(
    Object.entries(a.bytes).map(([key, n]) => [key, n + b.bytes[key as keyof Bytes]]),
  ) as unknown as Bytes
  return {
    ...a,
    times: a.times + b.times,
    flops: a.flops + b.flops,
    bytes,
    bound_s: a.bound_s + b.bound_s,
    expected_s: a.expected_s + b.expected_s,
    interval_s: [a.interval_s[0] + b.interval_s[0], a.interval_s[1] + b.interval_s[1]],
    launches: a.launches + b.launches,
  }
}

function operatorAnswer({ operator, step, time, instances }: Row, intervals: Intervals | undefined): OperatorAnswer {
  const [low, high] = intervals ? intervalOf(operator, time, intervals) : [time.expected, time.expected]
  return {
    name: operator.name,
    kind: operator.shape.kind,
    step: step.name,
    layers: operator.layers,
    count: operator.count,
    times: step.times,
    flops: (operator.matrix + operator.vector) * instances,
    bytes: addBytes(noBytes(), operator, step.times),
    bound_s: time.bound * instances,
    expected_s: time.expected * instances,
    interval_s: [Math.max(time.bound, low) * instances, high * instances],
    limit: time.limit,
    term: time.term,
    unit: operator.unit,
    launches: operator.launches * instances,
    shape: operator.shape,
  }
}

function warningsOf({ query, deployment }: Resolved, memory: Prediction['memory']): string[] {
  const { machine } = query
  const warnings: string[] = []
  if (memory.fits === false) {
    warnings.push(
      `does not fit: ${gib(memory.total)} GiB needed, ${gib(memory.capacity ?? 0)} GiB on one ${machine.name}; times are as if it did`,
    )
  }
  if (memory.capacity === null) warnings.push(`${machine.name}: its capacity is not known, so fits is not either`)
  if (vectorPeak(machine) === undefined) {
    warnings.push(`${machine.name}: no source states its vector peak, so element-wise arithmetic is not bounded`)
  }
  if (deployment.parallel.pipeline > 1) {
    warnings.push(
      'pp: the time is one batch through all stages; with as many batches in flight throughput rises by up to pp',
    )
  }
  return warnings
}

function gib(bytes: number): string {
  return (bytes / 2 ** 30).toFixed(1)
}

/** Steps summed one by one up to here; longer generations are integrated over evenly spaced steps. */
const exactSteps = 512

/** What comes before the first token is out: the encoder, where there is one, and the prompt. */
function start(r: Resolved, strategy: Strategy): Estimate {
  const { query, deployment, batch, context, past, source } = r
  const cross = query.architecture.kind === 'encoder-decoder' ? source : undefined
  const round = strategy(
    deployment,
    prefill(batch, context, past, cross, r.phase === 'prefill' ? r.document : undefined),
  )
  return estimate([...round.start, ...round.steps], profileOf(query.machine, query.calibration))
}

/** Known for a prefill, and for a decode that is asked for as a whole generation. */
function firstToken(r: Resolved, strategy: Strategy, round: Round, e: Estimate): number | null {
  if (r.phase === 'prefill' && round.start.length === 0) return e.expected
  return r.phase === 'prefill' || r.query.newTokens !== undefined ? start(r, strategy).expected : null
}

/** Time over the audio's length, the longest of several: of an encode, or of a whole transcription. */
function realTimeFactor(r: Resolved, e: Estimate, generation: { expected: number } | undefined): number | null {
  if (r.query.audio === undefined) return null
  const audio = Math.max(...[r.query.audio].flat())
  if (r.phase === 'encode') return e.expected / audio
  return generation === undefined ? null : generation.expected / audio
}

/** A whole generation: the prefill, which gives the first token, then each further token's share of a round. */
function generate(r: Resolved, strategy: Strategy): { bound: number; expected: number } {
  const { query, deployment, batch, context, past, source, document } = r
  const profile = profileOf(query.machine, query.calibration)
  const cross = query.architecture.kind === 'encoder-decoder' ? source : undefined
  const prompt = start(r, strategy)
  const begin = context + past
  const steps = (query.newTokens ?? 1) - 1
  let { bound, expected } = prompt
  for (const { at, weight } of quadrature(steps)) {
    const round = strategy(deployment, decode(batch, begin + at, cross, document))
    const step = estimate(round.steps, profile)
    bound += (weight * step.bound) / round.tokens
    expected += (weight * step.expected) / round.tokens
  }
  return { bound, expected }
}

/** Points and weights whose weighted sum is the sum over 0 … n-1, exactly for up to `exactSteps` steps. */
function quadrature(n: number): { at: number; weight: number }[] {
  if (n <= exactSteps) return Array.from({ length: n }, (_, at) => ({ at, weight: 1 }))
  const points = exactSteps
  return Array.from({ length: points }, (_, i) => {
    const from = Math.round((i * n) / points)
    const to = Math.round(((i + 1) * n) / points)
    return { at: Math.round((from + to - 1) / 2), weight: to - from }
  })
}
