// What a feed-forward block computes element by element: SwiGLU, silu(gate) · up, and GELU in its tanh form, which is
// x · sigmoid(2 √(2/π) (x + 0.044715 x³)) (arXiv 1606.08415; 2002.05202).
import type { Random } from '../../model/random.ts'
import { decode } from '../../model/workload.ts'
import { type Fill, reader } from '../input.ts'
import { type AnyKernel, type Expectation, kernel, type Plan } from '../kernel.ts'
import { passOf, pick, plainFormats } from '../ledger.ts'
import { exponentialError, stored } from '../rounding.ts'
import { bindings, each, groupIndex, halves, loadPack, packs, packWords, padded, spread } from '../webgpu/wgsl.ts'
import { someOf } from './gemv.ts'
import { pieceOf } from './pieces.ts'

export interface Elements {
  readonly rows: number
  readonly width: number
  readonly bits: number
}

interface Shape extends Record<string, number> {
  rows: number
  width: number
  bits: number
}

export type Activation = 'swiglu' | 'gelu'

const fillX = { kind: 'normal', seed: 71, scale: 1, outliers: 8 } as const satisfies Fill

/** An exponential's argument stays finite; what is left out is below 2^-100. */
const largest = 80
const geluScale = 2 * Math.sqrt(2 / Math.PI)
const geluCube = 0.044715

/** Rows of `width` outputs; of SwiGLU's inputs, rows of gates with their rows of ups behind them. */
export function activationSource(
  { rows, width, bits }: Elements,
  type: Activation,
  workgroup: number,
  packed: number,
): string {
  const words = packWords(bits)
  const row = packs(width)
  const all = rows * row
  const groups = Math.ceil(all / (workgroup * packed))
  const gated = type === 'swiglu'
  const load = (i: number) =>
    gated
      ? `let r${i} = p${i} / ${row}u * ${2 * row}u + p${i} % ${row}u;
${loadPack(`x${i}`, 'x', `r${i} * ${words}u`, bits)}
${loadPack(`u${i}`, 'x', `(r${i} + ${row}u) * ${words}u`, bits)}`
      : loadPack(`x${i}`, 'x', `p${i} * ${words}u`, bits)
  const value = (i: number, half: string) => (gated ? `f(x${i}_${half}) * u${i}_${half}` : `f(x${i}_${half})`)
  const store = (i: number) =>
    bits === 32
      ? `y[p${i} * 2u] = bitcast<vec4u>(y${i}_lo); y[p${i} * 2u + 1u] = bitcast<vec4u>(y${i}_hi);`
      : `y[p${i}] = ${halves(`y${i}_lo`, `y${i}_hi`)};`
  return `${bindings([
    ['x', 'array<vec4u>'],
    ['y', 'array<vec4u>', true],
  ])}
fn f(x: vec4f) -> vec4f {
  let z = ${gated ? 'x' : `${geluScale} * fma(x * x * x, vec4f(${geluCube}), x)`};
  return x / (vec4f(1.0) + exp(min(-z, vec4f(${largest}.0))));
}
@compute @workgroup_size(${workgroup})
fn main(@builtin(workgroup_id) group: vec3u, @builtin(local_invocation_index) local: u32) {
  let first = (${groupIndex(groups)}) * ${workgroup * packed}u + local;
${each(packed, (i) => `let p${i} = min(first + ${i * workgroup}u, ${all - 1}u);\n${load(i)}`)}
${each(packed, (i) => `let y${i}_lo = ${value(i, 'lo')};\nlet y${i}_hi = ${value(i, 'hi')};`)}
${each(packed, (i) => `if (first + ${i * workgroup}u < ${all}u) { ${store(i)} }`)}
}
`
}

export function activationGroups({ rows, width }: Elements, workgroup: number, packed: number) {
  return spread(Math.ceil((rows * packs(width)) / (workgroup * packed)))
}

