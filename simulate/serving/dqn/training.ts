// Training of a router: episodes of simulated traffic in which it mostly follows its network, sometimes chance. What a
// choice was worth is known when its request is over: then state, choice, reward and the state at the next request become
// an experience. Everything of an episode follows from the seed and its number, so that training resumes as it was.
import { type Random, seeded } from '../../../model/random.ts'
import type { Law } from '../law.ts'
import type { Lengths } from '../lengths.ts'
import type { Request } from '../request.ts'
import { type Fleet, leastLoaded, type Router, type Seen } from '../router.ts'
import { type Outcome, type Serving, simulate, streamsOf, timeliness } from '../simulator.ts'
import { openSource, type Tasks } from '../source.ts'
import { type Hyper, Learner, type LearnerState, type TensorFlow } from './learner.ts'
import {
  bestModel,
  buffersOf,
  encode,
  forward,
  inputs,
  type Layer,
  type Policy,
  policyRouter,
  type Scales,
} from './policy.ts'
import { Replay } from './replay.ts'

/** What is served, and what answers are worth. */
export interface Scenario {
  readonly models: readonly string[]
  readonly tasks: readonly string[]
  /** By model, then task. */
  readonly quality: readonly (readonly number[])[]
  readonly deadline: number
  readonly soft?: number | undefined
  readonly prompt: Lengths
  readonly output: Lengths
  readonly scales: Scales
  drawTasks(random: Random): Tasks
  /** New replicas for a simulation. */
  replicas(streams: () => Random): Serving[]
}

/** Traffic of the episodes: each has a mean rate of its own, drawn between two. */
export interface Traffic {
  readonly arrivals: Law
  readonly least: number
  readonly most: number
  /** Seconds of an episode, of `fewest` requests at least and `mostRequests` at most. */
  readonly seconds: number
}

const fewest = 2000
const mostRequests = 20_000

export interface TrainingOptions {
  readonly tf: TensorFlow
  readonly scenario: Scenario
  readonly traffic: Traffic
  readonly hyper: Hyper
  readonly seed: number
  readonly episodes: number
  /** Training steps of an episode. */
  readonly stepsPerEpisode: number
}

/** Share of choices left to chance: from 1 down to `least` over the first part of the episodes. */
export interface Exploration {
  readonly least: number
  readonly part: number
}

export const usualExploration: Exploration = { least: 0.05, part: 0.6 }

export interface Episode {
  readonly episode: number
  readonly rate: number
  readonly epsilon: number
  readonly availability: number
  readonly performance: number
  /** Mean absolute error of the values in training. */
  readonly error: number
  /** Mean reward of the network on traffic kept for this; absent in the first part, where chance still chooses. */
  readonly validation?: number
}

/** What a checkpoint holds beside the scenario's names. */
export interface TrainingState {
  readonly episode: number
  readonly learner: LearnerState
  readonly best: Validated | undefined
  /** Absent before the first episode. */
  readonly averaged: readonly PlainLayer[] | undefined
  readonly replay: {
    readonly size: number
    readonly at: number
    readonly states: Float32Array
    readonly next: Float32Array
    readonly actions: Int32Array
    readonly rewards: Float32Array
  }
}

/** Least share of the learning rate. */
const slowest = 0.05

export interface PlainLayer {
  readonly weights: readonly number[]
  readonly bias: readonly number[]
}

/** The network that did best on the traffic kept for validation. */
export interface Validated {
  readonly reward: number
  readonly layers: readonly PlainLayer[]
}

function plain(layers: readonly Layer[]): PlainLayer[] {
  return layers.map((l) => ({ weights: Array.from(l.weights), bias: Array.from(l.bias) }))
}

function sameShape(one: PlainLayer | undefined, other: Layer): boolean {
  return one?.weights?.length === other.weights.length && one.bias?.length === other.bias.length
}

function layersOf(layers: readonly PlainLayer[]): Layer[] {
  return layers.map(({ weights, bias }) => ({ weights: Float64Array.from(weights), bias: Float64Array.from(bias) }))
}

/** Rates of validation, evenly over the orders of magnitude, and seconds of each. */
const validationRates = 16
const validationSeconds = 8
/** Part of the episodes without validation. */
const unvalidated = 0.5
/** Availability below which the worst rate counts apart, as often as this: means hide a rate that fails. */
const leastAvailability = 0.98
const worstWeight = 20
/** What an episode leaves of the averaged network: single steps swing, their average hardly (Polyak and Juditsky 1992). */
const kept = 0.8

interface Choice {
  readonly state: Float32Array
  readonly action: number
  next: Float32Array | undefined
}

export class Training {
  private readonly o: TrainingOptions
  private readonly learner: Learner
  private readonly replay: Replay
  private readonly exploration: Exploration
  private best: Validated | undefined
  private averaged: readonly PlainLayer[] | undefined
  episode = 0

