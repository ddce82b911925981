// Squeezed Attention's decode step (arXiv 2411.09688): queries are compared with centroids of the document's keys, clusters
// whose share of the softmax is above a threshold are marked, the indices of their keys are written in a row, and those
// keys alone are attended, in chunks of equal length whatever head they belong to (split-KV), and merged.

import type { Random } from '../../model/random.ts'
import { seeded } from '../../model/random.ts'
import { squeezedSelection } from '../../model/selections/squeezed.ts'
import { decode } from '../../model/workload.ts'
import type { Facts } from '../backend.ts'
import { elementsOf, reader } from '../input.ts'
import { type Expectation, kernel, type Launch, type Plan, type Problem, type Tensor } from '../kernel.ts'
import { passOf, pick, plainFormats } from '../ledger.ts'
import { exponentialError, roundings } from '../rounding.ts'
import { add, bindings, butterfly, dot4, each, enables, groupIndex, loadPack, packs, spread } from '../webgpu/wgsl.ts'
import {
  attendedBuffers,
  attendSource,
  attentionModule,
  decodeSizes,
  fillK,
  fillV,
  fitted,
  pieces,
} from './attention-decode.ts'
import { attended, attentionTolerance, plainRows } from './attention-reference.ts'
import { mergeLaunch, partsTensor } from './split-attention.ts'
import {
  centroidsOf,
  chosenOf,
  clusteredOf,
  fillCentroids,
  fillLabels,
  fillMembers,
  fillQuery,
  groupOf,
  keptKeys,
  labelOf,
  lookupChunk,
  markWords,
  randomMarks,
  rowsAll,
  type Squeezed,
  scoresOf,
  splitsOf,
  unitsChecked,
} from './squeezed-data.ts'
import { attendThreads, lookupThreads, selectThreads } from './squeezed-threads.ts'

/** What workgroups read; threads read singles. */
const bits = 16
const low = '-1e30'

