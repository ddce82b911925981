// QuantSpec's attention on threads: each takes a key head and a chunk of its tokens.
import type { Facts } from '../backend.ts'
import type { Plan } from '../kernel.ts'
import type { Hierarchical } from './hierarchical.ts'
import { type Parts, partsTensor, splitsOf } from './split-attention.ts'

/** Tokens whose codes lie together, and channels of a load. */
const tile = 128
const load = 32

export function threadPlans(s: Hierarchical, planes: 1 | 2, { threads = 1 }: Facts): Plan[] {
  const dim = s['head-dim']
  if (s.heads % s['kv-heads'] !== 0 || dim % 8 !== 0) return []
  const rows = (s.heads / s['kv-heads']) * s.query
  const units = s.batch * s['kv-heads']
  const { splits, chunk } = splitsOf(s.tokens, units, 16 * threads, tile)
  const merged: Parts = { outputs: units * rows, splits, dim, bits: 16 }
  const factors = Math.ceil(dim / load) * load
  const scale = new Int32Array(Float32Array.of(Math.LOG2E / Math.sqrt(dim)).buffer)[0] as number
  const codes = planes === 2 ? ['ku', 'kl', 'vu', 'vl'] : ['ku', 'ku', 'vu', 'vu']
  return [
    {
      variant: `splits=${splits}`,
      scratch: [
        partsTensor(merged),
        { name: 'room', elements: units * splits * (factors + 2 * tile), type: 'fp32', use: 'scratch' },
      ],
      launches: [
        {
          source: 'attendPlanes',
          buffers: ['q', ...codes, 'ks', 'vs', 'parts', 'room'],
          groups: [units * splits, 1, 1],
          args: [dim, s.tokens, s.query, rows, splits, chunk, scale, planes],
        },
        { source: 'merge', buffers: ['parts', 'output'], groups: [units * rows, 1, 1], args: [dim, splits, 1] },
      ],
    },
  ]
}
