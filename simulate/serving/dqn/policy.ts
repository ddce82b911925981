// A learned router at work: a network of two hidden layers that says what each model is worth for a request, from the
// request's task, the load of each model and the recent rate of arrivals. Double DQN trains it (learner.ts).
import { type Fleet, leastLoaded, type Place, type Router, type Seen } from '../router.ts'

/** One layer: `bias.length` outputs, `weights` row by row for each input. */
export interface Layer {
  readonly weights: Float64Array
  readonly bias: Float64Array
}

/** What inputs are divided by, so that all are near 1: the feasible batch of each model, the rate that all serve. */
export interface Scales {
  readonly batches: readonly number[]
  readonly rate: number
}

export interface Policy {
  readonly tasks: readonly string[]
  readonly models: readonly string[]
  readonly scales: Scales
  readonly layers: readonly Layer[]
}

export function inputs(tasks: number, models: number): number {
  return tasks + models + 1
}

/** The state as the network reads it, into `out`: the task, each model's load per replica that is up, and the rate. */
export function encode(task: number, fleet: Fleet, tasks: number, scales: Scales, out: Float64Array): void {
  out.fill(0)
  if (task < tasks) out[task] = 1
  for (let m = 0; m < fleet.models.length; m++) {
    let load = 0
    let up = 0
    for (const i of fleet.models[m] as readonly number[]) {
      const place = fleet.places[i] as Place
      if (!place.up) continue
      up++
      load += place.waiting + place.running
    }
    // A model without replicas is as good as overloaded.
    out[tasks + m] = up === 0 ? full : Math.min(full, load / (up * (scales.batches[m] as number)))
  }
  out[tasks + fleet.models.length] = Math.min(full, fleet.rate / scales.rate)
}

/** Loads beyond are all the same: hopeless. */
const full = 3

/** Values of the actions. */
export function forward(layers: readonly Layer[], state: Float64Array, buffers: readonly Float64Array[]): Float64Array {
  let input = state
  layers.forEach(({ weights, bias }, l) => {
    const output = buffers[l] as Float64Array
    const n = bias.length
    output.set(bias)
    for (let i = 0; i < input.length; i++) {
      const x = input[i] as number
      if (x === 0) continue
      for (let j = 0, at = i * n; j < n; j++, at++) output[j] = (output[j] as number) + x * (weights[at] as number)
    }
    if (l < layers.length - 1) for (let j = 0; j < n; j++) if ((output[j] as number) < 0) output[j] = 0
    input = output
  })
  return input
}

export function buffersOf(layers: readonly Layer[]): Float64Array[] {
  return layers.map((l) => new Float64Array(l.bias.length))
}

/** The model worth most of those that have a replica up; -1 where none has. */
export function bestModel(values: Float64Array, fleet: Fleet): number {
  let best = -1
  for (let m = 0; m < fleet.models.length; m++) {
    if (leastLoaded(fleet.models[m] as readonly number[], fleet) < 0) continue
    if (best < 0 || (values[m] as number) > (values[best] as number)) best = m
  }
  return best
}

/** The router that a policy is; models in the fleet's order. */
export function policyRouter({ tasks, scales, layers }: Policy, name = 'dqn'): Router {
  const buffers = buffersOf(layers)
  const state = new Float64Array(inputs(tasks.length, scales.batches.length))
  return {
    name,
    route: ({ task }: Seen, fleet) => {
      encode(task, fleet, tasks.length, scales, state)
      const model = bestModel(forward(layers, state, buffers), fleet)
      return model < 0 ? -1 : leastLoaded(fleet.models[model] as readonly number[], fleet)
    },
  }
}

/** What a file of a router holds. */
export interface PolicyFile {
  readonly format: 'memwall-router'
  readonly version: 1
  readonly tasks: readonly string[]
  readonly models: readonly string[]
  readonly scales: Scales
  readonly layers: readonly { readonly weights: readonly number[]; readonly bias: readonly number[] }[]
  /** How it was trained, for people. */
  readonly training?: unknown
}

export function policyFile(policy: Policy, training: unknown, digits = 6): PolicyFile {
  const short = (values: Float64Array) => Array.from(values, (x) => Number(x.toPrecision(digits)))
  const { tasks, models, scales, layers } = policy
  return {
    format: 'memwall-router',
    version: 1,
    tasks,
    models,
    scales,
    layers: layers.map(({ weights, bias }) => ({ weights: short(weights), bias: short(bias) })),
    training,
  }
}

/** The policy of a file. Throws RangeError where it is none, or of another shape than its tasks and models. */
export function parsePolicy(json: unknown): Policy {
  const file = json as Partial<PolicyFile> | null
  if (typeof file !== 'object' || file === null || file.format !== 'memwall-router' || file.version !== 1) {
    throw new RangeError('expected a router of `memwall train-router`, got something else')
  }
  const { tasks, models, scales } = file
  if (!isNames(tasks) || !isNames(models)) throw new RangeError('expected names of tasks and models')
  const batches = scales?.batches
  if (!Array.isArray(batches) || batches.length !== models.length || !batches.every(isPositive)) {
    throw new RangeError(`expected a scale for each of ${models.length} models`)
  }
  if (!isPositive(scales?.rate)) throw new RangeError('expected a scale of the rate above 0')
  const layers = layersOf(file.layers, inputs(tasks.length, models.length), models.length)
  return { tasks, models, scales: { batches, rate: scales?.rate as number }, layers }
}

function layersOf(layers: unknown, from: number, to: number): Layer[] {
  if (!Array.isArray(layers) || layers.length === 0) throw new RangeError('expected layers, got none')
  let width = from
  const parsed = layers.map((layer: Partial<PolicyFile['layers'][number]> | null, l) => {
    const { weights, bias } = layer ?? {}
    if (!isNumbers(weights) || !isNumbers(bias) || weights.length !== width * bias.length) {
      throw new RangeError(
        `layer ${l + 1}: expected ${width} inputs, got ${weights?.length ?? 0} weights of ${bias?.length ?? 0} outputs`,
      )
    }
    width = bias.length
    return { weights: Float64Array.from(weights), bias: Float64Array.from(bias) }
  })
  if (width !== to) throw new RangeError(`expected ${to} outputs, one for each model, got ${width}`)
  return parsed
}

function isNames(value: unknown): value is string[] {
  return Array.isArray(value) && value.length > 0 && value.every((v) => typeof v === 'string')
}

function isNumbers(value: unknown): value is number[] {
  return Array.isArray(value) && value.every((v) => typeof v === 'number' && Number.isFinite(v))
}

function isPositive(value: unknown): boolean {
  return typeof value === 'number' && value > 0 && Number.isFinite(value)
}
