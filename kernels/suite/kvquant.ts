// Decode attention over a cache as KVQuant keeps it (arXiv 2401.18079): 4-bit codes of a table, keys rotated as they are
// read, outliers beside. What a rotation costs is moved away from the codes: the query is turned back to the first token of
// each run of keys, its products with the channels' scales and zero points are made once for the run, and what is left of
// the angle depends on the token's place in its run alone, so that a lane keeps it in registers for all runs. A team of 32
// lanes takes 16 pairs of channels of every token in a block, a lane the same place in each run; then lanes take channels
// of the values. Tables lie in shared memory once for each bank, so that no two lanes wait for each other.

import type { Random } from '../../model/random.ts'
import { kvquantStore } from '../../model/stores/kvquant.ts'
import { decode } from '../../model/workload.ts'
import type { Facts } from '../backend.ts'
import { reader } from '../input.ts'
import { type Expectation, kernel, type Plan } from '../kernel.ts'
import { passOf, pick, plainFormats } from '../ledger.ts'
import {
  add,
  bindings,
  dot4,
  each,
  enables,
  exchanged,
  groupIndex,
  lanesOf,
  max,
  spread,
  together,
} from '../webgpu/wgsl.ts'
import { attentionModule, decodeSizes } from './attention-decode.ts'
import { attended, attentionTolerance, rowsChecked } from './attention-reference.ts'
import { someOf } from './gemv.ts'
import {
  fillQuery,
  firstTurn,
  type Kvquant,
  keyRows,
  kvquantTensors,
  loadPairs,
  loadsOf,
  outliersOf,
  pairsOf,
  placeTurns,
  run,
  runsOf,
  tile,
  tilesOf,
  unitsOf,
  valueRows,
} from './kvquant-data.ts'
import { mergeLaunch, type Parts, partRow, partsTensor, splitsOf } from './split-attention.ts'

/** Tokens at once, runs of 32 that share a turned query, workgroups to aim at, whether values are loaded before the scores. */
interface Cut {
  readonly block: number
  readonly shared: 1 | 2
  readonly groups: number
  readonly early: boolean
}

const banks = 32
const low = '-1e30'

/** The index in a table of code `i` of a word, in the bank of the lane. */
function entry(table: string, word: string, i: number): string {
  const shift = 4 * i - 5
  const moved = shift < 0 ? `(${word} << ${-shift}u)` : shift === 0 ? word : `(${word} >> ${shift}u)`
  return `${table}[(${moved} & ${15 * banks}u) | bank]`
}

