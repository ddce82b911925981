// Latent attention, recurrent layers, mixtures of experts, convolutions and collectives, each counted another way.
import { describe, expect, it } from 'vitest'
import type {
  Convolution,
  DeltaNet,
  LatentAttention,
  Mamba2,
  MixtureOfExperts,
  Module,
} from '../../model/architecture.ts'
import { deploy, devices } from '../../model/deployment.ts'
import { memory } from '../../model/memory.ts'
import { busiestLoad, distinctExperts } from '../../model/modules/feed-forward.ts'
import { addBytes, noBytes, type Operator } from '../../model/operator.ts'
import { parameters, weights } from '../../model/parameters.ts'
import { pass } from '../../model/pass.ts'
import * as workload from '../../model/workload.ts'
import { architecture, attention } from './tiny.ts'

function run(modules: readonly Module[], w: workload.Workload, options = {}) {
  const operators = pass(deploy(architecture([modules]), options), w)
  const named = (name: string): Operator => {
    const found = operators.find((o) => o.name === name)
    if (!found) throw new Error(`no ${name} in ${operators.map((o) => o.name).join(', ')}`)
    return found
  }
  return { operators, named, total: operators.reduce((sum, o) => addBytes(sum, o), noBytes()) }
}

const random = (seed: number) => () => {
  seed = (seed * 1664525 + 1013904223) % 2 ** 32
  return seed / 2 ** 32
}

describe('latent attention', () => {
  const mla: LatentAttention = {
    kind: 'latent-attention',
    name: 'mla',
    width: 16,
    heads: 4,
    queryRank: 6,
    kvRank: 8,
    nopeDim: 3,
    ropeDim: 2,
    valueDim: 3,
    bias: false,
  }
  it('decodes in the latent space: one row of rank and rotated key serves all heads as key and value', () => {
    const { named } = run([mla], workload.decode(2, 10))
    const attended = named('mla')
    let macs = 0
    for (let s = 0; s < 2; s++) for (let h = 0; h < 4; h++) for (let j = 0; j < 11; j++) macs += 8 + 2 + 8
    expect(attended.matrix).toBe(2 * macs)
    const kv = attended.streams.filter((s) => s.owner === 'kv').reduce((sum, s) => sum + s.bytes, 0)
    expect(kv).toBe(2 * 10 * (8 + 2) * 2)
    // The key's up-projection is applied to the query, the value's to the output: together they are one kv_b matrix.
    expect(named('mla-absorb-key').matrix).toBe(2 * 2 * 4 * 3 * 8)
    expect(named('mla-absorb-value').matrix).toBe(2 * 2 * 4 * 3 * 8)
  })
  it('expands latents to heads in a prompt, those of the past too', () => {
    const { named } = run([mla], workload.prefill(2, 5, 7))
    let macs = 0
    for (let s = 0; s < 2; s++)
      for (let h = 0; h < 4; h++) for (let i = 7; i < 12; i++) for (let j = 0; j <= i; j++) macs += 3 + 2 + 3
    expect(named('mla').matrix).toBe(2 * macs)
    expect(named('mla-expand').matrix).toBe(2 * (2 * 12) * 8 * (4 * 6))
  })
  it('reads every weight that it counts, once', () => {
    const { total } = run([mla], workload.prefill(1, 4))
    const matrices = weights(mla).filter((w) => w.role === 'attention')
    expect(total.weights).toBe(2 * matrices.reduce((sum, w) => sum + w.rows * w.columns, 0))
  })
  it('attends only the best tokens where there is an indexer, which reads all of its own rows', () => {
    const sparse = { ...mla, indexer: { heads: 2, headDim: 4, topk: 5 } }
    const { named } = run([sparse], workload.decode(2, 99))
    expect(named('mla').matrix).toBeCloseTo(2 * (2 * 4 * 5 * (10 + 8)))
    const rows = named('mla-index-scores').streams.filter((s) => s.owner === 'kv')
    expect(rows.reduce((sum, s) => sum + s.bytes, 0)).toBe(2 * 99 * 4 * 2)
    expect(named('mla-index-scores').matrix).toBe(2 * 2 * 100 * 2 * 4)
  })
})

describe('unfused latent attention', () => {
  it('reads the row for the scores, and the latent again for the values', () => {
    const mla = {
      kind: 'latent-attention',
      name: 'mla',
      width: 16,
      heads: 4,
      kvRank: 8,
      nopeDim: 3,
      ropeDim: 2,
      valueDim: 3,
      bias: false,
    } as const
    const { named } = run([mla], workload.decode(1, 10), { fusion: 'unfused' })
    const kv = (name: string) => named(name).streams.find((s) => s.owner === 'kv')?.bytes
    expect([kv('mla-scores'), kv('mla-values')]).toEqual([10 * 10 * 2, 10 * 8 * 2])
  })
})

