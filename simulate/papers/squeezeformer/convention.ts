// How FLOPs are counted over one pass of an encoder: every operator, as a profiler does, or as fits what is recalled of
// the paper's figures. That convention was chosen among five after seeing six of those figures; nothing says that it is
// the authors'. It counts products and convolutions of the first convolutions and of the blocks, as many positions as
// tokens instead of all 2T - 1 distances, and neither the CTC head, nor the layers that change the rate, nor anything
// element-wise.
import { type Architecture, mainStack } from '../../../model/architecture.ts'
import { deploy } from '../../../model/deployment.ts'
import type { Operator } from '../../../model/operator.ts'
import { pass } from '../../../model/pass.ts'
import { audioFrames, tokensOf } from '../../../model/rate.ts'
import { encode } from '../../../model/workload.ts'

export interface Convention {
  /** Positions that queries meet: every distance, or one for each token. */
  readonly positions: 'distances' | 'tokens'
  /** The CTC head and the layers that lower and restore the rate. */
  readonly edges: boolean
  readonly elementwise: boolean
}

export const everything: Convention = { positions: 'distances', edges: true, elementwise: true }
export const asThePaper: Convention = { positions: 'tokens', edges: false, elementwise: false }

/** The operators of one sequence of `seconds`. */
export function operatorsOf(a: Architecture, seconds = 30): readonly Operator[] {
  if (a.audio === undefined) throw new RangeError(`Expected a model that takes audio, got ${a.name}`)
  const frames = audioFrames(a.audio, seconds)
  return pass(deploy(a), encode(1, tokensOf(mainStack(a), frames), frames))
}

const isEdge = ({ name }: Operator) => /^(ctc-head|time-(reduce|recover)-?.*)$/.test(name)

/** Tokens over distances: 1 for what does not depend on positions. */
function share({ name, shape }: Operator, { positions }: Convention): number {
  if (positions === 'distances' || shape.kind !== 'gemm') return 1
  const distances = name === 'attention-position' ? shape.m : name === 'attention-position-scores' ? shape.n : undefined
  return distances === undefined ? 1 : (distances + 1) / 2 / distances
}

/** FLOPs of all instances of an operator. */
export function counted(o: Operator, convention: Convention): number {
  if (isEdge(o) && !convention.edges) return 0
  const vector = convention.elementwise || o.shape.kind === 'convolution' ? o.vector : 0
  return o.count * share(o, convention) * (o.matrix + vector)
}

/** FLOPs of the operators that `of` picks. */
export function flops(
  operators: readonly Operator[],
  convention: Convention,
  of: (o: Operator) => boolean = () => true,
): number {
  return operators.filter(of).reduce((sum, o) => sum + counted(o, convention), 0)
}