/** Scores of all rows with a chunk of centroids, and the chunk's maximum and sum over the members of its clusters. */
function lookupLaunch(s: Squeezed, facts: Facts, keys: number): Launch {
  const dim = s['head-dim']
  const n = centroidsOf(s)
  const rows = groupOf(s)
  const row = packs(dim)
  const splits = splitsOf(s)
  const groups = s['kv-heads'] * splits
  const cut = fitted({ lanes: 16, rows, keys, workgroup: 128, groups: 0 }, dim, facts)
  const { lanes, workgroup } = cut
  const teams = workgroup / lanes
  const held = Math.ceil(row / lanes)
  const masked = (x: string, p: number) =>
    (p + 1) * lanes <= row ? x : `select(vec4f(), ${x}, lane + ${p * lanes}u < ${row}u)`
  const at = (p: number) => ((p + 1) * lanes <= row ? `lane + ${p * lanes}u` : `min(lane + ${p * lanes}u, ${row - 1}u)`)
  const scores = each(rows, (r) => each(keys, (u) => `s${r}_${u}`, ' '), ' ').split(' ')
  const source = `${enables(lanes)}${bindings([
    ['q', 'array<vec4u>'],
    ['centroids', 'array<vec4u>'],
    ['members', 'array<u32>'],
    ['scores', 'array<f32>', true],
    ['denominators', 'array<vec2f>', true],
  ])}
var<workgroup> tops: array<f32, ${teams}>;
var<workgroup> sums: array<f32, ${teams}>;
@compute @workgroup_size(${workgroup})
fn main(@builtin(workgroup_id) group: vec3u, @builtin(local_invocation_index) local: u32) {
  let number = min(${groupIndex(groups)}, ${groups - 1}u);
  let split = number % ${splits}u;
  let unit = number / ${splits}u;
  let lane = local % ${lanes}u;
  let team = local / ${lanes}u;
  let end = min((split + 1u) * ${lookupChunk}u, ${n}u);
${each(rows, (r) =>
  each(
    held,
    (p) => `var q${r}_${p}_lo = vec4f(); var q${r}_${p}_hi = vec4f();
{
${loadPack('x', 'q', `(unit * ${rows}u + ${r}u) * ${row}u + ${at(p)}`, bits)}
q${r}_${p}_lo = ${masked(`x_lo * ${Math.LOG2E / Math.sqrt(dim)}`, p)}; q${r}_${p}_hi = ${masked(`x_hi * ${Math.LOG2E / Math.sqrt(dim)}`, p)};
}`,
  ),
)}
${each(rows, (r) => `var top${r} = ${low}; var sum${r} = 0.0;`)}
  for (var block = split * ${lookupChunk}u; block < end; block += ${keys * teams}u) {
${each(keys, (u) => `let c${u} = block + ${u * teams}u + team;\nlet in${u} = c${u} < end;\nlet at${u} = unit * ${n}u + min(c${u}, end - 1u);`)}
${each(keys, (u) => each(held, (p) => loadPack(`k${u}_${p}`, 'centroids', `at${u} * ${row}u + ${at(p)}`, bits)))}
${each(keys, (u) => `let m${u} = f32(members[at${u}]);`)}
${each(rows, (r) => each(keys, (u) => `var s${r}_${u} = ${each(held, (p) => dot4(`q${r}_${p}_lo`, `k${u}_${p}_lo`, dot4(`q${r}_${p}_hi`, `k${u}_${p}_hi`)), ' + ')};`))}
${butterfly(scores, lanes, add)}
${each(
  rows,
  (r) => `{
var top = top${r};
${each(keys, (u) => `top = max(top, select(${low}, s${r}_${u}, in${u}));`)}
sum${r} *= exp2(top${r} - top);
top${r} = top;
${each(
  keys,
  (u) => `sum${r} += select(0.0, m${u} * exp2(s${r}_${u} - top), in${u});
if (lane == 0u && in${u}) { scores[(unit * ${rows}u + ${r}u) * ${n}u + c${u}] = s${r}_${u}; }`,
)}
}`,
)}
  }
${each(
  rows,
  (r) => `if (lane == 0u) { tops[team] = top${r}; sums[team] = sum${r}; }
workgroupBarrier();
if (local == 0u) {
  var top = ${low};
  var total = 0.0;
  for (var t = 0u; t < ${teams}u; t++) { top = max(top, tops[t]); }
  for (var t = 0u; t < ${teams}u; t++) { total = fma(exp2(tops[t] - top), sums[t], total); }
  denominators[(unit * ${rows}u + ${r}u) * ${splits}u + split] = vec2f(top, total);
}
workgroupBarrier();`,
)}
}
`
  return { source, buffers: ['q', 'centroids', 'members', 'scores', 'denominators'], groups: spread(groups) }
}

/** Marks the clusters whose share is above the threshold, and sets the heads' counts to none. */
function markLaunch(s: Squeezed): Launch {
  const n = centroidsOf(s)
  const rows = groupOf(s)
  const splits = splitsOf(s)
  const blocks = Math.ceil(n / 256)
  const groups = s['kv-heads'] * blocks
  const source = `${bindings([
    ['scores', 'array<f32>'],
    ['denominators', 'array<vec2f>'],
    ['marks', 'array<u32>', true],
    ['counts', 'array<u32>', true],
  ])}
var<workgroup> whole: array<f32, ${rows}>;
var<workgroup> words: array<atomic<u32>, 8>;
@compute @workgroup_size(256)
fn main(@builtin(workgroup_id) group: vec3u, @builtin(local_invocation_index) local: u32) {
  let number = min(${groupIndex(groups)}, ${groups - 1}u);
  let block = number % ${blocks}u;
  let unit = number / ${blocks}u;
  if (local < 8u) { atomicStore(&words[local], 0u); }
  for (var r = local; r < ${rows}u; r += 256u) {
    let first = (unit * ${rows}u + r) * ${splits}u;
    var top = ${low};
    var total = 0.0;
    for (var i = 0u; i < ${splits}u; i++) {
      let part = denominators[first + i];
      let higher = max(top, part.x);
      total = total * exp2(top - higher) + part.y * exp2(part.x - higher);
      top = higher;
    }
    whole[r] = top + log2(total);
  }
  workgroupBarrier();
  let centroid = block * 256u + local;
  var share = 0.0;
  for (var r = 0u; r < ${rows}u; r++) {
    share += exp2(scores[(unit * ${rows}u + r) * ${n}u + min(centroid, ${n - 1}u)] - whole[r]);
  }
  if (centroid < ${n}u && share > ${chosenOf(s).threshold}) { atomicOr(&words[local / 32u], 1u << (local % 32u)); }
  workgroupBarrier();
  if (local < 8u && block * 8u + local < ${markWords(s)}u) { marks[unit * ${markWords(s)}u + block * 8u + local] = atomicLoad(&words[local]); }
  if (local == 0u && block == 0u) { counts[unit] = 0u; }
}
`
  return { source, buffers: ['scores', 'denominators', 'marks', 'counts'], groups: spread(groups) }
}