describe('recurrent layers', () => {
  const mamba: Mamba2 = {
    kind: 'mamba2',
    name: 'mamba',
    width: 8,
    heads: 4,
    headDim: 3,
    state: 5,
    groups: 2,
    kernel: 4,
    convolutionBias: true,
    projectionBias: false,
    chunk: 16,
    stateFormat: 'fp32',
  }
  const delta: DeltaNet = {
    kind: 'delta-net',
    name: 'delta',
    width: 8,
    keyHeads: 2,
    valueHeads: 4,
    keyDim: 3,
    valueDim: 5,
    kernel: 4,
    chunk: 16,
    stateFormat: 'fp32',
  }
  it.each([
    // State elements; convolved channels.
    ['mamba', mamba, 4 * 3 * 5, 4 * 3 + 2 * 2 * 5],
    ['delta', delta, 4 * 3 * 5, 2 * 2 * 3 + 4 * 5],
  ] as const)('%s reads and writes its state every step, whatever the context', (name, m, state, channels) => {
    const at = (context: number) => run([m], workload.decode(3, context)).total
    const bytes = 3 * (state * 4 + channels * 3 * 2)
    expect(at(10)).toMatchObject({ kv_read: bytes, kv_written: bytes })
    expect(at(100_000)).toEqual(at(10))
    const flops = run([m], workload.decode(3, 10)).named(`${name}-state`).vector
    let counted = 0
    for (let s = 0; s < 3; s++) for (let e = 0; e < state; e++) counted += name === 'mamba' ? 5 : 7
    expect(flops).toBe(counted)
  })
  it.each([
    ['mamba', mamba],
    ['delta', delta],
  ] as const)('%s scans a prompt in chunks with matrix work', (name, m) => {
    // One chunk of 6 tokens, product by product: (rows, contracted, columns) of each small matrix.
    const q = 6
    const products =
      m.kind === 'mamba2'
        ? [
            ...Array(m.groups).fill([q, m.state, q]),
            ...Array(m.heads).fill([q, q, m.headDim]),
            ...Array(2 * m.heads).fill([q, m.state, m.headDim]),
          ]
        : Array(m.valueHeads)
            .fill([
              ...Array(2).fill([q, m.keyDim, q]),
              [q, q, m.keyDim],
              ...Array(2).fill([q, q, m.valueDim]),
              ...Array(3).fill([q, m.keyDim, m.valueDim]),
            ])
            .flat()
    let macs = 0
    for (const [i, j, k] of products) for (let a = 0; a < i * j * k; a++) macs++
    // Forward substitution of a triangular q × q system against the identity: a third of a product.
    const substitution = m.kind === 'mamba2' ? 0 : (m.valueHeads * q ** 3) / 3
    expect(run([m], workload.prefill(1, q)).named(`${name}-state`).matrix).toBeCloseTo(2 * macs + substitution, 6)
  })
  it('begins a prompt with no state to read', () => {
    const { total } = run([mamba], workload.prefill(3, 20))
    expect(total.kv_read).toBe(0)
    expect(total.kv_written).toBe(3 * (60 * 4 + 32 * 3 * 2))
  })
  it('holds the state and no rows', () => {
    const d = deploy(architecture([[mamba]]))
    const held = (context: number) => {
      const w = workload.decode(3, context)
      return memory(d, w, pass(d, w)).kv
    }
    expect(held(10)).toBe(3 * (60 * 4 + 32 * 3 * 2))
    expect(held(1e6)).toBe(held(10))
  })
})

