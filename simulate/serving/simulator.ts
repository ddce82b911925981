// The event-driven core: arrivals go through a router to the queues of replicas, which work in steps. The simulator owns
// time; replicas own their sequences and cache. What happens at one instant is taken in before any step begins.
import type { Random } from '../../model/random.ts'
import { Column, Level, Timeline } from './measure.ts'
import { Queue } from './queue.ts'
import type { Events, Station } from './replica.ts'
import { type Arrival, type Fate, Request } from './request.ts'
import type { Place, Router } from './router.ts'
import { saturated } from './saturation.ts'
import type { Source } from './source.ts'

/** One replica, or servers on one queue. */
export interface Serving {
  /** Index among the models, the largest first. */
  readonly model: number
  /** Makes its stations on the queue. */
  stations(queue: Queue, events: Events): readonly Station[]
  /** Why a request can never be served here; undefined where it can. */
  refuses?(arrival: Arrival): string | undefined
}

export interface Failure {
  readonly replica: number
  /** Seconds. */
  readonly at: number
  readonly until: number
}

export interface Deadlines {
  /** Seconds from arrival to the last token, to the first, and per token after the first. */
  readonly e2e?: number | undefined
  readonly ttft?: number | undefined
  readonly tpot?: number | undefined
}

/** What serving a task by a model is worth, and what a late answer is. */
export interface Worth {
  /** By model, then task. */
  readonly quality: readonly (readonly number[])[]
  /** Seconds after the deadline in which worth falls to nothing; absent: at once. */
  readonly soft?: number | undefined
}

export interface SimulationOptions {
  readonly source: Source
  readonly replicas: readonly Serving[]
  readonly router: Router
  /** All replicas on one queue: no router. */
  readonly shared?: boolean
  readonly deadlines?: Deadlines
  /** Requests whose deadline has passed while they waited are given up. */
  readonly dropLate?: boolean
  readonly worth?: Worth
  readonly failures?: readonly Failure[]
  /** Width of the timeline's windows, in seconds. Default: some hundred of any run. */
  readonly window?: number
  /** Requests that arrive before are served and not counted. */
  readonly warmUp?: number
  /** Requests in the system at which an open process is given up as saturated. */
  readonly mostInSystem?: number
  /** Told of each request that is over. */
  readonly onEnd?: (request: Request, fate: Fate, model: number, reason?: string) => void
  /** Whether to stop before the sources are exhausted. */
  readonly stop?: (now: number) => boolean
}

export interface Outcome {
  readonly offered: number
  readonly completed: number
  readonly dropped: number
  readonly rejected: ReadonlyMap<string, { readonly count: number; readonly first: number }>
  readonly unfinished: number
  readonly preemptions: number
  readonly failures: number
  /** Steps of all stations, and all events: arrivals, ends of steps, failures. */
  readonly steps: number
  readonly events: number
  /** Seconds until the last request was over, and of the last arrival. */
  readonly end: number
  readonly lastArrival: number
  readonly saturated: boolean
  readonly overflowed: boolean
  readonly wait: Column
  readonly ttft: Column
  readonly tpot: Column
  readonly e2e: Column
  /** From the first step to the first token. */
  readonly prefill: Column
  /** Counted requests that met all deadlines, their tokens, and all counted. */
  readonly inTime: number
  readonly counted: number
  readonly tokens: number
  readonly promptTokens: number
  readonly reward: number
  /** What all would have been worth from the largest model in time. */
  readonly bestReward: number
  /** Completed requests by model. */
  readonly byModel: readonly number[]
  readonly waiting: Level
  readonly inSystem: Level
  /** Summed over stations. */
  readonly batch: Level
  readonly kv: Level
  /** Of one station. */
  readonly mostBatch: number
  readonly mostKv: number
  /** Seconds that stations worked, of all. */
  readonly busy: number
  readonly stations: number
  /** Sum over all requests of their time in the system up to the end. */
  readonly sojourns: number
  readonly timeline: Timeline
}

const usualMost = 300_000

interface Desk {
  readonly queue: Queue
  readonly model: number
  readonly stations: number[]
  readonly serving: Serving
  up: boolean
  dirty: boolean
}

class View implements Place {
  readonly model: number
  private readonly desk: Desk
  private readonly stations: readonly Station[]

  constructor(desk: Desk, stations: readonly Station[]) {
    this.model = desk.model
    this.desk = desk
    this.stations = stations
  }

