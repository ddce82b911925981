// Attention of one or a few new queries over cached keys and values, split over the keys (FlashDecoding): a team of
// lanes takes a key, all rows of queries that share its head, and keeps a running softmax; workgroups take chunks of the
// keys, and their parts are merged.
import type { Attention } from '../../model/architecture.ts'
import type { Random } from '../../model/random.ts'
import { verify } from '../../model/workload.ts'
import type { Facts } from '../backend.ts'
import { type Fill, reader } from '../input.ts'
import { type Expectation, kernel, type Launch, type Plan } from '../kernel.ts'
import { passOf, pick, plainFormats } from '../ledger.ts'
import {
  add,
  bindings,
  butterfly,
  dot4,
  each,
  enables,
  groupIndex,
  lanesOf,
  loadPack,
  max,
  packs,
  packWords,
  spread,
} from '../webgpu/wgsl.ts'
import { attended, attentionTolerance, plainRows, rowsChecked } from './attention-reference.ts'
import { someOf } from './gemv.ts'
import { mergeLaunch, type Parts, partRow, partsTensor, splitsOf } from './split-attention.ts'

export interface Decode extends Record<string, number> {
  batch: number
  heads: number
  'kv-heads': number
  'head-dim': number
  tokens: number
  query: number
  bits: number
}

export const fillQ = { kind: 'normal', seed: 31, scale: 3, outliers: 7 } as const satisfies Fill
export const fillK = { kind: 'normal', seed: 32, outliers: 11 } as const satisfies Fill
export const fillV = { kind: 'normal', seed: 33, outliers: 11 } as const satisfies Fill

/** The attention module of these sizes, in the model's words. */
export function attentionModule(s: Pick<Decode, 'heads' | 'kv-heads' | 'head-dim'>): Attention {
  return {
    kind: 'attention',
    name: 'attention',
    width: s.heads * s['head-dim'],
    heads: s.heads,
    kvHeads: s['kv-heads'],
    headDim: s['head-dim'],
    causal: true,
    reach: { kind: 'full' },
    bias: { query: false, key: false, value: false, output: false },
    rotary: 0,
    fused: true,
  }
}

/** Lanes to a key, query rows at once, keys at once, lanes of a workgroup. */
export interface Cut {
  readonly lanes: number
  readonly rows: number
  readonly keys: number
  readonly workgroup: number
  /** Workgroups to aim at. */
  readonly groups: number
}

/** What a launch attends: units of key heads, each with rows of queries, over chunks of keys. */
export interface Attended {
  readonly dim: number
  readonly bits: number
  /** Query rows that share a unit's keys. */
  readonly rows: number
  readonly units: number
  /** Number of the first of them among all. */
  readonly firstUnit: number
  /** Keys of a unit. */
  readonly tokens: number
  readonly chunk: number
  readonly splits: number
  /** Keys that a row sees, where not all. */
  readonly sees?: (row: string) => string
  /** Number of a unit's row among all outputs; `unit` counts from the launch's first. */
  readonly output: (row: string) => string
  /** Number of a unit's first row of keys in the bound tensor. */
  readonly keys: string
  /** Parts of each output, and the first that this launch makes. */
  readonly parts: number
  readonly firstPart: number
  /** The keys are those of a list: `counts` of them for each unit, in `indices` with room for so many. */
  readonly listed?: { readonly room: number; readonly workgroups: number }
}

/** Query rows that share a key head: (head in its group) × query. */
function rowsOf(s: Decode): number {
  return (s.heads / s['kv-heads']) * s.query
}

const low = '-1e30'

/** Tensors that the source binds, in order. */
export function attendedBuffers({ listed }: Pick<Attended, 'listed'>): readonly string[] {
  return ['q', 'k', 'v', 'parts', ...(listed ? ['indices', 'counts'] : [])]
}

