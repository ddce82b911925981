// Convolutions over time: the two-dimensional ones that make tokens of frames, those of Conformer's convolution module
// (pointwise, depthwise) and the strided ones of a Temporal U-Net. All taps are counted, those on padding too, as the
// kernels compute them; depthwise and grouped ones run on vector units. Their shape says all that a kernel is built from.
import type { TemporalConvolution } from '../architecture.ts'
import { scaleBytes } from '../format.ts'
import type { ConvolutionImages, Stream } from '../operator.ts'
import { tapsOf } from '../parameters.ts'
import { outputLength, paddingOf } from '../rate.ts'
import type { Sequences } from '../workload.ts'
import { activationExponentials, activationFlops, activationStream, type Context, elementwise, emit } from './emit.ts'

/** A convolution, whole on every rank, and the kernels of its norm and its activation. */
export function temporalConvolution(v: TemporalConvolution, c: Context): void {
  const images = c.groups.map((g) => imagesOf(v, g))
  const { input, output } = v.channels
  const positions = (of: 'input' | 'output') =>
    images.reduce((sum, { sequences, sides }) => sum + sequences * sides.reduce((n, s) => n * s[of], 1), 0)
  const outputs = positions('output')
  const taps = tapsOf(v)
  const { weights, stream } = c.deployment
  const f = weights.convolution
  const codes = output * taps
  const metadata = scaleBytes(f, output, taps)
  const streams: Stream[] = [
    {
      owner: 'weights',
      way: 'read',
      bytes: (codes * f.bits + (v.bias ? output : 0) * weights.norm.bits) / 8 + metadata,
      metadata,
      ...(f.codec !== 'none' && { codec: f.codec, codes }),
    },
    activationStream('read', (positions('input') * input * stream.bits) / 8),
    activationStream('write', (outputs * output * stream.bits) / 8),
  ]
  const flops = 2 * outputs * output * taps
  const vector = v.groups > 1
  const shape = {
    kind: 'convolution',
    outputs,
    channels: output,
    taps,
    inputs: input,
    groups: v.groups,
    images,
  } as const
  emit(c, v.name, shape, vector ? 0 : flops, vector ? flops : 0, streams)
  if (v.batchNorm) batchNorm(v, c, outputs)
  if (v.activation !== undefined) activate(v, v.activation, c, outputs)
}

function imagesOf(v: TemporalConvolution, { sequences, query }: Sequences): ConvolutionImages {
  const sides = v.features ? [{ ...v.time, size: query }, v.features] : [{ ...v.time, size: query }]
  return {
    sequences,
    sides: sides.map((side) => ({
      input: side.size,
      output: outputLength(v.name, side, side.size),
      kernel: side.kernel,
      stride: side.stride,
      padding: paddingOf(side, side.size),
    })),
  }
}

/** With the statistics kept from training a factor and an offset. */
function batchNorm(v: TemporalConvolution, c: Context, outputs: number): void {
  const elements = outputs * v.channels.output
  const bytes = (4 * v.channels.output * c.deployment.weights.norm.bits) / 8
  const weights: Stream = { owner: 'weights', way: 'read', bytes, metadata: 0 }
  elementwise(c, `${v.name}-batch-norm`, elements, elements, 2 * elements, weights)
}

function activate(v: TemporalConvolution, activation: string, c: Context, outputs: number): void {
  const elements = outputs * v.channels.output
  const name = `${v.name}-activation`
  if (activation === 'glu') {
    const flops = ((activationFlops('sigmoid') + 1) * elements) / 2
    elementwise(c, name, elements, elements / 2, flops, undefined, elements / 2)
    return
  }
  const exponentials = activationExponentials(activation) * elements
  elementwise(c, name, elements, elements, activationFlops(activation) * elements, undefined, exponentials)
}