  constructor(options: TrainingOptions, exploration: Exploration = usualExploration) {
    const { tf, scenario, hyper, seed } = options
    this.o = options
    this.exploration = exploration
    const width = inputs(scenario.tasks.length, scenario.models.length)
    this.learner = new Learner(tf, width, scenario.models.length, hyper, seeded(seed))
    this.replay = new Replay(width, hyper.replay)
  }

  get done(): boolean {
    return this.episode >= this.o.episodes
  }

  get epsilon(): number {
    const { least, part } = this.exploration
    return Math.max(least, 1 - ((1 - least) * this.episode) / (part * this.o.episodes))
  }

  /** Runs the next episode. */
  next(): Episode {
    const { scenario, traffic, seed } = this.o
    const { epsilon, episode } = this
    this.learner.slow(Math.max(slowest, 1 - episode / this.o.episodes))
    const streams = streamsOf((seed + 1) * 65536 + episode, seeded)
    const random = streams()
    // Evenly over the orders of magnitude, and by turns, so that few episodes see all loads.
    const share = (episode * 0.6180339887498949 + random() * 0.1) % 1
    const rate = traffic.least * (traffic.most / traffic.least) ** share
    const requests = Math.round(Math.min(mostRequests, Math.max(fewest, rate * traffic.seconds)))
    const apprentice = new Apprentice(this.learner, this.replay, this.o, epsilon, requests, streams())
    const outcome = served(scenario, apprentice, traffic.arrivals, rate, requests, streams)
    this.episode++
    this.average()
    const validation = this.validate()
    return {
      episode,
      rate,
      epsilon,
      availability: outcome.counted > 0 ? outcome.inTime / outcome.counted : 0,
      performance: outcome.bestReward > 0 ? outcome.reward / outcome.bestReward : 0,
      error: apprentice.error,
      ...(validation !== undefined && { validation }),
    }
  }

  /** The newest network and what was kept of those before. */
  private average(): void {
    const newest = plain(this.learner.layers())
    const before = this.averaged
    const mixed = (old: readonly number[] | undefined, now: readonly number[]) =>
      old === undefined ? now : now.map((x, i) => kept * (old[i] as number) + (1 - kept) * x)
    this.averaged = newest.map(({ weights, bias }, l) => ({
      weights: mixed(before?.[l]?.weights, weights),
      bias: mixed(before?.[l]?.bias, bias),
    }))
  }

  /** Keeps the newest or the averaged network where it does better than all before on the same traffic. */
  private validate(): number | undefined {
    if (this.episode < unvalidated * this.o.episodes) return undefined
    const candidates = [plain(this.learner.layers()), this.averaged as readonly PlainLayer[]]
    const found = candidates.map((layers): Validated => ({ reward: this.scored(layers), layers }))
    for (const one of found) if (this.best === undefined || one.reward > this.best.reward) this.best = one
    return Math.max(...found.map((f) => f.reward))
  }

  /** Mean reward over the rates kept for this, less what the worst of them misses. */
  private scored(layers: readonly PlainLayer[]): number {
    const { seed, scenario, traffic } = this.o
    const { penalty } = this.o.hyper
    const router = policyRouter({ ...scenario, layers: layersOf(layers) })
    let sum = 0
    let worst = 1
    for (let i = 0; i < validationRates; i++) {
      const rate = traffic.least * (traffic.most / traffic.least) ** (i / (validationRates - 1))
      const streams = streamsOf((seed + 1) * 65536 + 32768 + i, seeded)
      const requests = Math.max(fewest, Math.round(rate * validationSeconds))
      const o = served(scenario, router, { name: 'poisson', values: {} }, rate, requests, streams)
      const availability = o.inTime / Math.max(1, o.counted)
      sum += o.reward / o.bestReward - penalty * (1 - availability)
      worst = Math.min(worst, availability)
    }
    return sum / validationRates - worstWeight * Math.max(0, leastAvailability - worst)
  }

  /** The best network so far, else the newest. */
  policy(): Policy {
    const { tasks, models, scales } = this.o.scenario
    const layers = this.best === undefined ? this.learner.layers() : layersOf(this.best.layers)
    return { tasks, models, scales, layers }
  }

  async state(): Promise<TrainingState> {
    const { size, at, states, next, actions, rewards } = this.replay
    return {
      episode: this.episode,
      best: this.best,
      averaged: this.averaged,
      learner: await this.learner.state(),
      replay: { size, at, states, next, actions, rewards },
    }
  }