export function attendSource(d: Attended, cut: Cut): string {
  const { dim, bits, tokens, chunk, splits, units, listed } = d
  const { lanes, rows, keys, workgroup } = cut
  const tiles = Math.ceil(d.rows / rows)
  const words = packWords(bits)
  const row = packs(dim)
  const held = Math.ceil(row / lanes)
  const teams = workgroup / lanes
  const groups = units * splits * tiles
  const whole = row % lanes === 0
  const register = (name: string, r: number, p: number) => `${name}${r}_${p}`
  const each2 = (line: (r: number, p: number) => string) => each(rows, (r) => each(held, (p) => line(r, p)))
  const inside = (p: number) => `lane + ${p * lanes}u < ${row}u`
  const zero = (name: string, p: number) =>
    whole
      ? ''
      : `${name}_lo = select(vec4f(), ${name}_lo, ${inside(p)});\n${name}_hi = select(vec4f(), ${name}_hi, ${inside(p)});`
  const load = (name: string, from: string, at: string, p: number) =>
    whole
      ? loadPack(name, from, at, bits)
      : `${loadPack(`${name}_in`, from, at, bits)}\nvar ${name}_lo = ${name}_in_lo;\nvar ${name}_hi = ${name}_in_hi;\n${zero(name, p)}`
  const position = (p: number) => (whole ? `lane + ${p * lanes}u` : `min(lane + ${p * lanes}u, ${row - 1}u)`)
  const scores = each(rows, (r) => each(keys, (u) => `s${r}_${u}`, ' '), ' ').split(' ')
  const ends = (r: number) => (d.sees ? `min(end, sees${r})` : 'end')
  const keyAt = (u: number) =>
    listed ? `indices[unit_at * ${listed.room}u + min(key${u}, end - 1u)]` : `min(key${u}, end - 1u)`
  const work = listed
    ? `  for (var turn = group.x; ; turn += ${listed.workgroups}u) {
  if (local == 0u) {
    work = vec4u(${units}u, 0u, 0u, 0u);
    var left = turn / ${tiles}u;
    for (var u = 0u; u < ${units}u; u++) {
      let count = counts[${d.firstUnit}u + u];
      let chunks = (count + ${chunk - 1}u) / ${chunk}u;
      if (left < chunks) {
        work = vec4u(u, left, left * ${chunk}u, min(left * ${chunk}u + ${chunk}u, count));
        break;
      }
      left -= chunks;
    }
  }
  let now = workgroupUniformLoad(&work);
  if (now.x >= ${units}u) { break; }
  let tile = turn % ${tiles}u;
  let unit = now.x;
  let unit_at = ${d.firstUnit}u + unit;
  let split = now.y;
  let begin = now.z;
  let end = now.w;`
    : `  let number = min(${groupIndex(groups)}, ${groups - 1}u);
  let tile = number % ${tiles}u;
  let split = (number / ${tiles}u) % ${splits}u;
  let unit = number / ${tiles * splits}u;
  let begin = split * ${chunk}u;
  let end = min(begin + ${chunk}u, ${tokens}u);`
  return `${enables(lanes)}${bindings([
    ['q', 'array<vec4u>'],
    ['k', 'array<vec4u>'],
    ['v', 'array<vec4u>'],
    ['parts', 'array<f32>', true],
    ...(listed
      ? ([
          ['indices', 'array<u32>'],
          ['counts', 'array<u32>'],
        ] as const)
      : []),
  ])}
var<workgroup> outs: array<vec4f, ${teams * row * 2}>;
var<workgroup> tops: array<f32, ${teams}>;
var<workgroup> sums: array<f32, ${teams}>;
${listed ? 'var<workgroup> work: vec4u;' : ''}
@compute @workgroup_size(${workgroup})
fn main(@builtin(workgroup_id) group: vec3u, @builtin(local_invocation_index) local: u32) {
  let lane = local % ${lanes}u;
  let team = local / ${lanes}u;
${work}
  let first = ${d.keys};
${each(rows, (r) => `let row${r} = min(tile * ${rows}u + ${r}u, ${d.rows - 1}u);\nlet out${r} = ${d.output(`row${r}`)};${d.sees ? `\nlet sees${r} = ${d.sees(`row${r}`)};` : ''}`)}
${each2(
  (r, p) => `var ${register('q', r, p)}_lo = vec4f();
var ${register('q', r, p)}_hi = vec4f();
{
${load('x', 'q', `out${r} * ${row * words}u + (${position(p)}) * ${words}u`, p)}
${register('q', r, p)}_lo = x_lo * ${Math.LOG2E / Math.sqrt(dim)};
${register('q', r, p)}_hi = x_hi * ${Math.LOG2E / Math.sqrt(dim)};
}
var ${register('o', r, p)}_lo = vec4f();
var ${register('o', r, p)}_hi = vec4f();`,
)}
${each(rows, (r) => `var top${r} = ${low};\nvar sum${r} = 0.0;`)}
  for (var block = begin; block < end; block += ${keys * teams}u) {
${each(keys, (u) => `let key${u} = block + ${u * teams}u + team;\nlet at${u} = (first + ${keyAt(u)}) * ${row * words}u;`)}
${each(keys, (u) => each(held, (p) => load(`k${u}_${p}`, 'k', `at${u} + (${position(p)}) * ${words}u`, p)))}
${each(keys, (u) => each(held, (p) => load(`v${u}_${p}`, 'v', `at${u} + (${position(p)}) * ${words}u`, p)))}
${each(rows, (r) =>
  each(
    keys,
    (u) =>
      `var s${r}_${u} = ${each(held, (p) => dot4(`${register('q', r, p)}_lo`, `k${u}_${p}_lo`, dot4(`${register('q', r, p)}_hi`, `k${u}_${p}_hi`)), ' + ')};`,
  ),
)}
${butterfly(scores, lanes, add)}
${each(
  rows,
  (r) => `{
${each(keys, (u) => `let in${u} = key${u} < ${ends(r)};\ns${r}_${u} = select(${low}, s${r}_${u}, in${u});`)}
let top = ${each(keys, (u) => `s${r}_${u}`, ', ')
    .split(', ')
    .reduce((a, b) => max(a, b), `top${r}`)};
let keep = exp2(top${r} - top);
${each(keys, (u) => `let w${u} = select(0.0, exp2(s${r}_${u} - top), in${u});`)}
top${r} = top;
sum${r} = fma(sum${r}, keep, ${each(keys, (u) => `w${u}`, ' + ')});
${each(held, (p) => {
  const o = register('o', r, p)
  return `${o}_lo *= keep;
${o}_hi *= keep;
${each(keys, (u) => `${o}_lo = fma(vec4f(w${u}), v${u}_${p}_lo, ${o}_lo);\n${o}_hi = fma(vec4f(w${u}), v${u}_${p}_hi, ${o}_hi);`)}`
})}
}`,
)}
  }
${each(
  rows,
  (r) => `{
${each(held, (p) => {
  const store = `outs[(team * ${row}u + lane + ${p * lanes}u) * 2u] = ${register('o', r, p)}_lo;
outs[(team * ${row}u + lane + ${p * lanes}u) * 2u + 1u] = ${register('o', r, p)}_hi;`
  return whole ? store : `if (${inside(p)}) {\n${store}\n}`
})}
if (lane == 0u) { tops[team] = top${r}; sums[team] = sum${r}; }
workgroupBarrier();
var top = ${low};
for (var t = 0u; t < ${teams}u; t++) { top = max(top, tops[t]); }
let at = (out${r} * ${d.parts}u + ${d.firstPart}u + split) * ${partRow(dim)}u;
for (var i = local; i < ${dim / 4}u; i += ${workgroup}u) {
  var out = vec4f();
  for (var t = 0u; t < ${teams}u; t++) { out = fma(vec4f(exp2(tops[t] - top)), outs[t * ${2 * row}u + i], out); }
  parts[at + 4u * i] = out.x; parts[at + 4u * i + 1u] = out.y;
  parts[at + 4u * i + 2u] = out.z; parts[at + 4u * i + 3u] = out.w;
}
if (local == 0u) {
  var total = 0.0;
  for (var t = 0u; t < ${teams}u; t++) { total = fma(exp2(tops[t] - top), sums[t], total); }
  parts[at + ${dim}u] = top; parts[at + ${dim + 1}u] = total;
}
workgroupBarrier();
}`,
)}
${listed ? '  }' : ''}
}
`
}

