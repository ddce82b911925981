// One copy of a model that serves requests in steps (continuous batching): every step decodes one round of each running
// sequence and reads prompts that were let in. A sequence is let in when its prompt's blocks are free; when a decoding one
// finds no block for its next token, the newest gives up its cache and starts again later (recomputation).
import type { Random } from '../../model/random.ts'
import { Batch } from './batch.ts'
import type { Queue } from './queue.ts'
import type { Request } from './request.ts'
import { blocksOf, type Room } from './room.ts'
import type { StepTime } from './step-time.ts'

/** How prompts are read: whole beside decoding, in chunks beside decoding, or in steps of their own. */
export const prefills = ['whole', 'chunked', 'apart'] as const
export type Prefill = (typeof prefills)[number]

export interface Caps {
  /** Sequences that run at once. */
  readonly batch: number
  /** New tokens of a step; a longer prompt is read whole where no other fits beside it, unless it is cut in chunks. */
  readonly tokens: number
  readonly prefill: Prefill
  /** Prompt tokens of a step, where they are chunked. */
  readonly chunk: number
  /** First tokens that all prompts share: read once, kept once. */
  readonly prefix: number
}

/** What happens to requests at a station, told to the simulator. */
export interface Events {
  started(request: Request): void
  completed(request: Request): void
  preempted(request: Request): void
  /** Whether a waiting request is to be given up now. */
  late(request: Request): boolean
  dropped(request: Request): void
}

/** Something that works in steps. */
export interface Station {
  readonly queue: Queue
  /** Requests that it works on. */
  readonly running: number
  /** Share of the cache's blocks that are taken. */
  readonly kvUse: number
  /** Sequences of the running step. */
  readonly batch: number
  /** Starts a step and returns its seconds; undefined where there is nothing to do. */
  begin(now: number): number | undefined
  /** The step that began last has ended. */
  end(now: number): void
  /** Gives up everything that it works on, in order. */
  fail(): Request[]
}

export class Replica implements Station {
  readonly queue: Queue
  readonly room: Room
  readonly caps: Caps
  private readonly time: StepTime
  private readonly events: Events
  private readonly random: Random
  private readonly moments = new Batch()
  private active: Request[] = []
  private free: number
  private prefixReady = false

  constructor(queue: Queue, time: StepTime, room: Room, caps: Caps, events: Events, random: Random) {
    this.queue = queue
    this.time = time
    this.room = room
    this.caps = caps
    this.events = events
    this.random = random
    this.free = room.blocks
  }

  get running(): number {
    return this.active.length
  }

  get batch(): number {
    return this.moments.size
  }

  get kvUse(): number {
    return this.room.blocks === Number.POSITIVE_INFINITY ? 0 : 1 - this.free / this.room.blocks
  }

  /** Whole blocks of the shared prefix. */
  private get prefix(): number {
    const { block } = this.room
    return block === Number.POSITIVE_INFINITY ? 0 : Math.floor(this.caps.prefix / block) * block
  }

  begin(now: number): number | undefined {
    const { moments } = this
    moments.clear()
    this.grow()
    this.continuePrompts()
    this.letIn(now)
    const alone = this.caps.prefill === 'apart' && moments.reading > 0
    if (!alone) this.decodeAll()
    return moments.size === 0 ? undefined : this.time.seconds(moments)
  }

  /** Blocks for the next tokens of all that decode. */
  private grow(): void {
    const ahead = this.time.ahead ?? 1
    for (let i = 0; i < this.active.length; i++) {
      const r = this.active[i] as Request
      if (!r.decoding) continue
      const needed = this.blocksFor(r, r.cached + ahead) - r.blocks
      while (needed > this.free && this.active.length > i) this.preempt()
      if (this.active.length <= i) return
      if (needed > 0) this.take(r, needed)
    }
  }

  private blocksFor(r: Request, tokens: number): number {
    return blocksOf(tokens - (r.sharing ? this.prefix : 0), this.room)
  }

  private take(r: Request, blocks: number): void {
    r.blocks += blocks
    this.free -= blocks
  }

