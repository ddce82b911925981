// Ceilings of compressed and selected rows, by themselves: 4-bit codes that become numbers, by conversion or by a table of
// sixteen, and rows of 256 bytes that are fetched one by one. All sums are exact in any order.
import { emit } from '../../model/modules/emit.ts'
import type { Stream } from '../../model/operator.ts'
import { type Random, seeded } from '../../model/random.ts'
import type { Facts } from '../backend.ts'
import { elementsOf, type Fill, hash, reader } from '../input.ts'
import { type Expectation, kernel, type Plan } from '../kernel.ts'
import { emitted, plainFormats } from '../ledger.ts'
import { bindings, each, groupIndex, spread } from '../webgpu/wgsl.ts'
import { someOf } from './gemv.ts'
import { pieceOf } from './pieces.ts'

/** Codes that are summed into one, in words of eight. */
const block = 16384
const blockWords = block / 8
const lanes = 256

const fillTable = { kind: 'normal', seed: 92 } as const satisfies Fill
const seedCodes = 91

interface Codes extends Record<string, number> {
  blocks: number
}

/** The sums of some blocks of what codes stand for. */
function codeSums({ blocks }: Codes, value: (code: number) => number, random: Random): Expectation[] {
  return someOf(blocks, random, 8).map((at) => {
    let sum = 0
    for (let w = 0; w < blockWords; w++) {
      const word = hash(seedCodes, at * blockWords + w)
      for (let i = 0; i < 8; i++) sum += value((word >>> (4 * i)) & 15)
    }
    return { tensor: 'sums', offset: at, values: Float64Array.of(sum), tolerances: Float64Array.of(0) }
  })
}

/** Sums eight values of each word; `value` is the WGSL of one, of the code `c`. */
function codesSource({ blocks }: Codes, tables: boolean): string {
  const value = tables ? 'values[c]' : 'f32(c)'
  return `${bindings([['codes', 'array<u32>'], ...(tables ? ([['table', 'array<f32>']] as const) : []), ['sums', 'array<f32>', true]])}
${tables ? 'var<workgroup> values: array<f32, 16>;' : ''}
var<workgroup> part: array<f32, ${lanes}>;
@compute @workgroup_size(${lanes})
fn main(@builtin(workgroup_id) group: vec3u, @builtin(local_invocation_index) lane: u32) {
${tables ? 'if (lane < 16u) { values[lane] = table[lane]; }\nworkgroupBarrier();' : ''}
  let number = min(${groupIndex(blocks)}, ${blocks - 1}u);
  var sum = 0.0;
  for (var i = lane; i < ${blockWords}u; i += ${lanes}u) {
    let word = codes[number * ${blockWords}u + i];
${each(8, (i) => `{ let c = (word >> ${4 * i}u) & 15u; sum += ${value}; }`)}
  }
  part[lane] = sum;
  workgroupBarrier();
${reduction}
  if (lane == 0u) { sums[number] = part[0]; }
}
`
}

const reduction = each(Math.log2(lanes), (i) => {
  const stride = lanes >> (i + 1)
  return `if (lane < ${stride}u) { part[lane] += part[lane + ${stride}u]; }\nworkgroupBarrier();`
})

function codesKernel(name: string, means: string, tables: boolean) {
  const buffers = tables ? ['codes', 'table', 'sums'] : ['codes', 'sums']
  const values = elementsOf(fillTable, 0, 16)
  return kernel<Codes>({
    name,
    means,
    sizes: { blocks: { means: `blocks of ${block} codes`, default: 2 ** 15 } },
    shapes: { small: [{ blocks: 256 }], large: [{}] },
    problem: (s) => ({
      tensors: [
        {
          name: 'codes',
          elements: s.blocks * blockWords,
          type: 'u32',
          use: 'input',
          fill: { kind: 'bits', seed: seedCodes },
        },
        ...(tables
          ? [{ name: 'table', elements: 16, type: 'fp32', use: 'input', fill: { kind: 'values', values } } as const]
          : []),
        { name: 'sums', elements: s.blocks, type: 'fp32', use: 'output' },
      ],
      operators: emitted(plainFormats(32), 1, (c) => {
        const codes: Stream = {
          owner: 'weights',
          way: 'read',
          bytes: s.blocks * blockWords * 4,
          metadata: 0,
          codec: tables ? 'table' : 'affine',
          codes: s.blocks * block,
        }
        const sums: Stream = { owner: 'activations', way: 'write', bytes: 4 * s.blocks, metadata: 0 }
        // The additions are part of what makes a code a number.
        emit(c, name, { kind: 'stream', elements: s.blocks * block }, 0, 0, [codes, sums])
      }),
      tolerance: 'none: sums of numbers of few bits are exact',
      expectations: (random) => codeSums(s, tables ? (code) => values[code] as number : (code) => code, random),
    }),
    plans: {
      webgpu: (s, { workgroup }) =>
        workgroup < lanes
          ? []
          : [{ variant: '', launches: [{ source: codesSource(s, tables), buffers, groups: spread(s.blocks) }] }],
      wasm: (s, facts) => threadPlans(tables ? 'lookup' : 'unpack', buffers, s.blocks, facts),
    },
  })
}

