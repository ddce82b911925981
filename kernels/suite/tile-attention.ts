// Attention of many query rows over many keys in tiles (FlashAttention, arXiv 2205.14135): a workgroup of 16 × 16 lanes
// takes 64 rows, goes over the keys 64 at a time, and keeps a running softmax; a lane has 4 rows by 4 keys of the scores
// and 4 rows by a sixteenth of the outputs. Operands pass through shared memory as singles, as they lie in memory.
import {
  add,
  bindings,
  dot4,
  each,
  enables,
  exchanged,
  groupIndex,
  loadPack,
  max,
  pack,
  packs,
  packWords,
  spread,
  together,
} from '../webgpu/wgsl.ts'
import { partRow } from './split-attention.ts'

/** Lanes along each side of a workgroup, rows and keys of a tile, and depth or keys of a slice in shared memory. */
const side = 16
export const tileRows = 4 * side
export const slice = 16
const sliceVectors = slice / 4
/** Vectors of a row of a slice with the one that keeps neighbouring rows in other banks. */
export const slicePadded = sliceVectors + 1
const padded = slicePadded

export interface Tiled {
  readonly dim: number
  readonly bits: number
  /** Lanes that exchange. */
  readonly lanes: number
  readonly units: number
  /** Query rows of a unit, and keys of a unit. */
  readonly rows: number
  readonly keys: number
  /** Keys before the first row, where row r sees only those up to its own; absent where all see all. */
  readonly past?: number
  readonly chunk: number
  readonly splits: number
  /** Number of a unit's row among all rows of queries and outputs. */
  readonly output: (row: string) => string
  /** Number of a unit's first row of keys and of values. */
  readonly first: string
  /** Numbers of the rows of queries, keys and values, where they do not lie one after the other. */
  readonly query?: (row: string) => string
  readonly key?: (key: string) => string
  readonly value?: (key: string) => string
  /** Into parts that are merged, as many for each row; absent where the softmax ends here. */
  readonly parts?: number
}

/** Whether a device has what a tile takes. */
export function fitsTiles(dim: number, facts: { workgroup: number; shared: number }): boolean {
  return dim % pack === 0 && dim <= 128 && facts.workgroup >= side * side && facts.shared >= sharedBytes(dim)
}

function sharedBytes(dim: number): number {
  return 16 * (stageVectors(dim) + tileRows * side) + 4 * side * side
}

/** Slices of queries and keys side by side, or one of values. */
function stageVectors(dim: number): number {
  return Math.max(2 * tileRows * padded, slice * columnsOf(dim) * side)
}

/** Groups of 64 outputs, four to a lane. */
function columnsOf(dim: number): number {
  return Math.ceil(dim / (4 * side))
}

export function tiledGroups({ units, splits, rows }: Tiled) {
  return spread(units * splits * Math.ceil(rows / tileRows))
}

export const tiledBuffers = (t: Pick<Tiled, 'parts'>) => ['q', 'k', 'v', t.parts === undefined ? 'output' : 'parts']

const low = '-1e30'

/** Where the second operand's rows begin in the stage. */
const second = tileRows * padded

/**
 * Statements that bring a slice of 64 rows of both operands to shared memory, one to each half of the lanes: rows r,
 * r + 4, r + 8 … one after the other, so that lanes which take four neighbouring rows find them in other banks.
 */
export function stageRows(operands: readonly [Operand, Operand], deep: string, dim: number, bits: number): string {
  const words = packWords(bits)
  const masked = (x: string) => (dim % slice === 0 ? x : `select(vec4f(), ${x}, at < ${packs(dim)}u)`)
  const one = (
    { from, row }: Operand,
    to: number,
  ) => `${loadPack('x', from, `(${row}) * ${packs(dim) * words}u + ${dim % slice === 0 ? 'at' : `min(at, ${packs(dim) - 1}u)`} * ${words}u`, bits)}
let to = ${to}u + ((r & 3u) * ${side}u + (r >> 2u)) * ${padded}u + half * 2u;
stage[to] = ${masked('x_lo')};
stage[to + 1u] = ${masked('x_hi')};`
  return `{
let r = local % ${tileRows}u;
let half = local / ${tileRows}u % 2u;
let at = ${deep} * ${slice / pack}u + half;
if (local < ${2 * tileRows}u) {
${one(operands[0], 0)}
} else {
${one(operands[1], second)}
}
}`
}