  private release(r: Request): void {
    this.free += r.blocks
    r.blocks = 0
  }

  /** The newest sequence gives up its cache and waits first in line. */
  private preempt(): void {
    const newest = this.active.pop()
    if (newest === undefined) return
    this.release(newest)
    newest.forget()
    newest.preemptions++
    this.queue.putBack(newest)
    this.events.preempted(newest)
  }

  private continuePrompts(): void {
    for (const r of this.active) if (!r.decoding) this.readOn(r)
  }

  /** Tokens of prompts that the step has room for. */
  private get budget(): number {
    const { tokens, prefill, chunk } = this.caps
    const used = this.moments.readingTokens
    const decoding = prefill === 'apart' ? 0 : this.active.length - this.moments.reading
    const left = tokens - decoding - used
    return prefill === 'chunked' ? Math.min(left, chunk - used) : left
  }

  /** Adds the next piece of a prompt to the step, if there is room; says whether. */
  private readOn(r: Request): boolean {
    const { moments } = this
    const left = r.goal - r.cached
    const budget = this.budget
    const chunked = this.caps.prefill === 'chunked'
    // What fits no step at all must run some time: alone.
    const fits = left <= budget || (!chunked && moments.reading === 0)
    const tokens = fits ? left : chunked ? Math.max(budget, moments.size === 0 && this.active.length === 0 ? 1 : 0) : 0
    if (tokens <= 0) return false
    r.reading = tokens
    r.stepping = true
    moments.read(r.cached, tokens, tokens === left)
    return true
  }

  private letIn(now: number): void {
    const { queue, events, caps } = this
    while (this.active.length < caps.batch) {
      const next = queue.peek()
      if (next === undefined) return
      if (events.late(next)) {
        queue.shift()
        events.dropped(next)
        continue
      }
      const sharing = this.prefixReady && next.goal > this.prefix
      const shared = sharing ? this.prefix : 0
      const blocks = blocksOf(next.goal + 1 - shared, this.room)
      if (blocks > this.free) return
      const before = next.cached
      next.cached = shared
      if (!this.readOn(next)) {
        next.cached = before
        return
      }
      queue.shift()
      next.sharing = sharing
      this.take(next, blocks)
      this.active.push(next)
      if (Number.isNaN(next.started)) {
        next.started = now
        events.started(next)
      }
    }
  }

  private decodeAll(): void {
    for (const r of this.active) {
      if (!r.decoding) continue
      r.stepping = true
      this.moments.decode(r.cached)
    }
  }

  end(now: number): void {
    const { active, time } = this
    let kept = 0
    for (let i = 0; i < active.length; i++) {
      const r = active[i] as Request
      if (r.stepping) this.advance(r, now, time)
      if (r.made >= r.output) this.complete(r, now)
      else active[kept++] = r
    }
    active.length = kept
  }

  private advance(r: Request, now: number, time: StepTime): void {
    r.stepping = false
    if (r.reading > 0) {
      r.cached += r.reading
      r.reading = 0
      if (r.cached < r.goal) return
      this.keepPrefix(r)
      r.made++
      if (r.made === 1) r.first = now
      return
    }
    const gained = time.gain === undefined ? 1 : time.gain(this.random)
    const tokens = Math.min(gained, r.output - r.made)
    r.made += tokens
    r.cached += tokens
  }

  /** The first that has read the shared prefix leaves it to the others. */
  private keepPrefix(r: Request): void {
    const { prefix } = this
    if (this.prefixReady || prefix === 0 || r.goal < prefix) return
    const blocks = prefix / this.room.block
    // Its own blocks of the prefix become those of all.
    r.blocks -= blocks
    r.sharing = true
    this.prefixReady = true
  }

  private complete(r: Request, now: number): void {
    r.last = now
    this.release(r)
    this.events.completed(r)
  }

  fail(): Request[] {
    const lost = this.active
    this.active = []
    for (const r of lost) r.forget()
    this.free = this.room.blocks
    this.prefixReady = false
    this.moments.clear()
    return lost
  }
}