function source(s: Kvquant, cut: Cut, lanes: number, chunk: number, splits: number): string {
  const dim = s['head-dim']
  const rows = s.heads / s['kv-heads']
  const pairs = pairsOf(s)
  const teams = loadsOf(s)
  const width = teams * run
  const wide = teams * loadPairs
  const runs = cut.block / run
  const turned = runs / cut.shared
  const units = unitsOf(s)
  const groups = units * splits
  const own = Math.ceil(cut.block / width)
  const tilesIn = cut.block / tile
  const sparse = outliersOf(s) > 0
  const team = { lanes: Math.min(lanes, run), team: width, width, through: 'exchange' }
  const perRow = (line: (r: number) => string) => each(rows, line)
  const names = (name: string) => Array.from({ length: rows }, (_, r) => `${name}${r}`)
  const loadValues = each(
    runs,
    (u) =>
      `let v${u} = v[(unit * ${runsOf(s)}u + min(block / ${run}u + ${u}u, ${runsOf(s) - 1}u)) * ${dim}u + channel];`,
  )
  // Pair p of the team's sixteen: its byte of a word holds both of its channels.
  const pair = (p: number) =>
    each(turned, (i) =>
      perRow(
        (r) => `{
let a = products[${(r * turned + i) * wide + p}u + first_pair];
let c = constants[${(r * turned + i) * wide + p}u + first_pair];
${each(cut.shared, (j) => {
  const u = i * cut.shared + j
  const word = `k${u}[${p >> 2}]`
  return `{
let l = ${entry('keys', word, 2 * (p & 3))};
let h = ${entry('keys', word, 2 * (p & 3) + 1)};
s${r}_${u} = fma(fma(a.x, l, fma(a.y, h, c.x)), turn${p}_${j}.x, fma(fma(a.z, l, fma(a.w, h, c.y)), turn${p}_${j}.y, s${r}_${u}));
}`
})}
}`,
      ),
    )
  /** Statements over the outliers of the block's tiles: `place`, `value` and the tile's number in the block, `part`. */
  const outliers = (of: 'k' | 'v', body: string) => `{
let begin_tile = unit * ${tilesOf(s)}u + block / ${tile}u;
let end_tile = unit * ${tilesOf(s)}u + min(block / ${tile}u + ${tilesIn}u, ${tilesOf(s)}u);
${each(tilesIn - 1, (i) => `let next${i} = starts[min(begin_tile + ${i + 1}u, end_tile)];`)}
let last = starts[end_tile];
for (var e = starts[begin_tile] + local; e < last; e += ${width}u) {
let outlier = ${of}_outliers[e];
let place = outlier & 0xffffu;
let value = unpack2x16float(outlier).y;
let part = ${tilesIn === 1 ? '0u' : each(tilesIn - 1, (i) => `select(0u, 1u, e >= next${i})`, ' + ')};
${body}
}
}`
  const keyOutliers = outliers(
    'k',
    `let token = part * ${tile}u + place % ${tile}u;
let channel = place / ${tile}u;
let pair = channel % ${pairs}u;
let turn = turns[${placeTurns(s)}u + token % ${run * cut.shared}u * ${pairs}u + pair];
${perRow(
  (r) => `{
let a = products[(${r * turned}u + token / ${run * cut.shared}u) * ${wide}u + pair];
let p = select(a.xz, a.yw, channel >= ${pairs}u);
add_to(${r * cut.block}u + token, value * dot(p, turn));
}`,
)}`,
  )
  const valueOutliers = outliers(
    'v',
    `let token = part * ${tile}u + place / ${dim}u;
let channel = place % ${dim}u;
${perRow((r) => `add_to(${r * dim}u + channel, value * weights[(${r * cut.block}u + token) / 4u][token & 3u]);`)}`,
  )
  const extras = rows * Math.max(cut.block, dim)
  const clear = sparse ? `for (var i = local; i < ${extras}u; i += ${width}u) { atomicStore(&extra[i], 0u); }\n` : ''
  return `${enables(lanes)}${bindings([
    ['q', 'array<u32>'],
    ['k', 'array<vec4u>'],
    ['v', 'array<vec4u>'],
    ['k_scales', 'array<u32>'],
    ['v_scales', 'array<u32>'],
    ['turns', 'array<vec2f>'],
    ['parts', 'array<f32>', true],
    ...(sparse
      ? ([
          ['k_outliers', 'array<u32>'],
          ['v_outliers', 'array<u32>'],
          ['starts', 'array<u32>'],
        ] as const)
      : []),
  ])}
var<workgroup> keys: array<f32, ${16 * banks}>;
var<workgroup> values: array<f32, ${16 * banks}>;
var<workgroup> query: array<f32, ${rows * dim}>;
var<workgroup> products: array<vec4f, ${rows * turned * wide}>;
var<workgroup> constants: array<vec2f, ${rows * turned * wide}>;
var<workgroup> scores: array<f32, ${teams * rows * cut.block}>;
var<workgroup> weights: array<vec4f, ${(rows * cut.block) / 4}>;
var<workgroup> exchange: array<f32, ${exchanged(2 * rows, team)}>;
${
  sparse
    ? `var<workgroup> extra: array<atomic<u32>, ${extras}>;
fn add_to(i: u32, x: f32) {
  var old = atomicLoad(&extra[i]);
  loop {
    let done = atomicCompareExchangeWeak(&extra[i], old, bitcast<u32>(bitcast<f32>(old) + x));
    if (done.exchanged) { break; }
    old = done.old_value;
  }
}`
    : ''
}
fn eight(word: u32, bank: u32, low: vec4f, high: vec4f) -> f32 {
  let a = vec4f(${each(4, (i) => entry('values', 'word', i), ', ')});
  let b = vec4f(${each(4, (i) => entry('values', 'word', i + 4), ', ')});
  return ${dot4('a', 'low')} + ${dot4('b', 'high')};
}
@compute @workgroup_size(${width})
fn main(@builtin(workgroup_id) group: vec3u, @builtin(local_invocation_index) local: u32) {
  let number = min(${groupIndex(groups)}, ${groups - 1}u);
  let split = number % ${splits}u;
  let unit = number / ${splits}u;
  let bank = local % ${banks}u;
  let place = local % ${run}u;
  let team = local / ${run}u;
  let first_pair = team * ${loadPairs}u;
  let channel = min(local, ${dim - 1}u);
  for (var i = local; i < ${16 * banks}u; i += ${width}u) {
    let both = turns[i / ${banks}u];
    keys[i] = both.x;
    values[i] = both.y;
  }
  for (var i = local; i < ${rows * dim}u; i += ${width}u) {
    let both = unpack2x16float(q[(unit * ${rows * dim}u + i) / 2u]);
    query[i] = select(both.x, both.y, (i & 1u) == 1u) * ${Math.LOG2E / Math.sqrt(dim)};
  }
${each(loadPairs, (p) => each(cut.shared, (j) => `let turn${p}_${j} = turns[${placeTurns(s)}u + (place + ${j * run}u) * ${pairs}u + min(first_pair + ${p}u, ${pairs - 1}u)];`))}
${perRow((r) => `var top${r} = ${low};\nvar sum${r} = 0.0;\nvar least${r} = 0.0;\nvar o${r} = 0.0;`)}
  let end = min((split + 1u) * ${chunk}u, ${s.tokens}u);
  for (var block = split * ${chunk}u; block < end; block += ${cut.block}u) {
${each(runs, (u) => `let k${u} = k[((unit * ${runsOf(s)}u + min(block / ${run}u + ${u}u, ${runsOf(s) - 1}u)) * ${teams}u + team) * ${run}u + place];`)}
${cut.early ? loadValues : ''}
    workgroupBarrier();
${clear}    for (var i = local; i < ${turned * wide}u; i += ${width}u) {
      let pair = min(i % ${wide}u, ${pairs - 1}u);
      let inside = i % ${wide}u < ${pairs}u;
      let turn = turns[${firstTurn}u + min(block / ${run}u + i / ${wide}u * ${cut.shared}u, ${runsOf(s) - 1}u) * ${pairs}u + pair];
      let l = unpack2x16float(k_scales[unit * ${dim}u + pair]);
      let h = unpack2x16float(k_scales[unit * ${dim}u + ${pairs}u + pair]);
${perRow(
  (r) => `{
      let x = select(0.0, query[${r * dim}u + pair], inside);
      let y = select(0.0, query[${r * dim + pairs}u + pair], inside);
      let a = fma(x, turn.x, y * turn.y);
      let b = fma(y, turn.x, -x * turn.y);
      products[${r * turned * wide}u + i] = vec4f(a * l.x, b * h.x, b * l.x, -a * h.x);
      constants[${r * turned * wide}u + i] = vec2f(fma(a, l.y, b * h.y), fma(b, l.y, -a * h.y));
}`,
)}
    }
    workgroupBarrier();
${perRow((r) => each(runs, (u) => `var s${r}_${u} = 0.0;`, ' '))}
${each(loadPairs, pair)}
${perRow((r) => each(runs, (u) => `scores[(team * ${rows}u + ${r}u) * ${cut.block}u + ${u * run}u + place] = s${r}_${u};`))}
${sparse ? keyOutliers : ''}
    workgroupBarrier();
${perRow(
  (r) => `var new${r} = top${r};
${each(
  own,
  (j) => `var t${r}_${j} = ${low};
let in${r}_${j} = local + ${j * width}u < ${cut.block}u && block + local + ${j * width}u < end;
if (in${r}_${j}) {
let at = ${r * cut.block}u + local + ${j * width}u;
t${r}_${j} = ${each(teams, (g) => `scores[${g * rows * cut.block}u + at]`, ' + ')}${sparse ? ' + bitcast<f32>(atomicLoad(&extra[at]))' : ''};
new${r} = max(new${r}, t${r}_${j});
}`,
)}`,
)}
${together(names('new'), team, max)}
${cut.early ? '' : loadValues}
${perRow(
  (r) => `let keep${r} = exp2(top${r} - new${r});
top${r} = new${r};
sum${r} *= keep${r};
least${r} *= keep${r};
o${r} *= keep${r};`,
)}
${each(
  own,
  (j) => `if (local + ${j * width}u < ${cut.block}u) {
let t = local + ${j * width}u;
let scale = unpack2x16float(v_scales[unit / ${s['kv-heads']}u * ${tilesOf(s) * tile}u + min(block + t, ${s.tokens - 1}u)]);
${perRow(
  (r) => `{
let w = select(0.0, exp2(t${r}_${j} - new${r}), in${r}_${j});
sum${r} += w;
least${r} = fma(w, scale.y, least${r});
weights[(${r * cut.block}u + t) / 4u][t & 3u] = w * scale.x;
}`,
)}
}`,
)}
${sparse ? `workgroupBarrier();\n${clear}` : ''}    workgroupBarrier();
${sparse ? valueOutliers : ''}
${each(runs, (u) => each(4, (w) => perRow((r) => `o${r} += eight(v${u}[${w}], bank, weights[${(r * cut.block + u * run + w * 8) / 4}u], weights[${(r * cut.block + u * run + w * 8) / 4 + 1}u]);`)))}
${sparse ? `    workgroupBarrier();\n${perRow((r) => `o${r} += bitcast<f32>(atomicLoad(&extra[${r * dim}u + channel]));`)}` : ''}
  }
${together([...names('sum'), ...names('least')], team, add)}
${perRow(
  (r) => `{
let at = ((unit * ${rows}u + ${r}u) * ${splits}u + split) * ${partRow(dim)}u;
if (local < ${dim}u) { parts[at + local] = o${r} + least${r}; }
if (local == 0u) { parts[at + ${dim}u] = top${r}; parts[at + ${dim + 1}u] = sum${r}; }
}`,
)}
}
`
}

