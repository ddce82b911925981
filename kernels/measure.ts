// One kernel at one shape on one backend: its tensors made, its outputs checked, then timed, and the time set beside
// what the model says. Nothing is timed that was not found right.
import type { Profile } from '../hardware/profile.ts'
import { type Limit, operatorTime, type Term } from '../hardware/time.ts'
import { type Operator, operatorBytes } from '../model/operator.ts'
import { type Backend, DeviceError, type Facts } from './backend.ts'
import { checked, type Verdict } from './check.ts'
import { elementBytes, poison } from './input.ts'
import type { AnyKernel, Launch, Plan, Problem, Sizes, Tensor } from './kernel.ts'
import { type Protocol, type Timing, timed, usualProtocol } from './protocol.ts'

/** A row of `measure --json`. Null where there is nothing to say: no machine to predict for, nothing timed. */
export interface Measurement {
  readonly kernel: string
  readonly shape: Sizes
  readonly variant: string
  readonly checked: boolean
  /** Where it was found wrong: what, and then nothing is timed. */
  readonly fault: string | null
  readonly max_error: number
  readonly tolerance: number
  readonly median_s: number | null
  /** The shortest sample's. */
  readonly best_s: number | null
  /** Between the quartiles. */
  readonly spread_s: number | null
  readonly samples: number
  readonly repeats: number
  /** Operands were in the last-level cache, which then is the bound's memory. */
  readonly warm: boolean
  readonly bytes: number
  readonly flops: number
  readonly bytes_per_s: number | null
  readonly flops_per_s: number | null
  /** Stored codes unpacked, in all. */
  readonly codes: number
  readonly bound_s: number | null
  readonly expected_s: number | null
  readonly limit: Limit | null
  readonly term: Term | null
  readonly beats_bound: boolean | null
  readonly launches: number
}

export interface MeasureOptions {
  /** What is predicted on; absent: nothing is predicted. */
  readonly profile?: Profile
  readonly protocol?: Protocol
  /** Which of the plans' variants; absent: the first. */
  readonly variant?: string
  /** The kernel's problem of these sizes, where it was made before. */
  readonly problem?: Problem
  /** Times nothing. */
  readonly checkOnly?: boolean
  /** Bytes of the last-level cache, where the machine's is not meant: 0 leaves operands in the cache. */
  readonly cache?: number
}

/** A measurement went wrong on the device; the message names kernel and shape. */
export class MeasureError extends Error {
  override name = 'MeasureError'
}

/** Bytes of the last-level cache where no machine says: beyond that of today's devices but the largest. */
const unknownCache = 2 ** 26
/** Caches' worth of inputs that are used in turn, so that none is still in the cache when its turn comes. */
const turnover = 4
const mostSets = 64

/** The plans of a kernel on a device. Throws RangeError where the backend has none for this shape. */
export function plansOf(kernel: AnyKernel, sizes: Sizes, { name, facts }: Backend): readonly Plan[] {
  const plans = kernel.plans[name]?.(sizes, facts) ?? []
  if (plans.length === 0) {
    throw new RangeError(`${kernel.name} (${shapeText(sizes)}): ${name} on ${facts.device} cannot run it`)
  }
  // Small shapes make some ways alike.
  return plans.filter((plan, i) => plans.findIndex((p) => p.variant === plan.variant) === i)
}

/** All sizes of a kernel: those asked for, else the defaults; what a backend cannot store in fp16 is fp32. */
export function sizesOf(kernel: AnyKernel, asked: Partial<Sizes>, { stores }: Facts): Sizes {
  const sizes: Record<string, number> = {}
  for (const [name, size] of Object.entries(kernel.sizes)) {
    const usual = name === 'bits' && size.default === 16 && !stores.includes('fp16') ? 32 : size.default
    const value = asked[name] ?? usual
    if (!Number.isInteger(value) || (size.of ? !size.of.includes(value) : value < (size.least ?? 1))) {
      const expected = size.of ? `one of ${size.of.join(', ')}` : `a whole number from ${size.least ?? 1}`
      throw new RangeError(`--shape: ${kernel.name}: ${name}: expected ${expected}, got ${value}`)
    }
    sizes[name] = value
  }
  for (const name of Object.keys(asked)) {
    if (!Object.hasOwn(kernel.sizes, name)) {
      throw new RangeError(
        `--shape: ${kernel.name}: expected ${Object.keys(kernel.sizes).join(', ') || 'no sizes'}, got ${name}`,
      )
    }
  }
  return sizes
}

