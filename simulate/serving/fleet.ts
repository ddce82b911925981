// Replicas of models on machines, as the simulator takes them: their step times, the room of their caches, and what they
// can never serve.
import type { Machine } from '../../hardware/machine.ts'
import { profileOf } from '../../hardware/profile.ts'
import { devices } from '../../model/deployment.ts'
import type { Random } from '../../model/random.ts'
import { prefill } from '../../model/workload.ts'
import { type Engine, graph } from '../engine.ts'
import { estimate } from '../estimate.ts'
import { strategyOf } from '../predict.ts'
import { type Query, resolve } from '../query.ts'
import { autoregressive } from '../round.ts'
import { type Caps, Replica } from './replica.ts'
import { blocksOf, type Room, roomOf } from './room.ts'
import type { Serving } from './simulator.ts'
import { Slot } from './slot.ts'
import { compiledTime, referenceTime, type StepTime } from './step-time.ts'

export interface ReplicaOptions {
  /** Model, machine, deployment and methods; phases and lengths are the simulation's. */
  readonly query: Query
  readonly caps: Caps
  /** Tokens of a block of the cache. */
  readonly block: number
  /** Share of the device's memory for weights, cache and working memory. */
  readonly memoryShare: number
  /** Tokens that a request typically has cached half way: strategies choose their options for it. */
  readonly usualContext: number
  readonly engine?: Engine
  /** Ask the estimator itself for each step. */
  readonly reference?: boolean
}

/** Everything about a kind of replica that its copies share. */
export interface ReplicaKind {
  readonly name: string
  readonly machine: Machine
  readonly time: StepTime
  readonly room: Room
  readonly devices: number
  readonly caps: Caps
  readonly query: Query
  readonly warnings: readonly string[]
  /** Sequences of a prompt and an output that run at once. */
  most(prompt: number, output: number): number
  serving(model: number, random: Random): Serving
}

/** Throws RangeError where the model cannot be served so. */
export function replicaKind(options: ReplicaOptions): ReplicaKind {
  const { caps, engine = graph, usualContext } = options
  const { architecture, machine, calibration } = options.query
  if (architecture.kind !== 'decoder') {
    throw new RangeError(`${architecture.name}: expected a decoder to serve, got an ${architecture.kind} model`)
  }
  const works = options.query.methods?.find((m) => m.document)
  if (works)
    throw new RangeError(`with ${works.name}: it works on a document known beforehand; a served prompt is none`)
  const positions = architecture.positions ?? Number.POSITIVE_INFINITY
  const context = Math.max(1, Math.min(usualContext, positions - 1))
  const resolved = resolve({ ...options.query, phase: 'decode', context })
  const profile = profileOf(machine, calibration)
  const made = strategyOf(resolved, profile)
  const { deployment } = resolved
  const plain = made.strategy === autoregressive
  const time =
    plain && options.reference !== true
      ? compiledTime(deployment, profile, engine)
      : referenceTime(deployment, profile, made.strategy, engine)
  // What no unit of the machine computes is told before anything is simulated.
  estimate([{ name: 'probe', on: 'target', deployment, workload: prefill(1, 1), times: 1 }], profile)
  const stepTokens = Math.min(caps.tokens, 65536)
  const { block, memoryShare: share } = options
  const room = roomOf({ deployment, machine, strategy: made.strategy, share, block, stepTokens })
  const warnings = [...resolved.warnings, ...made.warnings]
  if (machine.memory.capacity === undefined) {
    warnings.push(`${machine.name}: its capacity is not known, so the cache has no end`)
  }
  const kind: ReplicaKind = {
    name: architecture.name,
    machine,
    time,
    room,
    caps,
    devices: devices(deployment),
    query: options.query,
    warnings,
    most: (prompt, output) => Math.min(caps.batch, Math.floor(room.blocks / blocksOf(prompt + output, room))),
    serving: (model, random) => ({
      model,
      stations: (queue, events) => [new Replica(queue, time, room, caps, events, random)],
      refuses: ({ prompt, output }) => {
        if (prompt + output > positions) return `longer than the ${positions} positions of ${architecture.name}`
        const prefix = prompt > caps.prefix ? 0 : blocksOf(caps.prefix, room)
        if (blocksOf(prompt + output + (time.ahead ?? 1), room) + prefix <= room.blocks) return undefined
        return `needs more cache than a replica of ${architecture.name} has`
      },
    }),
  }
  return kind
}

/** Services of queueing theory: drawn from an exponential law or constant. Seconds. */
export interface Service {
  readonly kind: 'exponential' | 'constant'
  readonly seconds: number
}

export function parseService(text: string): Service {
  const [, kind, number = ''] = /^(exponential|constant):(.*)$/.exec(text) ?? []
  const seconds = /^[0-9]*\.?[0-9]+(e[+-]?[0-9]+)?$/i.test(number) ? Number(number) : Number.NaN
  if ((kind === 'exponential' || kind === 'constant') && seconds > 0 && seconds < 1e9) return { kind, seconds }
  throw new RangeError(`expected model, exponential:S or constant:S with S seconds above 0, got ${text}`)
}

/** A replica of as many servers as its batch cap. */
export function serviceServing({ kind, seconds }: Service, servers: number, random: Random): Serving {
  const draw = kind === 'constant' ? () => seconds : () => -seconds * Math.log(1 - random())
  return {
    model: 0,
    stations: (queue, events) => Array.from({ length: servers }, () => new Slot(queue, draw, events)),
  }
}
