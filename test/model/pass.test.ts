// The ledger against a naive model that visits every element: each loop body is one multiply-add, each set collects the
// addresses that must move.
import { describe, expect, it } from 'vitest'
import type { Attention } from '../../model/architecture.ts'
import { deploy } from '../../model/deployment.ts'
import { format } from '../../model/format.ts'
import { type Operator, operatorBytes } from '../../model/operator.ts'
import { pass } from '../../model/pass.ts'
import * as workload from '../../model/workload.ts'
import { architecture, attention } from './tiny.ts'

function find(operators: readonly Operator[], name: string): Operator {
  const found = operators.find((o) => o.name === name)
  if (!found) throw new Error(`no operator ${name} in ${operators.map((o) => o.name).join(', ')}`)
  return found
}

function bytes(o: Operator, owner: string, way: string): number {
  return o.streams.filter((s) => s.owner === owner && s.way === way).reduce((sum, s) => sum + s.bytes, 0)
}

/** Distinct addresses touched, by tensor. */
class Touched {
  readonly #addresses = new Map<string, Set<string>>()
  touch(tensor: string, ...index: number[]): void {
    const set = this.#addresses.get(tensor) ?? new Set()
    set.add(index.join())
    this.#addresses.set(tensor, set)
  }
  size(tensor: string): number {
    return this.#addresses.get(tensor)?.size ?? 0
  }
}

/** Attention by loops: rows below `past` come from the cache, the others were just projected. */
function naiveAttention(a: Attention, sequences: number, past: number, query: number) {
  const t = new Touched()
  let macs = 0
  let scores = 0
  for (let s = 0; s < sequences; s++)
    for (let h = 0; h < a.heads; h++)
      for (let i = past; i < past + query; i++)
        for (let j = 0; j < past + query; j++) {
          if (a.causal && j > i) continue
          if (a.reach.kind === 'window' && i - j >= a.reach.tokens) continue
          scores++
          const kv = Math.floor((h * a.kvHeads) / a.heads)
          for (let d = 0; d < a.headDim; d++) {
            macs += 2
            t.touch('query', s, h, i, d)
            t.touch('output', s, h, i, d)
            t.touch(j < past ? 'cached' : 'fresh', 0, s, kv, j, d)
            t.touch(j < past ? 'cached' : 'fresh', 1, s, kv, j, d)
          }
        }
  return { t, macs, scores }
}

