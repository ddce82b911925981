// Products of a few rows by a matrix, y = x Wᵀ: what decoding does with its weights. A team of lanes takes a few outputs,
// reads their weights once, and multiplies them with every row of x.
import { product } from '../../model/modules/emit.ts'
import type { Random } from '../../model/random.ts'
import type { Facts } from '../backend.ts'
import { type Fill, reader } from '../input.ts'
import { type Expectation, kernel, type Plan } from '../kernel.ts'
import { emitted, plainFormats } from '../ledger.ts'
import { roundings, stored } from '../rounding.ts'
import {
  add,
  bindings,
  butterfly,
  each,
  enables,
  groupIndex,
  lanesOf,
  loadPack,
  packs,
  packWords,
  padded,
  spread,
  throughShared,
} from '../webgpu/wgsl.ts'
import { pieceOf } from './pieces.ts'

interface Gemv extends Record<string, number> {
  m: number
  n: number
  k: number
  bits: number
}

const fillX = { kind: 'normal', seed: 11, outliers: 6 } as const satisfies Fill
const fillW = { kind: 'normal', seed: 12, outliers: 10 } as const satisfies Fill

/** Partial sums of one output, one to each lane of a team, are at most so many. */
const mostLanes = 64

/** x with zeros in what fills up its rows, so that what the weights have there does not matter. */
export function paddedRows(fill: Fill, rows: number, width: number): Float64Array {
  const at = reader(fill)
  const out = new Float64Array(rows * padded(width))
  for (let r = 0; r < rows; r++) {
    for (let i = 0; i < width; i++) out[r * padded(width) + i] = at(r * padded(width) + i)
  }
  return out
}

/** Some outputs of all; the reference of one costs k products. */
export function someOf(count: number, random: Random, most: number): number[] {
  if (count <= most) return [...Array(count).keys()]
  if (most < 2) return [Math.floor(random() * count)]
  return [0, count - 1, ...Array.from({ length: most - 2 }, () => Math.floor(random() * count))]
}

/** A team's outputs, the teams of a workgroup, and the packs of each row that a lane has in flight. */
interface Cut {
  readonly outputs: number
  readonly workgroup: number
  readonly unrolled: number
}

/** Statements that add the eight products of two packs to `sum`, one after the other. */
function chained(sum: string, a: string, b: string): string {
  return each(8, (i) => {
    const of = (x: string) => `${x}_${i < 4 ? 'lo' : 'hi'}[${i % 4}]`
    return `${sum} = fma(${of(a)}, ${of(b)}, ${sum});`
  })
}

/** Each lane's own sums go to their team's first lane through shared memory or by exchange. */
function gemvSource({ m, n, k, bits }: Gemv, lanes: number, { outputs, workgroup, unrolled }: Cut): string {
  const words = packWords(bits)
  const row = packs(k)
  const exchange = lanes > 1
  const team = exchange ? lanes : Math.min(mostLanes, workgroup)
  const teams = workgroup / team
  const groups = Math.ceil(padded(n) / outputs / teams)
  const sums = (r: number, o: number) => `s${r}_${o}`
  const all = each(m, (r) => each(outputs, (o) => sums(r, o), ' '), ' ').split(' ')
  // Sums of many rows in fours would not stay in registers.
  const single = m > 4
  const step = (at: string) => `{
let at = ${at};
${each(outputs, (o) => loadPack(`w${o}`, 'w', `row${o} + at * ${words}u`, bits))}
${each(
  m,
  (r) => `{
${loadPack('x', 'x', `${r * row * words}u + at * ${words}u`, bits)}
${each(outputs, (o) => (single ? chained(sums(r, o), `w${o}`, 'x') : `${sums(r, o)} = fma(w${o}_lo, x_lo, ${sums(r, o)});\n${sums(r, o)} = fma(w${o}_hi, x_hi, ${sums(r, o)});`))}
}`,
)}
}`
  const store = (r: number) =>
    bits === 32
      ? each(outputs, (o) => `y[${r * padded(n)}u + first + ${o}u] = select(0.0, t${r}_${o}, first + ${o}u < ${n}u);`)
      : each(
          outputs / 2,
          (o) =>
            `y[(${r * padded(n)}u + first) / 2u + ${o}u] = pack2x16float(vec2f(select(0.0, t${r}_${2 * o}, first + ${2 * o}u < ${n}u), select(0.0, t${r}_${2 * o + 1}, first + ${2 * o + 1}u < ${n}u)));`,
        )
  return `${enables(lanes)}${bindings([
    ['x', 'array<vec4u>'],
    ['w', 'array<vec4u>'],
    ['y', bits === 32 ? 'array<f32>' : 'array<u32>', true],
  ])}
${exchange ? '' : `var<workgroup> part: array<f32, ${workgroup}>;`}
@compute @workgroup_size(${workgroup})
fn main(@builtin(workgroup_id) group: vec3u, @builtin(local_invocation_index) local: u32) {
  let lane = local % ${team}u;
  let first = ((${groupIndex(groups)}) * ${teams}u + local / ${team}u) * ${outputs}u;
${each(outputs, (o) => `let row${o} = min(first + ${o}u, ${n - 1}u) * ${row * words}u;`)}
${all.map((s) => `var ${s} = ${single ? '0.0' : 'vec4f()'};`).join('\n')}
  var p = lane;
  for (; p + ${(unrolled - 1) * team}u < ${row}u; p += ${unrolled * team}u) {
${each(unrolled, (u) => step(`p + ${u * team}u`))}
  }
${unrolled > 1 ? `for (; p < ${row}u; p += ${team}u) ${step('p')}` : ''}
${each(m, (r) => each(outputs, (o) => `var t${r}_${o} = ${single ? sums(r, o) : each(4, (i) => `${sums(r, o)}[${i}]`, ' + ')};`))}
${
  exchange
    ? butterfly(
        all.map((s) => s.replace('s', 't')),
        team,
        add,
      )
    : all
        .map((s) => s.replace('s', 't'))
        .map((t) => throughShared(t, team))
        .join('\n')
}
  if (lane == 0u && first < ${padded(n)}u) {
${each(m, store)}
  }
}
`
}