/** Pieces that keys and values are cut in by head, so that each fits a binding. */
export function pieces(units: number, bytes: number, binding: number): number {
  let parts = 1
  while (bytes / parts > binding && units % (2 * parts) === 0) parts *= 2
  return parts
}

function plans(s: Decode, facts: Facts): Plan[] {
  const dim = s['head-dim']
  if (s.heads % s['kv-heads'] !== 0 || dim % 8 !== 0) return []
  const all = rowsOf(s)
  const units = s.batch * s['kv-heads']
  const parts = pieces(units, units * s.tokens * dim * (s.bits / 8), facts.binding)
  const table: readonly (readonly [lanes: number, rows: number, keys: number, workgroup: number, groups: number])[] =
    all === 1
      ? [
          [16, 1, 8, 128, 1056],
          [16, 1, 4, 128, 1056],
          [16, 1, 4, 256, 1056],
          [8, 1, 2, 128, 1056],
          [8, 1, 4, 128, 1056],
          [16, 1, 4, 128, 2112],
          [16, 1, 4, 64, 2112],
          [16, 1, 2, 256, 1056],
          [16, 1, 4, 128, 4224],
          [16, 1, 1, 256, 1056],
        ]
      : [
          // As many rows as share a key in registers, and the keys in flight that leaves.
          [16, Math.min(all, 8), all <= 4 ? 4 : 2, 128, 1056],
          [16, Math.min(all, 4), 2, 128, 1056],
          [16, Math.min(all, 8), 1, 128, 1056],
          [16, Math.min(all, 4), 4, 128, 1056],
          [8, Math.min(all, 4), 4, 128, 1056],
          [16, Math.min(all, 4), 4, 256, 1056],
          [8, Math.min(all, 4), 2, 128, 1056],
          [16, Math.min(all, 2), 4, 128, 1056],
          [16, 1, 1, 256, 1056],
        ]
  const cuts = table.map(([lanes, rows, keys, workgroup, groups]) =>
    fitted({ lanes, rows, keys, workgroup, groups }, dim, facts),
  )
  return cuts.map((cut) => plan(s, cut, units, parts))
}

