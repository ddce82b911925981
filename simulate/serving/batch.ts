// What one step runs, as moments: of the sequences that decode, how many and their cached tokens by octave of the
// context; of prompts, how many bring which tokens after which past. A step's time is a function of these alone.
import { mixed, type Segment, type Sequences, type Workload } from '../../model/workload.ts'

export interface Reading {
  sequences: number
  readonly past: number
  readonly tokens: number
  /** The prompt ends with these tokens. */
  readonly last: boolean
}

const octaves = 40

export class Batch {
  /** Decoding sequences by octave, and the sum of their cached tokens. */
  readonly sequences = new Int32Array(octaves)
  readonly cached = new Float64Array(octaves)
  readonly readings: Reading[] = []
  decoding = 0
  /** Prompts, and their tokens of this step. */
  reading = 0
  readingTokens = 0
  private highest = -1

  get size(): number {
    return this.decoding + this.reading
  }

  clear(): void {
    for (let i = 0; i <= this.highest; i++) {
      this.sequences[i] = 0
      this.cached[i] = 0
    }
    this.highest = -1
    this.readings.length = 0
    this.decoding = 0
    this.reading = 0
    this.readingTokens = 0
  }

  /** `count` sequences that decode one token after so many cached ones. */
  decode(cached: number, count = 1): void {
    const octave = cached < 2147483648 ? 31 - Math.clz32(cached) : octaves - 1
    const i = Math.max(0, octave)
    this.sequences[i] = (this.sequences[i] as number) + count
    this.cached[i] = (this.cached[i] as number) + count * cached
    if (i > this.highest) this.highest = i
    this.decoding += count
  }

  read(past: number, tokens: number, last: boolean): void {
    this.reading++
    this.readingTokens += tokens
    for (const r of this.readings) {
      if (r.past === past && r.tokens === tokens && r.last === last) {
        r.sequences++
        return
      }
    }
    this.readings.push({ sequences: 1, past, tokens, last })
  }

  /** The moments as a workload: each octave of contexts is one group at their mean. */
  workload(): Workload {
    const groups: Sequences[] = []
    for (let i = 0; i <= this.highest; i++) {
      const n = this.sequences[i] as number
      if (n > 0) groups.push({ sequences: n, query: 1, past: own((this.cached[i] as number) / n, n), logits: 1 })
    }
    for (const { sequences, past, tokens, last } of this.readings) {
      const group = {
        sequences,
        query: tokens,
        past: own(past, sequences),
        logits: last ? 1 : 0,
        prompt: true,
      } as const
      groups.push(group)
    }
    return mixed({ stack: 'decoder', groups })
  }
}

function own(tokens: number, sequences: number): readonly Segment[] {
  return tokens > 0 ? [{ tokens, copies: sequences, sharers: 1 }] : []
}
