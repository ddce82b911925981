// The product of two matrices in tiles: a workgroup of 16 × 16 lanes takes a tile of the output, brings slices of both
// operands to shared memory as singles, each as it lies in memory, and each lane multiplies its rows by its columns in
// registers, four along the depth at a time. The next slice is loaded while this one is multiplied. Vector units only:
// WGSL has no others that work everywhere.
import { product } from '../../model/modules/emit.ts'
import type { Random } from '../../model/random.ts'
import type { Facts } from '../backend.ts'
import { type Fill, reader } from '../input.ts'
import { type Expectation, kernel, type Plan, type Problem } from '../kernel.ts'
import { emitted, plainFormats } from '../ledger.ts'
import { roundings, stored } from '../rounding.ts'
import { libraryPlans } from '../tfjs/plan.ts'
import { bindings, each, loadPack, pack, packs, packWords, padded } from '../webgpu/wgsl.ts'
import { pieceOf } from './pieces.ts'

export interface Gemm extends Record<string, number> {
  m: number
  n: number
  k: number
  bits: number
}

const fillA = { kind: 'normal', seed: 41, outliers: 10 } as const satisfies Fill
const fillB = { kind: 'normal', seed: 42, outliers: 10 } as const satisfies Fill

/** Lanes along each side of a workgroup. */
const side = 16

/** Rows and columns of a lane in groups of four, and the depth of a slice. */
interface Tile {
  readonly rows: 1 | 2
  readonly columns: 1 | 2
  readonly depth: 8 | 16 | 32
}