/** Keys that a lane of the selection goes through. */
const keysEach = 8
const selectLanes = 256

/** Writes the indices of the keys whose clusters are marked, and of the new one, block by block in any order. */
function selectLaunch(s: Squeezed): Launch {
  const keys = clusteredOf(s)
  const blocks = Math.ceil(s.tokens / (selectLanes * keysEach))
  const groups = s['kv-heads'] * blocks
  const source = `${bindings([
    ['labels', 'array<u32>'],
    ['marks', 'array<u32>'],
    ['counts', 'array<atomic<u32>>', true],
    ['indices', 'array<u32>', true],
  ])}
var<workgroup> ends: array<u32, ${selectLanes}>;
var<workgroup> base: u32;
@compute @workgroup_size(${selectLanes})
fn main(@builtin(workgroup_id) group: vec3u, @builtin(local_invocation_index) local: u32) {
  let number = min(${groupIndex(groups)}, ${groups - 1}u);
  let first = number % ${blocks}u * ${selectLanes * keysEach}u + local;
  let unit = number / ${blocks}u;
${each(keysEach, (i) => `let label${i} = labels[unit * ${keys}u + min(first + ${i * selectLanes}u, ${keys - 1}u)];`)}
${each(keysEach, (i) => `let mark${i} = (marks[unit * ${markWords(s)}u + label${i} / 32u] >> (label${i} % 32u)) & 1u;`)}
${each(keysEach, (i) => `let key${i} = first + ${i * selectLanes}u;\nlet kept${i} = select(select(0u, 1u, key${i} < ${s.tokens}u), mark${i}, key${i} < ${keys}u);`)}
  let own = ${each(keysEach, (i) => `kept${i}`, ' + ')};
  var sum = own;
  ends[local] = sum;
  workgroupBarrier();
${each(
  Math.log2(selectLanes),
  (i) => `{
let other = select(0u, ends[max(local, ${1 << i}u) - ${1 << i}u], local >= ${1 << i}u);
workgroupBarrier();
sum += other;
ends[local] = sum;
workgroupBarrier();
}`,
)}
  if (local == ${selectLanes - 1}u) { base = atomicAdd(&counts[unit], sum); }
  workgroupBarrier();
  var to = unit * ${s.tokens}u + base + sum - own;
${each(keysEach, (i) => `if (kept${i} == 1u) { indices[to] = key${i}; to++; }`)}
}
`
  return { source, buffers: ['labels', 'marks', 'counts', 'indices'], groups: spread(groups) }
}

const shapeFits = (s: Squeezed) => s.heads % s['kv-heads'] === 0 && s['head-dim'] % 8 === 0 && groupOf(s) <= 8
const fits = (s: Squeezed) => shapeFits(s) && s.bits === bits
const threadsFit = (s: Squeezed) => shapeFits(s) && s.bits === 32
const typeOf = (s: Squeezed) => (s.bits === 32 ? 'fp32' : 'fp16')

/** The step's selection, with indices of 32 bits, centroids read once, and clusters marked before keys are gone through. */
function operators(s: Squeezed, ...names: readonly string[]) {
  const selection = squeezedSelection({
    sparsity: s.sparsity / 100,
    clusters: s.clusters / 100,
    coarse: 0,
    survive: 1,
    window: 0,
    index: 32,
    passes: 1,
    marked: true,
  })
  const past = s.tokens - 1
  const workload = decode(1, past, undefined, { tokens: past, shared: true })
  return pick(passOf([attentionModule(s)], workload, { ...plainFormats(s.bits), selections: [selection] }), ...names)
}

