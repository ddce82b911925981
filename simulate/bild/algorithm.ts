// BiLD's generation, step by step, as the released code does it (github.com/kssteven418/BigLittleDecoder): which model
// computes which token, what is thrown away, and the counts that the latency follows from.
//
// Its quirks are kept: the first step is the large model's; a small step that turns out unsure is wasted; of the checked
// tokens only the first above the rollback threshold is looked at, and where the large model's choice is the same there,
// later ones pass too; after a rollback the large model computes once more; what the small model emits last is unchecked.
import { checkProbability } from '../speculation/acceptance.ts'
import { checkWindow } from './renewal.ts'

/** What both models would say at one position. */
export interface Proposal {
  /** Probability of the small model's choice. */
  readonly confidence: number
  /** -ln of the probability that the large model gives to the small one's choice, nats. */
  readonly distance: number
  /** Whether the large model would choose the same token. */
  readonly agrees: boolean
}

/** A text to generate: its length and what the models say at each position. After a rollback positions are asked again. */
export interface Text {
  readonly tokens: number
  propose(position: number): Proposal
}

export interface Thresholds {
  /** The small model gives up below this confidence. 0 never fires. */
  readonly fallback: number
  /** The large model rolls back above this distance, nats. */
  readonly rollback: number
  /** Most tokens of the small model in a row. */
  readonly window: number
}

/** Defaults of the released code, which also reads a threshold of 0 as its default; here 0 is 0. */
export const releasedThresholds: Thresholds = { fallback: 0.6, rollback: 5, window: 10 }

export interface Counts {
  readonly tokens: number
  readonly smallSteps: number
  readonly largeSteps: number
  readonly fallbacks: number
  readonly rollbacks: number
  /** Runs of the small model that the window ended. */
  readonly capped: number
  /** Tokens of the small model that rollbacks deleted. */
  readonly deleted: number
  /** Steps whose token was appended and neither taken back at once nor the last: what published shares are of. */
  readonly iterations: number
}

export type Event =
  | { readonly event: 'large' | 'small' | 'fallback' | 'capped'; readonly position: number }
  | { readonly event: 'rollback'; readonly position: number; readonly deleted: number }

export interface Run {
  readonly counts: Counts
  /** Large steps by the number of small tokens that they checked; they compute one token more. */
  readonly checked: readonly number[]
}

/** Throws a RangeError where a threshold is none. */
export function checkThresholds({ fallback, rollback, window }: Thresholds): void {
  checkProbability('fallback', fallback)
  if (!(rollback >= 0)) throw new RangeError(`rollback: expected a distance from 0 nats, got ${rollback}`)
  checkWindow(window)
}

/** Generates a text. Throws RangeError for thresholds or a length that cannot be. */
export function generate(text: Text, thresholds: Thresholds, log?: (event: Event) => void): Run {
  checkThresholds(thresholds)
  const { tokens } = text
  if (!(Number.isInteger(tokens) && tokens >= 1)) {
    throw new RangeError(`tokens: expected a text of at least one token, got ${tokens}`)
  }
  const { fallback, rollback, window } = thresholds
  const c = { smallSteps: 0, largeSteps: 0, fallbacks: 0, rollbacks: 0, capped: 0, deleted: 0, iterations: 0 }
  const checked: number[] = []
  const unchecked: Proposal[] = []
  let small = false
  let run = 0
  for (let length = 0; ; ) {
    if (small) {
      c.smallSteps++
      const proposal = text.propose(length)
      if (proposal.confidence < fallback) {
        c.fallbacks++
        log?.({ event: 'fallback', position: length })
        small = false
        continue
      }
      unchecked.push(proposal)
      log?.({ event: 'small', position: length })
      if (++length === tokens) break
      c.iterations++
      if (++run === window) {
        c.capped++
        log?.({ event: 'capped', position: length })
        small = false
      }
      continue
    }
    c.largeSteps++
    const k = unchecked.length
    checked[k] = (checked[k] ?? 0) + 1
    const wrong = firstRejected(unchecked, rollback)
    unchecked.length = 0
    if (wrong !== undefined) {
      // The large model's own token takes the place of the first wrong one.
      length += wrong - k
      c.rollbacks++
      c.deleted += k - wrong
      log?.({ event: 'rollback', position: length, deleted: k - wrong })
      length++
      continue
    }
    log?.({ event: 'large', position: length })
    if (++length === tokens) break
    c.iterations++
    small = true
    run = 0
  }
  return { counts: { tokens, ...c }, checked: Array.from(checked, (n) => n ?? 0) }
}

function firstRejected(proposals: readonly Proposal[], rollback: number): number | undefined {
  const first = proposals.findIndex((p) => p.distance > rollback)
  return first === -1 || proposals[first]?.agrees ? undefined : first
}

/** The events in a line: `L0 s1-s4 FB@5 L5 s6 RB@6(-1)`; runs of small steps are drawn together. */
export function eventLine(events: readonly Event[]): string {
  const words: string[] = []
  let begin: number | undefined
  events.forEach((e, i) => {
    if (e.event !== 'small') {
      words.push(eventWord(e))
      return
    }
    begin ??= e.position
    if (events[i + 1]?.event === 'small') return
    words.push(begin === e.position ? `s${begin}` : `s${begin}-s${e.position}`)
    begin = undefined
  })
  return words.join(' ')
}

function eventWord(e: Event): string {
  switch (e.event) {
    case 'large':
      return `L${e.position}`
    case 'small':
      return `s${e.position}`
    case 'fallback':
      return `FB@${e.position}`
    case 'capped':
      return `CAP@${e.position}`
    case 'rollback':
      return `RB@${e.position}(-${e.deleted})`
  }
}