/** `m=1,n=4096`. */
export function shapeText(sizes: Sizes): string {
  return Object.entries(sizes)
    .map(([name, value]) => `${name}=${value}`)
    .join(',')
}

/** Checks, then times. Throws MeasureError where the device refuses, RangeError where there is no plan. */
export async function measure(
  backend: Backend,
  kernel: AnyKernel,
  sizes: Sizes,
  options: MeasureOptions = {},
): Promise<Measurement> {
  const plans = plansOf(kernel, sizes, backend)
  const plan = options.variant === undefined ? plans[0] : plans.find((p) => p.variant === options.variant)
  if (!plan) {
    const names = plans.map((p) => p.variant || '(the only one)').join(', ')
    throw new RangeError(`${kernel.name}: expected a variant of ${names}, got ${options.variant}`)
  }
  try {
    return await run(backend, kernel, sizes, plan, options)
  } catch (error) {
    if (!(error instanceof DeviceError)) throw error
    throw new MeasureError(`${kernel.name} (${shapeText(sizes)}) on ${backend.facts.device}: ${error.message}`)
  }
}

async function run(
  backend: Backend,
  kernel: AnyKernel,
  sizes: Sizes,
  plan: Plan,
  { profile, protocol = usualProtocol, checkOnly = false, problem = kernel.problem(sizes), ...options }: MeasureOptions,
): Promise<Measurement> {
  const cache = options.cache ?? profile?.machine.cache?.bytes ?? unknownCache
  const held = bytesOf(problem, plan)
  const wanted = Math.max(1, Math.ceil((turnover * cache) / Math.max(held, 1)))
  const warm = cache === 0 || wanted > mostSets
  const sets: BufferSet[] = []
  try {
    sets.push(await allocate(backend, problem, plan, 0))
    const steps = await compiled(backend, plan)
    await backend.time(() => dispatch(backend, steps, sets[0] as BufferSet))
    const verdict = await checked(backend, problem, (name) => whole(sets[0] as BufferSet, name))
    if (!verdict.checked || checkOnly) return row(kernel, sizes, plan, problem, verdict, undefined, warm, profile)
    while (!warm && sets.length < wanted) sets.push(await allocate(backend, problem, plan, sets.length))
    let turn = 0
    const timing = await timed(
      (repeats) =>
        backend.time(() => {
          for (let i = 0; i < repeats; i++) {
            if (i > 0) backend.fence()
            dispatch(backend, steps, sets[turn++ % sets.length] as BufferSet)
          }
        }),
      { ...protocol, warmup: Math.max(protocol.warmup, backend.facts.rising ?? 0) },
    )
    return row(kernel, sizes, plan, problem, verdict, timing, warm, profile)
  } finally {
    for (const set of sets) for (const parts of set.values()) for (const b of parts) backend.release(b)
  }
}

/** The buffers of one set of tensors: one each, or one for each part. */
type BufferSet = Map<string, unknown[]>

function whole(set: BufferSet, name: string): unknown {
  const [buffer] = set.get(name) ?? []
  if (buffer === undefined) throw new Error(`expected a tensor, got ${name}`)
  return buffer
}

function bytesOf(problem: Problem, plan: Plan): number {
  return [...problem.tensors, ...(plan.scratch ?? [])].reduce((sum, t) => sum + t.elements * elementBytes[t.type], 0)
}

