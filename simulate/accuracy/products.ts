// Rows of matrix products, in 16 bits and narrower, with cold weights. Rows in fp8 include the quantizing of activations,
// as the time of such products does.
import { type Format, type FormatName, format } from '../../model/format.ts'
import type { Operator } from '../../model/operator.ts'
import { prefill } from '../../model/workload.ts'
import { type Case, count, type Line, operatorsOf, timed, Unmappable } from './case.ts'

interface Stored {
  readonly weights: Format
  readonly activations: FormatName
}

/** 128 × 128 weights to one fp32 scale. */
export const blocks: Format = { ...format('fp8'), name: 'fp8_block', group: 128 * 128, groupBits: 32 }

/** 16-bit formats by their longer names. */
function spelledOut(dtype: string): string {
  const name = dtype.trim().toLowerCase()
  if (name === 'bfloat16') return 'bf16'
  return name === 'half' || name === 'float16' ? 'fp16' : name
}

const products: Readonly<Record<string, Stored>> = {
  bf16: { weights: format('bf16'), activations: 'bf16' },
  fp16: { weights: format('fp16'), activations: 'fp16' },
  fp8: { weights: format('fp8'), activations: 'fp8' },
  fp8_block: { weights: blocks, activations: 'fp8' },
  int8_wo: { weights: format('int8'), activations: 'bf16' },
  int4_wo: { weights: format('int4'), activations: 'bf16' },
  // Smooth-quantized: the activations come quantized from the operator before.
  sq: { weights: format('int8'), activations: 'int8' },
}

/** The operators of one product of `m` tokens, `n` outputs and contracted width `k`. */
export function productOf(m: number, n: number, k: number, weights: Format, activations: FormatName): Operator[] {
  const linear = { kind: 'linear', name: 'gemm', role: 'ffn', input: k, output: n, bias: false, tokens: 'all' } as const
  const dtype = activations === 'fp16' ? 'fp16' : 'bf16'
  return [...operatorsOf(linear, prefill(1, m), { weights, activations: format(activations) }, dtype)]
}

export function product(line: Line): Case {
  const [m, n, k] = [count(line, 'm'), count(line, 'n'), count(line, 'k')]
  const { framework = '', version = '', kernel = '' } = line
  const dtype = spelledOut(line.dtype ?? '')
  const stored = Object.hasOwn(products, dtype) ? products[dtype] : undefined
  if (!stored) throw new Unmappable(`dtype: '${dtype}' is not known (${Object.keys(products).join(', ')})`)
  return {
    ...timed(line),
    kind: stored.weights.bits === 16 ? 'gemm' : 'gemm-narrow',
    operators: productOf(m, n, k, stored.weights, stored.activations),
    keys: { op: 'gemm', dtype, framework, version, kernel },
  }
}
