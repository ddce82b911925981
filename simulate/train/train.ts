// One training step: the memory of each device by part, FLOPs, and time. A step is a forward pass, a backward pass of
// twice its work, what is computed again, the sum of gradients over replicas, and the optimizer; nothing overlaps.
import type { Machine } from '../../hardware/machine.ts'
import { type Calibration, type Profile, profileOf } from '../../hardware/profile.ts'
import { operatorTime, peak } from '../../hardware/time.ts'
import type { Architecture } from '../../model/architecture.ts'
import { type Deployment, deploy, type Fusion, weightBytes } from '../../model/deployment.ts'
import { type Format, format } from '../../model/format.ts'
import type { Operator, Stream } from '../../model/operator.ts'
import { weights } from '../../model/parameters.ts'
import { pass } from '../../model/pass.ts'
import { encode, prefill, type Workload } from '../../model/workload.ts'
import { modelActivations, type Recompute } from './activations.ts'

export const optimizers = ['adam', 'sgd'] as const
export type Optimizer = (typeof optimizers)[number]

/** `mixed`: 16 bits with a copy of the parameters in fp32. `amp`: fp32, multiplied in 16 bits. `fp32`: all in fp32. */
export const precisions = ['mixed', 'amp', 'fp32'] as const
export type Precision = (typeof precisions)[number]

export interface Training {
  readonly architecture: Architecture
  /** Sequences of each replica in a step, all at once. */
  readonly batch: number
  /** Tokens of each. */
  readonly sequence: number
  readonly optimizer?: Optimizer
  readonly precision?: Precision
  readonly recompute?: Recompute
  readonly fusion?: Fusion
  /** Default: where feed-forward layers have no gate, as in the models of its time. */
  readonly dropout?: boolean
  /** What is spread over the replicas: nothing, optimizer states, gradients too, parameters too. */
  readonly zero?: 0 | 1 | 2 | 3
  readonly tensor?: number
  /** Replicas. */
  readonly data?: number
  readonly machine?: Machine
  readonly calibration?: Calibration
  /** Tokens of the whole training. */
  readonly tokens?: number
}

export interface TrainingMemory {
  readonly parameters: number
  readonly gradients: number
  readonly optimizer: number
  readonly activations: number
  readonly total: number
}

/** Keys as `train --json` prints them. Bytes and seconds; null where there is no machine or no budget. */
export interface TrainingStep {
  readonly model: string
  readonly machine: string | null
  readonly batch: number
  readonly sequence: number
  readonly optimizer: Optimizer
  readonly precision: Precision
  readonly recompute: Recompute
  readonly fusion: Fusion
  readonly dropout: boolean
  readonly zero: number
  readonly tp: number
  readonly dp: number
  readonly devices: number
  /** Of one device. */
  readonly memory: TrainingMemory
  readonly capacity: number | null
  readonly fits: boolean | null
  /** Sequences of each replica that fit; 0 where not even one does. */
  readonly largest_batch: number | null
  /** Tokens of a step, all replicas. */
  readonly tokens: number
  /** Of a step on all devices: forward and backward. */
  readonly flops: number
  /** Computed again on top. */
  readonly recompute_flops: number
  readonly bound_s: number | null
  readonly step_s: number | null
  /** Parts of step_s. */
  readonly parts: {
    readonly forward_s: number
    readonly backward_s: number
    readonly recompute_s: number
    readonly gradients_s: number
    readonly optimizer_s: number
  } | null
  /** Of the whole budget of tokens. */
  readonly total: {
    readonly tokens: number
    readonly steps: number
    readonly flops: number
    readonly seconds: number | null
  } | null
  readonly assumed: readonly string[]
  readonly warnings: readonly string[]
}

interface Settled extends Required<Omit<Training, 'machine' | 'calibration' | 'tokens'>> {
  readonly machine: Machine | undefined
}

const largestCount = 1e7

