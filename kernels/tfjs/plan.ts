// Plans of TensorFlow.js: one call of an operation of this folder, its sizes as arguments. Knows nothing of the library.
import type { Plan } from '../kernel.ts'
import type { OperationName } from './operations.ts'

/** The library stores and computes in fp32 alone: no plan for other widths. */
export function libraryPlans(
  source: OperationName,
  bits: number,
  buffers: readonly string[],
  args: readonly number[],
): Plan[] {
  return bits === 32 ? [{ variant: '', launches: [{ source, buffers, groups: [1, 1, 1], args }] }] : []
}
