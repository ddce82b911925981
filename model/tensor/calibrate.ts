// Calibration of a scheme on the tokens of a layer, in passes over blocks of tokens, so that a layer need not be in
// memory. First pass, of what has ranges per channel: the extremes of each channel, exactly. Second pass, of learned
// levels: a histogram of the normalized numbers, weighted, of which k-means is solved exactly.
// KVQuant, arXiv 2401.18079, equation 7; percentiles interpolate as numpy's do.
import { Extremes } from './extremes.ts'
import { roundFp16 } from './half.ts'
import { kMeans } from './k-means.ts'
import { encode, encoder, moments, normalFloatLevels, qNorm, uniformLevels } from './levels.ts'
import { groupRanges, type Ranges, rangesOf, tokenThresholds } from './ranges.ts'
import { quantizedTokens, type Scheme } from './scheme.ts'
import { type Shape, type Tensor, width } from './tensor.ts'

export interface Calibrated {
  readonly scheme: Scheme
  readonly width: number
  /** Of the axis `channel` without groups: the range of each channel. */
  readonly channels?: Ranges
  /** Ascending on [-1, 1]; numbers take the code of the nearest. */
  readonly levels: Float64Array
  /** What the codes stand for: the levels, or these after Q-Norm. */
  readonly restored: Float64Array
}

export interface Calibration {
  /** Passes over all blocks that are still to be made; `end` closes each. */
  readonly passes: number
  /** Tokens from `firstToken` on; `fisher` is of the same shape. */
  add(block: Tensor, firstToken: number, fisher?: Tensor): void
  end(): void
  result(): Calibrated
}

/** Starts the calibration of `scheme` for a tensor of this shape. */
export function calibration(scheme: Scheme, shape: Shape): Calibration {
  const fixed = scheme.axis === 'channel' && scheme.group === undefined
  const learned = scheme.codebook === 'learned'
  const [from, to] = quantizedTokens(scheme, shape.tokens)
  let channels: Ranges | undefined
  let extremes = fixed ? new Extremes(width(shape), Math.max(1, to - from), scheme.outliers / 2) : undefined
  const histogram = learned ? new Histogram() : undefined
  return {
    passes: (fixed ? 1 : 0) + (learned ? 1 : 0),
    add(block, firstToken, fisher) {
      const begin = Math.max(from, firstToken) - firstToken
      const end = Math.min(to, firstToken + block.tokens) - firstToken
      if (extremes) for (let t = begin; t < end; t++) extremes.add(block.data, t * width(block))
      else histogram?.addBlock(scheme, block, channels, begin, end, fisher)
    },
    end() {
      if (extremes) channels = rangesOf(scheme, ...extremes.bounds())
      extremes = undefined
    },
    result() {
      const levels = levelsOf(scheme, histogram)
      const restored = scheme.norm && histogram ? histogram.normed(levels) : levels
      return { scheme, width: width(shape), ...(channels && { channels }), levels, restored: stored(scheme, restored) }
    },
  }
}

/** All passes over a tensor that is in memory. */
export function calibrate(scheme: Scheme, x: Tensor, fisher?: Tensor): Calibrated {
  const c = calibration(scheme, x)
  for (let pass = 0; pass < c.passes; pass++) {
    c.add(x, 0, fisher)
    c.end()
  }
  return c.result()
}

function levelsOf({ codebook, bits }: Scheme, histogram: Histogram | undefined): Float64Array {
  if (codebook === 'uniform') return uniformLevels(bits)
  if (codebook === 'nf') return normalFloatLevels(bits)
  return histogram?.means(2 ** bits) ?? uniformLevels(bits)
}

/** A learned table is stored in 16 bits where scales are; the fixed ones are part of the program. */
function stored({ codebook, storage }: Scheme, levels: Float64Array): Float64Array {
  if (codebook !== 'learned') return levels
  return levels.map(storage === 'paper' ? roundFp16 : Math.fround)
}

const bins = 4096

/** Normalized numbers on [-1, 1] by bin: their count, weight, and sums, which give k-means each bin's mean. */
class Histogram {
  readonly counts = new Float64Array(bins)
  readonly sums = new Float64Array(bins)
  readonly weights = new Float64Array(bins)
  readonly weighted = new Float64Array(bins)
  squares = 0

  add(x: number, weight: number): void {
    if (weight < 0) throw new RangeError(`expected a Fisher information from 0, got ${weight}`)
    const bin = Math.min(bins - 1, ((x + 1) * (bins / 2)) | 0)
    this.counts[bin] = (this.counts[bin] as number) + 1
    this.sums[bin] = (this.sums[bin] as number) + x
    this.weights[bin] = (this.weights[bin] as number) + weight
    this.weighted[bin] = (this.weighted[bin] as number) + weight * x
    this.squares += x * x
  }

  /** Numbers within their range; those beyond it are outliers where the scheme keeps such apart, else the range's end. */
  addBlock(scheme: Scheme, x: Tensor, channels: Ranges | undefined, begin: number, end: number, fisher?: Tensor): void {
    const row = width(x)
    const size = scheme.axis === 'token' ? (scheme.group ?? row) : row
    const { weighting } = scheme
    for (let at = begin * row; at < end * row; at += size) {
      const count = Math.min(size, row - (at % row))
      const ranges = channels ?? groupRanges(scheme, x.data, at, count, tokenThresholds(scheme, count))
      for (let i = 0; i < count; i++) {
        const r = channels ? i : 0
        const value = x.data[at + i] as number
        const outside = value < (ranges.low[r] as number) || value > (ranges.high[r] as number)
        if (outside && scheme.outliers > 0) continue
        const range = ranges.range[r] as number
        const normal = range > 0 ? (value - (ranges.zero[r] as number)) / range : 0
        const sensitivity =
          fisher === undefined || weighting === 'none' || weighting === 'range' ? 1 : fisher.data[at + i]
        const scale = weighting === 'range' || weighting === 'fisher-range' ? range * range : 1
        this.add(Math.max(-1, Math.min(1, normal)), (sensitivity as number) * scale)
      }
    }
  }

  /** The best levels for what was added; even ones where nothing was. */
  means(k: number): Float64Array {
    const some = this.weights.some((w) => w > 0)
    const [weights, sums] = some ? [this.weights, this.weighted] : [this.counts, this.sums]
    const kept = [...weights.keys()].filter((bin) => (weights[bin] as number) > 0)
    if (kept.length === 0) return uniformLevels(Math.log2(k))
    const points = Float64Array.from(kept, (bin) => (sums[bin] as number) / (weights[bin] as number))
    return kMeans(
      points,
      Float64Array.from(kept, (bin) => weights[bin] as number),
      k,
    )
  }

  /** Levels after Q-Norm. */
  normed(levels: Float64Array): Float64Array {
    const counts = this.counts
    const n = counts.reduce((a, b) => a + b, 0)
    if (n === 0) return levels
    const mean = this.sums.reduce((a, b) => a + b, 0) / n
    const original = { mean, deviation: Math.sqrt(Math.max(0, this.squares / n - mean * mean)) }
    const e = encoder(levels)
    const quantized = counts.map((count, bin) => {
      const code = count === 0 ? 0 : encode(e, (this.sums[bin] as number) / count)
      return levels[code] as number
    })
    const { scale, offset } = qNorm(original, moments(quantized, counts))
    return levels.map((level) => level * scale + offset)
  }
}
