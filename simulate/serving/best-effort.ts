// The configuration in which best-effort serving (arXiv 2401.07886) is looked at here: OPT of three sizes on A100s, with
// step times of a plain roofline. The paper gives its models and tasks' kind; deadline, efficiencies and lengths are ours.
import type { Random } from '../../model/random.ts'
import { feasibleBatch } from './capacity.ts'
import type { Scenario } from './dqn/training.ts'
import { always } from './lengths.ts'
import { optQuality, qualityOf } from './quality.ts'
import { Replica } from './replica.ts'
import type { Room } from './room.ts'
import type { Serving } from './simulator.ts'
import type { StepTime } from './step-time.ts'

export interface RooflineModel {
  readonly name: string
  readonly layers: number
  readonly width: number
  readonly parameters: number
}

/** The largest first. Layers and widths are OPT's; parameters as counted with embeddings. */
export const optModels: readonly RooflineModel[] = [
  { name: 'opt-6.7b', layers: 32, width: 4096, parameters: 6.658e9 },
  { name: 'opt-1.3b', layers: 24, width: 2048, parameters: 1.316e9 },
  { name: 'opt-125m', layers: 12, width: 768, parameters: 125.2e6 },
]

export interface BestEffort {
  /** Replicas of each model, the largest first. */
  readonly placement: readonly number[]
  readonly prompt: number
  readonly output: number
  /** Seconds. */
  readonly deadline: number
  readonly tasks: readonly string[]
  /** Dense fp16 FLOP/s, bytes/s, bytes of the machine, and the shares of them that kernels reach. */
  readonly peak: number
  readonly bandwidth: number
  readonly capacity: number
  readonly computeShare: number
  readonly memoryShare: number
  /** Seconds per layer and per sequence of a step. */
  readonly perLayer: number
  readonly perSequence: number
  /** Steps of a request that its feasible batch leaves room for: the output's, and some of waiting. */
  readonly steps: number
}

export const usualBestEffort: BestEffort = {
  placement: [1, 1, 2],
  prompt: 128,
  output: 48,
  deadline: 1.5,
  tasks: ['piqa', 'winogrande', 'arc_easy', 'lambada'],
  peak: 312e12,
  bandwidth: 2.039e12,
  capacity: 80 * 2 ** 30,
  computeShare: 0.5,
  memoryShare: 0.8,
  perLayer: 0.15e-3,
  perSequence: 15e-6,
  steps: 52,
}

/** Bytes of keys and values of one token, in 16 bits. */
export function kvBytes({ layers, width }: RooflineModel): number {
  return 4 * layers * width
}

/** Weights once and every cached token once, or two FLOPs a parameter and token; launches by layer, sampling by sequence. */
export function rooflineTime(model: RooflineModel, b: BestEffort): StepTime {
  const { layers, parameters } = model
  const perToken = kvBytes(model) / (b.memoryShare * b.bandwidth)
  const weights = (2 * parameters) / (b.memoryShare * b.bandwidth)
  const compute = (2 * parameters) / (b.computeShare * b.peak)
  return {
    seconds: (batch) => {
      let cached = 0
      for (const c of batch.cached) cached += c
      const memory = weights + perToken * cached
      const tokens = batch.decoding + batch.readingTokens
      return layers * b.perLayer + Math.max(memory, compute * tokens) + b.perSequence * batch.size
    },
  }
}

export interface ModelFacts {
  readonly model: RooflineModel
  readonly time: StepTime
  /** Largest batch that meets the deadline, and requests per second of it. */
  readonly batch: number
  readonly rate: number
}

/** Each model's feasible batch and what one replica then serves. */
export function modelFacts(b: BestEffort): ModelFacts[] {
  return optModels.map((model) => {
    const time = rooflineTime(model, b)
    const step = (batch: number) => meanStep(model, b, batch)
    const batch = feasibleBatch((n) => b.steps * step(n) <= b.deadline)
    return { model, time, batch, rate: batch / (b.output * step(batch)) }
  })
}

/** Seconds of a step in which a batch reads as many prompt tokens as its sequences bring on average. */
export function meanStep(model: RooflineModel, b: BestEffort, batch: number): number {
  const reading = (batch / b.output) * b.prompt
  const memory =
    (2 * model.parameters + kvBytes(model) * (b.prompt + b.output / 2) * batch) / (b.memoryShare * b.bandwidth)
  const compute = (2 * model.parameters * (batch + reading)) / (b.computeShare * b.peak)
  return model.layers * b.perLayer + Math.max(memory, compute) + b.perSequence * batch
}

const block = 16

function roomOf(model: RooflineModel, b: BestEffort): Room {
  const left = 0.9 * b.capacity - 2 * model.parameters
  return { block, blocks: Math.floor(left / (block * kvBytes(model))), each: 0 }
}

const none = Number.POSITIVE_INFINITY

/** Replicas as placed; without a cap of the batch but the cache's. */
export function bestEffortReplicas(b: BestEffort, streams: () => Random): Serving[] {
  const caps = { batch: none, tokens: none, prefill: 'whole', chunk: 0, prefix: 0 } as const
  const present = optModels.map((model, i) => ({ model, count: b.placement[i] ?? 0 })).filter((m) => m.count > 0)
  return present.flatMap(({ model, count }, index) => {
    const [time, room] = [rooflineTime(model, b), roomOf(model, b)]
    return Array.from({ length: count }, () => {
      const random = streams()
      return {
        model: index,
        stations: (queue, events) => [new Replica(queue, time, room, caps, events, random)],
      } satisfies Serving
    })
  })
}

/** The scenario of a placement, of the models that have a replica. */
export function bestEffortScenario(b: BestEffort): Scenario {
  const facts = modelFacts(b).map((f, i) => ({ ...f, count: b.placement[i] ?? 0 }))
  const present = facts.filter((f) => f.count > 0)
  const models = present.map((f) => f.model.name)
  return {
    models,
    tasks: b.tasks,
    quality: qualityOf(optQuality, models, b.tasks),
    deadline: b.deadline,
    prompt: always(b.prompt),
    output: always(b.output),
    scales: {
      batches: present.map((f) => f.batch),
      rate: present.reduce((sum, f) => sum + f.count * f.rate, 0),
    },
    drawTasks: (random) => () => Math.floor(random() * b.tasks.length),
    replicas: (streams) => bestEffortReplicas(b, streams),
  }
}