  get waiting(): number {
    return this.desk.queue.length
  }

  get running(): number {
    let sum = 0
    for (const i of this.desk.stations) sum += (this.stations[i] as Station).running
    return sum
  }

  get up(): boolean {
    return this.desk.up
  }
}

/** Arrivals of the last second, in a ring. */
class Rate {
  private times = new Float64Array(1024)
  private head = 0
  private size = 0

  add(now: number): void {
    if (this.size === this.times.length) {
      const larger = new Float64Array(this.size * 2)
      for (let i = 0; i < this.size; i++) larger[i] = this.times[(this.head + i) % this.size] as number
      this.times = larger
      this.head = 0
    }
    this.times[(this.head + this.size++) % this.times.length] = now
    while (this.size > 0 && (this.times[this.head] as number) < now - 1) {
      this.head = (this.head + 1) % this.times.length
      this.size--
    }
  }

  get value(): number {
    return this.size
  }
}

/** Runs until the source is exhausted and everything is served, or until the queue explodes. */
export function simulate(options: SimulationOptions): Outcome {
  return new Simulation(options).run()
}

class Simulation implements Events {
  private readonly o: SimulationOptions
  private readonly stations: Station[] = []
  private readonly deskOf: number[] = []
  private readonly stationsOf: number[][] = []
  private readonly desks: Desk[] = []
  private readonly fleet: { places: View[]; models: number[][]; rate: number }
  private readonly ends: Float64Array
  private readonly recent = new Rate()
  /** Requests that no replica was up for. */
  private stranded: Request[] = []
  private dirty: Desk[] = []
  private now = 0
  private id = 0
  private busy = 0
  private steps = 0
  private events = 0
  private lastArrival = 0
  private backlog = 0
  private kvBlocksUsed = 0
  private batchSum = 0
  private mostBatch = 0
  private mostKv = 0
  private readonly kvUse: Float64Array
  private readonly batches: Float64Array
  private offered = 0
  private completedCount = 0
  private droppedCount = 0
  private preemptionCount = 0
  private failureCount = 0
  private rejectedCount = 0
  private readonly rejected = new Map<string, { count: number; first: number }>()
  private inSystemCount = 0
  private inTime = 0
  private counted = 0
  private tokens = 0
  private promptTokens = 0
  private reward = 0
  private bestReward = 0
  private sojourns = 0
  private readonly byModel: number[]
  private readonly wait = new Column()
  private readonly ttft = new Column()
  private readonly tpot = new Column()
  private readonly e2e = new Column()
  private readonly prefill = new Column()
  private readonly waiting = new Level()
  private readonly inSystem = new Level()
  private readonly batch = new Level()
  private readonly kv = new Level()
  private readonly timeline: Timeline

  constructor(options: SimulationOptions) {
    const { replicas, shared = false } = options
    if (replicas.length === 0) throw new RangeError('replicas: expected at least one, got none')
    this.o = options
    const models = Math.max(...replicas.map((r) => r.model)) + 1
    this.byModel = new Array<number>(models).fill(0)
    for (const serving of replicas) this.add(serving, shared)
    const places = this.desks.map((d) => new View(d, this.stations))
    const byModel = Array.from({ length: models }, (_, m) => this.desks.flatMap((d, i) => (d.model === m ? [i] : [])))
    this.fleet = { places, models: byModel, rate: 0 }
    this.ends = new Float64Array(this.stations.length).fill(Number.POSITIVE_INFINITY)
    this.kvUse = new Float64Array(this.stations.length)
    this.batches = new Float64Array(this.stations.length)
    this.timeline = new Timeline(options.window)
  }

  private add(serving: Serving, shared: boolean): void {
    const [first] = this.desks
    const desk =
      shared && first
        ? first
        : { queue: new Queue(), model: serving.model, stations: [] as number[], serving, up: true, dirty: false }
    if (desk !== first || this.desks.length === 0) this.desks.push(desk)
    const of: number[] = []
    for (const station of serving.stations(desk.queue, this)) {
      of.push(this.stations.length)
      desk.stations.push(this.stations.length)
      this.deskOf.push(this.desks.indexOf(desk))
      this.stations.push(station)
    }
    this.stationsOf.push(of)
  }

