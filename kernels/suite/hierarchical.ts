// Decode attention over keys and values kept as QuantSpec does (arXiv 2502.10424): an upper plane of 4-bit codes alone
// (the draft), or with a lower plane that refines it to 8 bits (the target). Keys have a scale and a minimum for each
// channel of 128 tokens, values for each token. Codes lie so that 16 neighbouring bytes are one token's 32 channels (of
// keys) or one channel's 32 tokens (of values), tile after tile. A workgroup takes a tile at a time: a lane has tokens
// for the scores, channels for the outputs. Scales never touch a code: those of keys are multiplied into the query,
// those of values into the softmax's weights.
import type { Store } from '../../model/cache.ts'
import type { Random } from '../../model/random.ts'
import { hierarchicalStore } from '../../model/stores/hierarchical.ts'
import { verify } from '../../model/workload.ts'
import type { Facts } from '../backend.ts'
import { type Fill, hash, reader } from '../input.ts'
import { type AnyKernel, type Expectation, kernel, type Plan } from '../kernel.ts'
import { passOf, pick, plainFormats } from '../ledger.ts'
import {
  add,
  bindings,
  butterfly,
  codesTimesFunction,
  dot4,
  each,
  enables,
  groupIndex,
  lanesOf,
  max,
  spread,
  spreadFactors,
} from '../webgpu/wgsl.ts'
import { attentionModule, decodeSizes, fillQ } from './attention-decode.ts'
import { attended, attentionTolerance, rowsChecked } from './attention-reference.ts'
import { someOf } from './gemv.ts'
import { threadPlans } from './hierarchical-threads.ts'
import { mergeLaunch, type Parts, partRow, partsTensor, splitsOf } from './split-attention.ts'

export interface Hierarchical extends Record<string, number> {
  batch: number
  heads: number
  'kv-heads': number
  'head-dim': number
  tokens: number
  query: number
}

/** Tokens of a group of keys, which is a tile; and codes in 16 bytes. */
const tile = 128
const load = 32

const seeds = { ku: 51, kl: 52, vu: 53, vl: 54 } as const
const fillKeyScales = { kind: 'affine', seed: 55, scale: -4 } as const satisfies Fill
const fillValueScales = { kind: 'affine', seed: 56, scale: -4 } as const satisfies Fill

const tilesOf = (tokens: number) => Math.ceil(tokens / tile)
/** 16-byte loads of a token's keys. */
const loadsOf = (dim: number) => Math.ceil(dim / load)
const keyWords = (tokens: number, dim: number) => tilesOf(tokens) * tile * loadsOf(dim) * 4
const valueWords = (tokens: number, dim: number) => tilesOf(tokens) * tile * (dim / 8)

interface Cut {
  readonly workgroup: number
  readonly groups: number
  /** Values are loaded before the softmax, not after. */
  readonly early: boolean
}

const low = '-1e30'

/**
 * As `codesTimesFunction`, for codes in two planes: upper + (lower - 8) / 16. Both planes' codes become the bytes
 * 16·upper + lower first, even ones in one word and odd ones in another, and bytes become singles where they stand.
 */
const bothTimes = `fn both_times(upper: u32, lower: u32, first: vec4f, last: vec4f) -> f32 {
  let even = ((upper << 4u) & 0xf0f0f0f0u) | (lower & 0x0f0f0f0fu);
  let odd = (upper & 0xf0f0f0f0u) | ((lower >> 4u) & 0x0f0f0f0fu);
  let mask = vec4u(0xffu, 0xffu, 0xff00u, 0xff00u);
  let zero = vec4f(8388616.0, 8388616.0, 8390656.0, 8390656.0);
  let a = bitcast<vec4f>((vec4u(even, odd, even, odd) & mask) | vec4u(0x4b000000u)) - zero;
  let e = even >> 16u;
  let o = odd >> 16u;
  let b = bitcast<vec4f>((vec4u(e, o, e, o) & mask) | vec4u(0x4b000000u)) - zero;
  return ${dot4('a', 'first')} + ${dot4('b', 'last')};
}`

