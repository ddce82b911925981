// The experiences that a learner draws from: the newest so many, in flat arrays that a checkpoint can hold.
import type { Random } from '../../../model/random.ts'

/** A batch of experiences: states row by row. */
export interface Sample {
  readonly states: Float32Array
  readonly actions: Int32Array
  readonly rewards: Float32Array
  readonly next: Float32Array
}

export class Replay {
  readonly width: number
  readonly capacity: number
  readonly states: Float32Array
  readonly next: Float32Array
  readonly actions: Int32Array
  readonly rewards: Float32Array
  size = 0
  at = 0

  constructor(width: number, capacity: number) {
    this.width = width
    this.capacity = capacity
    this.states = new Float32Array(width * capacity)
    this.next = new Float32Array(width * capacity)
    this.actions = new Int32Array(capacity)
    this.rewards = new Float32Array(capacity)
  }

  add(state: Float32Array, action: number, reward: number, next: Float32Array): void {
    this.states.set(state, this.at * this.width)
    this.next.set(next, this.at * this.width)
    this.actions[this.at] = action
    this.rewards[this.at] = reward
    this.at = (this.at + 1) % this.capacity
    this.size = Math.min(this.size + 1, this.capacity)
  }

  sample(count: number, random: Random): Sample {
    const { width } = this
    const sample = {
      states: new Float32Array(count * width),
      actions: new Int32Array(count),
      rewards: new Float32Array(count),
      next: new Float32Array(count * width),
    }
    for (let i = 0; i < count; i++) {
      const from = Math.floor(random() * this.size)
      sample.states.set(this.states.subarray(from * width, (from + 1) * width), i * width)
      sample.next.set(this.next.subarray(from * width, (from + 1) * width), i * width)
      sample.actions[i] = this.actions[from] as number
      sample.rewards[i] = this.rewards[from] as number
    }
    return sample
  }
}