export function gemvPlans(s: Gemv, facts: Facts): Plan[] {
  const { m, n } = s
  const lanes = lanesOf(facts)
  const cuts: Cut[] = (
    m <= 2
      ? [
          [4, 256, 2],
          [2, 256, 4],
          [4, 128, 4],
          [8, 256, 1],
          [2, 128, 4],
          [4, 64, 2],
          [8, 128, 2],
        ]
      : m <= 4
        ? [
            [4, 128, 2],
            [4, 256, 1],
            [2, 256, 2],
            [8, 128, 1],
          ]
        : m <= 8
          ? [
              [2, 256, 1],
              [8, 128, 1],
              [2, 128, 2],
              [4, 128, 1],
            ]
          : [
              [4, 128, 1],
              [8, 128, 1],
              [2, 256, 1],
            ]
  ).map(([outputs = 2, workgroup = 64, unrolled = 1]) => ({ outputs, workgroup, unrolled }))
  return cuts
    .filter((c) => c.workgroup <= facts.workgroup)
    .map((cut) => {
      const team = lanes > 1 ? lanes : Math.min(mostLanes, cut.workgroup)
      const groups = Math.ceil(padded(n) / cut.outputs / (cut.workgroup / team))
      return {
        variant: `outputs=${cut.outputs} lanes=${cut.workgroup} unrolled=${cut.unrolled}`,
        launches: [{ source: gemvSource(s, lanes, cut), buffers: ['x', 'w', 'y'], groups: spread(groups) }],
      }
    })
}

/** Bytes of weights that a piece takes at least. */
const leastBytes = 2 ** 16

function threadPlans({ m, n, k, bits }: Gemv, facts: Facts): Plan[] {
  if (bits === 16) return []
  const each = pieceOf(padded(n), facts, leastBytes / (4 * padded(k)), 4)
  return [
    {
      variant: '',
      launches: [
        {
          source: 'gemv',
          buffers: ['x', 'w', 'y'],
          groups: [Math.ceil(padded(n) / each), 1, 1],
          args: [m, n, padded(n), padded(k), each],
        },
      ],
    },
  ]
}

function gemvExpectations({ m, n, k, bits }: Gemv, random: Random): Expectation[] {
  const w = reader(fillW)
  const x = paddedRows(fillX, m, k)
  const type = bits === 32 ? 'fp32' : 'fp16'
  // A lane adds its products one after the other, then the lanes are added in pairs.
  const off = roundings(Math.ceil(k / 4) + 8)
  return someOf(n, random, Math.max(16, Math.floor(2 ** 21 / k))).flatMap((column) =>
    [...Array(m).keys()].map((row) => {
      let sum = 0
      let size = 0
      for (let i = 0; i < k; i++) {
        const p = w(column * padded(k) + i) * (x[row * padded(k) + i] as number)
        sum += p
        size += Math.abs(p)
      }
      return {
        tensor: 'y',
        offset: row * padded(n) + column,
        values: Float64Array.of(sum),
        tolerances: Float64Array.of(off * size + stored(sum, type)),
      }
    }),
  )
}

export const gemv = kernel<Gemv>({
  name: 'gemv',
  means: 'a few rows by a weight matrix, as decoding multiplies',
  sizes: {
    m: { means: 'rows (tokens), 1 to 16', default: 1, of: Array.from({ length: 16 }, (_, i) => i + 1) },
    n: { means: 'outputs', default: 16384 },
    k: { means: 'contracted width', default: 16384 },
    bits: { means: 'storage of weights and activations', default: 16, of: [16, 32] },
  },
  shapes: {
    small: [
      { m: 1, n: 2048, k: 2048 },
      { m: 4, n: 4096, k: 1024 },
    ],
    large: [
      { m: 1, n: 4096, k: 4096 },
      { m: 1, n: 4096, k: 11008 },
      { m: 1, n: 11008, k: 4096 },
      { m: 1, n: 16384, k: 16384 },
      { m: 1, n: 28672, k: 8192 },
      { m: 2, n: 16384, k: 16384 },
      { m: 4, n: 16384, k: 16384 },
      { m: 8, n: 16384, k: 16384 },
      { m: 16, n: 16384, k: 16384 },
      { m: 1, n: 16384, k: 16384, bits: 32 },
    ],
  },
  problem: (s) => {
    const { m, n, k, bits } = s
    const type = bits === 32 ? 'fp32' : 'fp16'
    const values = paddedRows(fillX, m, k)
    return {
      tensors: [
        { name: 'x', elements: values.length, type, use: 'input', fill: { kind: 'values', values } },
        { name: 'w', elements: n * padded(k), type, use: 'input', fill: fillW },
        { name: 'y', elements: m * padded(n), type, use: 'output' },
      ],
      operators: emitted(plainFormats(bits), m, (c) => product(c, 'gemv', { role: 'ffn', m, n, k })),
      tolerance: 'k/4 additions in each lane and those of the lanes; the result stored',
      expectations: (random) => gemvExpectations(s, random),
    }
  },
  plans: { webgpu: gemvPlans, wasm: threadPlans },
})