const tensors = {
  q: (s: Squeezed): Tensor => ({
    name: 'q',
    elements: s.heads * s['head-dim'],
    type: typeOf(s),
    use: 'input',
    fill: fillQuery,
  }),
  centroids: (s: Squeezed): Tensor => ({
    name: 'centroids',
    elements: s['kv-heads'] * centroidsOf(s) * s['head-dim'],
    type: typeOf(s),
    use: 'input',
    fill: fillCentroids,
  }),
  members: (s: Squeezed): Tensor => ({
    name: 'members',
    elements: s['kv-heads'] * centroidsOf(s),
    type: 'u32',
    use: 'input',
    fill: fillMembers,
  }),
  labels: (s: Squeezed): Tensor => ({
    name: 'labels',
    elements: s['kv-heads'] * clusteredOf(s),
    type: 'u32',
    use: 'input',
    fill: fillLabels(s),
  }),
  scores: (s: Squeezed, use: Tensor['use']): Tensor => ({
    name: 'scores',
    elements: rowsAll(s) * centroidsOf(s),
    type: 'fp32',
    use,
  }),
  denominators: (s: Squeezed, use: Tensor['use']): Tensor => ({
    name: 'denominators',
    elements: rowsAll(s) * splitsOf(s) * 2,
    type: 'fp32',
    use,
  }),
  counts: (s: Squeezed, use: Tensor['use']): Tensor => ({ name: 'counts', elements: s['kv-heads'], type: 'u32', use }),
  indices: (s: Squeezed, use: Tensor['use']): Tensor => ({
    name: 'indices',
    elements: s['kv-heads'] * s.tokens,
    type: 'u32',
    use,
    partial: true,
  }),
  marks: (s: Squeezed, use: Tensor['use']): Tensor => ({
    name: 'marks',
    elements: s['kv-heads'] * markWords(s),
    type: 'u32',
    use,
  }),
}

const sizes = {
  heads: decodeSizes.heads,
  'kv-heads': decodeSizes['kv-heads'],
  'head-dim': decodeSizes['head-dim'],
  tokens: { means: 'keys: a document, and the new one', default: 524288, least: 101 },
  sparsity: { means: 'per cent of the keys that are not read', default: 90 },
  clusters: { means: 'centroids, per cent of the keys', default: 5 },
  bits: { means: 'storage of queries, keys, values and centroids', default: 16, of: [16, 32] },
} as const
const small = [{ heads: 4, 'kv-heads': 4, tokens: 8192 }]
const large = [{}, { tokens: 131072 }, { tokens: 131072, sparsity: 70 }, { 'kv-heads': 8 }]

/** Scores in base 2 of a row, each with what it may be off by. */
function lookupExpectations(s: Squeezed): Expectation[] {
  const n = centroidsOf(s)
  const rows = groupOf(s)
  const splits = splitsOf(s)
  const off = roundings(s['head-dim'] + 8)
  return unitsChecked(s).flatMap((unit) => {
    const { scores, sizes } = scoresOf(s, unit)
    const members = elementsOf(fillMembers, unit * n, n)
    return scores.flatMap((values, r): Expectation[] => {
      const tolerances = (sizes[r] as Float64Array).map((v) => off * v)
      const row = unit * rows + r
      const parts = new Float64Array(2 * splits)
      const loose = new Float64Array(2 * splits)
      for (let i = 0; i < splits; i++) {
        const chunk = values.subarray(i * lookupChunk, (i + 1) * lookupChunk)
        const worst = tolerances.subarray(i * lookupChunk, (i + 1) * lookupChunk).reduce((a, b) => Math.max(a, b))
        const top = chunk.reduce((a, b) => Math.max(a, b))
        let total = 0
        let drift = 0
        chunk.forEach((v, j) => {
          const weight = (members[i * lookupChunk + j] as number) * 2 ** (v - top)
          total += weight
          drift += weight * (2 * worst + exponentialError(top - v) + 32 * exponentialError(0))
        })
        parts.set([top, total], 2 * i)
        loose.set([worst, drift + roundings(lookupChunk + 16) * total], 2 * i)
      }
      return [
        { tensor: 'scores', offset: row * n, values, tolerances },
        { tensor: 'denominators', offset: row * splits * 2, values: parts, tolerances: loose },
      ]
    })
  })
}

