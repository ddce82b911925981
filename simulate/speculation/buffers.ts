// The life of QuantSpec's cache (arXiv 2502.10424): tokens are quantized in groups, and the newest stay in two fp16
// buffers. The first always holds the group last completed, the second collects what comes after. What a verification
// rejects is dropped from the second by moving its pointer; when the second has filled, the first is quantized, once per
// group, and they change roles. So no quantized token is ever taken back.
//
// The draft's keys and values are placeholders: verification computes all tokens of the round anew, and writes over them.
// A flush waits for the verdict, so the buffers need room for a whole round beyond two groups.

export interface Buffers<T> {
  readonly quantized: readonly T[]
  /** The two buffers, oldest token first. */
  readonly residual: readonly T[]
  /** Times that a group was quantized after the prompt. */
  readonly flushes: number
  /** Most tokens that the buffers held. */
  readonly highest: number
  /** What a draft step reads: quantized tokens, and those of the buffers with what it has drafted. */
  draft(tokens: readonly T[]): void
  /** The target's own keys and values of the round, its additional one last, of which the first `kept` stay. */
  verify(tokens: readonly T[], kept: number): void
}

/** Throws a RangeError unless `group` is a number of tokens. */
function checkGroup(group: number): void {
  if (!Number.isInteger(group) || group < 1) {
    throw new RangeError(`group: expected a whole number of tokens from 1, got ${group}`)
  }
}

/** Tokens of a prompt that are quantized at once: whole groups, so that one to two groups stay. */
export function quantizedOfPrompt(tokens: number, group: number): number {
  checkGroup(group)
  return tokens > 2 * group ? tokens - group - (tokens % group) : 0
}

/** Slots that the buffers need for rounds of `gamma` drafted tokens; without any, the 2 G + 1 of the released code. */
export function bufferSlots(group: number, gamma: number): number {
  return 2 * group + gamma + 1
}

/** A cache behind a prompt. Throws RangeError where a round has more tokens than a group. */
export function buffers<T>(prompt: readonly T[], group: number): Buffers<T> {
  const split = quantizedOfPrompt(prompt.length, group)
  const quantized = prompt.slice(0, split)
  const residual = prompt.slice(split)
  let drafted = 0
  let flushes = 0
  let highest = residual.length

  const write = (tokens: readonly T[]) => {
    if (tokens.length > group + 1) {
      throw new RangeError(`expected at most ${group + 1} tokens a round for groups of ${group}, got ${tokens.length}`)
    }
    residual.push(...tokens)
    highest = Math.max(highest, residual.length)
  }
  const drop = (count: number) => {
    residual.length -= count
  }

  return {
    quantized,
    residual,
    get flushes() {
      return flushes
    },
    get highest() {
      return highest
    },
    draft(tokens) {
      write(tokens)
      drafted += tokens.length
    },
    verify(tokens, kept) {
      if (!Number.isInteger(kept) || kept < 0 || kept > tokens.length) {
        throw new RangeError(`kept: expected 0 to ${tokens.length} tokens, got ${kept}`)
      }
      drop(drafted)
      drafted = 0
      write(tokens)
      drop(tokens.length - kept)
      while (residual.length >= 2 * group) {
        quantized.push(...residual.splice(0, group))
        flushes++
      }
    },
  }
}