const table: readonly (readonly [block: number, shared: 1 | 2, groups: number, early: boolean])[] = [
  [128, 2, 2112, false],
  [128, 2, 4224, false],
  [64, 2, 4224, false],
  [256, 2, 2112, false],
  [128, 2, 2112, true],
  [128, 1, 2112, false],
  [256, 1, 2112, false],
  [256, 2, 1056, true],
  [64, 2, 4224, true],
  [64, 1, 4224, false],
]

function plans(s: Kvquant, facts: Facts): Plan[] {
  const dim = s['head-dim']
  const rows = s.heads / s['kv-heads']
  if (!Number.isInteger(rows) || rows > 8 || dim % 8 !== 0 || dim > 256) return []
  const width = loadsOf(s) * run
  // Lanes of which teams are whole parts, or none that exchange.
  const lanes = run % lanesOf(facts) === 0 ? lanesOf(facts) : 1
  return table
    .map(([block, shared, groups, early]): Cut => ({ block, shared, groups, early }))
    .filter((cut) => sharedBytes(s, cut) <= facts.shared && width <= facts.workgroup)
    .map((cut) => {
      const { splits, chunk } = splitsOf(s.tokens, unitsOf(s), cut.groups, cut.block)
      const merged: Parts = { outputs: unitsOf(s) * rows, splits, dim, bits: 16 }
      const outliers = outliersOf(s) > 0 ? ['k_outliers', 'v_outliers', 'starts'] : []
      return {
        variant: `block=${cut.block} shared=${cut.shared} splits=${splits}${cut.early ? ' early' : ''}`,
        scratch: [partsTensor(merged)],
        launches: [
          {
            source: source(s, cut, lanes, chunk, splits),
            buffers: ['q', 'k', 'v', 'k_scales', 'v_scales', 'turns', 'parts', ...outliers],
            groups: spread(unitsOf(s) * splits),
          },
          mergeLaunch(merged),
        ],
      }
    })
}

