// What stands around the modules of a speech encoder's layers: the learned scale before each, and the step back up of
// its Temporal U-Net. The step down is a convolution.
import type { Scale, Upsample } from '../architecture.ts'
import type { Stream } from '../operator.ts'
import { type Context, elementwise } from './emit.ts'

export function scale(s: Scale, c: Context): void {
  const elements = c.tokens * s.width
  const bytes = (2 * s.width * c.deployment.weights.norm.bits) / 8
  const weights: Stream = { owner: 'weights', way: 'read', bytes, metadata: 0 }
  elementwise(c, s.name, elements, elements, 2 * elements, weights)
}

/** Runs at the higher rate: what it writes is complete, what it reads once is not. */
export function upsample(u: Upsample, c: Context): void {
  const read = c.groups.reduce((sum, g) => sum + g.sequences * Math.ceil(g.query / u.factor), 0)
  elementwise(c, u.name, read * u.width, c.tokens * u.width, 0)
}