function source({ m, n, k, bits }: Gemm, { rows, columns, depth }: Tile): string {
  const high = 4 * side * rows
  const wide = 4 * side * columns
  const words = packWords(bits)
  const lanes = side * side
  // Packs of a slice: of A along its depth, of B along the columns.
  const packsA = (high * depth) / pack
  const packsB = (wide * depth) / pack
  const turns = (all: number) => Math.ceil(all / lanes)
  const slices = Math.ceil(k / depth)
  const guard = (all: number, turn: number, text: string) =>
    (turn + 1) * lanes <= all ? text : `if (local + ${turn * lanes}u < ${all}u) {\n${text}\n}`
  const placeA = (t: number) => `let p = local + ${t * lanes}u;
let row = p / ${depth / pack}u;
let deep = (p % ${depth / pack}u);`
  const placeB = (t: number) => `let p = local + ${t * lanes}u;
let deep = p / ${wide / pack}u;
let column = p % ${wide / pack}u;`
  const fetch = (slice: string) => `
${each(
  turns(packsA),
  (t) => `{
${placeA(t)}
let at = min(${slice} * ${depth / pack}u + deep, ${packs(k) - 1}u);
${loadPack('x', 'a', `(min(top + row, ${m - 1}u) * ${packs(k)}u + at) * ${words}u`, bits)}
a${t}_lo = x_lo; a${t}_hi = x_hi;
}`,
)}
${each(
  turns(packsB),
  (t) => `{
${placeB(t)}
let at = ${slice} * ${depth}u + deep;
${loadPack('x', 'b', `(min(at, ${k - 1}u) * ${packs(n)}u + min(left / ${pack}u + column, ${packs(n) - 1}u)) * ${words}u`, bits)}
b${t}_lo = select(vec4f(), x_lo, at < ${k}u); b${t}_hi = select(vec4f(), x_hi, at < ${k}u);
}`,
)}`
  const keep = (to: string) => `
${each(turns(packsA), (t) =>
  guard(
    packsA,
    t,
    `{
${placeA(t)}
let at = ${to} * ${(depth * high) / 4}u + row * ${depth / 4}u + deep * 2u;
slice_a[at] = a${t}_lo; slice_a[at + 1u] = a${t}_hi;
}`,
  ),
)}
${each(turns(packsB), (t) =>
  guard(
    packsB,
    t,
    `{
${placeB(t)}
let at = ${to} * ${(depth * wide) / 4}u + deep * ${wide / 4}u + column * 2u;
slice_b[at] = b${t}_lo; slice_b[at + 1u] = b${t}_hi;
}`,
  ),
)}`
  const accumulator = (r: number, c: number) => `c${r}_${c}`
  const store = (r: number) => {
    const row = `top + ${Math.floor(r / 4) * 4 * side}u + y * 4u + ${r % 4}u`
    return each(columns, (c) => {
      const column = `left + ${c * 4 * side}u + x * 4u`
      const at = `((${row}) * ${padded(n)}u + ${column}) / 4u`
      const value = accumulator(r, c)
      const text = bits === 32 ? value : `vec2u(pack2x16float(${value}.xy), pack2x16float(${value}.zw))`
      return `if (${row} < ${m}u && ${column} < ${padded(n)}u) { c[${at}] = ${text}; }`
    })
  }
  return `${bindings([
    ['a', 'array<vec4u>'],
    ['b', 'array<vec4u>'],
    ['c', bits === 32 ? 'array<vec4f>' : 'array<vec2u>', true],
  ])}
var<workgroup> slice_a: array<vec4f, ${(2 * depth * high) / 4}>;
var<workgroup> slice_b: array<vec4f, ${(2 * depth * wide) / 4}>;
@compute @workgroup_size(${lanes})
fn main(@builtin(workgroup_id) group: vec3u, @builtin(local_invocation_index) local: u32) {
  let x = local % ${side}u;
  let y = local / ${side}u;
  let left = group.x * ${wide}u;
  let top = group.y * ${high}u;
${each(4 * rows, (r) => each(columns, (c) => `var ${accumulator(r, c)} = vec4f();`))}
${each(turns(packsA), (t) => `var a${t}_lo = vec4f(); var a${t}_hi = vec4f();`)}
${each(turns(packsB), (t) => `var b${t}_lo = vec4f(); var b${t}_hi = vec4f();`)}
  for (var slice = 0u; slice <= ${slices}u; slice++) {
    if (slice < ${slices}u) {
${fetch('slice')}
    }
    if (slice > 0u) {
      let before = (slice - 1u) % 2u;
      for (var d = 0u; d < ${depth / 4}u; d++) {
        let at_a = before * ${(depth * high) / 4}u + y * ${depth}u + d;
        let at_b = before * ${(depth * wide) / 4}u + d * ${wide}u + x;
${each(4 * rows, (r) => `let p${r} = slice_a[at_a + ${Math.floor(r / 4) * side * depth + (r % 4) * (depth / 4)}u];`)}
${each(
  4,
  (i) => `{
${each(columns, (c) => `let q${c} = slice_b[at_b + ${(i * wide) / 4 + c * side}u];`)}
${each(4 * rows, (r) => each(columns, (c) => `${accumulator(r, c)} = fma(vec4f(p${r}[${i}]), q${c}, ${accumulator(r, c)});`))}
}`,
)}
      }
    }
    if (slice < ${slices}u) {
${keep('(slice % 2u)')}
    }
    workgroupBarrier();
  }
${each(4 * rows, store)}
}
`
}

export function gemmPlans(s: Gemm, facts: Facts): Plan[] {
  const tiles: readonly Tile[] = [
    { rows: 2, columns: 1, depth: 16 },
    { rows: 2, columns: 2, depth: 16 },
    { rows: 2, columns: 2, depth: 8 },
    { rows: 1, columns: 1, depth: 16 },
    { rows: 2, columns: 2, depth: 32 },
    { rows: 1, columns: 1, depth: 32 },
  ]
  const fitting = tiles.filter(
    (t) => (128 * side * t.depth * (t.rows + t.columns)) / 4 <= facts.shared && side * side <= facts.workgroup,
  )
  // Small outputs keep more workgroups busy in small tiles.
  const small = Math.ceil(s.m / 128) * Math.ceil(s.n / 128) < 128
  return fitting
    .toSorted((a, b) => (small ? a.rows + a.columns - b.rows - b.columns : 0))
    .map((tile) => ({
      variant: `tile=${64 * tile.rows}x${64 * tile.columns} depth=${tile.depth}`,
      launches: [
        {
          source: source(s, tile),
          buffers: ['a', 'b', 'c'],
          groups: [Math.ceil(s.n / (64 * tile.columns)), Math.ceil(s.m / (64 * tile.rows)), 1],
        },
      ],
    }))
}

