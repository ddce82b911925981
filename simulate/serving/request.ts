// One request on its way: what it asks for, and how far it has come.

/** What comes in. */
export interface Arrival {
  /** Seconds. */
  readonly time: number
  readonly prompt: number
  readonly output: number
  /** Index of its task, or class. */
  readonly task: number
}

export const fates = ['completed', 'dropped', 'rejected', 'unfinished'] as const
/** `unfinished`: still in the system when the simulation gave up. */
export type Fate = (typeof fates)[number]

export class Request implements Arrival {
  readonly id: number
  readonly time: number
  readonly prompt: number
  readonly output: number
  readonly task: number
  /** What the router knew when it chose, for whoever learns from it. */
  memo: unknown
  /** Replica that it waits at or runs on; -1 before any. */
  replica = -1
  /** When its first step began, its first token and its last one came; NaN before. Seconds. */
  started = Number.NaN
  first = Number.NaN
  last = Number.NaN
  /** Tokens to be read before the next one is made: the prompt, and after a loss of its cache what was made, too. */
  goal: number
  /** Tokens cached. */
  cached = 0
  /** Tokens made. */
  made = 0
  /** Blocks of the cache that it holds. */
  blocks = 0
  /** Prompt tokens that the running step reads; 0 where it decodes. */
  reading = 0
  /** Whether the running step has it. */
  stepping = false
  /** Whether its first tokens lie in the blocks of the shared prefix. */
  sharing = false
  preemptions = 0

  constructor(id: number, { time, prompt, output, task }: Arrival) {
    this.id = id
    this.time = time
    this.prompt = prompt
    this.output = output
    this.task = task
    this.goal = prompt
  }

  get decoding(): boolean {
    return this.cached >= this.goal
  }

  /** Its cache is gone: what was made must be read again with the prompt. */
  forget(): void {
    this.goal = this.prompt + this.made
    this.cached = 0
    this.blocks = 0
    this.reading = 0
    this.stepping = false
    this.sharing = false
  }
}
