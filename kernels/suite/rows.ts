// What is computed over whole rows: layer norm and RMS norm, with or without the residual that they carry, and softmax. A
// team of lanes holds a row in registers.
import type { Norm } from '../../model/architecture.ts'
import { norm } from '../../model/modules/edges.ts'
import { type Context, elementwise, vectorWork } from '../../model/modules/emit.ts'
import type { Random } from '../../model/random.ts'
import type { Facts } from '../backend.ts'
import { type Fill, reader } from '../input.ts'
import { type AnyKernel, type Expectation, kernel, type Plan, type Tensor } from '../kernel.ts'
import { emitted, plainFormats } from '../ledger.ts'
import { exponentialError, normEpsilon, roundings, stored, unitRoundoff } from '../rounding.ts'
import { libraryPlans } from '../tfjs/plan.ts'
import {
  add,
  bindings,
  each,
  enables,
  exchanged,
  groupIndex,
  halves,
  lanesOf,
  loadPack,
  max,
  pack,
  packs,
  packWords,
  padded,
  spread,
  together,
} from '../webgpu/wgsl.ts'
import { someOf } from './gemv.ts'
import { pieceOf } from './pieces.ts'

export interface RowShape {
  readonly rows: number
  readonly width: number
  readonly bits: number
}

/** A team's lanes, and those of a workgroup. */
export interface RowCut {
  readonly team: number
  readonly workgroup: number
}

/** Packs that a lane holds at most. */
const mostHeld = 8

/** Ways to deal out rows, the usual one first: the fewest lanes that hold no more than two packs each. */
export function rowCuts({ width }: RowShape, { workgroup }: Facts): RowCut[] {
  const teams = [16, 32, 64, 128, 256, 512, 1024].filter((team) => team <= workgroup)
  const fits = teams.filter((team) => Math.ceil(packs(width) / team) <= mostHeld)
  const usual = fits.find((team) => Math.ceil(packs(width) / team) <= 2) ?? fits.at(-1)
  const cuts = fits
    .toSorted((a, b) => Math.abs(Math.log2(a / (usual ?? 1))) - Math.abs(Math.log2(b / (usual ?? 1))))
    .slice(0, 3)
  return cuts.map((team) => ({ team, workgroup: Math.max(team, Math.min(128, workgroup)) }))
}

/** What a source does with a row: statements between loading and storing, over packs `x0` on (`x0_lo`, `x0_hi`). */
interface RowBody {
  readonly inputs: readonly string[]
  readonly outputs: readonly string[]
  /** What elements beyond the row are. */
  readonly outside: string
  /** Elements of a row that count: a WGSL expression of `row`; all where absent. */
  readonly limit?: string
  /** More statements that load pack `p`, at `at` of a row, at `place` of the tensor. */
  readonly load?: (p: number, at: string, place: string) => string
  readonly compute: (over: {
    readonly all: (line: (x: string, p: number) => string) => string
    readonly sum: (...names: string[]) => string
    readonly most: (...names: string[]) => string
    /** True for the elements of half a pack that count. */
    readonly inside: (p: number, half: 'lo' | 'hi') => string
  }) => string
  /** The two vec4f of an output's pack. */
  readonly store: (output: string, p: number) => readonly [lo: string, hi: string]
}