export const centroidLookup = kernel<Squeezed>({
  name: 'centroid-lookup',
  means: 'queries against the centroids of a document (Squeezed Attention)',
  sizes,
  shapes: { small, large: [{}, { tokens: 131072 }] },
  problem: (s) => ({
    tensors: [
      tensors.q(s),
      tensors.centroids(s),
      tensors.members(s),
      tensors.scores(s, 'output'),
      tensors.denominators(s, 'output'),
    ],
    operators: operators(s, 'attention-lookup'),
    tolerance: 'roundings of each score; of sums also 3 + 2|x| ulp of each exponential',
    expectations: () => lookupExpectations(s),
  }),
  plans: {
    webgpu: (s, facts): Plan[] =>
      fits(s) ? [4, 8, 2].map((keys) => ({ variant: `keys=${keys}`, launches: [lookupLaunch(s, facts, keys)] })) : [],
    wasm: (s) => (threadsFit(s) ? [{ variant: '', launches: [lookupThreads(s)] }] : []),
  },
})

const zeroSource = (s: Squeezed) => `${bindings([['counts', 'array<u32>', true]])}
@compute @workgroup_size(64) fn main(@builtin(global_invocation_id) id: vec3u) {
  if (id.x < ${s['kv-heads']}u) { counts[id.x] = 0u; }
}
`

/** What is wrong with the heads' lists of kept keys, in whatever order they are. */
function wrongLists(s: Squeezed, marks: Uint32Array, counts: Uint32Array, indices: Uint32Array): string | undefined {
  for (let unit = 0; unit < s['kv-heads']; unit++) {
    const kept: number[] = []
    for (let j = 0; j < clusteredOf(s); j++) {
      const label = labelOf(s, unit, j)
      if (((marks[unit * markWords(s) + (label >>> 5)] as number) >>> (label & 31)) & 1) kept.push(j)
    }
    kept.push(s.tokens - 1)
    const list = indices.slice(unit * s.tokens, unit * s.tokens + kept.length).sort()
    if (counts[unit] !== kept.length) return `counts[${unit}]: expected ${kept.length}, got ${counts[unit]}`
    const at = kept.findIndex((j, i) => list[i] !== j)
    if (at >= 0) return `indices of head ${unit}, sorted: expected ${kept[at]} at ${at}, got ${list[at]}`
  }
  return undefined
}

export const indexCompaction = kernel<Squeezed>({
  name: 'index-compaction',
  means: 'indices of the keys of marked clusters, in a row for each head (Squeezed Attention)',
  sizes,
  shapes: { small, large: [{}, { tokens: 131072 }] },
  problem: (s): Problem => {
    const marks = randomMarks(s, seeded(105))
    return {
      tensors: [
        tensors.labels(s),
        { ...tensors.marks(s, 'input'), fill: { kind: 'values', values: marks } },
        tensors.counts(s, 'output'),
        tensors.indices(s, 'output'),
      ],
      operators: operators(s, 'attention-select'),
      tolerance: 'none: the same indices in any order',
      expectations: () => [],
      verify: ({ counts, indices }) => wrongLists(s, marks, counts as Uint32Array, indices as Uint32Array),
    }
  },
  plans: {
    webgpu: (s): Plan[] =>
      shapeFits(s)
        ? [
            {
              variant: '',
              launches: [
                { source: zeroSource(s), buffers: ['counts'], groups: spread(Math.ceil(s['kv-heads'] / 64)) },
                selectLaunch(s),
              ],
            },
          ]
        : [],
    wasm: (s): Plan[] => (shapeFits(s) ? [selectThreads(s)] : []),
  },
})

/** Kept keys of a chunk, workgroups that take chunks in turn, keys at once. */
const chunkings = [
  [512, 1056, 8],
  [512, 1056, 4],
  [256, 1056, 4],
  [256, 2112, 4],
] as const

