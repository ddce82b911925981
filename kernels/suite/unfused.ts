// The three kernels of unfused attention: scores of all rows with all keys, their softmax row by row, and the products
// with the values. Scores and weights lie in memory between them, in rows of whole packs.
import type { Facts } from '../backend.ts'
import type { Launch, Tensor } from '../kernel.ts'
import {
  bindings,
  each,
  groupIndex,
  lanesOf,
  loadPack,
  pack,
  packs,
  packWords,
  padded,
  spread,
} from '../webgpu/wgsl.ts'
import { rowCuts, rowGroups, softmaxSource } from './rows.ts'
import { scoreSlices, slice, slicePadded, stageRows, tileRows } from './tile-attention.ts'

export interface Prefill extends Record<string, number> {
  batch: number
  heads: number
  'kv-heads': number
  'head-dim': number
  tokens: number
  past: number
  bits: number
}

/** The number of the first row of keys of a head's unit. */
export function keysOfHead(s: Prefill): string {
  const { heads, tokens, past } = s
  const shared = heads / s['kv-heads']
  return `(unit / ${heads}u * ${s['kv-heads']}u + unit % ${heads}u / ${shared}u) * ${past + tokens}u`
}

const side = 16

const keysOf = (s: Prefill) => s.past + s.tokens
const unitsOf = (s: Prefill) => s.batch * s.heads

export function unfusedScratch(s: Prefill): Tensor[] {
  const elements = unitsOf(s) * s.tokens * padded(keysOf(s))
  const type = s.bits === 32 ? 'fp32' : 'fp16'
  return ['scores', 'weights'].map((name) => ({ name, elements, type, use: 'scratch' }))
}

export function unfusedLaunches(s: Prefill, facts: Facts): Launch[] {
  const units = unitsOf(s)
  const high = Math.ceil(s.tokens / tileRows)
  const shape = { rows: units * s.tokens, width: keysOf(s), bits: s.bits }
  const [cut] = rowCuts(shape, facts)
  if (!cut)
    throw new RangeError(`attention-unfused: expected at most ${8 * 8 * facts.workgroup} keys, got ${keysOf(s)}`)
  const limit = `${s.past + 1}u + row % ${s.tokens}u`
  return [
    {
      source: scoresSource(s),
      buffers: ['q', 'k', 'scores'],
      groups: spread(units * high * Math.ceil(keysOf(s) / tileRows)),
    },
    {
      source: softmaxSource(shape, cut, lanesOf(facts), limit),
      buffers: ['scores', 'weights'],
      groups: rowGroups(shape, cut),
    },
    {
      source: valuesSource(s),
      buffers: ['weights', 'v', 'output'],
      groups: spread(units * high * Math.ceil(s['head-dim'] / (4 * side))),
    },
  ]
}

const stored = (bits: number, value: string) =>
  bits === 32 ? value : `vec2u(pack2x16float(${value}.xy), pack2x16float(${value}.zw))`
const storage = (bits: number) => (bits === 32 ? 'array<vec4f>' : 'array<vec2u>')

/** Scores of 64 rows with 64 keys to a workgroup, divided by the root of the head dimension. */
function scoresSource(s: Prefill): string {
  const { tokens, bits } = s
  const dim = s['head-dim']
  const keys = keysOf(s)
  const wide = Math.ceil(keys / tileRows)
  const high = Math.ceil(tokens / tileRows)
  const groups = unitsOf(s) * wide * high
  return `${bindings([
    ['q', 'array<vec4u>'],
    ['k', 'array<vec4u>'],
    ['scores', storage(bits), true],
  ])}
var<workgroup> stage: array<vec4f, ${2 * tileRows * slicePadded}>;
@compute @workgroup_size(${side * side})
fn main(@builtin(workgroup_id) group: vec3u, @builtin(local_invocation_index) local: u32) {
  let number = min(${groupIndex(groups)}, ${groups - 1}u);
  let left = number % ${wide}u * ${tileRows}u;
  let top = number / ${wide}u % ${high}u * ${tileRows}u;
  let unit = number / ${wide * high}u;
  let x = local % ${side}u;
  let y = local / ${side}u;
  let first = ${keysOfHead(s)};
${each(4, (r) => `var s${r} = vec4f();`)}
  for (var deep = 0u; deep < ${Math.ceil(dim / slice)}u; deep++) {
${stageRows(
  [
    { from: 'q', row: `unit * ${tokens}u + min(top + r, ${tokens - 1}u)` },
    { from: 'k', row: `first + min(left + r, ${keys - 1}u)` },
  ],
  'deep',
  dim,
  bits,
)}
    workgroupBarrier();
${scoreSlices}
    workgroupBarrier();
  }
${each(
  4,
  (r) => `{
let row = top + y * 4u + ${r}u;
let value = s${r} * ${1 / Math.sqrt(dim)};
if (row < ${tokens}u && left + x * 4u < ${padded(keys)}u) {
scores[((unit * ${tokens}u + row) * ${padded(keys)}u + left) / 4u + x] = ${stored(bits, 'value')};
}
}`,
)}
}
`
}

