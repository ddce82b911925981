// Convolutions over time as in Conformer and Squeezeformer (arXiv 2206.00888, section 3.1): depthwise, of any stride, and
// pointwise, which is a product of matrices. Channels lie next to each other. A lane of the depthwise one takes a pack of
// channels and several outputs in a row: it loads every input and every weight once.
import type { TemporalConvolution } from '../../model/architecture.ts'
import type { Random } from '../../model/random.ts'
import { outputLength, paddingOf } from '../../model/rate.ts'
import { encode } from '../../model/workload.ts'
import type { Facts } from '../backend.ts'
import { type Fill, reader } from '../input.ts'
import { type AnyKernel, type Expectation, kernel, type Plan } from '../kernel.ts'
import { passOf, pick, plainFormats } from '../ledger.ts'
import { roundings, stored } from '../rounding.ts'
import { bindings, each, groupIndex, halves, loadPack, packs, packWords, padded, spread } from '../webgpu/wgsl.ts'
import { gemmPlans, gemmProblem, gemmThreadPlans } from './gemm.ts'
import { someOf } from './gemv.ts'
import { pieceOf } from './pieces.ts'

interface Depthwise extends Record<string, number> {
  batch: number
  tokens: number
  channels: number
  kernel: number
  stride: number
  bits: number
}

const fillX = { kind: 'normal', seed: 81, outliers: 9 } as const satisfies Fill
const fillW = { kind: 'normal', seed: 82, outliers: 6 } as const satisfies Fill

const side = (s: Depthwise) => ({ kernel: s.kernel, stride: s.stride, padding: 'same' }) as const
const outputs = (s: Depthwise) => outputLength('convolution', side(s), s.tokens)

function module(input: number, output: number, groups: number, time: TemporalConvolution['time']): TemporalConvolution {
  return { kind: 'temporal-convolution', name: 'convolution', channels: { input, output }, groups, bias: false, time }
}

/** Outputs of a lane, and lanes of a workgroup. */
interface Cut {
  readonly outputs: number
  readonly workgroup: number
}

function lanesIn(s: Depthwise, cut: Cut): number {
  return s.batch * Math.ceil(outputs(s) / cut.outputs) * packs(s.channels)
}

function source(s: Depthwise, cut: Cut): string {
  const { tokens, channels, kernel: taps, stride, bits } = s
  const words = packWords(bits)
  const row = packs(channels)
  const made = outputs(s)
  const tiles = Math.ceil(made / cut.outputs)
  const all = lanesIn(s, cut)
  const [before] = paddingOf(side(s), tokens)
  const reach = (cut.outputs - 1) * stride + taps
  const step = (i: number) => {
    const uses = Array.from({ length: cut.outputs }, (_, o) => ({ o, tap: i - o * stride })).filter(
      ({ tap }) => tap >= 0 && tap < taps,
    )
    return `${i < taps ? loadPack(`w${i}`, 'w', `(${i * row}u + pack) * ${words}u`, bits) : ''}
let at${i} = begin + ${i};
${loadPack(`in${i}`, 'x', `((sequence * ${tokens}u + u32(clamp(at${i}, 0, ${tokens - 1}))) * ${row}u + pack) * ${words}u`, bits)}
let inside${i} = at${i} >= 0 && at${i} < ${tokens};
let x${i}_lo = select(vec4f(), in${i}_lo, inside${i});
let x${i}_hi = select(vec4f(), in${i}_hi, inside${i});
${uses.map(({ o, tap }) => `y${o}_lo = fma(w${tap}_lo, x${i}_lo, y${o}_lo); y${o}_hi = fma(w${tap}_hi, x${i}_hi, y${o}_hi);`).join('\n')}`
  }
  const store = (o: number) => {
    const to = `((sequence * ${made}u + first + ${o}u) * ${row}u + pack) * ${words}u`
    return bits === 32
      ? `y[${to}] = bitcast<vec4u>(y${o}_lo); y[${to} + 1u] = bitcast<vec4u>(y${o}_hi);`
      : `y[${to}] = ${halves(`y${o}_lo`, `y${o}_hi`)};`
  }
  return `${bindings([
    ['x', 'array<vec4u>'],
    ['w', 'array<vec4u>'],
    ['y', 'array<vec4u>', true],
  ])}
@compute @workgroup_size(${cut.workgroup})
fn main(@builtin(workgroup_id) group: vec3u, @builtin(local_invocation_index) local: u32) {
  let number = (${groupIndex(Math.ceil(all / cut.workgroup))}) * ${cut.workgroup}u + local;
  if (number >= ${all}u) { return; }
  let pack = number % ${row}u;
  let first = number / ${row}u % ${tiles}u * ${cut.outputs}u;
  let sequence = number / ${row * tiles}u;
  let begin = i32(first) * ${stride} - ${before};
${each(cut.outputs, (o) => `var y${o}_lo = vec4f(); var y${o}_hi = vec4f();`)}
${each(reach, step)}
${each(cut.outputs, (o) => `if (first + ${o}u < ${made}u) { ${store(o)} }`)}
}
`
}

function plans(s: Depthwise, { workgroup }: { readonly workgroup: number }): Plan[] {
  const table: readonly (readonly [outputs: number, workgroup: number])[] =
    s.stride === 1
      ? [
          [4, 128],
          [8, 128],
          [4, 256],
          [16, 64],
          [2, 256],
        ]
      : [
          [4, 128],
          [2, 128],
          [8, 128],
        ]
  return table
    .filter(([, lanes]) => lanes <= workgroup)
    .map(([outputs, lanes]) => {
      const cut = { outputs, workgroup: lanes }
      return {
        variant: `outputs=${outputs} lanes=${lanes}`,
        launches: [
          { source: source(s, cut), buffers: ['x', 'w', 'y'], groups: spread(Math.ceil(lanesIn(s, cut) / lanes)) },
        ],
      }
    })
}