/** An activation in f64, and what a kernel may be off by before the result is stored. */
export function activated(type: Activation, x: number, up: number): { value: number; error: number } {
  const z = type === 'gelu' ? geluScale * (x + geluCube * x ** 3) : x
  const factor = type === 'gelu' ? 1 : up
  const value = (x / (1 + Math.exp(-z))) * factor
  // Roundings of the argument shift the exponential, its own error is added; then a sum, a division, a product.
  const argument = type === 'gelu' ? 8 * 2 ** -24 * geluScale * (Math.abs(x) + geluCube * Math.abs(x) ** 3) : 0
  const relative = argument + exponentialError(Math.min(Math.abs(z), largest)) + 8 * 2 ** -23
  return { value, error: Math.abs(value) * relative + 2 ** -100 * (1 + Math.abs(x * factor)) }
}

function module(type: Activation, width: number) {
  const gated = type === 'swiglu'
  return {
    kind: 'ffn',
    name: 'ffn',
    width,
    hidden: width,
    gated,
    bias: false,
    activation: gated ? 'silu' : 'gelu',
  } as const
}

function expectations(s: Shape, type: Activation, random: Random): Expectation[] {
  const { rows, width, bits } = s
  const at = reader(fillX)
  const wide = padded(width)
  const kept = bits === 32 ? 'fp32' : 'fp16'
  return someOf(rows, random, Math.max(3, Math.floor(2 ** 16 / width))).map((row) => {
    const results = Array.from({ length: width }, (_, i) =>
      type === 'swiglu'
        ? activated(type, at(row * 2 * wide + i), at(row * 2 * wide + wide + i))
        : activated(type, at(row * wide + i), 1),
    )
    return {
      tensor: 'y',
      offset: row * wide,
      values: Float64Array.from(results, (r) => r.value),
      tolerances: Float64Array.from(results, (r) => r.error + stored(r.value, kept)),
    }
  })
}

/** Outputs that a piece has at least. */
const leastElements = 2 ** 12

function activation(type: Activation, means: string): AnyKernel {
  const inputs = type === 'swiglu' ? 2 : 1
  return kernel<Shape>({
    name: type,
    means,
    sizes: {
      rows: { means: 'rows (tokens)', default: 4096 },
      width: { means: 'outputs of a row', default: 11008 },
      bits: { means: 'storage of all operands', default: 16, of: [16, 32] },
    },
    shapes: {
      small: [{ rows: 256, width: 2816 }],
      large: [
        { rows: 1, width: 11008 },
        { rows: 4096, width: 11008 },
        { rows: 32768, width: 3072 },
      ],
    },
    problem: (s) => {
      const elements = s.rows * padded(s.width)
      const kept = s.bits === 32 ? 'fp32' : 'fp16'
      return {
        tensors: [
          { name: 'x', elements: inputs * elements, type: kept, use: 'input', fill: fillX },
          { name: 'y', elements, type: kept, use: 'output' },
        ],
        operators: pick(passOf([module(type, s.width)], decode(s.rows, 0), plainFormats(s.bits)), 'ffn-activation'),
        tolerance:
          'the argument rounded, 3 + 2|x| ulp of its exponential, a sum, a division and a product; the result stored',
        expectations: (random) => expectations(s, type, random),
      }
    },
    plans: {
      webgpu: (s, { workgroup }): Plan[] =>
        [
          [256, 2],
          [256, 4],
          [128, 2],
          [256, 1],
        ]
          .filter(([lanes = 0]) => lanes <= workgroup)
          .map(([lanes = 256, packed = 1]) => ({
            variant: `lanes=${lanes} packs=${packed}`,
            launches: [
              {
                source: activationSource(s, type, lanes, packed),
                buffers: ['x', 'y'],
                groups: activationGroups(s, lanes, packed),
              },
            ],
          })),
      wasm: (s, facts): Plan[] => {
        if (s.bits === 16) return []
        const each = pieceOf(s.rows, facts, leastElements / s.width)
        const groups = [Math.ceil(s.rows / each), 1, 1] as const
        const args = [s.rows, padded(s.width), each]
        return [{ variant: '', launches: [{ source: type, buffers: ['x', 'y'], groups, args }] }]
      },
    },
  })
}

export const swiglu = activation('swiglu', 'the product of silu(gate) and up, element by element')
export const gelu = activation('gelu', 'GELU, element by element')