/** Answers for one step. Throws RangeError. */
export function train(training: Training): TrainingStep {
  const t = settle(training)
  const deployment = deploymentOf(t)
  const memory = trainingMemory(t, t.batch, deployment)
  const capacity = t.machine?.memory.capacity ?? null
  const work = workOf(t, deployment)
  const devices = t.tensor * t.data
  const flops = (work.forward + work.backward) * devices
  const tokens = t.batch * t.sequence * t.data
  const time =
    t.machine === undefined ? undefined : timeOf(t, work, deployment, profileOf(t.machine, training.calibration))
  return {
    model: t.architecture.name,
    machine: t.machine?.name ?? null,
    batch: t.batch,
    sequence: t.sequence,
    optimizer: t.optimizer,
    precision: t.precision,
    recompute: t.recompute,
    fusion: t.fusion,
    dropout: t.dropout,
    zero: t.zero,
    tp: t.tensor,
    dp: t.data,
    devices,
    memory,
    capacity,
    fits: capacity === null ? null : memory.total <= capacity,
    largest_batch: capacity === null ? null : largestBatch(t, deployment, capacity),
    tokens,
    flops,
    recompute_flops: work.again * devices,
    bound_s: time?.bound ?? null,
    step_s: time?.expected ?? null,
    parts: time?.parts ?? null,
    total: training.tokens === undefined ? null : budget(training.tokens, tokens, flops, time?.expected),
    assumed: assumptions(training, t),
    warnings: warningsOf(t, memory, capacity),
  }
}

function budget(all: number, tokens: number, flops: number, seconds: number | undefined) {
  const steps = all / tokens
  return { tokens: all, steps, flops: steps * flops, seconds: seconds === undefined ? null : steps * seconds }
}

function settle(t: Training): Settled {
  const { architecture, machine } = t
  const { tensor = 1, data = 1, zero = 0, recompute = 'none', fusion = 'flash' } = t
  const counts = { batch: t.batch, sequence: t.sequence, tp: tensor, dp: data }
  for (const [name, value] of Object.entries(counts)) {
    if (Number.isInteger(value) && value >= 1 && value <= largestCount) continue
    throw new RangeError(`${name}: expected a whole number from 1 to ${largestCount}, got ${value}`)
  }
  const plain = architecture.stacks.some((s) =>
    s.groups.some((g) => g.modules.some((m) => m.kind === 'ffn' && !m.gated)),
  )
  return {
    architecture,
    machine,
    batch: t.batch,
    sequence: t.sequence,
    optimizer: t.optimizer ?? 'adam',
    precision: t.precision ?? 'mixed',
    recompute,
    fusion,
    dropout: t.dropout ?? plain,
    zero,
    tensor,
    data,
  }
}

/** What parameters and activations are multiplied in. */
function arithmetic({ precision, machine }: Settled): Format {
  if (precision === 'fp32') return format('fp32')
  if (machine === undefined || peak(machine, 'bf16') !== undefined) return format('bf16')
  if (peak(machine, 'fp16') !== undefined) return format('fp16')
  throw new RangeError(`precision: ${machine.name} has no 16-bit unit; expected fp32, got ${precision}`)
}

function deploymentOf(t: Settled): Deployment {
  const narrow = arithmetic(t)
  if (t.machine !== undefined && peak(t.machine, narrow.unit) === undefined) {
    throw new RangeError(
      `precision: ${t.machine.name} has no unit for ${narrow.name}; expected one of ${Object.keys(t.machine.peaks).join(', ')}`,
    )
  }
  const kept = t.precision === 'mixed' ? narrow : format('fp32')
  const stream = narrow.bits === 16 ? { stream: narrow } : {}
  // Trained in one format throughout, however it was released.
  const roles = Object.fromEntries(Object.keys(t.architecture.formats).map((role) => [role, kept]))
  return deploy(t.architecture, {
    weights: kept,
    roles,
    activations: narrow,
    fusion: t.fusion,
    parallel: { tensor: t.tensor },
    ...stream,
  })
}

/** Bytes of each parameter by precision: the parameter, its gradient, its optimizer state with a copy in fp32 where mixed. */
const perParameter: Readonly<Record<Precision, { parameter: number; gradient: number } & Record<Optimizer, number>>> = {
  mixed: { parameter: 2, gradient: 2, adam: 12, sgd: 8 },
  amp: { parameter: 4, gradient: 4, adam: 8, sgd: 4 },
  fp32: { parameter: 4, gradient: 4, adam: 8, sgd: 4 },
}