function threadPlans(source: string, buffers: readonly string[], blocks: number, facts: Facts): Plan[] {
  const each = pieceOf(blocks, facts, 1)
  return [
    { variant: '', launches: [{ source, buffers, groups: [Math.ceil(blocks / each), 1, 1], args: [blocks, each] }] },
  ]
}

export const unpack = codesKernel('unpack', 'sums 4-bit codes: the rate at which they become numbers', false)
export const lookup = codesKernel('lookup', 'sums what 4-bit codes stand for in a table', true)

interface Gather extends Record<string, number> {
  rows: number
  elements: number
  every: number
}

const fillRows = { kind: 'normal', seed: 93 } as const satisfies Fill

/** One row of each `every`, at random, in order. */
function pickedRows({ rows, every }: Gather): Float64Array {
  const random = seeded(94)
  return Float64Array.from({ length: Math.floor(rows / every) }, (_, i) => i * every + Math.floor(random() * every))
}

/** Sixteen lanes take a row. */
function gatherSource({ elements }: Gather, picked: number): string {
  const team = 16
  const teams = lanes / team
  return `${bindings([
    ['x', 'array<vec4f>'],
    ['index', 'array<u32>'],
    ['sums', 'array<f32>', true],
  ])}
var<workgroup> part: array<f32, ${lanes}>;
@compute @workgroup_size(${lanes})
fn main(@builtin(workgroup_id) group: vec3u, @builtin(local_invocation_index) local: u32) {
  let row = (${groupIndex(Math.ceil(picked / teams))}) * ${teams}u + local / ${team}u;
  let lane = local % ${team}u;
  let first = index[min(row, ${picked - 1}u)] * ${elements / 4}u;
  var sum = vec4f();
  for (var i = lane; i < ${elements / 4}u; i += ${team}u) { sum += x[first + i]; }
  part[local] = sum.x + sum.y + sum.z + sum.w;
  workgroupBarrier();
${each(Math.log2(team), (i) => {
  const stride = team >> (i + 1)
  return `if (lane < ${stride}u) { part[local] += part[local + ${stride}u]; }\nworkgroupBarrier();`
})}
  if (lane == 0u && row < ${picked}u) { sums[row] = part[local]; }
}
`
}

export const gather = kernel<Gather>({
  name: 'gather',
  means: 'sums rows that are fetched one by one',
  sizes: {
    rows: { means: 'rows to pick from', default: 2 ** 22 },
    elements: { means: 'fp32 elements of a row, a multiple of 8', default: 64, of: [8, 16, 32, 64, 128, 256, 1024] },
    every: { means: 'one row is picked of so many', default: 10 },
  },
  shapes: { small: [{ rows: 2 ** 18 }], large: [{}, { elements: 32 }] },
  problem: (s) => {
    const values = pickedRows(s)
    const at = reader(fillRows)
    return {
      tensors: [
        { name: 'x', elements: s.rows * s.elements, type: 'fp32', use: 'input', fill: fillRows },
        {
          name: 'index',
          elements: Math.max(1, values.length),
          type: 'u32',
          use: 'input',
          fill: { kind: 'values', values },
        },
        { name: 'sums', elements: Math.max(1, values.length), type: 'fp32', use: 'output' },
      ],
      operators: emitted(plainFormats(32), 1, (c) => {
        const bytes = values.length * s.elements * 4
        emit(c, 'gather', { kind: 'stream', elements: values.length * s.elements }, 0, values.length * s.elements, [
          { owner: 'activations', way: 'read', bytes, metadata: 0, run: s.elements * 4 },
          { owner: 'activations', way: 'read', bytes: 4 * values.length, metadata: 4 * values.length },
          { owner: 'activations', way: 'write', bytes: 4 * values.length, metadata: 0 },
        ])
      }),
      tolerance: 'none: sums of numbers of few bits are exact',
      expectations: (random) =>
        someOf(values.length, random, 256).map((i) => {
          let sum = 0
          for (let e = 0; e < s.elements; e++) sum += at((values[i] as number) * s.elements + e)
          return { tensor: 'sums', offset: i, values: Float64Array.of(sum), tolerances: Float64Array.of(0) }
        }),
    }
  },
  plans: {
    webgpu: (s, { workgroup }) => {
      const picked = Math.floor(s.rows / s.every)
      if (workgroup < lanes || picked === 0) return []
      const groups = spread(Math.ceil(picked / (lanes / 16)))
      return [{ variant: '', launches: [{ source: gatherSource(s, picked), buffers: ['x', 'index', 'sums'], groups }] }]
    },
    wasm: (s, facts) => {
      const picked = Math.floor(s.rows / s.every)
      if (picked === 0) return []
      const each = pieceOf(picked, facts, 16)
      const groups = [Math.ceil(picked / each), 1, 1] as const
      return [
        {
          variant: '',
          launches: [{ source: 'gather', buffers: ['x', 'index', 'sums'], groups, args: [picked, s.elements, each] }],
        },
      ]
    },
  },
})
