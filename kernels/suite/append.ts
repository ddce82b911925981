// A new token of every sequence, encoded into KVQuant's cache (arXiv 2401.18079) as attention-nuq4 reads it, without
// outliers: keys by the channels' scales, which are given; values by the token's own least and largest; each code that of
// the nearest entry of a table. What is in the cache beside stays as it was.
import { kvquantStore } from '../../model/stores/kvquant.ts'
import { decode } from '../../model/workload.ts'
import type { Facts } from '../backend.ts'
import { halfValue } from '../half.ts'
import { elementsOf, type Fill, hash, poison, reader } from '../input.ts'
import { type Expectation, kernel, type Plan, type Tensor } from '../kernel.ts'
import { passOf, pick, plainFormats } from '../ledger.ts'
import { roundings, stored } from '../rounding.ts'
import { bindings, each, groupIndex, spread } from '../webgpu/wgsl.ts'
import { attentionModule, decodeSizes } from './attention-decode.ts'

interface Append extends Record<string, number> {
  batch: number
  'kv-heads': number
  'head-dim': number
  tokens: number
}

/** Tokens whose codes lie together, pairs of channels in 16 bytes, tokens that a cache is filled up to. */
const run = 32
const loadPairs = 16
const tile = 64

const fillKeys = { kind: 'normal', seed: 121, scale: 1 } as const satisfies Fill
const fillValues = { kind: 'normal', seed: 122, outliers: 7 } as const satisfies Fill

/** Sixteen entries in [-1, 1], denser near 0. */
const table = Float64Array.from({ length: 16 }, (_, i) => {
  const x = (i - 7.5) / 7.5
  return Math.round(1024 * (0.6 * x + 0.4 * x ** 3)) / 1024
})

/** The middles between neighbours. */
const edges = Float64Array.from({ length: 15 }, (_, i) => ((table[i] as number) + (table[i + 1] as number)) / 2)

const unitsOf = (s: Append) => s.batch * s['kv-heads']
const widthOf = (s: Append) => s['kv-heads'] * s['head-dim']
const roomOf = (s: Append) => Math.ceil(s.tokens / tile) * tile
const runsOf = (s: Append) => roomOf(s) / run
const loadsOf = (s: Append) => Math.ceil(s['head-dim'] / 2 / loadPairs)
/** The new token's place: its run, and where it is in it. */
const placeOf = (s: Append) => ({ at: Math.floor((s.tokens - 1) / run), place: (s.tokens - 1) % run })

/** Scale in [1, 3) and zero point in [-1/2, 1/2) of each channel in turn. */
function channelScales(s: Append): Float64Array {
  return Float64Array.from({ length: unitsOf(s) * s['head-dim'] * 2 }, (_, i) => {
    const h = hash(123, i)
    return i % 2 === 0 ? 1 + (h & 511) / 256 : (h & 255) / 256 - 0.5
  })
}

/** The code of the nearest entry: how many middles between neighbours lie below. */
const nearest = `fn code(x: f32) -> u32 {
  return ${each(15, (i) => `select(0u, 1u, x > edges[${i}])`, ' + ')};
}`

/** A lane makes a word of eight codes. */
function keysSource(s: Append): string {
  const dim = s['head-dim']
  const pairs = dim / 2
  const words = unitsOf(s) * loadsOf(s) * 4
  const { at, place } = placeOf(s)
  return `${bindings([
    ['new_keys', 'array<u32>'],
    ['key_scales', 'array<u32>'],
    ['edges', 'array<f32>'],
    ['k', 'array<u32>', true],
  ])}
${nearest}
fn coded(unit: u32, channel: u32) -> u32 {
  let both = unpack2x16float(new_keys[(unit * ${dim}u + channel) / 2u]);
  let x = select(both.x, both.y, (channel & 1u) == 1u);
  let scale = unpack2x16float(key_scales[unit * ${dim}u + channel]);
  return code((x - scale.y) / scale.x);
}
@compute @workgroup_size(64)
fn main(@builtin(workgroup_id) group: vec3u, @builtin(local_invocation_index) local: u32) {
  let number = (${groupIndex(Math.ceil(words / 64))}) * 64u + local;
  if (number >= ${words}u) { return; }
  let unit = number / ${loadsOf(s) * 4}u;
  let load = number / 4u % ${loadsOf(s)}u;
  let first = load * ${loadPairs}u + number % 4u * 4u;
  var word = 0u;
  for (var i = 0u; i < 4u; i++) {
    let pair = first + i;
    if (pair < ${pairs}u) {
      word |= (coded(unit, pair) | (coded(unit, pair + ${pairs}u) << 4u)) << (8u * i);
    }
  }
  k[(((unit * ${runsOf(s)}u + ${at}u) * ${loadsOf(s)}u + load) * ${run}u + ${place}u) * 4u + number % 4u] = word;
}
`
}

const lanes = 256