describe('attention counts what a loop counts', () => {
  const window = { kind: 'window', tokens: 4 } as const
  it.each([
    ['decode', attention(), 3, 7, 1],
    ['decode in a window', attention({ reach: window }), 3, 7, 1],
    ['prefill', attention(), 2, 0, 6],
    ['prefill after a past', attention(), 2, 5, 6],
    ['prefill in a window after a past', attention({ reach: window }), 2, 5, 6],
    ['verification', attention({ kvHeads: 4 }), 2, 9, 3],
    ['multi-query', attention({ kvHeads: 1 }), 2, 9, 1],
  ] as const)('%s', (_, a, sequences, past, query) => {
    const d = deploy(architecture([[a]]))
    const group = { sequences, query, logits: 1, past: workload.ownPast(past, sequences) }
    const o = find(pass(d, { stack: 'decoder', groups: [group] }), 'attention')
    const { t, macs, scores } = naiveAttention(a, sequences, past, query)
    expect(o.matrix).toBeCloseTo(2 * macs, 6)
    expect(bytes(o, 'kv', 'read')).toBe(2 * t.size('cached'))
    expect(bytes(o, 'activations', 'read')).toBe(2 * (t.size('query') + t.size('fresh')))
    expect(bytes(o, 'activations', 'write')).toBe(2 * t.size('output'))
    // Five vector operations per score and one division per output.
    expect(o.vector).toBeCloseTo(5 * scores + t.size('output'), 6)
  })

  it('reads a shared past once and computes it for everyone', () => {
    const d = deploy(architecture([[attention()]]))
    const shared = find(pass(d, workload.tree(2, 8, 50, 5)), 'attention')
    const apart = find(pass(d, workload.decode(16, 55)), 'attention')
    const row = 2 * 2 * 3 * 2
    expect(bytes(shared, 'kv', 'read')).toBe((2 * 50 + 16 * 5) * row)
    expect(bytes(apart, 'kv', 'read')).toBe(16 * 55 * row)
    expect(shared.matrix).toBe(apart.matrix)
  })

  it('passes scores through memory where it is not fused', () => {
    const d = deploy(architecture([[attention()]]), { fusion: 'unfused' })
    const operators = pass(d, workload.prefill(2, 6))
    const scores = 2 * 4 * 6 * 6
    expect(bytes(find(operators, 'attention-scores'), 'activations', 'write')).toBe(2 * scores)
    expect(bytes(find(operators, 'attention-softmax'), 'activations', 'read')).toBe(2 * scores)
    expect(bytes(find(operators, 'attention-values'), 'activations', 'read')).toBe(2 * (scores + 2 * 6 * 2 * 3))
    expect(find(operators, 'attention-scores').matrix).toBe(2 * scores * 3)
  })

  it('sees both ways in an encoder and keeps nothing', () => {
    const a = attention({ causal: false, kvHeads: 4 })
    const d = deploy(architecture([[a]]))
    const operators = pass(d, workload.prefill(2, 5))
    expect(find(operators, 'attention').matrix).toBe(2 * naiveAttention(a, 2, 0, 5).macs)
    expect(operators.some((o) => o.streams.some((s) => s.owner === 'kv' && s.way === 'write'))).toBe(false)
  })

  it('writes cross keys and values once and reads them every step', () => {
    const cross = attention({ name: 'cross', causal: false, source: { width: 8 }, kvHeads: 4 })
    const d = deploy(architecture([[cross]]))
    const row = 2 * 4 * 3 * 2
    const prompt = pass(d, workload.prefill(2, 3, 0, 10))
    const step = pass(d, workload.decode(2, 3, 10))
    expect(bytes(find(prompt, 'cross-kv-write'), 'kv', 'write')).toBe(2 * 10 * row)
    expect(find(prompt, 'cross-kv').matrix).toBe(2 * (2 * 10) * 8 * (2 * 4 * 3))
    expect(bytes(find(prompt, 'cross'), 'kv', 'read')).toBe(0)
    expect(step.some((o) => o.name === 'cross-kv')).toBe(false)
    expect(bytes(find(step, 'cross'), 'kv', 'read')).toBe(2 * 10 * row)
    expect(find(step, 'cross').matrix).toBe(2 * 2 * 10 * 4 * (3 + 3))
    // A later chunk of the prompt finds them written.
    const later = pass(d, workload.prefill(2, 3, 5, 10))
    expect(later.some((o) => o.name === 'cross-kv')).toBe(false)
    expect(bytes(find(later, 'cross'), 'kv', 'read')).toBe(2 * 10 * row)
  })
})

/** A matrix product by loops, with the bytes of each operand. */
function naiveProduct(m: number, n: number, k: number) {
  const t = new Touched()
  let macs = 0
  for (let i = 0; i < m; i++)
    for (let j = 0; j < n; j++)
      for (let l = 0; l < k; l++) {
        macs++
        t.touch('weights', j, l)
        t.touch('input', i, l)
        t.touch('output', i, j)
      }
  return { macs, t }
}