export function rowSource({ rows, width, bits }: RowShape, { team, workgroup }: RowCut, lanes: number, body: RowBody) {
  const words = packWords(bits)
  const row = packs(width)
  const held = Math.ceil(row / team)
  const teams = workgroup / team
  const groups = Math.ceil(rows / teams)
  const through = { lanes, team, width: workgroup, through: 'exchange' }
  const at = (p: number) => `lane + ${p * team}u`
  const inRow = (p: number) => ((p + 1) * team <= row ? 'true' : `${at(p)} < ${row}u`)
  const inside = (p: number, half: 'lo' | 'hi') =>
    `(vec4u((${at(p)}) * ${pack}u + ${half === 'lo' ? 0 : 4}u) + vec4u(0u, 1u, 2u, 3u) < vec4u(${body.limit ?? `${width}u`}))`
  const masked = (p: number, half: 'lo' | 'hi', value: string) =>
    width % pack === 0 && (p + 1) * team <= row && body.limit === undefined
      ? value
      : `select(vec4f(${body.outside}), ${value}, ${inside(p, half)})`
  const [first = 'x'] = body.inputs
  const store = (output: string, p: number) => {
    const [lo, hi] = body.store(output, p).map((text) => `(${text})`) as [string, string]
    const to = `(row * ${row}u + ${at(p)}) * ${words}u`
    return bits === 32
      ? `${output}[${to}] = bitcast<vec4u>(${lo}); ${output}[${to} + 1u] = bitcast<vec4u>(${hi});`
      : `${output}[${to}] = ${halves(lo, hi)};`
  }
  return `${enables(lanes)}${bindings([
    ...body.inputs.map((name) => [name, 'array<vec4u>'] as const),
    ...body.outputs.map((name) => [name, 'array<vec4u>', true] as const),
  ])}
var<workgroup> exchange: array<f32, ${exchanged(1, through)}>;
@compute @workgroup_size(${workgroup})
fn main(@builtin(workgroup_id) group: vec3u, @builtin(local_invocation_index) local: u32) {
  let lane = local % ${team}u;
  let number = (${groupIndex(groups)}) * ${teams}u + local / ${team}u;
  let row = min(number, ${rows - 1}u);
${each(held, (p) => {
  const place = `(row * ${row}u + min(${at(p)}, ${row - 1}u)) * ${words}u`
  return `var x${p}_lo = vec4f();\nvar x${p}_hi = vec4f();
{
${loadPack('in', first, place, bits)}
x${p}_lo = in_lo; x${p}_hi = in_hi;
}
${body.load?.(p, `min(${at(p)}, ${row - 1}u)`, place) ?? ''}
x${p}_lo = ${masked(p, 'lo', `x${p}_lo`)};
x${p}_hi = ${masked(p, 'hi', `x${p}_hi`)};`
})}
${body.compute({
  all: (line) => each(held, (p) => `${line(`x${p}_lo`, p)}\n${line(`x${p}_hi`, p)}`),
  sum: (...names) => together(names, through, add),
  most: (...names) => together(names, through, max),
  inside,
})}
  if (number < ${rows}u) {
${each(held, (p) => `if (${inRow(p)}) {\n${body.outputs.map((o) => store(o, p)).join('\n')}\n}`)}
  }
}
`
}

interface NormShape extends Record<string, number> {
  rows: number
  width: number
  residual: number
  bits: number
}

export const fillX = { kind: 'normal', seed: 61, outliers: 8 } as const satisfies Fill
const fillR = { kind: 'normal', seed: 62, outliers: 8 } as const satisfies Fill
export const fillScale = { kind: 'positive', seed: 63, scale: -1 } as const satisfies Fill
export const fillBias = { kind: 'normal', seed: 64 } as const satisfies Fill

export type NormType = 'layer' | 'rms'

/** Tensors of a norm's source, in order: what is normed, its scale and bias, its residual; and what it writes. */
export function normBuffers(type: NormType, residual: boolean) {
  return {
    inputs: ['x', 'scale', ...(type === 'layer' ? ['bias'] : []), ...(residual ? ['residual'] : [])],
    outputs: ['y', ...(residual ? ['sum'] : [])],
  }
}