/** 64 rows by 64 output columns to a workgroup. Weights beyond what a row sees are zero. */
function valuesSource(s: Prefill): string {
  const { tokens, past, bits } = s
  const dim = s['head-dim']
  const keys = keysOf(s)
  const words = packWords(bits)
  const wide = Math.ceil(dim / (4 * side))
  const high = Math.ceil(tokens / tileRows)
  const groups = unitsOf(s) * wide * high
  const valueStage = tileRows * slicePadded
  return `${bindings([
    ['weights', 'array<vec4u>'],
    ['v', 'array<vec4u>'],
    ['output', storage(bits), true],
  ])}
var<workgroup> stage: array<vec4f, ${valueStage + slice * side}>;
@compute @workgroup_size(${side * side})
fn main(@builtin(workgroup_id) group: vec3u, @builtin(local_invocation_index) local: u32) {
  let number = min(${groupIndex(groups)}, ${groups - 1}u);
  let left = number % ${wide}u * ${4 * side}u;
  let top = number / ${wide}u % ${high}u * ${tileRows}u;
  let unit = number / ${wide * high}u;
  let x = local % ${side}u;
  let y = local / ${side}u;
  let first = ${keysOfHead(s)};
${each(4, (r) => `var s${r} = vec4f();`)}
  let end = min(${keys}u, ${past}u + top + ${tileRows}u);
  for (var deep = 0u; deep * ${slice}u < end; deep++) {
    if (local < ${2 * tileRows}u) {
let r = local % ${tileRows}u;
let half = local / ${tileRows}u;
let at = min(deep * ${slice / pack}u + half, ${packs(keys) - 1}u);
${loadPack('x', 'weights', `(unit * ${tokens}u + min(top + r, ${tokens - 1}u)) * ${packs(keys) * words}u + at * ${words}u`, bits)}
let to = ((r & 3u) * ${side}u + (r >> 2u)) * ${slicePadded}u + half * 2u;
let inside = deep * ${slice / pack}u + half < ${packs(keys)}u;
stage[to] = select(vec4f(), x_lo, inside);
stage[to + 1u] = select(vec4f(), x_hi, inside);
    } else {
let key = (local - ${2 * tileRows}u) / ${(4 * side) / pack}u;
let column = min(left / ${pack}u + local % ${(4 * side) / pack}u, ${packs(dim) - 1}u);
${loadPack('x', 'v', `((first + min(deep * ${slice}u + key, ${keys - 1}u)) * ${packs(dim)}u + column) * ${words}u`, bits)}
let to = ${valueStage}u + key * ${side}u + local % ${(4 * side) / pack}u * 2u;
stage[to] = x_lo;
stage[to + 1u] = x_hi;
    }
    workgroupBarrier();
    for (var d = 0u; d < ${slice / 4}u; d++) {
${each(4, (r) => `let w${r} = stage[(${r * side}u + y) * ${slicePadded}u + d];`)}
${each(
  4,
  (j) => `{
let v = stage[${valueStage}u + (d * 4u + ${j}u) * ${side}u + x];
${each(4, (r) => `s${r} = fma(vec4f(w${r}[${j}]), v, s${r});`, ' ')}
}`,
)}
    }
    workgroupBarrier();
  }
${each(
  4,
  (r) => `{
let row = top + y * 4u + ${r}u;
if (row < ${tokens}u && left + x * 4u < ${dim}u) {
output[((unit * ${tokens}u + row) * ${dim}u + left) / 4u + x] = ${stored(bits, `s${r}`)};
}
}`,
)}
}
`
}
