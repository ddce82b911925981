// The product of one or a few rows by a matrix of 4-bit weights with a scale to each 128: y = x Wᵀ, w = s (c - 8). A code
// becomes a single without conversion: its bits, where they stand in the word, are or-ed into the mantissa of 2^23, and
// subtracting 2^23 leaves the code times a power of 16, which x was divided by beforehand. No shift, no table.
import { format } from '../../model/format.ts'
import { product } from '../../model/modules/emit.ts'
import type { Random } from '../../model/random.ts'
import type { Facts } from '../backend.ts'
import { type Fill, hash, reader } from '../input.ts'
import { type Expectation, kernel, type Plan } from '../kernel.ts'
import { emitted } from '../ledger.ts'
import { roundings, stored } from '../rounding.ts'
import {
  add,
  bindings,
  butterfly,
  codesTimesFunction,
  each,
  enables,
  groupIndex,
  lanesOf,
  loadPack,
  packWords,
  spread,
  spreadCodes,
  spreadFactors,
  throughShared,
} from '../webgpu/wgsl.ts'
import { someOf } from './gemv.ts'
import { pieceOf } from './pieces.ts'

interface GemvInt4 extends Record<string, number> {
  m: number
  n: number
  k: number
  bits: number
}

/** Weights that share a scale, and codes in the 16 bytes that a lane loads. */
const group = 128
const load = 32
/** What a symmetric code stands for is the code less this. */
const middle = 8

const fillX = { kind: 'normal', seed: 21, outliers: 6 } as const satisfies Fill
const fillScales = { kind: 'positive', seed: 23, scale: -4 } as const satisfies Fill
const seedCodes = 22

const loads = (k: number) => Math.ceil(k / load)
const scalesOf = (k: number) => Math.ceil(k / group)
/** Scales of a row, in whole words of two halves. */
const scaleRow = (k: number) => Math.ceil(scalesOf(k) / 2) * 2
/** Outputs are stored to a multiple of so many. */
const outputs8 = (n: number) => Math.ceil(n / 8) * 8
const mostLanes = 64

/** x by rows of whole loads, zeros in what fills up the last. */
function rowsOfX(m: number, k: number): Float64Array {
  const at = reader(fillX)
  const width = loads(k) * load
  const out = new Float64Array(m * width)
  for (let r = 0; r < m; r++) for (let i = 0; i < k; i++) out[r * width + i] = at(r * width + i)
  return out
}

function codeAt(row: number, i: number, k: number): number {
  const word = row * loads(k) * 4 + (i >>> 3)
  return (hash(seedCodes, word) >>> (4 * (i & 7))) & 15
}

interface Cut {
  readonly outputs: number
  readonly workgroup: number
}

function source({ m, n, k, bits }: GemvInt4, lanes: number, { outputs, workgroup }: Cut): string {
  const words = packWords(bits)
  const row = loads(k)
  const team = lanes > 1 ? lanes : Math.min(mostLanes, workgroup)
  const teams = workgroup / team
  const groups = Math.ceil(outputs8(n) / outputs / teams)
  const sums = Array.from({ length: m * outputs }, (_, i) => `s${Math.floor(i / outputs)}_${i % outputs}`)
  const store = (r: number) =>
    bits === 32
      ? each(outputs, (o) => `y[${r * outputs8(n)}u + first + ${o}u] = select(0.0, s${r}_${o}, first + ${o}u < ${n}u);`)
      : each(
          outputs / 2,
          (o) =>
            `y[(${r * outputs8(n)}u + first) / 2u + ${o}u] = pack2x16float(vec2f(select(0.0, s${r}_${2 * o}, first + ${2 * o}u < ${n}u), select(0.0, s${r}_${2 * o + 1}, first + ${2 * o + 1}u < ${n}u)));`,
        )
  return `${enables(lanes)}${bindings([
    ['x', 'array<vec4u>'],
    ['w', 'array<vec4u>'],
    ['scales', 'array<u32>'],
    ['y', bits === 32 ? 'array<f32>' : 'array<u32>', true],
  ])}
${lanes > 1 ? '' : `var<workgroup> part: array<f32, ${workgroup}>;`}
@compute @workgroup_size(${workgroup})
fn main(@builtin(workgroup_id) group: vec3u, @builtin(local_invocation_index) local: u32) {
  let lane = local % ${team}u;
  let first = ((${groupIndex(groups)}) * ${teams}u + local / ${team}u) * ${outputs}u;
${each(outputs, (o) => `let row${o} = min(first + ${o}u, ${n - 1}u);`)}
${sums.map((s) => `var ${s} = 0.0;`).join('\n')}
  for (var p = lane; p < ${row}u; p += ${team}u) {
${each(outputs, (o) => `let w${o} = w[row${o} * ${row}u + p];`)}
${each(outputs, (o) => `let pair${o} = unpack2x16float(scales[(row${o} * ${scaleRow(k)}u + p / 4u) / 2u]);\nlet scale${o} = select(pair${o}.x, pair${o}.y, ((p / 4u) & 1u) == 1u);`)}
${each(
  m,
  (r) => `{
${each(outputs, (o) => `var a${o} = 0.0;`)}
${each(
  4,
  (word) => `{
${loadPack('x', 'x', `(${r * row}u + p) * ${4 * words}u + ${word * words}u`, bits)}
${spreadCodes('x')}
${each(outputs, (o) => `a${o} += codes_times(w${o}[${word}], x_first, x_last);`)}
}`,
)}
${each(outputs, (o) => `s${r}_${o} = fma(a${o}, scale${o}, s${r}_${o});`)}
}`,
)}
  }
${lanes > 1 ? butterfly(sums, team, add) : sums.map((s) => throughShared(s, team)).join('\n')}
  if (lane == 0u && first < ${outputs8(n)}u) {
${each(m, store)}
  }
}
${spreadFactors}
${codesTimesFunction(middle)}
`
}