/** Each piece takes some outputs of a sequence. */
function threadPlans(s: Depthwise, facts: Facts): Plan[] {
  if (s.bits === 16) return []
  const made = outputs(s)
  const each = Math.min(Math.ceil(made / 4) * 4, pieceOf(s.batch * made, facts, 2 ** 12 / s.channels, 4))
  const pieces = Math.ceil(made / each)
  const [before] = paddingOf(side(s), s.tokens)
  return [
    {
      variant: '',
      launches: [
        {
          source: 'depthwise',
          buffers: ['x', 'w', 'y'],
          groups: [s.batch * pieces, 1, 1],
          args: [s.tokens, made, padded(s.channels), s.kernel, s.stride, before, each, pieces],
        },
      ],
    },
  ]
}

function expectations(s: Depthwise, random: Random): Expectation[] {
  const { tokens, channels, kernel: taps, stride, bits } = s
  const [x, w] = [reader(fillX), reader(fillW)]
  const wide = padded(channels)
  const made = outputs(s)
  const [before] = paddingOf(side(s), tokens)
  const off = roundings(taps + 1)
  const kept = bits === 32 ? 'fp32' : 'fp16'
  const rows = someOf(s.batch * made, random, Math.max(4, Math.floor(2 ** 18 / (channels * taps))))
  return rows.map((row) => {
    const sequence = Math.floor(row / made)
    const first = (row % made) * stride - before
    const values = new Float64Array(channels)
    const tolerances = new Float64Array(channels)
    for (let c = 0; c < channels; c++) {
      let sum = 0
      let size = 0
      for (let tap = Math.max(0, -first); tap < taps && first + tap < tokens; tap++) {
        const p = x((sequence * tokens + first + tap) * wide + c) * w(tap * wide + c)
        sum += p
        size += Math.abs(p)
      }
      values[c] = sum
      tolerances[c] = off * size + stored(sum, kept)
    }
    return { tensor: 'y', offset: row * wide, values, tolerances }
  })
}

const common = {
  batch: { means: 'sequences', default: 64 },
  tokens: { means: 'positions of each', default: 1024 },
} as const
const bitsSize = { means: 'storage of all operands', default: 16, of: [16, 32] } as const

function depthwise(name: string, means: string, kernelSize: number, stride: number): AnyKernel {
  return kernel<Depthwise>({
    name,
    means,
    sizes: {
      ...common,
      channels: { means: 'channels, each by itself', default: 512 },
      kernel: { means: 'taps', default: kernelSize },
      stride: { means: 'positions from one output to the next', default: stride },
      bits: bitsSize,
    },
    shapes: {
      small: [{ batch: 4, channels: 256 }],
      large: [{}, { batch: 1 }, { batch: 256, channels: 1024 }],
    },
    problem: (s) => {
      const kept = s.bits === 32 ? 'fp32' : 'fp16'
      const wide = padded(s.channels)
      const modules = [module(s.channels, s.channels, s.channels, side(s))]
      return {
        tensors: [
          { name: 'x', elements: s.batch * s.tokens * wide, type: kept, use: 'input', fill: fillX },
          { name: 'w', elements: s.kernel * wide, type: kept, use: 'input', fill: fillW },
          { name: 'y', elements: s.batch * outputs(s) * wide, type: kept, use: 'output' },
        ],
        operators: pick(passOf(modules, encode(s.batch, s.tokens), plainFormats(s.bits)), 'convolution'),
        tolerance: 'a multiply and add for each tap; the result stored',
        expectations: (random) => expectations(s, random),
      }
    },
    plans: { webgpu: plans, wasm: threadPlans },
  })
}

export const convolutionDepthwise = depthwise(
  'convolution-depthwise',
  "a convolution of each channel over time (Conformer's module)",
  31,
  1,
)

export const timeReduction = depthwise(
  'time-reduction',
  'a strided convolution of each channel that halves the rate (Squeezeformer)',
  5,
  2,
)

interface Pointwise extends Record<string, number> {
  batch: number
  tokens: number
  input: number
  output: number
  bits: number
}

const asProduct = (s: Pointwise) => ({ m: s.batch * s.tokens, n: s.output, k: s.input, bits: s.bits })

export const convolutionPointwise = kernel<Pointwise>({
  name: 'convolution-pointwise',
  means: 'a convolution of one tap, which is a product of matrices',
  sizes: {
    ...common,
    input: { means: 'input channels', default: 512 },
    output: { means: 'output channels', default: 1024 },
    bits: bitsSize,
  },
  shapes: {
    small: [{ batch: 1, tokens: 512, input: 256, output: 512 }],
    large: [{}, { batch: 1 }],
  },
  problem: (s) => ({
    ...gemmProblem(asProduct(s)),
    operators: pick(
      passOf(
        [module(s.input, s.output, 1, { kernel: 1, stride: 1, padding: [0, 0] })],
        encode(s.batch, s.tokens),
        plainFormats(s.bits),
      ),
      'convolution',
    ),
  }),
  plans: {
    webgpu: (s, facts) => gemmPlans(asProduct(s), facts),
    wasm: (s, facts) => gemmThreadPlans(asProduct(s), facts),
  },
})
