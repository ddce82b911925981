// How numbers are stored and what unit computes on them. A format is storage (bits, and the scales of its groups)
// and names the arithmetic unit that takes it as an operand. It does not say what a machine can do.

/** The dense arithmetic units a machine may have, named for the operands they take. */
export const units = ['fp32', 'tf32', 'fp16', 'bf16', 'fp8', 'fp6', 'fp4', 'int8', 'int4'] as const
export type Unit = (typeof units)[number]

/** How stored codes become numbers: nothing to do, a scale (and zero), or a look-up table. */
export type Codec = 'none' | 'affine' | 'table'

export interface Format {
  readonly name: string
  /** Bits of one stored element, without its share of the scales. */
  readonly bits: number
  /** Elements that share one scale; absent where each row of a matrix is one group, or where there are no scales. */
  readonly group?: number
  /** Bits of scale and zero point per group; 0 where there are none. */
  readonly groupBits: number
  /** The unit that takes operands of this format directly. */
  readonly unit: Unit
  readonly codec: Codec
  /** Share of elements kept aside, in 16 bits with a 32-bit column index, and a 32-bit pointer per row (CSR). */
  readonly outliers?: number
}

type Row = Omit<Format, 'name'>

// int formats carry one 16-bit scale per group (symmetric); `zero=16` adds a zero point (asymmetric).
// mxfp4: OCP MX v1.0, 32 elements to an 8-bit scale. nvfp4: 16 elements to an 8-bit scale. nf4: bitsandbytes, blocks of
// 64 with an 8-bit double-quantized scale (QLoRA, arXiv 2305.14314, section 3; its second-level constants, 32/256 bits
// a block, are counted). nuqN: non-uniform codes of a table per row, of 2^N 16-bit values (SqueezeLLM, arXiv 2306.07629,
// section 4); `outliers=0.0045` keeps that share of the weights aside, exactly.
const table = {
  fp32: { bits: 32, groupBits: 0, unit: 'fp32', codec: 'none' },
  tf32: { bits: 32, groupBits: 0, unit: 'tf32', codec: 'none' },
  fp16: { bits: 16, groupBits: 0, unit: 'fp16', codec: 'none' },
  bf16: { bits: 16, groupBits: 0, unit: 'bf16', codec: 'none' },
  fp8: { bits: 8, groupBits: 0, unit: 'fp8', codec: 'none' },
  fp6: { bits: 6, group: 32, groupBits: 8, unit: 'fp6', codec: 'affine' },
  fp4: { bits: 4, group: 32, groupBits: 8, unit: 'fp4', codec: 'affine' },
  mxfp4: { bits: 4, group: 32, groupBits: 8, unit: 'fp4', codec: 'affine' },
  nvfp4: { bits: 4, group: 16, groupBits: 8, unit: 'fp4', codec: 'affine' },
  int8: { bits: 8, groupBits: 16, unit: 'int8', codec: 'affine' },
  int4: { bits: 4, group: 128, groupBits: 16, unit: 'int4', codec: 'affine' },
  int3: { bits: 3, group: 128, groupBits: 16, unit: 'int4', codec: 'affine' },
  int2: { bits: 2, group: 128, groupBits: 16, unit: 'int4', codec: 'affine' },
  nf4: { bits: 4, group: 64, groupBits: 8 + 32 / 256, unit: 'int4', codec: 'table' },
  nuq4: { bits: 4, groupBits: 16 * 16, unit: 'int4', codec: 'table' },
  nuq3: { bits: 3, groupBits: 8 * 16, unit: 'int4', codec: 'table' },
  nuq2: { bits: 2, groupBits: 4 * 16, unit: 'int4', codec: 'table' },
} as const satisfies Record<string, Row>

export type FormatName = keyof typeof table
export const formatNames = Object.keys(table) as FormatName[]

/** The named format with its usual group. */
export function format(name: FormatName): Format {
  return formats[name]
}

export const formats = Object.fromEntries(
  formatNames.map((name) => [name, { name, ...(table[name] as Row) } satisfies Format]),
) as Record<FormatName, Format>

const outlierBits = { value: 16, index: 32, pointer: 32 } as const

/**
 * Scales and tables kept for `rows` rows of `rowLength` elements, and where their outliers are, in bytes. A group never
 * spans two rows unless it is longer than a row (a two-dimensional block), when it is counted by area.
 */
export function scaleBytes(f: Format, rows: number, rowLength: number): number {
  const { outliers = 0 } = f
  const places = outliers === 0 ? 0 : rows * (rowLength * outliers * outlierBits.index + outlierBits.pointer)
  if (f.groupBits === 0) return places / 8
  const group = f.group ?? rowLength
  const groups = group > rowLength ? (rows * rowLength) / group : rows * Math.ceil(rowLength / group)
  return (groups * f.groupBits + places) / 8
}

/** The codes and the outliers' values, in bytes, without scales and indices. */
export function codeBytes(f: Format, elements: number): number {
  return (elements * (f.bits + outlierBits.value * (f.outliers ?? 0))) / 8
}

/** Whether elements are kept alike. */
export function sameFormat(a: Format, b: Format): boolean {
  return a.name === b.name && a.group === b.group && a.groupBits === b.groupBits && a.outliers === b.outliers
}

/** Mean bits of one element, its share of the scales included. */
export function bitsPerElement(f: Format, rowLength: number): number {
  return (8 * (codeBytes(f, rowLength) + scaleBytes(f, 1, rowLength))) / rowLength
}