/** What `both_times` leaves to divide by, as factors. */
const bothFactors = `const spread_first = vec4f(${1 / 16}, ${1 / 16}, ${1 / 4096}, ${1 / 4096});
const spread_last = spread_first;`

function source(s: Hierarchical, planes: 1 | 2, lanes: number, cut: Cut, chunk: number, splits: number): string {
  const { tokens, query } = s
  const dim = s['head-dim']
  const { workgroup: width, early } = cut
  const rows = (s.heads / s['kv-heads']) * query
  const units = s.batch * s['kv-heads']
  const loads = loadsOf(dim)
  const tiles = tilesOf(tokens)
  const own = tile / width
  const channels = Math.ceil(dim / width)
  const blocks = tile / load
  const subgroups = Math.ceil(width / lanes)
  const two = planes === 2
  const whole = dim % width === 0
  const channel = (c: number) => `local + ${c * width}u`
  const safe = (c: number) => (whole ? channel(c) : `min(${channel(c)}, ${dim - 1}u)`)
  const together = (names: readonly string[], combine: typeof add, to: string) => `${butterfly(names, lanes, combine)}
if (local % ${lanes}u == 0u) { ${names.map((n, i) => `${to}[${i * subgroups}u + local / ${lanes}u] = ${n};`).join(' ')} }`
  const joined = (name: string, i: number, from: string, combine: typeof add) =>
    each(
      subgroups,
      (g) => `${name} = ${g === 0 ? `${from}[${i * subgroups}]` : combine(name, `${from}[${i * subgroups + g}]`)};`,
    )
  const loadValues = each(blocks, (b) =>
    each(
      channels,
      (c) =>
        `let vu${b}_${c} = vu[((unit * ${tiles}u + t) * ${blocks}u + ${b}u) * ${dim}u + ${safe(c)}];${two ? `\nlet vl${b}_${c} = vl[((unit * ${tiles}u + t) * ${blocks}u + ${b}u) * ${dim}u + ${safe(c)}];` : ''}`,
    ),
  )
  const times = (word: string, lower: string, first: string, last: string) =>
    two ? `both_times(${word}, ${lower}, ${first}, ${last})` : `upper_times(${word}, ${first}, ${last})`
  return `${enables(lanes)}${bindings([
    ['q', 'array<u32>'],
    ['ku', 'array<vec4u>'],
    ['ks', 'array<u32>'],
    ['vu', 'array<vec4u>'],
    ['vs', 'array<u32>'],
    ['parts', 'array<f32>', true],
    ...(two
      ? ([
          ['kl', 'array<vec4u>'],
          ['vl', 'array<vec4u>'],
        ] as const)
      : []),
  ])}
${
  two
    ? `${bothFactors}
${bothTimes}`
    : `${spreadFactors}
${codesTimesFunction(0, 'upper_times')}`
}
var<workgroup> folded: array<vec4f, ${rows * loads * 8}>;
var<workgroup> weights: array<vec4f, ${(rows * tile) / 4}>;
var<workgroup> partial: array<f32, ${rows * subgroups}>;
var<workgroup> tops: array<f32, ${rows * subgroups}>;
@compute @workgroup_size(${width})
fn main(@builtin(workgroup_id) group: vec3u, @builtin(local_invocation_index) local: u32) {
  let number = min(${groupIndex(units * splits)}, ${units * splits - 1}u);
  let split = number % ${splits}u;
  let unit = number / ${splits}u;
${each(rows, (r) => `var top${r} = ${low};\nvar sum${r} = 0.0;\nvar least${r} = 0.0;`)}
${each(rows, (r) => each(channels, (c) => `var o${r}_${c} = 0.0;`))}
  let end = min((split + 1u) * ${chunk / tile}u, ${tiles}u);
  for (var t = split * ${chunk / tile}u; t < end; t++) {
${each(own, (j) => each(loads, (b) => `let ku${j}_${b} = ku[((unit * ${tiles}u + t) * ${loads}u + ${b}u) * ${tile}u + local + ${j * width}u];${two ? `\nlet kl${j}_${b} = kl[((unit * ${tiles}u + t) * ${loads}u + ${b}u) * ${tile}u + local + ${j * width}u];` : ''}`))}
${each(own, (j) => `let vs${j} = unpack2x16float(vs[(unit * ${tiles}u + t) * ${tile}u + local + ${j * width}u]);`)}
${early ? loadValues : ''}
${each(rows, (r) => `var base${r} = 0.0;`)}
    for (var c = local; c < ${loads * load}u; c += ${width}u) {
      let scale = unpack2x16float(ks[(unit * ${tiles}u + t) * ${dim}u + min(c, ${dim - 1}u)]);
      let place = c & 7u;
      let factor = select(spread_last[place & 3u], spread_first[place & 3u], place < 4u);
${each(
  rows,
  (r) => `{
      let pair = unpack2x16float(q[((unit * ${rows}u + ${r}u) * ${dim}u + min(c, ${dim - 1}u)) / 2u]);
      let x = select(0.0, select(pair.x, pair.y, (c & 1u) == 1u), c < ${dim}u) * ${Math.LOG2E / Math.sqrt(dim)};
      folded[${r * loads * 8}u + c / 4u][c & 3u] = x * scale.x * factor;
      base${r} = fma(x, scale.y, base${r});
}`,
)}
    }
${together(
  Array.from({ length: rows }, (_, r) => `base${r}`),
  add,
  'partial',
)}
    workgroupBarrier();
${each(rows, (r) => joined(`base${r}`, r, 'partial', add))}
${each(rows, (r) => each(own, (j) => `var s${r}_${j} = base${r};`))}
${each(loads, (b) =>
  each(4, (w) =>
    each(
      rows,
      (r) => `{
      let first = folded[${r * loads * 8 + b * 8 + w * 2}u];
      let last = folded[${r * loads * 8 + b * 8 + w * 2 + 1}u];
${each(own, (j) => `s${r}_${j} += ${times(`ku${j}_${b}[${w}]`, `kl${j}_${b}[${w}]`, 'first', 'last')};`)}
}`,
    ),
  ),
)}
${each(rows, (r) => each(own, (j) => `let in${r}_${j} = t * ${tile}u + local + ${j * width}u < ${tokens - query + 1 + (r % query)}u;\ns${r}_${j} = select(${low}, s${r}_${j}, in${r}_${j});`))}
${each(rows, (r) => `var new${r} = ${Array.from({ length: own }, (_, j) => `s${r}_${j}`).reduce((a, b) => max(a, b), `top${r}`)};`)}
${together(
  Array.from({ length: rows }, (_, r) => `new${r}`),
  max,
  'tops',
)}
    workgroupBarrier();
${each(
  rows,
  (r) => `${joined(`new${r}`, r, 'tops', max)}
    let keep${r} = exp2(top${r} - new${r});
    top${r} = new${r};
    sum${r} *= keep${r};
    least${r} *= keep${r};
${each(channels, (c) => `o${r}_${c} *= keep${r};`)}
${each(
  own,
  (j) => `{
    let weight = select(0.0, exp2(s${r}_${j} - new${r}), in${r}_${j});
    sum${r} += weight;
    least${r} = fma(weight, vs${j}.y, least${r});
    let at = local + ${j * width}u;
    let place = at & 7u;
    weights[${(r * tile) / 4}u + at / 4u][at & 3u] = weight * vs${j}.x * select(spread_last[place & 3u], spread_first[place & 3u], place < 4u);
}`,
)}`,
)}
    workgroupBarrier();
${early ? '' : loadValues}
${each(blocks, (b) =>
  each(4, (w) =>
    each(
      rows,
      (r) => `{
      let first = weights[${(r * tile) / 4 + b * 8 + w * 2}u];
      let last = weights[${(r * tile) / 4 + b * 8 + w * 2 + 1}u];
${each(channels, (c) => `o${r}_${c} += ${times(`vu${b}_${c}[${w}]`, `vl${b}_${c}[${w}]`, 'first', 'last')};`)}
}`,
    ),
  ),
)}
  }
${together(
  Array.from({ length: rows }, (_, r) => `sum${r}`),
  add,
  'partial',
)}
${together(
  Array.from({ length: rows }, (_, r) => `least${r}`),
  add,
  'tops',
)}
  workgroupBarrier();
${each(
  rows,
  (r) => `{
${joined(`sum${r}`, r, 'partial', add)}
${joined(`least${r}`, r, 'tops', add)}
  let at = ((unit * ${rows}u + ${r}u) * ${splits}u + split) * ${partRow(dim)}u;
${each(channels, (c) => `${whole ? '' : `if (${channel(c)} < ${dim}u) `}{ parts[at + ${channel(c)}] = o${r}_${c} + least${r}; }`)}
  if (local == 0u) { parts[at + ${dim}u] = top${r}; parts[at + ${dim + 1}u] = sum${r}; }
}`,
)}
}
`
}