/** Each piece takes a key head and a chunk of its tokens. */
function threadPlans(s: Kvquant, { threads = 1 }: Facts): Plan[] {
  const dim = s['head-dim']
  const rows = s.heads / s['kv-heads']
  if (!Number.isInteger(rows) || dim % 8 !== 0) return []
  const units = unitsOf(s)
  const { splits, chunk } = splitsOf(s.tokens, units, 16 * threads, tile)
  const merged: Parts = { outputs: units * rows, splits, dim, bits: 16 }
  const wide = loadsOf(s) * loadPairs
  const sparse = outliersOf(s) > 0
  const outliers = sparse ? ['k_outliers', 'v_outliers', 'starts'] : ['k', 'v', 'k']
  const scale = new Int32Array(Float32Array.of(Math.LOG2E / Math.sqrt(dim)).buffer)[0] as number
  return [
    {
      variant: `splits=${splits}`,
      scratch: [
        partsTensor(merged),
        { name: 'turned', elements: 32 + run * 2 * wide, type: 'fp32', use: 'scratch' },
        { name: 'room', elements: units * splits * (12 * wide + 2 * tile), type: 'fp32', use: 'scratch' },
      ],
      launches: [
        {
          source: 'turnTable',
          buffers: ['turns', 'turned'],
          groups: [run, 1, 1],
          args: [pairsOf(s), wide, placeTurns(s)],
        },
        {
          source: 'attendTable',
          buffers: ['q', 'k', 'v', 'k_scales', 'v_scales', 'turns', 'turned', 'parts', 'room', ...outliers],
          groups: [units * splits, 1, 1],
          args: [dim, s.tokens, s['kv-heads'], rows, splits, chunk, scale, tilesOf(s), sparse ? 1 : 0, s.bits],
        },
        { source: 'merge', buffers: ['parts', 'output'], groups: [units * rows, 1, 1], args: [dim, splits, 1] },
      ],
    },
  ]
}