  run(): Outcome {
    const failures = this.failureEvents()
    const { source, mostInSystem = usualMost, stop } = this.o
    let overflowed = false
    for (;;) {
      const station = this.nextEnd()
      const end = station < 0 ? Number.POSITIVE_INFINITY : (this.ends[station] as number)
      const arrival = source.next
      const failure = failures[0]?.at ?? Number.POSITIVE_INFINITY
      const at = Math.min(end, arrival, failure)
      if (this.dirty.length > 0 && at > this.now) {
        this.beginSteps()
        continue
      }
      if (at === Number.POSITIVE_INFINITY) break
      // Failures of an idle system are of no interest.
      if (this.inSystemCount === 0 && arrival === Number.POSITIVE_INFINITY) break
      this.now = Math.max(this.now, at)
      this.events++
      if (failure <= end && failure <= arrival) failures.shift()?.happen()
      else if (end <= arrival) this.endStep(station)
      else this.arrive(source.take())
      if (source.open && this.inSystemCount > mostInSystem) {
        overflowed = true
        break
      }
      if (stop?.(this.now)) break
    }
    return this.outcome(overflowed)
  }

  private nextEnd(): number {
    const { ends } = this
    let next = -1
    let least = Number.POSITIVE_INFINITY
    for (let i = 0; i < ends.length; i++) {
      const end = ends[i] as number
      if (end < least) {
        least = end
        next = i
      }
    }
    return next
  }

  private arrive(arrival: Arrival): void {
    const request = new Request(this.id++, arrival)
    this.offered++
    this.lastArrival = this.now
    this.recent.add(this.now)
    this.timeline.at(this.now).arrivals++
    const reason = this.refusal(arrival)
    if (reason !== undefined) {
      this.reject(request, reason)
      return
    }
    this.inSystemCount++
    this.inSystem.set(this.now, this.inSystemCount)
    this.countBest(request)
    this.send(request)
    this.backlog = this.waiting.value
  }

  /** Why no replica can ever serve it. */
  private refusal(arrival: Arrival): string | undefined {
    let reason: string | undefined
    for (const { serving } of this.desks) {
      const why = serving.refuses?.(arrival)
      if (why === undefined) return undefined
      reason ??= why
    }
    return reason
  }

  private reject(request: Request, reason: string): void {
    const known = this.rejected.get(reason)
    if (known) known.count++
    else this.rejected.set(reason, { count: 1, first: request.id })
    this.rejectedCount++
    this.o.onEnd?.(request, 'rejected', -1, reason)
    this.o.router.ended?.(request, Number.POSITIVE_INFINITY)
    this.o.source.ended?.(this.now)
  }

  private send(request: Request): void {
    const i = this.routed(request)
    const desk = this.desks[i]
    if (desk === undefined) {
      this.stranded.push(request)
      return
    }
    request.replica = i
    desk.queue.push(request)
    this.touch(desk)
    this.track()
  }

  private routed(request: Request): number {
    if (this.o.shared) return this.desks[0]?.up ? 0 : -1
    if (this.desks.length === 1) {
      // A learned router also learns of what leaves it no choice.
      if (this.o.router.ended === undefined) return this.desks[0]?.up ? 0 : -1
    }
    this.fleet.rate = this.recent.value
    const i = this.o.router.route(request, this.fleet)
    const desk = this.desks[i]
    if (i < 0 || (desk?.up && desk.serving.refuses?.(request) === undefined)) return i
    // Where the chosen replica cannot take it, the first that can does.
    return this.desks.findIndex((d) => d.up && d.serving.refuses?.(request) === undefined)
  }

  private touch(desk: Desk): void {
    if (desk.dirty) return
    desk.dirty = true
    this.dirty.push(desk)
  }

  private beginSteps(): void {
    const { dirty } = this
    this.dirty = []
    for (const desk of dirty) {
      desk.dirty = false
      for (const i of desk.stations) this.beginStep(i)
    }
    this.track()
  }

  private beginStep(i: number): void {
    if (this.ends[i] !== Number.POSITIVE_INFINITY || this.down.has(i)) return
    const station = this.stations[i] as Station
    const seconds = station.begin(this.now)
    if (seconds === undefined) {
      this.noteStation(i, 0, station.kvUse)
      return
    }
    if (!(seconds >= 0)) throw new Error(`A step took ${seconds} s`)
    this.ends[i] = this.now + seconds
    this.busy += seconds
    this.steps++
    this.noteStation(i, station.batch, station.kvUse)
  }