export function normSource(s: RowShape, cut: RowCut, lanes: number, type: NormType, residual: boolean): string {
  const { width, bits } = s
  const words = packWords(bits)
  const layer = type === 'layer'
  return rowSource(s, cut, lanes, {
    ...normBuffers(type, residual),
    outside: '0.0',
    load: (p, at, place) =>
      `${
        residual
          ? `{
${loadPack('in', 'residual', place, bits)}
x${p}_lo += in_lo; x${p}_hi += in_hi;
}
`
          : ''
      }${loadPack(`g${p}`, 'scale', `(${at}) * ${words}u`, bits)}${layer ? `\n${loadPack(`b${p}`, 'bias', `(${at}) * ${words}u`, bits)}` : ''}`,
    compute: ({ all, sum, inside }) => `${
      layer
        ? `var mean = 0.0;
${all((x) => `mean += dot(${x}, vec4f(1.0));`)}
${sum('mean')}
mean /= ${width}.0;
${all((x, p) => `let d${x} = select(vec4f(), ${x} - vec4f(mean), ${inside(p, x.endsWith('lo') ? 'lo' : 'hi')});`)}`
        : all((x) => `let d${x} = ${x};`)
    }
var squares = 0.0;
${all((x) => `squares += dot(d${x}, d${x});`)}
${sum('squares')}
let factor = inverseSqrt(squares / ${width}.0 + ${normEpsilon});`,
    store: (output, p) =>
      output === 'sum'
        ? [`x${p}_lo`, `x${p}_hi`]
        : [
            `dx${p}_lo * factor * g${p}_lo${layer ? ` + b${p}_lo` : ''}`,
            `dx${p}_hi * factor * g${p}_hi${layer ? ` + b${p}_hi` : ''}`,
          ],
  })
}

/** A norm of one row in f64, with what an fp32 kernel may be off by before the result is stored. */
export function normed(
  x: ArrayLike<number>,
  type: NormType,
  scale: (i: number) => number,
  bias: (i: number) => number,
): { values: Float64Array; errors: Float64Array } {
  const n = x.length
  const u = unitRoundoff.fp32
  const off = roundings(Math.ceil(n / 4) + 16)
  let sum = 0
  let size = 0
  for (let i = 0; i < n; i++) {
    sum += x[i] as number
    size += Math.abs(x[i] as number)
  }
  const layer = type === 'layer'
  const mean = layer ? sum / n : 0
  const meanError = layer ? (off * size) / n : 0
  let squares = 0
  let squaresError = 0
  for (let i = 0; i < n; i++) {
    const d = (x[i] as number) - mean
    squares += d * d
    squaresError += 2 * Math.abs(d) * (meanError + 2 * u * Math.abs(x[i] as number)) + off * d * d
  }
  const variance = squares / n + normEpsilon
  // Of the square root's argument half; the root itself 2 units in the last place.
  const relative = squaresError / n / variance / 2 + 8 * u
  const values = new Float64Array(n)
  const errors = new Float64Array(n)
  for (let i = 0; i < n; i++) {
    const d = (x[i] as number) - mean
    const factor = scale(i) / Math.sqrt(variance)
    const b = layer ? bias(i) : 0
    values[i] = d * factor + b
    errors[i] =
      Math.abs(factor) * (meanError + 2 * u * Math.abs(x[i] as number)) +
      Math.abs(d * factor) * relative +
      u * Math.abs(b)
  }
  return { values, errors }
}

/** The norm in the model's words. */
export function normModule(type: NormType, width: number, residual: boolean, name = 'norm'): Norm {
  return { kind: 'norm', name, type, width, bias: type === 'layer', residual }
}

const typeOf = (bits: number) => (bits === 32 ? 'fp32' : 'fp16')

function rowTensor(name: string, s: RowShape, use: Tensor['use'], fill?: Fill): Tensor {
  return { name, elements: s.rows * padded(s.width), type: typeOf(s.bits), use, ...(fill && { fill }) }
}

const sizes = {
  rows: { means: 'rows (tokens)', default: 4096 },
  width: { means: 'elements of a row', default: 4096 },
} as const
const bitsSize = { means: 'storage of all operands', default: 16, of: [16, 32] } as const

function rowsChecked({ rows, width }: RowShape, random: Random): number[] {
  return someOf(rows, random, Math.max(3, Math.floor(2 ** 17 / width)))
}

