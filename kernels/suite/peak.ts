// What a device does at most and at least: independent chains of fused multiply-adds in registers, and a launch that
// does nothing but mark that it ran.
import { elementwise, emit } from '../../model/modules/emit.ts'
import { halfBits, halfValue } from '../half.ts'
import { type Fill, normalAt } from '../input.ts'
import { kernel } from '../kernel.ts'
import { emitted, plainFormats } from '../ledger.ts'
import { bindings, each, spread } from '../webgpu/wgsl.ts'
import { pieceOf } from './pieces.ts'

interface Peak extends Record<string, number> {
  lanes: number
  steps: number
  bits: number
}

/** Independent chains of a lane: vectors of four (of two in halves, four of them), so that latency hides. */
const chains = 4
const width = 4

const startFill = { kind: 'normal', seed: 3 } as const satisfies Fill
/** x ← x·a + b, which tends to b / (1 - a) = 1: numbers that stay in range, exact in fp16. */
const a = 0.5
const b = 0.5

function peakSource({ lanes, steps, bits }: Peak, workgroup: number, unrolled: number): string {
  const half = bits === 16
  const type = half ? 'vec4<f16>' : 'vec4f'
  const suffix = half ? 'h' : 'f'
  return `${half ? 'enable f16;\n' : ''}${bindings([
    ['starts', 'array<f32>'],
    ['ends', 'array<f32>', true],
  ])}
@compute @workgroup_size(${workgroup})
fn main(@builtin(global_invocation_id) id: vec3u) {
  if (id.x >= ${lanes}u) { return; }
  let start = ${half ? 'f16(starts[id.x])' : 'starts[id.x]'};
  let a = ${type}(${a}${suffix});
  let b = ${type}(${b}${suffix});
${each(chains, (i) => `var x${i} = ${type}(start) + ${type}(0.0${suffix}, 1.0${suffix}, 2.0${suffix}, 3.0${suffix}) + ${type}(${i}.0${suffix});`)}
  for (var step = 0u; step < ${steps / unrolled}u; step++) {
${each(unrolled, () => each(chains, (i) => `x${i} = fma(x${i}, a, b);`, ' '))}
  }
  let sum = ${each(chains, (i) => `x${i}`, ' + ')};
  ends[id.x] = ${half ? 'f32(sum.x) + f32(sum.y) + f32(sum.z) + f32(sum.w)' : 'sum.x + sum.y + sum.z + sum.w'};
}
`
}

/** The f64 value of one lane: all chains come near 1 within a few steps, and then stay. */
function endOf(start: number, steps: number, bits: number): number {
  const round = bits === 16 ? (x: number) => halfValue(halfBits(x)) : (x: number) => x
  let sum = 0
  for (let chain = 0; chain < chains; chain++) {
    for (let i = 0; i < width; i++) {
      let x = round(round(start) + i + chain)
      for (let s = 0; s < Math.min(steps, 80); s++) x = x * a + b
      sum += x
    }
  }
  return sum
}

export const fma = kernel<Peak>({
  name: 'fma',
  means: 'chains of fused multiply-adds in registers: the vector peak',
  sizes: {
    lanes: { means: 'lanes, 16 chains each', default: 2 ** 20 },
    steps: { means: 'multiply-adds of each chain', default: 4096, of: [64, 256, 1024, 4096, 16384] },
    bits: { means: 'arithmetic: fp32 or fp16', default: 32, of: [32, 16] },
  },
  shapes: {
    small: [{ lanes: 2 ** 14, steps: 1024 }],
    large: [{}, { bits: 16 }],
  },
  problem: (s) => {
    const flops = 2 * s.lanes * s.steps * chains * width
    return {
      tensors: [
        { name: 'starts', elements: s.lanes, type: 'fp32', use: 'input', fill: startFill },
        { name: 'ends', elements: s.lanes, type: 'fp32', use: 'output' },
      ],
      // In fp16 it is what that unit does; element-wise work is counted in fp32.
      operators: emitted(plainFormats(32), 1, (c) =>
        s.bits === 32
          ? elementwise(c, 'fma', s.lanes, s.lanes, flops)
          : emit(
              c,
              'fma',
              { kind: 'stream', elements: s.lanes },
              flops,
              0,
              [
                { owner: 'activations', way: 'read', bytes: 4 * s.lanes, metadata: 0 },
                { owner: 'activations', way: 'write', bytes: 4 * s.lanes, metadata: 0 },
              ],
              'fp16',
            ),
      ),
      tolerance:
        'each step halves what came before, so errors sum to two roundings; then 15 additions of values near 1',
      expectations: () => {
        const count = Math.min(s.lanes, 256)
        const values = Float64Array.from({ length: count }, (_, i) => endOf(normalAt(startFill, i), s.steps, s.bits))
        const u = s.bits === 16 ? 2 ** -11 : 2 ** -24
        return [{ tensor: 'ends', offset: 0, values, tolerances: values.map(() => chains * width * 8 * u) }]
      },
    }
  },
  plans: {
    webgpu: (s, { workgroup, halves }) => {
      if (s.bits === 16 && !halves) return []
      return [256, 128, 512]
        .filter((lanes) => lanes <= workgroup)
        .flatMap((lanes) =>
          [16, 4, 64].map((unrolled) => ({
            variant: `lanes=${lanes} unrolled=${unrolled}`,
            launches: [
              {
                source: peakSource(s, lanes, unrolled),
                buffers: ['starts', 'ends'],
                groups: spread(Math.ceil(s.lanes / lanes)),
              },
            ],
          })),
        )
    },
    wasm: (s, facts) => {
      if (s.bits === 16) return []
      const each = pieceOf(s.lanes, facts, 32, 3)
      const groups = [Math.ceil(s.lanes / each), 1, 1] as const
      return [
        {
          variant: '',
          launches: [{ source: 'fma', buffers: ['starts', 'ends'], groups, args: [s.lanes, s.steps, each] }],
        },
      ]
    },
  },
})

/** The mark that a launch leaves. */
const mark = 7

export const emptyLaunch = kernel({
  name: 'empty-launch',
  means: 'a launch that writes one word',
  sizes: {},
  shapes: { small: [{}], large: [{}] },
  problem: () => ({
    tensors: [{ name: 'word', elements: 1, type: 'u32', use: 'output' }],
    operators: emitted(plainFormats(32), 1, (c) => elementwise(c, 'empty-launch', 0, 1, 0)),
    tolerance: 'none: a constant',
    expectations: () => [{ tensor: 'word', offset: 0, values: Float64Array.of(mark), tolerances: Float64Array.of(0) }],
  }),
  plans: {
    webgpu: () => [
      {
        variant: '',
        launches: [
          {
            source: `${bindings([['word', 'array<u32>', true]])}\n@compute @workgroup_size(1) fn main() { word[0] = ${mark}u; }\n`,
            buffers: ['word'],
            groups: [1, 1, 1],
          },
        ],
      },
    ],
    wasm: () => [{ variant: '', launches: [{ source: 'mark', buffers: ['word'], groups: [1, 1, 1], args: [mark] }] }],
  },
})