  private noteStation(i: number, batch: number, kvUse: number): void {
    this.batchSum += batch - (this.batches[i] as number)
    this.kvBlocksUsed += kvUse - (this.kvUse[i] as number)
    this.batches[i] = batch
    this.kvUse[i] = kvUse
    this.mostBatch = Math.max(this.mostBatch, batch)
    this.mostKv = Math.max(this.mostKv, kvUse)
    this.batch.set(this.now, this.batchSum)
    this.kv.set(this.now, this.kvBlocksUsed)
  }

  private endStep(i: number): void {
    this.ends[i] = Number.POSITIVE_INFINITY
    const station = this.stations[i] as Station
    station.end(this.now)
    this.touch(this.desks[this.deskOf[i] as number] as Desk)
  }

  /** Levels and the timeline as they are now. */
  private track(): void {
    let waiting = this.stranded.length
    for (const d of this.desks) waiting += d.queue.length
    this.waiting.set(this.now, waiting)
    const window = this.timeline.at(this.now)
    window.waiting = waiting
    window.running = this.inSystemCount - waiting
    window.kv = this.kvBlocksUsed / this.stations.length
  }

  started(_request: Request): void {}

  preempted(_request: Request): void {
    this.preemptionCount++
  }

  late(request: Request): boolean {
    const { dropLate = false, deadlines } = this.o
    if (!dropLate) return false
    const age = this.now - request.time
    if (deadlines?.e2e !== undefined && age > deadlines.e2e) return true
    return deadlines?.ttft !== undefined && request.made === 0 && age > deadlines.ttft
  }

  dropped(request: Request): void {
    this.droppedCount++
    this.leave(request)
    if (this.counts(request)) this.counted++
    this.o.onEnd?.(request, 'dropped', this.modelOf(request))
    this.o.router.ended?.(request, Number.POSITIVE_INFINITY)
  }

  completed(request: Request): void {
    this.completedCount++
    this.leave(request)
    const model = this.modelOf(request)
    this.byModel[model] = (this.byModel[model] ?? 0) + 1
    const latency = this.now - request.time
    if (this.counts(request)) this.measure(request, latency, model)
    this.o.onEnd?.(request, 'completed', model)
    this.o.router.ended?.(request, latency)
  }

  private modelOf(request: Request): number {
    return this.desks[request.replica]?.model ?? 0
  }

  private leave(request: Request): void {
    this.inSystemCount--
    this.inSystem.set(this.now, this.inSystemCount)
    this.sojourns += this.now - request.time
    this.o.source.ended?.(this.now)
  }

  private counts({ time }: Request): boolean {
    return time >= (this.o.warmUp ?? 0)
  }

  private measure(r: Request, latency: number, model: number): void {
    const ttft = r.first - r.time
    const tpot = r.output > 1 ? (r.last - r.first) / (r.output - 1) : Number.NaN
    this.wait.push(r.started - r.time)
    this.ttft.push(ttft)
    this.prefill.push(r.first - r.started)
    this.e2e.push(latency)
    if (r.output > 1) this.tpot.push(tpot)
    this.counted++
    this.tokens += r.output
    this.promptTokens += r.prompt
    const { deadlines = {} } = this.o
    const met =
      latency <= (deadlines.e2e ?? Number.POSITIVE_INFINITY) &&
      ttft <= (deadlines.ttft ?? Number.POSITIVE_INFINITY) &&
      !(tpot > (deadlines.tpot ?? Number.POSITIVE_INFINITY))
    const window = this.timeline.at(this.now)
    window.completed++
    if (r.output > 1) window.paced++
    if (met) {
      this.inTime++
      window.inTime++
    }
    this.earn(r, latency, model)
  }

  /** What the answer is worth, in the window that asked for it. */
  private earn(r: Request, latency: number, model: number): void {
    const { worth, deadlines, window } = this.o
    if (worth === undefined) return
    const value = (worth.quality[model]?.[r.task] ?? 0) * timeliness(latency, deadlines?.e2e, worth.soft)
    this.reward += value
    if (window !== undefined) this.timeline.at(r.time).reward += value
  }

  private countBest(r: Request): void {
    const { worth, window } = this.o
    if (worth === undefined || !this.counts(r)) return
    const best = worth.quality[0]?.[r.task] ?? 0
    this.bestReward += best
    if (window !== undefined) this.timeline.at(r.time).best += best
  }

  private readonly down = new Set<number>()