/** A workgroup takes a sequence: least and largest, then a channel for each lane in turn. */
function valuesSource(s: Append): string {
  const dim = s['head-dim']
  const width = widthOf(s)
  const { at, place } = placeOf(s)
  return `${bindings([
    ['new_values', 'array<u32>'],
    ['edges', 'array<f32>'],
    ['v', 'array<u32>', true],
    ['value_scales', 'array<u32>', true],
  ])}
${nearest}
var<workgroup> least: array<f32, ${lanes}>;
var<workgroup> most: array<f32, ${lanes}>;
@compute @workgroup_size(${lanes})
fn main(@builtin(workgroup_id) group: vec3u, @builtin(local_invocation_index) local: u32) {
  let sequence = min(${groupIndex(s.batch)}, ${s.batch - 1}u);
  var low = 1e30;
  var high = -1e30;
  for (var i = local; i < ${width / 2}u; i += ${lanes}u) {
    let both = unpack2x16float(new_values[sequence * ${width / 2}u + i]);
    low = min(low, min(both.x, both.y));
    high = max(high, max(both.x, both.y));
  }
  least[local] = low;
  most[local] = high;
  workgroupBarrier();
${each(Math.log2(lanes), (i) => {
  const stride = lanes >> (i + 1)
  return `if (local < ${stride}u) {
  least[local] = min(least[local], least[local + ${stride}u]);
  most[local] = max(most[local], most[local + ${stride}u]);
}
workgroupBarrier();`
})}
  let kept = pack2x16float(vec2f(0.5 * (most[0] - least[0]), 0.5 * (most[0] + least[0])));
  let scale = unpack2x16float(kept);
  if (local == 0u) { value_scales[sequence * ${roomOf(s)}u + ${s.tokens - 1}u] = kept; }
  for (var i = local; i < ${width}u; i += ${lanes}u) {
    let both = unpack2x16float(new_values[(sequence * ${width}u + i) / 2u]);
    let c = code((select(both.x, both.y, (i & 1u) == 1u) - scale.y) / scale.x);
    let unit = sequence * ${s['kv-heads']}u + i / ${dim}u;
    let to = ((unit * ${runsOf(s)}u + ${at}u) * ${dim}u + i % ${dim}u) * 4u + ${place >>> 3}u;
    v[to] = (v[to] & ${(~(15 << (4 * (place & 7))) >>> 0).toString()}u) | (c << ${4 * (place & 7)}u);
  }
}
`
}

const keyBuffers = ['new_keys', 'key_scales', 'edges', 'k']
const valueBuffers = ['new_values', 'edges', 'v', 'value_scales']
const fits = (s: Append) => s['head-dim'] % 8 === 0

function plans(s: Append, { workgroup }: Facts): Plan[] {
  if (!fits(s) || workgroup < lanes) return []
  const words = unitsOf(s) * loadsOf(s) * 4
  return [
    {
      variant: '',
      launches: [
        { source: keysSource(s), buffers: keyBuffers, groups: spread(Math.ceil(words / 64)) },
        { source: valuesSource(s), buffers: valueBuffers, groups: spread(s.batch) },
      ],
    },
  ]
}

function threadPlans(s: Append): Plan[] {
  if (!fits(s)) return []
  const { at, place } = placeOf(s)
  const dim = s['head-dim']
  return [
    {
      variant: '',
      launches: [
        {
          source: 'appendKeys',
          buffers: keyBuffers,
          groups: [unitsOf(s), 1, 1],
          args: [dim, runsOf(s), loadsOf(s), at, place],
        },
        {
          source: 'appendValues',
          buffers: valueBuffers,
          groups: [s.batch, 1, 1],
          args: [dim, s['kv-heads'], runsOf(s), roomOf(s), at, place],
        },
      ],
    },
  ]
}

/** Whether a code's entry is as near as any, but for the roundings of a subtraction and a division. */
function isNearest(code: number, value: number, scale: number, zero: number): boolean {
  const x = (value - zero) / scale
  const off = (roundings(4) * (Math.abs(value) + Math.abs(zero))) / scale + roundings(2)
  const distance = Math.abs(x - (table[code] as number))
  return table.every((entry) => distance <= Math.abs(x - entry) + 2 * off)
}