describe('mixtures of experts', () => {
  const moe: MixtureOfExperts = {
    kind: 'moe',
    name: 'moe',
    width: 8,
    hidden: 6,
    experts: 16,
    active: 2,
    gated: true,
    bias: false,
    routerExtra: 0,
    activation: 'silu',
    shared: { hidden: 10, gate: false },
  }
  it('expects the distinct experts that drawing them gives', () => {
    const next = random(7)
    for (const tokens of [1, 3, 10, 40]) {
      let seen = 0
      const trials = 20_000
      for (let t = 0; t < trials; t++) {
        const taken = new Set<number>()
        for (let i = 0; i < tokens; i++) {
          const first = Math.floor(next() * 16)
          taken.add(first).add((first + 1 + Math.floor(next() * 15)) % 16)
        }
        seen += taken.size
      }
      expect(distinctExperts(16, 2, tokens)).toBeCloseTo(seen / trials, 1)
    }
    expect(distinctExperts(16, 2, 1)).toBe(2)
    expect(distinctExperts(16, 16, 1)).toBe(16)
  })
  it('computes exactly the active experts and reads the distinct ones', () => {
    for (const tokens of [1, 5, 300]) {
      const { named } = run([moe], workload.decode(tokens, 4))
      const up = named('moe-up')
      expect(up.matrix).toBeCloseTo(2 * tokens * 2 * (2 * 6) * 8)
      const weightBytes = up.streams[0]?.bytes
      expect(weightBytes).toBeCloseTo(distinctExperts(16, 2, tokens) * 12 * 8 * 2)
    }
    expect(run([moe], workload.decode(1, 4)).named('moe-shared-up').matrix).toBe(2 * 20 * 8)
  })
  it('loads the busiest rank as drawing does', () => {
    const next = random(11)
    for (const [assignments, ranks] of [
      [8, 8],
      [64, 8],
      [5000, 8],
      [100_000, 16],
    ] as const) {
      let sum = 0
      const trials = assignments > 1000 ? 300 : 20_000
      for (let t = 0; t < trials; t++) {
        const load = new Array<number>(ranks).fill(0)
        for (let i = 0; i < assignments; i++) {
          const rank = Math.floor(next() * ranks)
          load[rank] = (load[rank] ?? 0) + 1
        }
        sum += Math.max(...load)
      }
      const expected = sum / trials
      expect(Math.abs(busiestLoad(assignments, ranks) / expected - 1)).toBeLessThan(0.04)
    }
    expect(busiestLoad(10, 1)).toBe(10)
  })
  it('loads more with more, without a jump', () => {
    for (let mean = 1; mean < 2000; mean += 3) {
      const [less, more] = [busiestLoad(8 * mean, 8), busiestLoad(8 * (mean + 1), 8)]
      expect(less).toBeGreaterThanOrEqual(mean)
      expect(more).toBeGreaterThan(less)
      expect(more / less).toBeLessThan(1.02 + 1.5 / mean)
    }
  })
  it('gives each replica whole sequences, and the experts all tokens', () => {
    const layers = [attention(), moe]
    const at = (batch: number) => {
      const d = deploy(architecture([layers]), { parallel: { expert: 4 } })
      const w = workload.decode(batch, 20)
      const operators = pass(d, w)
      const kv = operators.reduce((sum, o) => addBytes(sum, o), noBytes()).kv_read
      const experts = operators.find((o) => o.name === 'moe-up')?.matrix ?? 0
      return { kv, experts, held: memory(d, w, operators).kv }
    }
    const row = 2 * 2 * 3 * 2
    expect(at(1)).toMatchObject({ kv: 20 * row, held: 21 * row })
    expect(at(4)).toMatchObject({ kv: 20 * row, held: 21 * row })
    expect(at(5)).toMatchObject({ kv: 2 * 20 * row, held: 2 * 21 * row })
    expect(at(4).experts).toBeGreaterThan(at(1).experts)
    // A prefix that sixteen leaves share is read by each of four replicas whole.
    const tree = run(layers, workload.tree(1, 16, 100, 5), { parallel: { expert: 4 } })
    expect(tree.total.kv_read).toBe((100 + 4 * 5) * row)
  })
  it('spreads experts over ranks, and tokens travel where attention is data-parallel', () => {
    const own = run([moe], workload.decode(64, 4), { parallel: { tensor: 1, expert: 4 } })
    expect(own.named('moe-dispatch').shape).toMatchObject({ type: 'all-to-all', devices: 4, message: 16 * 2 * 8 * 2 })
    expect(devices(deploy(architecture([[moe]]), { parallel: { expert: 4 } }))).toBe(4)
    const together = run([moe, attention()], workload.decode(64, 4), { parallel: { tensor: 2, expert: 2 } })
    expect(together.operators.some((o) => o.name === 'moe-dispatch')).toBe(false)
    expect(together.named('moe-all-reduce').shape).toMatchObject({
      type: 'all-reduce',
      devices: 2,
      message: 64 * 8 * 2,
    })
  })
})