/** Parameters of one rank of tensor parallelism. */
function rankParameters(d: Deployment): number {
  const bytes = Object.fromEntries(
    Object.keys(d.weights).map((role) => [role, format('fp32')]),
  ) as Deployment['weights']
  const wide = { ...d, weights: bytes }
  let sum = 0
  for (const { input, groups, output } of d.architecture.stacks) {
    for (const w of [...input, ...output].flatMap(weights)) sum += weightBytes(w, wide)
    for (const g of groups) for (const w of g.modules.flatMap(weights)) sum += g.layers.length * weightBytes(w, wide)
  }
  return sum / 4
}

/** Bytes of one device by part, for a batch. */
function trainingMemory(t: Settled, batch: number, d: Deployment): TrainingMemory {
  const n = rankParameters(d)
  const { parameter, gradient, [t.optimizer]: state } = perParameter[t.precision]
  const spread = (from: number) => (t.zero >= from ? t.data : 1)
  const crosses = t.architecture.kind === 'encoder-decoder'
  const activations = modelActivations(
    t.architecture,
    {
      batch,
      sequence: t.sequence,
      ...(crosses && { source: t.sequence }),
      width: arithmetic(t).bits / 8,
      tensor: t.tensor,
      scores: t.fusion === 'unfused' && t.recompute !== 'selective',
      dropout: t.dropout,
    },
    t.recompute,
  )
  const parts = {
    parameters: (n * parameter) / spread(3),
    gradients: (n * gradient) / spread(2),
    optimizer: (n * state) / spread(1),
    activations,
  }
  return { ...parts, total: parts.parameters + parts.gradients + parts.optimizer + parts.activations }
}

/** The largest batch whose memory fits, which grows with it. */
function largestBatch(t: Settled, d: Deployment, capacity: number): number {
  const fits = (batch: number) => trainingMemory(t, batch, d).total <= capacity
  if (!fits(1)) return 0
  let [low, high] = [1, 2]
  while (fits(high) && high < largestCount) [low, high] = [high, 2 * high]
  while (high - low > 1) {
    const middle = Math.floor((low + high) / 2)
    if (fits(middle)) low = middle
    else high = middle
  }
  return low
}

interface Work {
  readonly operators: readonly Operator[]
  /** FLOPs of one device. */
  readonly forward: number
  readonly backward: number
  readonly again: number
}

/** Every position takes the head. */
function workloads({ architecture: a, batch, sequence }: Settled): Workload[] {
  const all = (w: Workload): Workload => ({ ...w, groups: w.groups.map((g) => ({ ...g, logits: sequence })) })
  if (a.kind === 'encoder') return [all(encode(batch, sequence))]
  if (a.kind === 'decoder') return [all(prefill(batch, sequence))]
  return [encode(batch, sequence), all(prefill(batch, sequence, 0, sequence))]
}

/** Times the forward work that an operator takes in the backward pass. */
function backwardOf(o: Operator, { fusion }: Settled): number {
  // Fused attention computes its scores again on the way back: five products for the two of the way there.
  return o.shape.kind === 'attention' && fusion === 'flash' ? 2.5 : 2
}

/** Times the forward work that is done again before the backward pass. */
function againOf(o: Operator, { recompute, fusion }: Settled): number {
  if (recompute === 'full') return o.layers === '' ? 0 : 1
  const scores = o.shape.kind === 'attention' || /scores|softmax/.test(o.name)
  return recompute === 'selective' && fusion === 'unfused' && scores ? 1 : 0
}

function workOf(t: Settled, d: Deployment): Work {
  const operators = workloads(t).flatMap((w) => pass(d, w))
  const sum = (factor: (o: Operator) => number) =>
    operators.reduce((total, o) => total + (o.matrix + o.vector) * o.count * factor(o), 0)
  return {
    operators,
    forward: sum(() => 1),
    backward: sum((o) => backwardOf(o, t)),
    again: sum((o) => againOf(o, t)),
  }
}

interface StepTime {
  readonly bound: number
  readonly expected: number
  readonly parts: NonNullable<TrainingStep['parts']>
}