  private failureEvents(): { at: number; happen: () => void }[] {
    const events: { at: number; happen: () => void }[] = []
    for (const { replica, at, until } of this.o.failures ?? []) {
      const of = this.stationsOf[replica]
      if (of === undefined) {
        throw new RangeError(`fail: expected a replica from 0 to ${this.stationsOf.length - 1}, got ${replica}`)
      }
      if (!(at >= 0 && until > at))
        throw new RangeError(`fail: expected a time and a later one, got ${at} and ${until}`)
      events.push({ at, happen: () => this.fail(of) }, { at: until, happen: () => this.recover(of) })
    }
    return events.sort((a, b) => a.at - b.at)
  }

  private fail(of: readonly number[]): void {
    this.failureCount++
    const lost: Request[] = []
    for (const i of of) {
      const station = this.stations[i] as Station
      lost.push(...station.fail())
      // The step that ran is lost.
      const end = this.ends[i] as number
      if (end !== Number.POSITIVE_INFINITY) this.busy -= end - this.now
      this.ends[i] = Number.POSITIVE_INFINITY
      this.down.add(i)
      this.noteStation(i, 0, 0)
    }
    const desk = this.desks[this.deskOf[of[0] as number] as number] as Desk
    desk.up = desk.stations.some((i) => !this.down.has(i))
    if (desk.up) {
      for (const r of lost.reverse()) desk.queue.putBack(r)
      this.touch(desk)
      return
    }
    for (let r = desk.queue.shift(); r !== undefined; r = desk.queue.shift()) lost.push(r)
    for (const r of lost.sort((a, b) => a.id - b.id)) this.send(r)
    this.track()
  }

  private recover(of: readonly number[]): void {
    for (const i of of) this.down.delete(i)
    const desk = this.desks[this.deskOf[of[0] as number] as number] as Desk
    desk.up = true
    this.touch(desk)
    const { stranded } = this
    this.stranded = []
    for (const r of stranded) this.send(r)
  }

  private outcome(overflowed: boolean): Outcome {
    const { end, unfinished } = this.finish()
    const { timeline, lastArrival, offered: arrivals, droppedCount: dropped, backlog } = this
    const load = { timeline, lastArrival, arrivals, dropped, backlog, overflowed }
    return {
      offered: this.offered,
      completed: this.completedCount,
      dropped,
      rejected: this.rejected,
      unfinished,
      preemptions: this.preemptionCount,
      failures: this.failureCount,
      steps: this.steps,
      events: this.events,
      end,
      lastArrival,
      saturated: this.o.source.open && saturated(load),
      overflowed,
      wait: this.wait,
      ttft: this.ttft,
      tpot: this.tpot,
      e2e: this.e2e,
      prefill: this.prefill,
      inTime: this.inTime,
      counted: this.counted,
      tokens: this.tokens,
      promptTokens: this.promptTokens,
      reward: this.reward,
      bestReward: this.bestReward,
      byModel: this.byModel,
      waiting: this.waiting,
      inSystem: this.inSystem,
      batch: this.batch,
      kv: this.kv,
      mostBatch: this.mostBatch,
      mostKv: this.mostKv,
      busy: this.busy,
      stations: this.stations.length,
      sojourns: this.sojourns,
      timeline,
    }
  }

  /** Requests that are still here have been here until now. */
  private finish(): { end: number; unfinished: number } {
    const unfinished = this.offered - this.completedCount - this.droppedCount - this.rejectedCount
    if (unfinished > 0) {
      for (const r of this.left()) {
        this.sojourns += this.now - r.time
        this.o.onEnd?.(r, 'unfinished', r.replica < 0 ? -1 : this.modelOf(r))
      }
    }
    return { end: this.now, unfinished }
  }

  private left(): Request[] {
    const left = [...this.stranded]
    for (const station of this.stations) left.push(...station.fail())
    for (const { queue } of this.desks) {
      for (let r = queue.shift(); r !== undefined; r = queue.shift()) left.push(r)
    }
    return left
  }
}

/** 1 in time, and after the deadline falling to 0 over the soft stretch. */
export function timeliness(latency: number, deadline: number | undefined, soft: number | undefined): number {
  if (deadline === undefined || latency <= deadline) return 1
  return soft === undefined ? 0 : Math.max(0, 1 - (latency - deadline) / soft)
}

/** Streams of random numbers for the parts of a simulation, from one seed. */
export function streamsOf(seed: number, make: (seed: number) => Random): () => Random {
  let next = 0
  return () => make(seed * 1024 + next++)
}