function plans(s: Hierarchical, planes: 1 | 2, facts: Facts): Plan[] {
  const dim = s['head-dim']
  if (s.heads % s['kv-heads'] !== 0 || dim % 8 !== 0) return []
  const rows = (s.heads / s['kv-heads']) * s.query
  const units = s.batch * s['kv-heads']
  const table: readonly (readonly [workgroup: number, groups: number, early: boolean])[] = [
    [128, 4224, true],
    [128, 2112, true],
    [128, 2112, false],
    [128, 1056, true],
    [64, 2112, true],
    [64, 2112, false],
    [64, 4224, false],
  ]
  return table
    .filter(([workgroup]) => workgroup <= facts.workgroup)
    .map(([workgroup, groups, early]) => {
      const { splits, chunk } = splitsOf(s.tokens, units, groups, tile)
      const lanes = Math.min(lanesOf(facts), workgroup)
      const merged: Parts = { outputs: units * rows, splits, dim, bits: 16 }
      return {
        variant: `workgroup=${workgroup} splits=${splits}${early ? ' early' : ''}`,
        scratch: [partsTensor(merged)],
        launches: [
          {
            source: source(s, planes, lanes, { workgroup, groups, early }, chunk, splits),
            buffers: ['q', 'ku', 'ks', 'vu', 'vs', 'parts', ...(planes === 2 ? ['kl', 'vl'] : [])],
            groups: spread(units * splits),
          },
          mergeLaunch(merged),
        ],
      }
    })
}