/** Columns of a panel, which is what threads keep in registers and in the first-level cache. */
const panel = 8
/** Rows and panels of a piece. */
const pieceRows = 32
const piecePanels = 8

/** Threads first bring B together by panels, then multiply. */
export function gemmThreadPlans({ m, n, k, bits }: Gemm, facts: Facts): Plan[] {
  if (bits === 16) return []
  const panels = padded(n) / panel
  const each = pieceOf(panels, facts, 1)
  const across = Math.ceil(panels / piecePanels)
  return [
    {
      variant: '',
      scratch: [{ name: 'packed', elements: k * padded(n), type: 'fp32', use: 'scratch' }],
      launches: [
        {
          source: 'pack',
          buffers: ['b', 'packed'],
          groups: [Math.ceil(panels / each), 1, 1],
          args: [k, padded(n), each],
        },
        {
          source: 'multiply',
          buffers: ['a', 'packed', 'c'],
          groups: [Math.ceil(m / pieceRows) * across, 1, 1],
          args: [m, padded(n), k, padded(k), pieceRows, piecePanels, across],
        },
      ],
    },
  ]
}

function expectations({ m, n, k, bits }: Gemm, random: Random): Expectation[] {
  const [a, b] = [reader(fillA), reader(fillB)]
  const off = roundings(k)
  const few = Math.max(64, Math.min(m * n, Math.floor(2 ** 20 / k)))
  const corner = (m - 1) * n + (n - 1)
  const places = m * n <= few ? [...Array(m * n).keys()] : [0, n - 1, corner - n + 1, corner]
  while (places.length < Math.min(few, m * n)) places.push(Math.floor(random() * m * n))
  return places.map((place) => {
    const row = Math.floor(place / n)
    const column = place % n
    let sum = 0
    let size = 0
    for (let i = 0; i < k; i++) {
      const p = a(row * padded(k) + i) * b(i * padded(n) + column)
      sum += p
      size += Math.abs(p)
    }
    return {
      tensor: 'c',
      offset: row * padded(n) + column,
      values: Float64Array.of(sum),
      tolerances: Float64Array.of(off * size + stored(sum, bits === 32 ? 'fp32' : 'fp16')),
    }
  })
}

export function gemmProblem(s: Gemm): Problem {
  const { m, n, k, bits } = s
  const type = bits === 32 ? 'fp32' : 'fp16'
  return {
    tensors: [
      { name: 'a', elements: m * padded(k), type, use: 'input', fill: fillA },
      { name: 'b', elements: k * padded(n), type, use: 'input', fill: fillB },
      { name: 'c', elements: m * padded(n), type, use: 'output' },
    ],
    operators: emitted(plainFormats(bits), m, (c) => product(c, 'gemm', { role: 'ffn', m, n, k })),
    tolerance: 'k additions one after the other; the result stored',
    expectations: (random) => expectations(s, random),
  }
}

export const gemm = kernel<Gemm>({
  name: 'gemm',
  means: 'the product of two matrices, in tiles on the vector units',
  sizes: {
    m: { means: 'rows (tokens)', default: 4096 },
    n: { means: 'columns (outputs)', default: 4096 },
    k: { means: 'contracted width', default: 4096 },
    bits: { means: 'storage of all operands', default: 16, of: [16, 32] },
  },
  shapes: {
    small: [
      { m: 256, n: 256, k: 256, bits: 32 },
      { m: 512, n: 512, k: 512, bits: 32 },
    ],
    large: [
      { m: 4096, n: 4096, k: 4096, bits: 32 },
      { m: 4096, n: 4096, k: 4096 },
      { m: 1024, n: 1024, k: 1024, bits: 32 },
      { m: 512, n: 4096, k: 4096 },
      { m: 128, n: 4096, k: 4096 },
      { m: 2048, n: 11008, k: 4096 },
    ],
  },
  problem: gemmProblem,
  plans: {
    webgpu: gemmPlans,
    wasm: gemmThreadPlans,
    tfjs: ({ m, n, k, bits }) => libraryPlans('matMul', bits, ['a', 'b', 'c'], [m, n, k]),
  },
})
