// Lengths along a stack whose layers run at different token rates: frames become tokens in the first convolutions, and a
// Temporal U-Net (Squeezeformer, arXiv 2206.00888, section 3.1.1) lowers the rate for some layers and restores it.
// A rate is the number of the stack's tokens for one token there.
import type { Audio, LayerGroup, Module, Side, Stack } from './architecture.ts'

/** Padding before and after an input of `length`. */
export function paddingOf({ kernel, stride, padding }: Side, length: number): readonly [before: number, after: number] {
  if (padding !== 'same') return padding
  const all = Math.max(0, (Math.ceil(length / stride) - 1) * stride + kernel - length)
  return [Math.floor(all / 2), Math.ceil(all / 2)]
}

/** Positions that come out of `length`. Throws RangeError where the kernel is wider than the padded input. */
export function outputLength(name: string, side: Side, length: number): number {
  const [before, after] = paddingOf(side, length)
  const padded = length + before + after
  if (length < 1 || padded < side.kernel) {
    throw new RangeError(
      `${name}: expected an input as wide as its kernel of ${side.kernel}, got ${length} and ${before + after} of padding; use longer audio or a narrower kernel`,
    )
  }
  return Math.floor((padded - side.kernel) / side.stride) + 1
}

/** Tokens at a rate: the last one may stand for fewer. */
export function tokensAt(rate: number, tokens: number): number {
  return Math.ceil(tokens / rate)
}

function temporal(modules: readonly Module[]) {
  return modules.filter((m) => m.kind === 'temporal-convolution')
}

/** Tokens that the layers see of so many frames. Throws RangeError where there are too few for the first convolutions. */
export function tokensOf(stack: Stack, frames: number): number {
  return temporal(stack.input).reduce((length, m) => outputLength(m.name, m.time, length), frames)
}

/** Frames that so many tokens are made from: as many as the strides take, where that gives the tokens. */
export function framesOf(stack: Stack, tokens: number): number {
  return temporal(stack.input).reduceRight((length, { time }) => inputLength(time, length), tokens)
}

function inputLength(side: Side, output: number): number {
  const usual = output * side.stride
  if (side.padding === 'same') return usual
  const [before, after] = side.padding
  const least = (output - 1) * side.stride + side.kernel - before - after
  return Math.min(Math.max(usual, least), least + side.stride - 1)
}

/** Rate at which a group's layers run once they have lowered or restored it, and of the tokens that leave them. */
export function rateAfter({ modules, rate = 1 }: LayerGroup): number {
  return modules.reduce(rateBehind, rate)
}

/** Rate of what leaves a module. */
export function rateBehind(rate: number, m: Module): number {
  if (m.kind === 'upsample') return rate / m.factor
  return m.kind === 'temporal-convolution' ? rate * m.time.stride : rate
}

/** Rate of the tokens that leave the last layer. */
export function exitRate({ groups }: Stack): number {
  const [first] = groups
  if (first === undefined || groups.every((g) => g.rate === undefined && g.modules.every(keepsRate))) return 1
  const last = groups.reduce((a, b) => ((b.layers.at(-1) ?? 0) > (a.layers.at(-1) ?? 0) ? b : a), first)
  return rateAfter(last)
}

function keepsRate(m: Module): boolean {
  return m.kind !== 'temporal-convolution' && m.kind !== 'upsample'
}

/** Frames that audio is cut into. Throws RangeError where it is shorter than one window. */
export function audioFrames({ sampleRate, window, hop, framing }: Audio, seconds: number): number {
  const samples = Math.round(seconds * sampleRate)
  if (samples < window) {
    throw new RangeError(`audio: expected at least one window of ${(1e3 * window) / sampleRate} ms, got ${seconds} s`)
  }
  if (framing === 'centred') return 1 + Math.floor(samples / hop)
  return framing === 'inside' ? 1 + Math.floor((samples - window) / hop) : Math.floor(samples / hop)
}