/** The cut as a device takes it: no more lanes than exchange, no more teams than fit the shared memory. */
export function fitted(cut: Cut, dim: number, facts: Facts): Cut {
  const fit = 2 ** Math.ceil(Math.log2(packs(dim)))
  const lanes = Math.min(cut.lanes, lanesOf(facts), fit)
  // Without wide subgroups a lane holds more of a row, and fewer teams fit the shared memory.
  const fitting = Math.floor(facts.shared / (dim * 4 + 8) / 2) * 2
  return { ...cut, lanes, workgroup: Math.min(cut.workgroup, facts.workgroup, lanes * pow2(fitting)) }
}

function pow2(n: number): number {
  return 2 ** Math.floor(Math.log2(n))
}

function plan(s: Decode, cut: Cut, units: number, parts: number): Plan {
  const all = rowsOf(s)
  const tiles = Math.ceil(all / cut.rows)
  const { splits, chunk } = splitsOf(s.tokens, units * tiles, cut.groups, (cut.workgroup / cut.lanes) * cut.keys)
  const each = units / parts
  const merged: Parts = { outputs: units * all, splits, dim: s['head-dim'], bits: s.bits }
  const attend: Launch[] = Array.from({ length: parts }, (_, part) => ({
    source: attendSource(
      {
        dim: s['head-dim'],
        bits: s.bits,
        rows: all,
        units: each,
        firstUnit: part * each,
        tokens: s.tokens,
        chunk,
        splits,
        ...(s.query > 1 && { sees: (row) => `${s.tokens - s.query + 1}u + ${row} % ${s.query}u` }),
        output: (row) => `(${part * each}u + unit) * ${all}u + ${row}`,
        keys: `unit * ${s.tokens}u`,
        parts: splits,
        firstPart: 0,
      },
      cut,
    ),
    buffers: attendedBuffers({}),
    groups: spread(each * splits * tiles),
    part,
  }))
  return {
    variant: `lanes=${cut.lanes} rows=${cut.rows} keys=${cut.keys} workgroup=${cut.workgroup} splits=${splits}`,
    scratch: [partsTensor(merged)],
    parts,
    launches: [...attend, mergeLaunch(merged)],
  }
}

/** Keys that a thread scores before it takes their values. */
const keyBlock = 64