  /** Goes on from a checkpoint. Throws RangeError where it is of another shape. */
  async restore({ episode, learner, replay, best, averaged }: TrainingState): Promise<void> {
    const { states, next, actions, rewards } = this.replay
    if (replay.states.length !== states.length || replay.actions.length !== actions.length) {
      throw new RangeError(`expected a replay of ${states.length} numbers, got ${replay.states.length}`)
    }
    const wrong = averaged && this.learner.layers().findIndex((layer, l) => !sameShape(averaged[l], layer))
    if (wrong !== undefined && wrong >= 0) throw new RangeError(`layer ${wrong} of the average is of another shape`)
    await this.learner.restore(learner)
    states.set(replay.states)
    next.set(replay.next)
    actions.set(replay.actions)
    rewards.set(replay.rewards)
    this.replay.size = replay.size
    this.replay.at = replay.at
    this.episode = episode
    this.best = best
    this.averaged = averaged
  }

  dispose(): void {
    this.learner.dispose()
  }
}

function served(
  scenario: Scenario,
  router: Router,
  law: Law,
  rate: number,
  requests: number,
  streams: () => Random,
): Outcome {
  const { prompt, output } = scenario
  const tasks = scenario.drawTasks(streams())
  return simulate({
    source: openSource(law, rate, { prompt, output, tasks }, { requests }, streams),
    replicas: scenario.replicas(streams),
    router,
    deadlines: { e2e: scenario.deadline },
    worth: { quality: scenario.quality, soft: scenario.soft },
    mostInSystem: Number.POSITIVE_INFINITY,
  })
}

/** Requests between two looks at the learner's newest weights. */
const refresh = 64

/** A router that learns as it works. */
class Apprentice implements Router {
  readonly name = 'dqn in training'
  private readonly o: TrainingOptions
  private readonly learner: Learner
  private readonly replay: Replay
  private readonly epsilon: number
  private readonly requests: number
  private readonly random: Random
  private layers: readonly Layer[]
  private buffers: readonly Float64Array[]
  private readonly state: Float64Array
  private before: Choice | undefined
  private decisions = 0
  private trained = 0
  private errors = 0
  /** Best accuracy of each task: rewards are shares of it. */
  private readonly best: readonly number[]

  constructor(
    learner: Learner,
    replay: Replay,
    options: TrainingOptions,
    epsilon: number,
    requests: number,
    random: Random,
  ) {
    this.requests = requests
    this.o = options
    this.learner = learner
    this.replay = replay
    this.epsilon = epsilon
    this.random = random
    this.layers = learner.layers()
    this.buffers = buffersOf(this.layers)
    const { tasks, models, quality } = options.scenario
    this.state = new Float64Array(inputs(tasks.length, models.length))
    this.best = tasks.map((_, t) => Math.max(...quality.map((of) => of[t] ?? 0)))
  }

  get error(): number {
    return this.trained === 0 ? 0 : this.errors / this.trained
  }

  route(request: Seen, fleet: Fleet): number {
    const { tasks, scales } = this.o.scenario
    encode(request.task, fleet, tasks.length, scales, this.state)
    const state = Float32Array.from(this.state)
    if (this.before) this.before.next = state
    const action = this.choose(fleet)
    if (action < 0) return -1
    const choice: Choice = { state, action, next: undefined }
    request.memo = choice
    this.before = choice
    this.study()
    return leastLoaded(fleet.models[action] as readonly number[], fleet)
  }

  private choose(fleet: Fleet): number {
    if (this.random() < this.epsilon) {
      const action = Math.floor(this.random() * fleet.models.length)
      if (leastLoaded(fleet.models[action] as readonly number[], fleet) >= 0) return action
    }
    return bestModel(forward(this.layers, this.state, this.buffers), fleet)
  }

  ended(request: Request, latency: number): void {
    const choice = request.memo as Choice | undefined
    if (choice?.next === undefined) return
    request.memo = undefined
    const { hyper, scenario } = this.o
    const { quality, deadline, soft } = scenario
    const worth = (quality[choice.action]?.[request.task] ?? 0) / (this.best[request.task] ?? 1)
    // A request sees its own delay and not what it adds to others': so what comes close to the deadline is worth less.
    const late = hyper.margin * deadline
    const timely = timeliness(latency, deadline - late, late + (soft ?? 0))
    const reward = worth * timely - hyper.penalty * (1 - timely)
    this.replay.add(choice.state, choice.action, reward, choice.next)
  }

  /** Training steps spread evenly over the episode. */
  private study(): void {
    const { hyper, stepsPerEpisode } = this.o
    this.decisions++
    const due = Math.floor((this.decisions * stepsPerEpisode) / this.requests)
    while (this.trained < due && this.replay.size >= 4 * hyper.batch) {
      this.errors += this.learner.train(this.replay.sample(hyper.batch, this.random))
      this.trained++
    }
    if (this.decisions % refresh !== 0) return
    this.layers = this.learner.layers()
  }
}
