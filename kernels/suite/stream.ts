// Memory by itself: reading, copying, and the triad a = b + 3c (McCalpin's STREAM; BabelStream's kernels). What is read
// is summed by blocks, so that nobody can leave the reading out.

import { elementwise } from '../../model/modules/emit.ts'
import type { Random } from '../../model/random.ts'
import type { Facts } from '../backend.ts'
import { elementsOf, type Fill } from '../input.ts'
import { type Expectation, type Kernel, kernel, type Plan } from '../kernel.ts'
import { emitted, plainFormats } from '../ledger.ts'
import { roundings } from '../rounding.ts'
import { bindings, each, groupIndex, spread } from '../webgpu/wgsl.ts'
import { pieceOf } from './pieces.ts'

/** Elements that are summed into one. */
const block = 16384
const vectorBlock = block / 4

interface Stream extends Record<string, number> {
  elements: number
}

const sizes = {
  elements: { means: 'fp32 elements of each array', default: 2 ** 28 },
} as const

const shapes = {
  small: [{ elements: 2 ** 24 }],
  large: [{ elements: 2 ** 24 }, { elements: 2 ** 26 }, { elements: 2 ** 28 }],
}

const fillB: Fill = { kind: 'normal', seed: 1, outliers: 12 }
const fillC: Fill = { kind: 'normal', seed: 2, outliers: 12 }

/** Stretches of an array of `elements`: the first, the last, and some that `random` picks. */
function stretches(elements: number, length: number, random: Random): number[] {
  const last = Math.max(0, elements - length)
  if (elements <= 4 * length) return [...Array(Math.ceil(elements / length)).keys()].map((i) => i * length)
  return [0, last, ...Array.from({ length: 6 }, () => Math.floor(random() * last))]
}

function blockSums(elements: number, random: Random): Expectation[] {
  const blocks = Math.ceil(elements / block)
  return stretches(blocks, 1, random).map((at) => {
    const values = elementsOf(fillB, at * block, Math.min(block, elements - at * block))
    const sum = values.reduce((a, b) => a + b, 0)
    const size = values.reduce((a, b) => a + Math.abs(b), 0)
    return {
      tensor: 'sums',
      offset: at,
      values: Float64Array.of(sum),
      tolerances: Float64Array.of(roundings(block) * size),
    }
  })
}

/** Where `at` is the vector's number: statements for whole vectors, and for the single elements of the last one. */
interface Body {
  readonly bindings: Parameters<typeof bindings>[0]
  readonly vector: (at: string) => string
}

/** Ways to cut a block: lanes of a workgroup by vectors that each lane has in flight. */
const cuts = [
  [256, 16],
  [512, 8],
  [128, 32],
  [256, 8],
  [256, 4],
  [1024, 4],
] as const

/** Arrays are stored in whole vectors: what fills up the last is written and never compared. */
function mapSource({ elements }: Stream, workgroup: number, vectors: number, body: Body): string {
  const groups = Math.ceil(elements / (4 * workgroup * vectors))
  const last = Math.ceil(elements / 4)
  return `${bindings(body.bindings)}
@compute @workgroup_size(${workgroup})
fn main(@builtin(workgroup_id) group: vec3u, @builtin(local_invocation_index) lane: u32) {
  let first = (${groupIndex(groups)}) * ${workgroup * vectors}u + lane;
  if (first + ${(vectors - 1) * workgroup}u < ${last}u) {
${each(vectors, (i) => `let x${i} = ${body.vector(`first + ${i * workgroup}u`)};`)}
${each(vectors, (i) => `a[first + ${i * workgroup}u] = x${i};`)}
  } else {
    for (var at = first; at < ${last}u; at += ${workgroup}u) { a[at] = ${body.vector('at')}; }
  }
}
`
}

function mapPlans(s: Stream, workgroup: number, body: Body, buffers: readonly string[]): Plan[] {
  return cuts
    .filter(([lanes]) => lanes <= workgroup)
    .map(([lanes, vectors]) => ({
      variant: `lanes=${lanes} vectors=${vectors}`,
      launches: [
        {
          source: mapSource(s, lanes, vectors, body),
          buffers,
          groups: spread(Math.ceil(s.elements / (4 * lanes * vectors))),
        },
      ],
    }))
}

function readSource({ elements }: Stream, workgroup: number): string {
  const vectors = vectorBlock / workgroup
  const groups = Math.ceil(elements / block)
  return `${bindings([
    ['b', 'array<vec4f>'],
    ['sums', 'array<f32>', true],
  ])}
var<workgroup> part: array<f32, ${workgroup}>;
@compute @workgroup_size(${workgroup})
fn main(@builtin(workgroup_id) group: vec3u, @builtin(local_invocation_index) lane: u32) {
  let number = ${groupIndex(groups)};
  let first = number * ${vectorBlock}u + lane;
  var sum = vec4f();
  if ((number + 1u) * ${block}u <= ${elements}u) {
${each(vectors, (i) => `let x${i} = b[first + ${i * workgroup}u];`)}
${each(vectors, (i) => `sum += x${i};`)}
  } else {
    for (var at = first; at < ${Math.ceil(elements / 4)}u && at < (number + 1u) * ${vectorBlock}u; at += ${workgroup}u) {
      let x = b[at];
      let rest = vec4u(${elements}u) > vec4u(4u * at) + vec4u(0u, 1u, 2u, 3u);
      sum += select(vec4f(), x, rest);
    }
  }
  part[lane] = sum.x + sum.y + sum.z + sum.w;
  workgroupBarrier();
${each(Math.log2(workgroup), (i) => {
  const stride = workgroup >> (i + 1)
  return `if (lane < ${stride}u) { part[lane] += part[lane + ${stride}u]; }\nworkgroupBarrier();`
})}
  if (lane == 0u && number < ${groups}u) { sums[number] = part[0]; }
}
`
}