describe('convolutions', () => {
  it.each([
    ['dense', 1],
    ['grouped', 2],
  ] as const)('%s', (_, groups) => {
    const conv: Convolution = {
      kind: 'convolution',
      name: 'conv',
      channels: { input: 4, output: 6 },
      kernel: [3, 2],
      groups,
      bias: true,
      inputPerToken: 2,
      outputPerToken: 1,
    }
    let macs = 0
    for (let o = 0; o < 5; o++)
      for (let c = 0; c < 6; c++) for (let i = 0; i < 4 / groups; i++) for (let k = 0; k < 3 * 2; k++) macs++
    const { named } = run([conv], workload.prefill(1, 5))
    const o = named('conv')
    expect(o.matrix + o.vector).toBe(2 * macs)
    expect(o.streams.map((s) => s.bytes)).toEqual([2 * (6 * (4 / groups) * 6 + 6), 2 * 10 * 4, 2 * 5 * 6])
  })
})

describe('tensor parallelism', () => {
  const ffn = { kind: 'ffn', name: 'mlp', width: 8, hidden: 12, gated: true, bias: false, activation: 'silu' } as const
  const layers = [attention({ kvHeads: 2 }), ffn]
  it('cuts weights, FLOPs and cache, and sums the results twice a layer', () => {
    const one = run(layers, workload.decode(3, 20))
    const two = run(layers, workload.decode(3, 20), { parallel: { tensor: 2 } })
    expect(two.total.weights).toBe(one.total.weights / 2)
    expect(two.total.kv_read).toBe(one.total.kv_read / 2)
    const reduces = two.operators.filter((o) => o.shape.kind === 'collective')
    expect(reduces.map((o) => o.shape)).toEqual(
      Array(2).fill({ kind: 'collective', type: 'all-reduce', devices: 2, message: 3 * 8 * 2 }),
    )
  })
  it('copies key and value heads where there are more ranks than heads', () => {
    const d = { parallel: { tensor: 4 } }
    expect(run(layers, workload.decode(3, 20), d).total.kv_read).toBe(
      run(layers, workload.decode(3, 20)).total.kv_read / 2,
    )
    const w = workload.decode(1, 1)
    const deployment = deploy(architecture([layers]), d)
    // Per rank: 1 of 4 query heads, 1 of 2 KV heads (copied), a quarter of the output and of the FFN.
    const held = 2 * (8 * 3 + 2 * 8 * 3 + 8 * 3 + (3 * 8 * 12) / 4)
    expect(memory(deployment, w, pass(deployment, w)).weights).toBe(held)
  })
  it.each([
    [{ tensor: -2 }, /tp: expected a whole number from 1, got -2/],
    [{ tensor: 0.5 }, /tp: expected a whole number/],
    [{ pipeline: 0 }, /pp: expected a whole number/],
    [{ expert: 0 }, /ep: expected a whole number/],
    [{ tensor: 3 }, /tp: expected a divisor of the 4 heads/],
    [{ pipeline: 2 }, /pp: expected at most the 1 layers/],
    [{ expert: 2 }, /ep: tiny has no experts/],
  ])('refuses %j', (parallel, message) => {
    expect(() => deploy(architecture([layers]), { parallel })).toThrow(message)
  })
})

describe('memory', () => {
  it('is the parameters at their formats, and the rows that are held', () => {
    const ffn = { kind: 'ffn', name: 'mlp', width: 8, hidden: 12, gated: true, bias: true, activation: 'silu' } as const
    const layers = Array.from({ length: 5 }, () => [attention(), ffn])
    const a = architecture(layers)
    const d = deploy(a)
    const w = workload.decode(3, 20)
    const m = memory(d, w, pass(d, w))
    expect(m.weights).toBe(2 * parameters(a).total)
    expect(m.kv).toBe(3 * 21 * 5 * (2 * 2 * 3 * 2))
    // Two pages of 16 tokens for 21.
    expect(m.reserved).toBe(3 * 32 * 5 * (2 * 2 * 3 * 2))
    const staged = deploy(a, { parallel: { pipeline: 2 } })
    // The fuller of two stages has three of the five layers.
    expect(memory(staged, w, pass(staged, w)).weights).toBe((m.weights * 3) / 5)
  })
  it('forgets what a window forgets, but a paged engine does not', () => {
    const windowed = architecture([[attention({ reach: { kind: 'window', tokens: 8 } })], [attention()]])
    const d = deploy(windowed)
    const w = workload.decode(1, 63)
    const m = memory(d, w, pass(d, w))
    const row = 2 * 2 * 3 * 2
    expect(m.kv).toBe((8 + 64) * row)
    expect(m.reserved).toBe((64 + 64) * row)
  })
})