/** What is wrong with the keys' codes, or with what lies beside them. */
function wrongKeys(s: Append, k: Uint32Array): string | undefined {
  const dim = s['head-dim']
  const [loads, runs, { at, place }] = [loadsOf(s), runsOf(s), placeOf(s)]
  const keys = reader(fillKeys)
  const scales = channelScales(s)
  for (let i = 0; i < k.length; i++) {
    const [load, token] = [Math.floor(i / (4 * run)), (i >>> 2) % run]
    if (Math.floor(load / loads) % runs !== at || token !== place) {
      if (k[i] !== poison) return `k[${i}] was written`
      continue
    }
    const unit = Math.floor(load / loads / runs)
    for (let place = 0; place < 8; place++) {
      const pair = (load % loads) * loadPairs + (i & 3) * 4 + (place >>> 1)
      const code = ((k[i] as number) >>> (4 * place)) & 15
      const channel = unit * dim + pair + (place & 1 ? dim / 2 : 0)
      const [scale = 1, zero = 0] = [scales[2 * channel], scales[2 * channel + 1]]
      const right = pair >= dim / 2 ? code === 0 : isNearest(code, keys(channel), scale, zero)
      if (!right) return `k[${i}], code ${place}: got ${code} for ${keys(channel)}`
    }
  }
  return undefined
}

/** The same of values, by the scales that the device found. */
function wrongValues(s: Append, v: Uint32Array, scales: Uint32Array): string | undefined {
  const dim = s['head-dim']
  const [runs, { at, place }] = [runsOf(s), placeOf(s)]
  const values = reader(fillValues)
  for (let i = 0; i < v.length; i++) {
    const row = Math.floor(i / 4 / dim)
    const word = v[i] as number
    if (row % runs !== at || (i & 3) !== place >>> 3) {
      if (word !== poison) return `v[${i}] was written`
      continue
    }
    const unit = Math.floor(row / runs)
    const kept = scales[Math.floor(unit / s['kv-heads']) * roomOf(s) + s.tokens - 1] as number
    const value = values(unit * dim + ((i >>> 2) % dim))
    const shift = 4 * (place & 7)
    const code = (word >>> shift) & 15
    if (((word ^ poison) & ~(15 << shift)) !== 0) return `v[${i}]: codes beside the new one were written`
    if (!isNearest(code, value, halfValue(kept & 0xffff), halfValue(kept >>> 16))) {
      return `v[${i}]: got ${code} for ${value}`
    }
  }
  return undefined
}

/** Half of the range and its middle, of each sequence. */
function scaleExpectations(s: Append): Expectation[] {
  return Array.from({ length: s.batch }, (_, sequence) => {
    const row = elementsOf(fillValues, sequence * widthOf(s), widthOf(s))
    const [low, high] = [row.reduce((a, b) => Math.min(a, b)), row.reduce((a, b) => Math.max(a, b))]
    const values = Float64Array.of((high - low) / 2, (high + low) / 2)
    // Packing may round to either neighbour.
    const tolerances = values.map((x) => 2 * stored(x, 'fp16'))
    return { tensor: 'value_scales', offset: 2 * (sequence * roomOf(s) + s.tokens - 1), values, tolerances }
  })
}

export const appendNuq4 = kernel<Append>({
  name: 'append-nuq4',
  means: "a new token's keys and values encoded into a cache of 4-bit codes of a table (KVQuant)",
  sizes: {
    batch: { means: 'sequences, a new token each', default: 64 },
    'kv-heads': decodeSizes['kv-heads'],
    'head-dim': decodeSizes['head-dim'],
    tokens: { means: 'keys, the new one included', default: 256 },
  },
  shapes: { small: [{ batch: 8, 'kv-heads': 8 }], large: [{}, { batch: 1 }] },
  problem: (s) => {
    const dim = s['head-dim']
    const units = unitsOf(s)
    const store = kvquantStore({ bits: 4, outliers: 0, sink: 0, storage: 'paper' })
    const module = attentionModule({ ...s, heads: s['kv-heads'], 'kv-heads': s['kv-heads'], 'head-dim': dim })
    const input = (name: string, type: Tensor['type'], elements: number, fill: Fill): Tensor => {
      return { name, elements, type, use: 'input', fill }
    }
    const output = (name: string, type: Tensor['type'], elements: number): Tensor => {
      return { name, elements, type, use: 'output', partial: true }
    }
    return {
      tensors: [
        input('new_keys', 'fp16', units * dim, fillKeys),
        input('new_values', 'fp16', units * dim, fillValues),
        input('key_scales', 'fp16', units * dim * 2, { kind: 'values', values: channelScales(s) }),
        input('edges', 'fp32', 15, { kind: 'values', values: edges }),
        output('k', 'u32', units * runsOf(s) * loadsOf(s) * run * 4),
        output('v', 'u32', units * runsOf(s) * dim * 4),
        output('value_scales', 'fp16', s.batch * roomOf(s) * 2),
      ],
      operators: pick(
        passOf([module], decode(s.batch, s.tokens - 1), { ...plainFormats(16), store }),
        'attention-kv-write',
      ),
      tolerance: 'each code that of the nearest entry, but for the roundings of a subtraction and a division',
      expectations: () => scaleExpectations(s),
      verify: ({ k, v, value_scales }) =>
        wrongKeys(s, k as Uint32Array) ?? wrongValues(s, v as Uint32Array, value_scales as Uint32Array),
    }
  },
  plans: { webgpu: plans, wasm: threadPlans },
})