describe('products count what a loop counts', () => {
  const ffn = { kind: 'ffn', name: 'mlp', width: 8, hidden: 12, gated: true, bias: true, activation: 'silu' } as const
  it('gated feed-forward', () => {
    const operators = pass(deploy(architecture([[ffn]])), workload.decode(5, 3))
    const up = naiveProduct(5, 24, 8)
    const down = naiveProduct(5, 8, 12)
    for (const [name, naive, bias] of [
      ['mlp-up', up, 24],
      ['mlp-down', down, 8],
    ] as const) {
      const o = find(operators, name)
      expect(o.matrix).toBe(2 * naive.macs)
      expect(bytes(o, 'weights', 'read')).toBe(2 * (naive.t.size('weights') + bias))
      expect(bytes(o, 'activations', 'read')).toBe(2 * naive.t.size('input'))
      expect(bytes(o, 'activations', 'write')).toBe(2 * naive.t.size('output'))
    }
    // Gate and up are read, their product is written: SiLU is 4 operations, the product one.
    const act = find(operators, 'mlp-activation')
    expect([bytes(act, 'activations', 'read'), bytes(act, 'activations', 'write'), act.vector]).toEqual([
      2 * 5 * 24,
      2 * 5 * 12,
      5 * 5 * 12,
    ])
  })

  it('reads weights as they are stored and computes in the activations', () => {
    const int4 = { ...format('int4'), group: 5, groupBits: 20 }
    const operators = pass(deploy(architecture([[ffn]]), { weights: int4 }), workload.decode(5, 3))
    const up = find(operators, 'mlp-up')
    // 24 rows of 8 codes: two groups each, 20 bits a group; bias in fp16.
    const [stream] = up.streams
    expect(stream).toMatchObject({ bytes: 96 + 120 + 48, metadata: 120, codes: 192, codec: 'affine' })
    expect(up.unit).toBe('fp16')
  })

  it('merges what stays together: one operator with a count for identical layers', () => {
    const operators = pass(deploy(architecture(Array.from({ length: 9 }, () => [ffn]))), workload.decode(1, 1))
    expect(operators.map((o) => [o.name, o.count, o.layers])).toEqual([
      ['mlp-up', 9, '0-8'],
      ['mlp-activation', 9, '0-8'],
      ['mlp-down', 9, '0-8'],
    ])
  })
})

describe('edges', () => {
  const embedding = {
    kind: 'embedding',
    name: 'embedding',
    tables: [
      { name: 'token', rows: 100, width: 8, lookups: 1 },
      { name: 'position', rows: 50, width: 8, lookups: 1 },
      { name: 'bias', rows: 32, width: 4, lookups: 0 },
    ],
  } as const
  const head = { kind: 'head', name: 'lm-head', width: 8, vocabulary: 100, tied: true, bias: false } as const
  const base = architecture([[attention()]])
  const [stack] = base.stacks
  const whole = { ...base, stacks: [{ ...stack, input: [embedding], output: [head] }] } as typeof base

  it('gathers rows, not tables', () => {
    const o = find(pass(deploy(whole), workload.prefill(2, 6)), 'embedding')
    expect(bytes(o, 'weights', 'read')).toBe(2 * 12 * 8 * 2)
    expect(bytes(o, 'activations', 'write')).toBe(2 * 12 * 8)
  })
  it('takes the head for the last position of a prompt, for all in verification, for none in a first chunk', () => {
    const rows = (w: workload.Workload) => pass(deploy(whole), w).find((o) => o.name === 'lm-head')?.shape
    expect(rows(workload.prefill(2, 6))).toMatchObject({ m: 2, n: 100, k: 8 })
    expect(rows(workload.verify(2, 6, 4))).toMatchObject({ m: 8 })
    expect(rows(workload.chunk(2, 6, 0, false))).toBeUndefined()
  })
})

describe('a mixed pass', () => {
  const layers = [
    [attention(), { kind: 'ffn', name: 'mlp', width: 8, hidden: 12, gated: false, bias: false, activation: 'relu' }],
  ] as const
  const d = deploy(architecture(layers))
  it('does the attention of its parts and reads weights once', () => {
    const parts = [workload.decode(3, 20), workload.chunk(1, 8, 4, true)]
    const together = pass(d, workload.mixed(...parts))
    const apart = parts.map((w) => pass(d, w))
    const sum = (name: string, f: (o: Operator) => number) => apart.reduce((n, p) => n + f(find(p, name)), 0)
    expect(find(together, 'attention').matrix).toBe(sum('attention', (o) => o.matrix))
    expect(operatorBytes(find(together, 'attention'))).toBe(sum('attention', operatorBytes))
    expect(find(together, 'mlp-up').matrix).toBe(sum('mlp-up', (o) => o.matrix))
    expect(bytes(find(together, 'mlp-up'), 'weights', 'read')).toBe(2 * 8 * 12)
  })
  it('does not mix stacks', () => {
    expect(() => workload.mixed(workload.decode(1, 1), workload.encode(1, 1))).toThrow('one stack')
  })
})