/** Each piece takes a key head and a chunk of its keys. */
function threadPlans(s: Decode, { threads = 1 }: Facts): Plan[] {
  const dim = s['head-dim']
  if (s.bits === 16 || s.heads % s['kv-heads'] !== 0 || dim % 8 !== 0) return []
  const all = rowsOf(s)
  const units = s.batch * s['kv-heads']
  const { splits, chunk } = splitsOf(s.tokens, units, 16 * threads, keyBlock)
  const merged: Parts = { outputs: units * all, splits, dim, bits: s.bits }
  const scale = new Int32Array(Float32Array.of(Math.LOG2E / Math.sqrt(dim)).buffer)[0] as number
  return [
    {
      variant: `splits=${splits}`,
      scratch: [
        partsTensor(merged),
        { name: 'scores', elements: units * splits * keyBlock, type: 'fp32', use: 'scratch' },
      ],
      launches: [
        {
          source: 'attend',
          buffers: ['q', 'k', 'v', 'parts', 'scores'],
          groups: [units * splits, 1, 1],
          args: [dim, s.tokens, s.query, all, splits, chunk, scale],
        },
        { source: 'merge', buffers: ['parts', 'output'], groups: [units * all, 1, 1], args: [dim, splits, 0] },
      ],
    },
  ]
}

function expectations(s: Decode, random: Random): Expectation[] {
  const { tokens, query, bits } = s
  const dim = s['head-dim']
  const all = rowsOf(s)
  const units = s.batch * s['kv-heads']
  const [q, k, v] = [reader(fillQ), reader(fillK), reader(fillV)]
  const few = Math.max(2, Math.min(units, Math.floor(2 ** 22 / (tokens * dim * all))))
  const rows = someOf(all, random, rowsChecked(tokens, dim))
  return someOf(units, random, few).flatMap((unit) =>
    rows.map((row) => {
      const at = (unit * all + row) * dim
      return {
        tensor: 'output',
        offset: at,
        ...attended(
          {
            query: Float64Array.from({ length: dim }, (_, i) => q(at + i) / Math.sqrt(dim)),
            keys: tokens - query + 1 + (row % query),
            key: plainRows(k, unit * tokens * dim, dim),
            value: plainRows(v, unit * tokens * dim, dim),
            valueDim: dim,
          },
          bits === 32 ? 'fp32' : 'fp16',
        ),
      }
    }),
  )
}

export const decodeSizes = {
  batch: { means: 'sequences', default: 1 },
  heads: { means: 'query heads', default: 32 },
  'kv-heads': { means: 'key and value heads', default: 32 },
  'head-dim': { means: 'elements of a head, a multiple of 8', default: 128 },
  tokens: { means: 'keys, the new ones included', default: 32768 },
  query: { means: 'new tokens, 1 to 8', default: 1, of: [1, 2, 3, 4, 5, 6, 7, 8] },
} as const

export const attentionDecode = kernel<Decode>({
  name: 'attention-decode',
  means: 'a few queries over cached keys and values, split over the keys',
  sizes: { ...decodeSizes, bits: { means: 'storage of all operands', default: 16, of: [16, 32] } },
  shapes: {
    small: [{ heads: 8, 'kv-heads': 8, tokens: 2048 }],
    large: [
      { tokens: 2048 },
      { tokens: 8192 },
      { tokens: 32768 },
      { tokens: 131072 },
      { 'kv-heads': 8, tokens: 32768, batch: 4 },
      { 'kv-heads': 8, tokens: 131072 },
      { tokens: 524288 },
      { 'kv-heads': 8, tokens: 524288 },
      { batch: 64, tokens: 8448 },
      { batch: 64, 'kv-heads': 8, tokens: 8448 },
      { batch: 16, tokens: 8448 },
      { tokens: 32768, query: 2 },
      { tokens: 32768, query: 5 },
      { tokens: 32768, query: 8 },
      { tokens: 32768, bits: 32 },
    ],
  },
  problem: (s) => {
    const dim = s['head-dim']
    const type = s.bits === 32 ? 'fp32' : 'fp16'
    const kv = s.batch * s['kv-heads'] * s.tokens * dim
    const rows = s.batch * s.heads * s.query * dim
    const workload = verify(s.batch, Math.max(0, s.tokens - s.query), s.query)
    return {
      tensors: [
        { name: 'q', elements: rows, type, use: 'input', fill: fillQ },
        { name: 'k', elements: kv, type, use: 'input', fill: fillK, cut: true },
        { name: 'v', elements: kv, type, use: 'input', fill: fillV, cut: true },
        { name: 'output', elements: rows, type, use: 'output' },
      ],
      operators: pick(passOf([attentionModule(s)], workload, plainFormats(s.bits)), 'attention'),
      tolerance: attentionTolerance,
      expectations: (random) => expectations(s, random),
    }
  },
  plans: { webgpu: plans, wasm: threadPlans },
})