/** Vectors of four that one piece takes at least: 64 kB. */
const leastVectors = 4096

function threadPlan(source: string, buffers: readonly string[], vectors: number, each: number, args: number[]): Plan {
  return { variant: '', launches: [{ source, buffers, groups: [Math.ceil(vectors / each), 1, 1], args }] }
}

function readPlans({ elements }: Stream, facts: Facts): Plan[] {
  const blocks = Math.ceil(elements / block)
  const each = pieceOf(blocks, facts, 4)
  return [threadPlan('read', ['b', 'sums'], blocks, each, [elements, each])]
}

function array(name: string, { elements }: Stream, fill?: Fill) {
  const tensor = { name, elements: Math.ceil(elements / 4) * 4, type: 'fp32' } as const
  return fill ? ({ ...tensor, use: 'input', fill } as const) : ({ ...tensor, use: 'output' } as const)
}

export const streamRead = kernel<Stream>({
  name: 'stream-read',
  means: 'reads an array and sums its blocks',
  sizes,
  shapes,
  problem: (s) => ({
    tensors: [
      array('b', s, fillB),
      { name: 'sums', elements: Math.ceil(s.elements / block), type: 'fp32', use: 'output' },
    ],
    operators: emitted(plainFormats(32), 1, (c) =>
      elementwise(c, 'stream-read', s.elements, Math.ceil(s.elements / block), s.elements),
    ),
    tolerance: `${block} additions in any order`,
    expectations: (random) => blockSums(s.elements, random),
  }),
  plans: {
    webgpu: (s, { workgroup }) =>
      [256, 512, 128, 1024, 64]
        .filter((lanes) => lanes <= workgroup)
        .map((lanes) => ({
          variant: `lanes=${lanes}`,
          launches: [
            {
              source: readSource(s, lanes),
              buffers: ['b', 'sums'],
              groups: spread(Math.ceil(s.elements / block)),
            },
          ],
        })),
    wasm: readPlans,
  },
})

/** The kernels that write an array as long as those they read. */
function mapKernel(
  name: string,
  means: string,
  reads: 1 | 2,
  flops: number,
  /** The function of the threads, and the numbers that it takes last. */
  threaded: { readonly source: string; readonly args: readonly number[] },
  body: Body,
  value: (b: number, c: number) => number,
  tolerance: { readonly words: string; readonly of: (b: number, c: number) => number },
): Kernel {
  const buffers = reads === 2 ? ['a', 'b', 'c'] : ['a', 'b']
  return kernel<Stream>({
    name,
    means,
    sizes,
    shapes,
    problem: (s) => ({
      tensors: [array('a', s), array('b', s, fillB), ...(reads === 2 ? [array('c', s, fillC)] : [])],
      operators: emitted(plainFormats(32), 1, (c) =>
        elementwise(c, name, reads * s.elements, s.elements, flops * s.elements),
      ),
      tolerance: tolerance.words,
      expectations: (random) =>
        stretches(s.elements, block, random).map((offset) => {
          const count = Math.min(block, s.elements - offset)
          const b = elementsOf(fillB, offset, count)
          const c = elementsOf(fillC, offset, count)
          return {
            tensor: 'a',
            offset,
            values: b.map((x, i) => value(x, c[i] as number)),
            tolerances: b.map((x, i) => tolerance.of(x, c[i] as number)),
          }
        }),
    }),
    plans: {
      webgpu: (s, { workgroup }) => mapPlans(s, workgroup, body, buffers),
      wasm: (s, facts) => {
        const vectors = Math.ceil(s.elements / 4)
        const each = pieceOf(vectors, facts, leastVectors)
        return [threadPlan(threaded.source, buffers, vectors, each, [s.elements, each, ...threaded.args])]
      },
    },
  })
}

export const streamCopy = mapKernel(
  'stream-copy',
  'copies an array',
  1,
  0,
  { source: 'copy', args: [] },
  {
    bindings: [
      ['a', 'array<vec4f>', true],
      ['b', 'array<vec4f>'],
    ],
    vector: (at) => `b[${at}]`,
  },
  (b) => b,
  { words: 'none: a copy is exact', of: () => 0 },
)

const factor = 3

export const streamTriad = mapKernel(
  'stream-triad',
  'a = b + 3c over arrays',
  2,
  2,
  { source: 'triad', args: [factor] },
  {
    bindings: [
      ['a', 'array<vec4f>', true],
      ['b', 'array<vec4f>'],
      ['c', 'array<vec4f>'],
    ],
    vector: (at) => `b[${at}] + ${factor}.0 * c[${at}]`,
  },
  (b, c) => b + factor * c,
  {
    words: 'two roundings',
    of: (b, c) => roundings(2) * (Math.abs(b) + factor * Math.abs(c)),
  },
)