function plans(s: Squeezed, facts: Facts): Plan[] {
  if (!fits(s)) return []
  const dim = s['head-dim']
  const units = s['kv-heads']
  const rows = groupOf(s)
  const pieceCount = pieces(units, units * s.tokens * dim * 2, facts.binding)
  const own = units / pieceCount
  return chunkings.map(([chunk, most, keys]) => {
    const workgroups = Math.min(most, own * Math.ceil(s.tokens / chunk))
    const cut = fitted({ lanes: 16, rows: Math.min(rows, 4), keys, workgroup: 128, groups: 0 }, dim, facts)
    const splits = Math.ceil(s.tokens / chunk)
    const parts = { outputs: units * rows, splits, dim, bits, listed: { chunk, rows } }
    const listed = { room: s.tokens, workgroups }
    const attend = Array.from(
      { length: pieceCount },
      (_, part): Launch => ({
        source: attendSource(
          {
            dim,
            bits,
            rows,
            units: own,
            firstUnit: part * own,
            tokens: s.tokens,
            chunk,
            splits,
            output: (row) => `unit_at * ${rows}u + ${row}`,
            keys: `unit * ${s.tokens}u`,
            parts: splits,
            firstPart: 0,
            listed,
          },
          cut,
        ),
        buffers: attendedBuffers({ listed }),
        groups: [workgroups, 1, 1],
        part,
      }),
    )
    return {
      variant: `chunk=${chunk} workgroups=${workgroups} keys=${keys}`,
      scratch: [
        tensors.scores(s, 'scratch'),
        tensors.denominators(s, 'scratch'),
        tensors.marks(s, 'scratch'),
        tensors.counts(s, 'scratch'),
        tensors.indices(s, 'scratch'),
        partsTensor(parts),
      ],
      parts: pieceCount,
      launches: [lookupLaunch(s, facts, 4), markLaunch(s), selectLaunch(s), ...attend, mergeLaunch(parts)],
    }
  })
}

function expectations(s: Squeezed, _: Random): Expectation[] {
  const dim = s['head-dim']
  const rows = groupOf(s)
  const [q, k, v] = [reader(fillQuery), reader(fillK), reader(fillV)]
  return unitsChecked(s).flatMap((unit) => {
    const list = keptKeys(s, unit)
    return Array.from({ length: Math.min(rows, 2) }, (_, row): Expectation => {
      const at = (unit * rows + row) * dim
      return {
        tensor: 'output',
        offset: at,
        ...attended(
          {
            query: Float64Array.from({ length: dim }, (_, i) => q(at + i) / Math.sqrt(dim)),
            keys: list.length,
            list,
            key: plainRows(k, unit * s.tokens * dim, dim),
            value: plainRows(v, unit * s.tokens * dim, dim),
            valueDim: dim,
          },
          typeOf(s),
        ),
      }
    })
  })
}

export const attentionSqueezed = kernel<Squeezed>({
  name: 'attention-squeezed',
  means: 'a decode step of Squeezed Attention: lookup, selection, the kept keys attended, merge',
  sizes,
  shapes: { small, large },
  baseline: (s) => ({
    kernel: 'attention-decode',
    sizes: {
      batch: 1,
      heads: s.heads,
      'kv-heads': s['kv-heads'],
      'head-dim': s['head-dim'],
      tokens: s.tokens,
      query: 1,
      bits: s.bits,
    },
  }),
  problem: (s) => {
    const kv = s['kv-heads'] * s.tokens * s['head-dim']
    const type = typeOf(s)
    return {
      tensors: [
        tensors.q(s),
        { name: 'k', elements: kv, type, use: 'input', fill: fillK, cut: true },
        { name: 'v', elements: kv, type, use: 'input', fill: fillV, cut: true },
        tensors.centroids(s),
        tensors.members(s),
        tensors.labels(s),
        { name: 'output', elements: s.heads * s['head-dim'], type, use: 'output' },
      ],
      operators: operators(s, 'attention-lookup', 'attention-select', 'attention', 'attention-merge'),
      tolerance: `${attentionTolerance}; the kept keys are those of f64, from which the threshold keeps its distance`,
      expectations: (random) => expectations(s, random),
    }
  },
  plans: {
    webgpu: plans,
    wasm: (s): Plan[] => {
      const { scores, denominators, marks, counts, indices } = tensors
      const scratch = [scores, denominators, marks, counts, indices].map((tensor) => tensor(s, 'scratch'))
      return threadsFit(s) ? [attendThreads(s, scratch)] : []
    },
  },
})