function plans(s: GemvInt4, facts: Facts): Plan[] {
  const lanes = lanesOf(facts)
  const cuts: Cut[] = (
    s.m === 1
      ? [
          [8, 256],
          [4, 128],
          [2, 128],
          [4, 64],
          [8, 128],
          [4, 256],
        ]
      : [
          [4, 128],
          [2, 128],
          [8, 128],
        ]
  ).map(([outputs = 4, workgroup = 128]) => ({ outputs, workgroup }))
  return cuts
    .filter((c) => c.workgroup <= facts.workgroup)
    .map((cut) => {
      const team = lanes > 1 ? lanes : Math.min(mostLanes, cut.workgroup)
      return {
        variant: `outputs=${cut.outputs} lanes=${cut.workgroup}`,
        launches: [
          {
            source: source(s, lanes, cut),
            buffers: ['x', 'w', 'scales', 'y'],
            groups: spread(Math.ceil(outputs8(s.n) / cut.outputs / (cut.workgroup / team))),
          },
        ],
      }
    })
}

/** Bytes of codes that a piece takes at least. */
const leastBytes = 2 ** 14

/** x is first brought in the order of a load's codes, with the sums that their zero takes away. */
function threadPlans({ m, n, k, bits }: GemvInt4, facts: Facts): Plan[] {
  if (bits === 16) return []
  const each = pieceOf(outputs8(n), facts, leastBytes / (16 * loads(k)), 4)
  const row = loads(k) * load + Math.ceil(loads(k) / 4)
  return [
    {
      variant: '',
      scratch: [{ name: 'ordered', elements: m * row, type: 'fp32', use: 'scratch' }],
      launches: [
        { source: 'transposeCodes', buffers: ['x', 'ordered'], groups: [m, 1, 1], args: [loads(k)] },
        {
          source: 'gemvCodes',
          buffers: ['ordered', 'w', 'scales', 'y'],
          groups: [Math.ceil(outputs8(n) / each), 1, 1],
          args: [m, n, outputs8(n), loads(k), scaleRow(k), each],
        },
      ],
    },
  ]
}

function expectations({ m, n, k, bits }: GemvInt4, random: Random): Expectation[] {
  const x = rowsOfX(m, k)
  const scale = reader(fillScales)
  const width = loads(k) * load
  // Each product: the subtraction is exact, then k additions however grouped, and one multiplication by the scale.
  const off = roundings(Math.ceil(k / 4) + 16)
  return someOf(n, random, Math.max(16, Math.floor(2 ** 20 / k))).flatMap((column) =>
    [...Array(m).keys()].map((row) => {
      let sum = 0
      let size = 0
      for (let i = 0; i < k; i++) {
        const w = (codeAt(column, i, k) - middle) * scale(column * scaleRow(k) + Math.floor(i / group))
        const p = w * (x[row * width + i] as number)
        sum += p
        size += Math.abs(p)
      }
      return {
        tensor: 'y',
        offset: row * outputs8(n) + column,
        values: Float64Array.of(sum),
        tolerances: Float64Array.of(off * size + stored(sum, bits === 32 ? 'fp32' : 'fp16')),
      }
    }),
  )
}

export const gemvInt4 = kernel<GemvInt4>({
  name: 'gemv-int4',
  means: 'a few rows by 4-bit weights with a scale to each 128',
  sizes: {
    m: { means: 'rows (tokens), 1 to 8', default: 1, of: [1, 2, 3, 4, 5, 6, 7, 8] },
    n: { means: 'outputs', default: 32768 },
    k: { means: 'contracted width', default: 32768 },
    bits: { means: 'storage of activations', default: 16, of: [16, 32] },
  },
  shapes: {
    small: [{ m: 1, n: 4096, k: 4096 }],
    large: [
      { m: 1, n: 4096, k: 11008 },
      { m: 1, n: 16384, k: 16384 },
      { m: 1, n: 32768, k: 32768 },
      { m: 4, n: 32768, k: 32768 },
    ],
  },
  baseline: ({ m, n, k, bits }) => ({ kernel: 'gemv', sizes: { m, n, k, bits } }),
  problem: (s) => {
    const { m, n, k, bits } = s
    const type = bits === 32 ? 'fp32' : 'fp16'
    const values = rowsOfX(m, k)
    const wide = format(bits === 32 ? 'fp32' : 'fp16')
    return {
      tensors: [
        { name: 'x', elements: values.length, type, use: 'input', fill: { kind: 'values', values } },
        { name: 'w', elements: n * loads(k) * 4, type: 'u32', use: 'input', fill: { kind: 'bits', seed: seedCodes } },
        { name: 'scales', elements: n * scaleRow(k), type: 'fp16', use: 'input', fill: fillScales },
        { name: 'y', elements: m * outputs8(n), type, use: 'output' },
      ],
      operators: emitted({ weights: format('int4'), activations: wide }, m, (c) =>
        product(c, 'gemv-int4', { role: 'ffn', m, n, k }),
      ),
      tolerance: 'k/4 additions in each lane and those of the lanes; the result stored',
      expectations: (random) => expectations(s, random),
    }
  },
  plans: { webgpu: plans, wasm: threadPlans },
})
