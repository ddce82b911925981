// A query's seconds of audio as the frames and tokens of a speech encoder, and what is wrong with their number.
import type { Architecture, Stack } from '../model/architecture.ts'
import { audioFrames, rateBehind, tokensAt, tokensOf } from '../model/rate.ts'
import { encode, mixed, type Workload } from '../model/workload.ts'

/** What an encoder makes of the audio. */
export interface Heard {
  readonly frames: number
  readonly tokens: number
}

function encoderOf(a: Architecture): Stack {
  const stack = a.stacks.find((s) => s.name === 'encoder')
  if (stack === undefined) throw new RangeError(`audio: ${a.name} has no encoder; expected --context in tokens`)
  return stack
}

/** What is heard of each length; nothing where no audio is given. Throws RangeError. */
export function hear(a: Architecture, seconds: number | readonly number[] | undefined, warnings: string[]): Heard[] {
  if (seconds === undefined) return []
  const lengths = typeof seconds === 'number' ? [seconds] : seconds
  if (lengths.length === 0) throw new RangeError('audio: expected seconds above 0, got no lengths')
  const heard = lengths.map((s) => audioTokens(a, s, warnings))
  const sum = heard.reduce((tokens, h) => tokens + h.tokens, 0)
  const padded = heard.length * Math.max(...heard.map((h) => h.tokens))
  if (padded > sum) {
    warnings.push(
      `${heard.length} lengths as they are; padded to the longest, ${(padded / sum).toFixed(2)} times the tokens`,
    )
  }
  return heard
}

/** One pass of the encoder over every length, `each` times. */
export function encodeHeard(each: number, tokens: number, heard: readonly Heard[]): Workload {
  if (heard.length === 0) return encode(each, tokens)
  const times = new Map<number, { heard: Heard; count: number }>()
  for (const h of heard) {
    times.set(h.frames, { heard: h, count: (times.get(h.frames)?.count ?? 0) + 1 })
  }
  const alike = [...times.values()]
  return mixed(...alike.map(({ heard: h, count }) => encode(each * count, h.tokens, h.frames)))
}

/** Frames and tokens of `seconds`. Throws RangeError where there is less than a window or a token, or too much. */
function audioTokens(a: Architecture, seconds: number, warnings: string[]): Heard {
  if (!(seconds > 0) || !Number.isFinite(seconds)) {
    throw new RangeError(`audio: expected seconds above 0, got ${seconds}`)
  }
  if (a.audio === undefined) throw new RangeError(`audio: ${a.name} does not take audio; expected tokens`)
  const frames = audioFrames(a.audio, seconds)
  const tokens = tokensHeard(encoderOf(a), frames, seconds)
  const { sourceTokens, tokensPerSecond = 1 } = a
  if (sourceTokens !== undefined && tokens > sourceTokens) {
    const most = sourceTokens / tokensPerSecond
    throw new RangeError(
      `audio: ${a.name} encodes at most ${most} s at once, got ${seconds}; use --batch for more windows`,
    )
  }
  if (sourceTokens !== undefined && tokens < sourceTokens) {
    warnings.push(`${a.name} as released pads audio to ${sourceTokens} tokens; this is ${tokens}`)
  }
  return { frames, tokens }
}

function tokensHeard(stack: Stack, frames: number, seconds: number): number {
  try {
    return tokensOf(stack, frames)
  } catch (error) {
    throw error instanceof RangeError ? new RangeError(`audio: ${seconds} s: ${error.message}`) : error
  }
}

/** Warns of padded kernels that are wider than all tokens there are. */
export function checkLength(a: Architecture, tokens: number, warnings: string[]): void {
  const { groups } = encoderOf(a)
  for (const { modules, rate: entry = 1 } of groups) {
    let rate = entry
    for (const m of modules) {
      const found = tokensAt(rate, tokens)
      rate = rateBehind(rate, m)
      if (m.kind !== 'temporal-convolution' || m.time.kernel <= found) continue
      const over = `${found} ${found === 1 ? 'token' : 'tokens'}`
      const text = `${m.name}: a kernel of ${m.time.kernel} over ${over}; the taps on padding are counted`
      if (!warnings.includes(text)) warnings.push(text)
    }
  }
}