/** A tensor, and the number of its row that stands for row `r` of the tile. */
interface Operand {
  readonly from: string
  readonly row: string
}

/** Statements that add the products of both slices to the scores s0 to s3, four keys each. */
export const scoreSlices = `for (var d = 0u; d < ${sliceVectors}u; d++) {
${each(4, (r) => `let a${r} = stage[(${r * side}u + y) * ${padded}u + d];`)}
${each(
  4,
  (c) => `{
let b = stage[${second}u + (${c * side}u + x) * ${padded}u + d];
${each(4, (r) => `s${r}[${c}] = ${dot4(`a${r}`, 'b', `s${r}[${c}]`)};`, ' ')}
}`,
)}
}`

export function tiledSource(t: Tiled): string {
  const { dim, bits, units, rows, keys, splits, chunk, past, parts } = t
  const columns = columnsOf(dim)
  const words = packWords(bits)
  const tiles = Math.ceil(rows / tileRows)
  const groups = units * splits * tiles
  const deep = Math.ceil(dim / slice)
  const width = side * side
  const team = { lanes: t.lanes, team: side, width, through: 'exchange' }
  const { key = (j: string) => `first + ${j}`, value = (j: string) => `first + ${j}` } = t
  const names = (name: string) => Array.from({ length: 4 }, (_, r) => `${name}${r}`)
  const all = (line: (r: number, g: number) => string) => each(4, (r) => each(columns, (g) => line(r, g)))
  const column = (g: number) => `${g * 4 * side}u + x * 4u`
  const valuePacks = (slice * dim) / pack
  const stageValues = (part: string) => `for (var i = local; i < ${valuePacks}u; i += ${width}u) {
let r = i / ${packs(dim)}u;
let deep = i % ${packs(dim)}u;
${loadPack('x', 'v', `((${value(`min(block + ${part} * ${slice}u + r, ${keys - 1}u)`)}) * ${packs(dim)}u + deep) * ${words}u`, bits)}
stage[r * ${columns * side}u + deep * 2u] = x_lo;
stage[r * ${columns * side}u + deep * 2u + 1u] = x_hi;
}`
  const store = (r: number, g: number) => {
    const at = `out${r} * ${dim}u + ${column(g)}`
    const value = `o${r}_${g}`
    if (parts !== undefined) {
      return each(4, (i) => `parts[at${r} + ${column(g)} + ${i}u] = ${value}[${i}];`, ' ')
    }
    return bits === 32
      ? `output[(${at}) / 4u] = ${value} / sum${r};`
      : `{ let o = ${value} / sum${r}; output[(${at}) / 4u] = vec2u(pack2x16float(o.xy), pack2x16float(o.zw)); }`
  }
  const result = parts !== undefined ? 'array<f32>' : bits === 32 ? 'array<vec4f>' : 'array<vec2u>'
  return `${enables(t.lanes)}${bindings([
    ['q', 'array<vec4u>'],
    ['k', 'array<vec4u>'],
    ['v', 'array<vec4u>'],
    [parts === undefined ? 'output' : 'parts', result, true],
  ])}
var<workgroup> stage: array<vec4f, ${stageVectors(dim)}>;
var<workgroup> weights: array<vec4f, ${tileRows * side}>;
var<workgroup> exchange: array<f32, ${exchanged(4, team)}>;
@compute @workgroup_size(${width})
fn main(@builtin(workgroup_id) group: vec3u, @builtin(local_invocation_index) local: u32) {
  let number = min(${groupIndex(groups)}, ${groups - 1}u);
  // The longest rows of a triangle first.
  let tile = ${tiles - 1}u - number / ${units * splits}u;
  let split = (number / ${units}u) % ${splits}u;
  let unit = number % ${units}u;
  let x = local % ${side}u;
  let y = local / ${side}u;
  let first = ${t.first};
  let begin = split * ${chunk}u;
  let end = min(begin + ${chunk}u, ${past === undefined ? `${keys}u` : `min(${keys}u, ${past}u + (tile + 1u) * ${tileRows}u)`});
${each(4, (r) => `let row${r} = min(tile * ${tileRows}u + y * 4u + ${r}u, ${rows - 1}u);\nlet out${r} = ${t.output(`row${r}`)};`)}
${each(4, (r) => `var top${r} = ${low};\nvar sum${r} = 0.0;`)}
${all((r, g) => `var o${r}_${g} = vec4f();`)}
  for (var block = begin; block < end; block += ${tileRows}u) {
${each(4, (r) => `var s${r} = vec4f();`)}
    for (var deep = 0u; deep < ${deep}u; deep++) {
${stageRows(
  [
    { from: 'q', row: (t.query ?? t.output)(`min(tile * ${tileRows}u + r, ${rows - 1}u)`) },
    { from: 'k', row: key(`min(block + r, ${keys - 1}u)`) },
  ],
  'deep',
  dim,
  bits,
)}
      workgroupBarrier();
${scoreSlices}
      workgroupBarrier();
    }
${stageValues('0u')}
    let key = vec4u(block + x * 4u) + vec4u(0u, 1u, 2u, 3u);
${each(4, (r) => `let in${r} = key < vec4u(${past === undefined ? 'end' : `min(end, ${past + 1}u + row${r})`});\ns${r} = select(vec4f(${low}), s${r} * ${Math.LOG2E / Math.sqrt(dim)}, in${r});\nvar new${r} = max(max(s${r}.x, s${r}.y), max(s${r}.z, s${r}.w));`)}
${together(names('new'), team, max)}
${each(
  4,
  (r) => `{
new${r} = max(new${r}, top${r});
let keep = exp2(top${r} - new${r});
top${r} = new${r};
let w = select(vec4f(), exp2(s${r} - vec4f(new${r})), in${r});
sum${r} = fma(sum${r}, keep, w.x + w.y + w.z + w.w);
${each(columns, (g) => `o${r}_${g} *= keep;`)}
weights[(y * 4u + ${r}u) * ${side}u + x] = w;
}`,
)}
    workgroupBarrier();
    for (var part = 0u; part < ${tileRows / slice}u; part++) {
      if (part > 0u) {
        workgroupBarrier();
${stageValues('part')}
        workgroupBarrier();
      }
    for (var i = 0u; i < ${sliceVectors}u; i++) {
${each(4, (r) => `let w${r} = weights[(y * 4u + ${r}u) * ${side}u + part * ${sliceVectors}u + i];`)}
${each(
  4,
  (j) => `{
${each(columns, (g) => `let v${g} = stage[(i * 4u + ${j}u) * ${columns * side}u + ${g * side}u + x];`)}
${all((r, g) => `o${r}_${g} = fma(vec4f(w${r}[${j}]), v${g}, o${r}_${g});`)}
}`,
)}
    }
    }
    workgroupBarrier();
  }
${together(names('sum'), team, add)}
${each(4, (r) => {
  const inside = `tile * ${tileRows}u + y * 4u + ${r}u < ${rows}u`
  const at = parts === undefined ? '' : `let at${r} = (out${r} * ${parts}u + split) * ${partRow(dim)}u;`
  const ends =
    parts === undefined
      ? ''
      : `if (x == 0u) { parts[at${r} + ${dim}u] = top${r}; parts[at${r} + ${dim + 1}u] = sum${r}; }`
  return `if (${inside}) {
${at}
${each(columns, (g) => (g * 4 * side + 4 * side <= dim ? store(r, g) : `if (${column(g)} < ${dim}u) { ${store(r, g)} }`))}
${ends}
}`
})}
}
`
}