function expectations(s: Hierarchical, planes: 1 | 2, random: Random): Expectation[] {
  const { tokens, query } = s
  const dim = s['head-dim']
  const rows = (s.heads / s['kv-heads']) * query
  const units = s.batch * s['kv-heads']
  const tiles = tilesOf(tokens)
  const loads = loadsOf(dim)
  const [q, ks, vs] = [reader(fillQ), reader(fillKeyScales), reader(fillValueScales)]
  const code = (seed: number, word: number, place: number) => (hash(seed, word) >>> (4 * place)) & 15
  const exact = (upper: number, lower: number, word: number, place: number) =>
    code(upper, word, place) + (planes === 2 ? (code(lower, word, place) - 8) / 16 : 0)
  const few = Math.max(2, Math.min(units, Math.floor(2 ** 22 / (tokens * dim * rows))))
  return someOf(units, random, few).flatMap((unit) =>
    someOf(rows, random, rowsChecked(tokens, dim)).map((row) => {
      const at = (unit * rows + row) * dim
      return {
        tensor: 'output',
        offset: at,
        ...attended(
          {
            query: Float64Array.from({ length: dim }, (_, i) => q(at + i) / Math.sqrt(dim)),
            keys: tokens - query + 1 + (row % query),
            valueDim: dim,
            key: (j, out, sizes) => {
              const t = unit * tiles + Math.floor(j / tile)
              for (let c = 0; c < dim; c++) {
                const word = ((t * loads + (c >>> 5)) * tile + (j % tile)) * 4 + ((c >>> 3) & 3)
                const scaled = exact(seeds.ku, seeds.kl, word, c & 7) * ks((t * dim + c) * 2)
                const zero = ks((t * dim + c) * 2 + 1)
                out[c] = scaled + zero
                sizes[c] = Math.abs(scaled) + Math.abs(zero)
              }
            },
            value: (j, out, sizes) => {
              const t = unit * tiles + Math.floor(j / tile)
              const i = j % tile
              const scale = vs((t * tile + i) * 2)
              const zero = vs((t * tile + i) * 2 + 1)
              for (let c = 0; c < dim; c++) {
                const word = ((t * 4 + (i >>> 5)) * dim + c) * 4 + ((i >>> 3) & 3)
                const scaled = exact(seeds.vu, seeds.vl, word, i & 7) * scale
                out[c] = scaled + zero
                sizes[c] = Math.abs(scaled) + Math.abs(zero)
              }
            },
          },
          'fp16',
        ),
      }
    }),
  )
}