/** Inputs filled, outputs and scratch poisoned. Sets differ in their random elements. */
async function allocate(backend: Backend, problem: Problem, plan: Plan, number: number): Promise<BufferSet> {
  const set: BufferSet = new Map()
  for (const tensor of [...problem.tensors, ...(plan.scratch ?? [])]) {
    const parts = tensor.cut ? (plan.parts ?? 1) : 1
    const elements = tensor.elements / parts
    if (!Number.isInteger(elements)) throw new Error(`${tensor.name}: expected ${parts} equal parts`)
    const buffers: unknown[] = []
    set.set(tensor.name, buffers)
    for (let part = 0; part < parts; part++) {
      const bytes = elements * elementBytes[tensor.type]
      if (bytes > backend.facts.binding) {
        throw new DeviceError(`${tensor.name} takes ${bytes} bytes, more than a binding's ${backend.facts.binding}`)
      }
      const buffer = await backend.allocate(bytes)
      buffers.push(buffer)
      const fill = fillOf(tensor, number)
      await backend.fill(buffer, tensor.type, elements, fill, part * elements)
    }
  }
  return set
}

function fillOf(tensor: Tensor, number: number) {
  if (tensor.use !== 'input') return { kind: 'word', word: poison } as const
  const { fill } = tensor
  if (!fill) throw new Error(`${tensor.name}: expected an input to have a fill`)
  return 'seed' in fill ? { ...fill, seed: fill.seed + 1000 * number } : fill
}

interface Step extends Launch {
  readonly program: unknown
}

async function compiled(backend: Backend, plan: Plan): Promise<Step[]> {
  const steps: Step[] = []
  for (const launch of plan.launches) steps.push({ ...launch, program: await backend.compile(launch.source) })
  return steps
}

function dispatch(backend: Backend, steps: readonly Step[], set: BufferSet): void {
  for (const { program, buffers, groups, args = [], part = 0 } of steps) {
    const bound = buffers.map((name) => {
      const parts = set.get(name)
      const buffer = parts?.[parts.length === 1 ? 0 : part]
      if (buffer === undefined) throw new Error(`expected a tensor of the problem or its scratch, got ${name}`)
      return buffer
    })
    backend.dispatch(program, bound, groups, args)
  }
}

function sum(operators: readonly Operator[], of: (o: Operator) => number): number {
  return operators.reduce((total, o) => total + of(o) * o.count, 0)
}

function row(
  kernel: AnyKernel,
  shape: Sizes,
  plan: Plan,
  problem: Problem,
  verdict: Verdict,
  timing: Timing | undefined,
  warm: boolean,
  profile: Profile | undefined,
): Measurement {
  const { operators } = problem
  const bytes = sum(operators, operatorBytes)
  const flops = sum(operators, (o) => o.matrix + o.vector)
  const codes = sum(operators, (o) => o.streams.reduce((n, s) => n + (s.codes ?? 0), 0))
  const predicted = profile && predictedTime(operators, profile, warm)
  const median = timing?.median ?? null
  return {
    kernel: kernel.name,
    shape,
    variant: plan.variant,
    checked: verdict.checked,
    fault: verdict.fault ?? null,
    max_error: verdict.maxError,
    tolerance: verdict.tolerance,
    median_s: median,
    best_s: timing?.best ?? null,
    spread_s: timing?.spread ?? null,
    samples: timing?.samples ?? 0,
    repeats: timing?.repeats ?? 0,
    warm,
    bytes,
    flops,
    bytes_per_s: median ? bytes / median : null,
    flops_per_s: median ? flops / median : null,
    codes,
    bound_s: predicted?.bound ?? null,
    expected_s: predicted?.expected ?? null,
    limit: predicted?.limit ?? null,
    term: predicted?.term ?? null,
    beats_bound: predicted && median !== null ? median < predicted.bound : null,
    launches: plan.launches.length,
  }
}

/** Of all operators; limit and term are those of the longest. */
function predictedTime(operators: readonly Operator[], profile: Profile, warm: boolean) {
  const times = operators.map((o) => {
    const t = operatorTime(o, profile, warm)
    return { ...t, bound: t.bound * o.count, expected: t.expected * o.count }
  })
  const longest = times.toSorted((a, b) => b.expected - a.expected)[0]
  if (!longest) return undefined
  return {
    bound: times.reduce((s, t) => s + t.bound, 0),
    expected: times.reduce((s, t) => s + t.expected, 0),
    limit: longest.limit,
    term: longest.term,
  }
}