function normKernel(name: string, means: string, type: NormType): AnyKernel {
  return kernel<NormShape>({
    name,
    means,
    sizes: {
      ...sizes,
      residual: { means: 'adds a residual and writes the sum too', default: 0, of: [0, 1] },
      bits: bitsSize,
    },
    shapes: {
      small: [{ rows: 512, width: 1024 }],
      large: [
        { rows: 1, width: 4096 },
        { rows: 4096, width: 4096, residual: 1 },
        { rows: 32768, width: 4096 },
        { rows: 65536, width: 768 },
      ],
    },
    problem: (s) => {
      const { width, bits } = s
      const residual = s.residual === 1
      const [x, r, g, b] = [reader(fillX), reader(fillR), reader(fillScale), reader(fillBias)]
      const row = (r: number, at: (i: number) => number) =>
        Float64Array.from({ length: width }, (_, i) => at(r * padded(width) + i))
      return {
        tensors: [
          rowTensor('x', s, 'input', fillX),
          { name: 'scale', elements: padded(width), type: typeOf(bits), use: 'input', fill: fillScale },
          ...(type === 'layer'
            ? [{ name: 'bias', elements: padded(width), type: typeOf(bits), use: 'input', fill: fillBias } as const]
            : []),
          ...(residual ? [rowTensor('residual', s, 'input', fillR)] : []),
          rowTensor('y', s, 'output'),
          ...(residual ? [rowTensor('sum', s, 'output')] : []),
        ],
        operators: emitted(plainFormats(bits), s.rows, (c) => norm(normModule(type, width, residual, name), c)),
        tolerance: 'sums of the row and of its squares in each lane and over the lanes; the result stored',
        expectations: (random) =>
          rowsChecked(s, random).flatMap((at): Expectation[] => {
            const own = row(at, x)
            const added = residual ? row(at, r).map((v, i) => v + (own[i] as number)) : own
            const { values, errors } = normed(added, type, g, b)
            const offset = at * padded(width)
            const y: Expectation = {
              tensor: 'y',
              offset,
              values,
              tolerances: errors.map((e, i) => e + stored(values[i] as number, typeOf(bits))),
            }
            if (!residual) return [y]
            return [
              y,
              { tensor: 'sum', offset, values: added, tolerances: added.map((v) => 2 * stored(v, typeOf(bits))) },
            ]
          }),
      }
    },
    plans: {
      webgpu: (s, facts) =>
        rowCuts(s, facts).map((cut) => {
          const { inputs, outputs } = normBuffers(type, s.residual === 1)
          return {
            variant: `team=${cut.team} lanes=${cut.workgroup}`,
            launches: [
              {
                source: normSource(s, cut, lanesOf(facts), type, s.residual === 1),
                buffers: [...inputs, ...outputs],
                groups: rowGroups(s, cut),
              },
            ],
          }
        }),
      wasm: (s, facts) => {
        const residual = s.residual === 1
        // Buffers that a norm has not are never read.
        const buffers = [
          'x',
          'scale',
          type === 'layer' ? 'bias' : 'scale',
          residual ? 'residual' : 'x',
          'y',
          residual ? 'sum' : 'y',
        ]
        const bits = new Int32Array(Float32Array.of(normEpsilon).buffer)[0] as number
        return threadPlans('norm', buffers, s, facts, [s.width, type === 'layer' ? 1 : 0, s.residual, bits])
      },
      ...(type === 'layer' && {
        tfjs: ({ rows, width, residual, bits }: NormShape) => {
          const { inputs, outputs } = normBuffers(type, residual === 1)
          return libraryPlans('layerNorm', bits, [...inputs, ...outputs], [rows, width, residual])
        },
      }),
    },
  })
}

/** Elements that a piece of rows has at least. */
const leastElements = 2 ** 13

/** A function of the threads over rows: its numbers begin with the rows, and end with those of a piece. */
function threadPlans(
  source: string,
  buffers: readonly string[],
  { rows, width, bits }: RowShape,
  facts: Facts,
  [own, ...rest]: readonly number[],
): Plan[] {
  if (bits === 16) return []
  const each = pieceOf(rows, facts, leastElements / width)
  const args = [rows, own as number, padded(width), ...rest, each]
  return [{ variant: '', launches: [{ source, buffers, groups: [Math.ceil(rows / each), 1, 1], args }] }]
}