function timeOf(t: Settled, { operators }: Work, d: Deployment, profile: Profile): StepTime {
  const times = operators.map((o) => ({ o, time: operatorTime(o, profile) }))
  const seconds = (which: 'bound' | 'expected', factor: (o: Operator) => number) =>
    times.reduce((sum, { o, time }) => sum + time[which] * o.count * factor(o), 0)
  const extras = { gradients: gradientOperators(t, d), optimizer: [optimizerOperator(t, d)] }
  const more = (which: 'bound' | 'expected', list: readonly Operator[]) =>
    list.reduce((sum, o) => sum + operatorTime(o, profile)[which] * o.count, 0)
  const of = (which: 'bound' | 'expected') => ({
    forward_s: seconds(which, () => 1),
    backward_s: seconds(which, (o) => backwardOf(o, t)),
    recompute_s: seconds(which, (o) => againOf(o, t)),
    gradients_s: more(which, extras.gradients),
    optimizer_s: more(which, extras.optimizer),
  })
  const total = (parts: NonNullable<TrainingStep['parts']>) => Object.values(parts).reduce((a, b) => a + b, 0)
  const expected = of('expected')
  return { bound: total(of('bound')), expected: total(expected), parts: expected }
}

function extra(name: string, shape: Operator['shape'], streams: readonly Stream[], count = 1): Operator {
  return { name, layers: '', count, launches: 1, shape, matrix: 0, vector: 0, unit: 'fp32', streams }
}

/** Gradients summed over the replicas; parameters gathered for both passes where they are spread. */
function gradientOperators(t: Settled, d: Deployment): Operator[] {
  if (t.data === 1) return []
  const { gradient, parameter } = perParameter[t.precision]
  const n = rankParameters(d)
  const collective = (name: string, type: 'all-reduce' | 'all-gather', message: number, count = 1) =>
    extra(name, { kind: 'collective', type, devices: t.data, message }, [], count)
  // A reduce-scatter and an all-gather of what is spread move what an all-reduce does.
  const reduce = collective('gradients', 'all-reduce', n * gradient)
  return t.zero < 3 ? [reduce] : [reduce, collective('parameters', 'all-gather', (n * parameter) / t.data)]
}

/** The optimizer reads gradients and states, and writes states and parameters: once through the memory. */
function optimizerOperator(t: Settled, d: Deployment): Operator {
  const { parameter, gradient, [t.optimizer]: state } = perParameter[t.precision]
  const n = rankParameters(d) / (t.zero >= 1 ? t.data : 1)
  // The parameters are part of the state where it holds their copy.
  const read = gradient + state + (t.precision === 'mixed' ? 0 : parameter)
  const stream = (way: 'read' | 'write', bytes: number): Stream => ({ owner: 'weights', way, bytes, metadata: 0 })
  return extra('optimizer', { kind: 'stream', elements: n }, [
    stream('read', n * read),
    stream('write', n * (state + parameter)),
  ])
}

function assumptions(given: Training, t: Settled): string[] {
  return [
    ...(given.dropout === undefined
      ? [t.dropout ? 'dropout, as models with plain feed-forward layers were trained' : 'no dropout']
      : []),
    ...(t.architecture.kind === 'encoder-decoder' ? [`the encoder reads ${t.sequence} tokens too`] : []),
    'gradients of the whole batch at once; nothing overlaps',
  ]
}

function warningsOf(t: Settled, memory: TrainingMemory, capacity: number | null): string[] {
  const gib = (bytes: number) => (bytes / 2 ** 30).toFixed(1)
  return [
    ...(capacity !== null && memory.total > capacity
      ? [
          `does not fit: ${gib(memory.total)} GiB needed, ${gib(capacity)} GiB on one ${t.machine?.name}; times are as if it did`,
        ]
      : []),
    ...(t.recompute === 'selective' && t.fusion === 'flash'
      ? ['recompute selective: it leaves out scores, which flash attention never keeps, so it changes nothing']
      : []),
    ...(t.zero > 0 && t.data === 1
      ? [`zero ${t.zero}: one replica has nobody to share with, so it changes nothing`]
      : []),
    ...(t.architecture.positions !== undefined && t.sequence > t.architecture.positions
      ? [`${t.architecture.name} was made for ${t.architecture.positions} positions; this needs ${t.sequence}`]
      : []),
  ]
}