const { batch, heads, tokens, query, ...others } = decodeSizes
const sizes = { batch, heads, 'kv-heads': others['kv-heads'], 'head-dim': others['head-dim'], tokens, query } as const

/** QuantSpec's store without its buffer of 16 bits: what is kept in codes is what this kernel reads. */
function codedStore(planes: 1 | 2): Store {
  const {
    wide: _,
    buffer: __,
    ...store
  } = hierarchicalStore({
    group: tile,
    planes: planes === 2 ? 'both' : 'upper',
    kept: 1,
  })
  return store
}

function hierarchical(name: string, means: string, planes: 1 | 2, large: readonly Partial<Hierarchical>[]): AnyKernel {
  return kernel<Hierarchical>({
    name,
    means,
    sizes,
    shapes: { small: [{ heads: 4, 'kv-heads': 4, tokens: 2048 }], large },
    baseline: (s) => ({ kernel: 'attention-decode', sizes: { ...s, bits: 16 } }),
    problem: (s) => {
      const dim = s['head-dim']
      const units = s.batch * s['kv-heads']
      const queries = s.batch * s.heads * s.query * dim
      const codes = (name: keyof typeof seeds, words: number) =>
        ({
          name,
          elements: units * words,
          type: 'u32',
          use: 'input',
          fill: { kind: 'bits', seed: seeds[name] },
        }) as const
      const both = (upper: 'ku' | 'vu', lower: 'kl' | 'vl', words: number) =>
        planes === 2 ? [codes(upper, words), codes(lower, words)] : [codes(upper, words)]
      const workload = verify(s.batch, Math.max(0, s.tokens - s.query), s.query)
      const options = { ...plainFormats(16), store: codedStore(planes) }
      return {
        tensors: [
          { name: 'q', elements: queries, type: 'fp16', use: 'input', fill: fillQ },
          ...both('ku', 'kl', keyWords(s.tokens, dim)),
          ...both('vu', 'vl', valueWords(s.tokens, dim)),
          {
            name: 'ks',
            elements: units * tilesOf(s.tokens) * dim * 2,
            type: 'fp16',
            use: 'input',
            fill: fillKeyScales,
          },
          {
            name: 'vs',
            elements: units * tilesOf(s.tokens) * tile * 2,
            type: 'fp16',
            use: 'input',
            fill: fillValueScales,
          },
          { name: 'output', elements: queries, type: 'fp16', use: 'output' },
        ],
        operators: pick(passOf([attentionModule(s)], workload, options), 'attention'),
        tolerance: attentionTolerance,
        expectations: (random) => expectations(s, planes, random),
      }
    },
    plans: { webgpu: (s, facts) => plans(s, planes, facts), wasm: (s, facts) => threadPlans(s, planes, facts) },
  })
}

export const attentionInt4 = hierarchical(
  'attention-int4',
  'decode attention over the 4-bit upper plane (QuantSpec, draft)',
  1,
  [{ tokens: 8192 }, { tokens: 32768 }, { tokens: 131072 }],
)

export const attentionInt8 = hierarchical(
  'attention-int8',
  'decode attention over both 4-bit planes, 8 bits (QuantSpec, target)',
  2,
  [{ tokens: 8192 }, { tokens: 32768 }, { tokens: 131072 }, { tokens: 32768, query: 2 }, { tokens: 32768, query: 5 }],
)