function sharedBytes(s: Kvquant, { block, shared }: Cut): number {
  const rows = s.heads / s['kv-heads']
  const teams = loadsOf(s)
  const turned = (rows * (block / run / shared) * teams * loadPairs * 24) as number
  const exchange = 4 * exchanged(2 * rows, { lanes: 1, team: teams * run, width: teams * run })
  return (
    2 * 64 * banks +
    turned +
    4 * rows * ((teams + 1) * block + s['head-dim'] + Math.max(block, s['head-dim'])) +
    exchange
  )
}

function expectations(s: Kvquant, random: Random): Expectation[] {
  const dim = s['head-dim']
  const rows = s.heads / s['kv-heads']
  const q = reader(fillQuery)
  const few = Math.max(2, Math.min(unitsOf(s), Math.floor(2 ** 20 / (s.tokens * dim))))
  return someOf(unitsOf(s), random, few).flatMap((unit) =>
    someOf(rows, random, rowsChecked(s.tokens, dim)).map((row) => {
      const at = (unit * rows + row) * dim
      return {
        tensor: 'output',
        offset: at,
        ...attended(
          {
            query: Float64Array.from({ length: dim }, (_, i) => q(at + i) / Math.sqrt(dim)),
            keys: s.tokens,
            key: keyRows(s, unit),
            value: valueRows(s, unit),
            valueDim: dim,
          },
          'fp16',
        ),
      }
    }),
  )
}

export const attentionNuq4 = kernel<Kvquant>({
  name: 'attention-nuq4',
  means:
    'decode attention over codes of a table, usually of 4 bits, keys rotated as they are read, outliers beside (KVQuant)',
  sizes: {
    batch: decodeSizes.batch,
    heads: decodeSizes.heads,
    'kv-heads': decodeSizes['kv-heads'],
    'head-dim': decodeSizes['head-dim'],
    tokens: decodeSizes.tokens,
    outliers: { means: 'elements kept aside, per thousand', default: 10, least: 0 },
    bits: { means: 'of a code: fewer than 4 on threads only', default: 4, of: [2, 3, 4] },
  },
  shapes: {
    small: [{ heads: 4, 'kv-heads': 4, tokens: 2048 }],
    large: [{ tokens: 8192 }, { tokens: 32768 }, { tokens: 131072 }, { tokens: 131072, outliers: 0 }],
  },
  baseline: ({ outliers: _, ...s }) => ({ kernel: 'attention-decode', sizes: { ...s, query: 1, bits: 16 } }),
  problem: (s) => {
    const rows = s.batch * s.heads * s['head-dim']
    const store = kvquantStore({ bits: s.bits as 2 | 3 | 4, outliers: s.outliers / 1000, sink: 0, storage: 'paper' })
    const module = { ...attentionModule(s), rotary: s['head-dim'] }
    return {
      tensors: [
        { name: 'q', elements: rows, type: 'fp16', use: 'input', fill: fillQuery },
        ...kvquantTensors(s),
        { name: 'output', elements: rows, type: 'fp16', use: 'output' },
      ],
      operators: pick(passOf([module], decode(s.batch, s.tokens - 1), { ...plainFormats(16), store }), 'attention'),
      tolerance: attentionTolerance,
      expectations: (random) => expectations(s, random),
    }
  },
  plans: { webgpu: (s, facts) => (s.bits === 4 ? plans(s, facts) : []), wasm: threadPlans },
})