export function rowGroups({ rows }: Pick<RowShape, 'rows'>, { team, workgroup }: RowCut) {
  return spread(Math.ceil(rows / (workgroup / team)))
}

export const layerNorm = normKernel('layer-norm', 'layer norm of rows', 'layer')
export const rmsNorm = normKernel('rms-norm', 'RMS norm of rows', 'rms')

/** Softmax of each row's first elements, as many as `limit` says; what is beyond becomes 0. */
export function softmaxSource(s: RowShape, cut: RowCut, lanes: number, limit?: string): string {
  return rowSource(s, cut, lanes, {
    inputs: ['x'],
    outputs: ['y'],
    outside: '-1e30',
    ...(limit !== undefined && { limit }),
    compute: ({ all, sum, most }) => `var top = -1e30;
${all((x) => `top = max(top, max(max(${x}.x, ${x}.y), max(${x}.z, ${x}.w)));`)}
${most('top')}
var total = 0.0;
${all((x) => `let e${x} = exp2((${x} - vec4f(top)) * ${Math.LOG2E});\ntotal += dot(e${x}, vec4f(1.0));`)}
${sum('total')}`,
    store: (_, p) => [`ex${p}_lo / total`, `ex${p}_hi / total`],
  })
}

/** Of so many elements, in the ledger. */
function softmaxOf(elements: number, c: Context): void {
  elementwise(c, 'softmax', elements, elements, vectorWork.softmax * elements, undefined, elements)
}

const fillScores = { kind: 'normal', seed: 65, scale: 1, outliers: 9 } as const satisfies Fill

interface Softmax extends Record<string, number> {
  rows: number
  width: number
  bits: number
}

function softmaxExpectations(s: Softmax, random: Random): Expectation[] {
  const at = reader(fillScores)
  return rowsChecked(s, random).map((row) => {
    const x = Float64Array.from({ length: s.width }, (_, i) => at(row * padded(s.width) + i))
    const top = x.reduce((a, b) => Math.max(a, b))
    // exp2 of a rounded difference, times a rounded constant.
    const off = x.map((v) => exponentialError((v - top) * Math.LOG2E) + roundings(4) * Math.abs(v - top))
    const e = x.map((v) => Math.exp(v - top))
    const total = e.reduce((a, b) => a + b, 0)
    const drift =
      e.reduce((sum, v, i) => sum + v * (off[i] as number), 0) / total + roundings(Math.ceil(s.width / 4) + 16)
    const values = e.map((v) => v / total)
    return {
      tensor: 'y',
      offset: row * padded(s.width),
      values,
      tolerances: values.map((v, i) => v * ((off[i] as number) + drift) + 2 ** -100 + stored(v, typeOf(s.bits))),
    }
  })
}

export const softmax = kernel<Softmax>({
  name: 'softmax',
  means: 'softmax of rows',
  sizes: { ...sizes, bits: bitsSize },
  shapes: {
    small: [{ rows: 512, width: 1024 }],
    large: [
      { rows: 32768, width: 4096 },
      { rows: 65536, width: 512 },
    ],
  },
  problem: (s) => ({
    tensors: [rowTensor('x', s, 'input', fillScores), rowTensor('y', s, 'output')],
    operators: emitted(plainFormats(s.bits), s.rows, (c) => softmaxOf(s.rows * s.width, c)),
    tolerance: '3 + 2|x| ulp of each exponential, their sum in each lane and over the lanes; the result stored',
    expectations: (random) => softmaxExpectations(s, random),
  }),
  plans: {
    webgpu: (s, facts): Plan[] =>
      rowCuts(s, facts).map((cut) => ({
        variant: `team=${cut.team} lanes=${cut.workgroup}`,
        launches: [{ source: softmaxSource(s, cut, lanesOf(facts)), buffers: ['x', 'y'], groups: rowGroups(s, cut) }],
      })),
    wasm: (s, facts) => threadPlans('softmax', ['x', 'y'], s, facts, [s.width]),
    tfjs: ({ rows, width, bits }) => libraryPlans('softmax', bits, ['x', 'y'], [rows, width]),
  },
})
