import { describe, expect, it } from 'vitest'
import { loadMachine } from '../../hardware/catalog.ts'
import { profileOf } from '../../hardware/profile.ts'
import type { Architecture } from '../../model/architecture.ts'
import { loadModel } from '../../model/catalog.ts'
import { deploy } from '../../model/deployment.ts'
import { besideMemory, memory } from '../../model/memory.ts'
import { parseFormat } from '../../model/quantity.ts'
import { chunk, decode, mixed, type Workload } from '../../model/workload.ts'
import { estimate } from '../../simulate/estimate.ts'
import { parseMethod } from '../../simulate/method.ts'
import { type Prediction, predict } from '../../simulate/predict.ts'
import type { Query } from '../../simulate/query.ts'
import { constantRate } from '../../simulate/speculation/rate.ts'
import { later } from '../../simulate/strategies/groups.ts'
import { speculative } from '../../simulate/strategies/speculative.ts'

const [h100, a6000, t4] = await Promise.all(['h100-sxm', 'rtx-a6000', 't4'].map((name) => loadMachine(name)))
const [llama, small, llama2] = await Promise.all(
  ['llama-3.1-8b', 'llama-3.2-1b', 'llama-2-7b-32k'].map((n) => loadModel(n)),
)

async function ask(query: Partial<Query>, ...texts: string[]): Promise<Prediction> {
  const methods = await Promise.all(texts.map((text) => parseMethod(text)))
  return predict({ architecture: llama as Architecture, machine: h100 as never, context: 4096, ...query, methods })
}

const stepOf = (p: Prediction, step: string) => p.operators.filter((o) => o.step === step)
const sum = (rows: Prediction['operators'], of: (o: Prediction['operators'][number]) => number) =>
  rows.reduce((total, o) => total + of(o), 0)

describe('a draft model', () => {
  const draft = 'draft:model=llama-3.2-1b'

  it('is plain decoding where nothing is drafted', async () => {
    const p = await ask({}, `${draft},alpha=0.8,gamma=0`)
    const plain = await ask({})
    expect(p.speedup).toEqual({ bound: 1, expected: 1 })
    expect(p.operators).toEqual(plain.operators)
    expect(p.memory).toEqual(plain.memory)
  })
  it('yields gamma + 1 tokens where all are accepted, and one where none is', async () => {
    expect((await ask({}, `${draft},alpha=1,gamma=5`)).tokens_per_round).toBe(6)
    expect((await ask({}, `${draft},alpha=0,gamma=5`)).tokens_per_round).toBe(1)
  })
  it('echoes both rates: the same 0.9 is two things', async () => {
    const alpha = await ask({}, `${draft},alpha=0.9,gamma=6`)
    const accepted = await ask({}, `${draft},accepted=0.9,gamma=6`)
    expect(alpha.tokens_per_round).toBeCloseTo(5.217, 3)
    expect(accepted.tokens_per_round).toBeCloseTo(6.4, 9)
    expect(alpha.methods[0]?.options).toMatchObject({ gamma: 6, alpha: 0.9, accepted: expect.closeTo(0.7028, 4) })
    expect(accepted.methods[0]?.options).toMatchObject({ gamma: 6, accepted: 0.9, alpha: expect.closeTo(0.97, 4) })
  })
  it('is gamma draft steps and one check, and both models are held', async () => {
    const gamma = 4
    const p = await ask({}, `${draft},alpha=0.8,gamma=${gamma}`)
    const alone = await ask({ architecture: small as Architecture, context: 4096 })
    const target = await ask({})
    // Weights: the draft's four times, the target's once. Rows: the drafts' of growing pasts; the target's once.
    // The check gathers gamma embeddings more.
    expect(p.bytes.weights).toBe(gamma * alone.bytes.weights + target.bytes.weights + gamma * 4096 * 2)
    const row = 16 * 2 * 8 * 64 * 2
    const drafted = [0, 1, 2, 3].reduce((n, i) => n + (4096 + i) * row, 0)
    expect(p.bytes.kv_read).toBeCloseTo(drafted + target.bytes.kv_read, 0)
    expect(p.bytes.kv_written).toBe(gamma * row + (gamma + 1) * 32 * 2 * 8 * 128 * 2)
    expect(p.memory.weights).toBe(target.memory.weights + alone.memory.weights)
    expect(p.memory.kv).toBe((4096 + gamma + 1) * (row + 32 * 2 * 8 * 128 * 2))
    expect(p.tokens_per_s).toBeCloseTo((p.tokens_per_round ?? 0) / p.expected_s, 6)
    expect(p.time_per_output_token_s).toBeCloseTo(p.expected_s / (p.tokens_per_round ?? 0), 12)
  })
  it('shares its target’s weights where it is the same model', async () => {
    const p = await ask({}, 'draft:model=llama-3.1-8b,alpha=0.9,gamma=2')
    expect(p.memory.weights).toBe((await ask({})).memory.weights)
    expect(p.warnings.join()).toMatch(/not smaller than its target/)
    const int4 = await ask({}, 'draft:model=llama-3.1-8b,alpha=0.9,gamma=2,weights=int4')
    expect(int4.memory.weights).toBeGreaterThan(p.memory.weights)
    expect(int4.memory.weights).toBeLessThan(1.4 * p.memory.weights)
  })
  it('chooses the gamma of the fewest seconds per token, and says so', async () => {
    const chosen = await ask({}, `${draft},alpha=0.8`)
    const times = await Promise.all(
      Array.from(
        { length: 12 },
        async (_, gamma) => (await ask({}, `${draft},alpha=0.8,gamma=${gamma}`)).time_per_output_token_s,
      ),
    )
    const best = times.indexOf(times.reduce((a, b) => ((b ?? 1) < (a ?? 1) ? b : a), times[0] ?? 1))
    expect(chosen.methods[0]?.options.gamma).toBe(best)
    expect(chosen.warnings.join()).toMatch(new RegExp(`gamma ${best} was chosen`))
    const hopeless = await ask({}, `${draft},alpha=0.01`)
    expect(hopeless.methods[0]?.options.gamma).toBe(0)
    expect(hopeless.warnings.join()).toMatch(/no number of drafted tokens gains/)
  })
  it('takes rates by context, and says where none is known', async () => {
    const p = await ask({}, `${draft},gamma=4,alpha=2k:0.9/8k:0.7`)
    expect(p.methods[0]?.options.alpha).toBeCloseTo(0.8, 6)
    expect((await ask({ context: 16384 }, `${draft},gamma=4,alpha=2k:0.9/8k:0.7`)).warnings.join()).toMatch(
      /nearest stands for it/,
    )
  })
  it('adds its own prompt to the first token, and rounds to a generation', async () => {
    const one = await ask({ phase: 'prefill', context: 1000 })
    const own = await ask({ architecture: small as Architecture, phase: 'prefill', context: 1000 })
    const both = await ask({ phase: 'prefill', context: 1000 }, `${draft},alpha=0.8,gamma=4`)
    expect(both.expected_s).toBeCloseTo(one.expected_s + own.expected_s, 9)
    const whole = await ask({ context: 1000, newTokens: 41 }, `${draft},alpha=1,gamma=4`)
    // Forty tokens behind the first, each a fifth of a round at its place.
    let bound = both.bound_s
    for (let i = 0; i < 40; i++) {
      const at = await ask({ context: 1000 + i }, `${draft},alpha=1,gamma=4`)
      bound += at.bound_s / 5
    }
    expect(whole.total?.bound_s).toBeCloseTo(bound, 9)
    expect(whole.time_to_first_token_s).toBeCloseTo(both.expected_s, 9)
  })
  it.each([
    [`${draft}`, /expected one of alpha, accepted and trace, got none/],
    [`${draft},alpha=0.8,accepted=0.7`, /got alpha and accepted/],
    [`${draft},alpha=1.2`, /probability from 0 to 1, got 1.2/],
    [`${draft},alpha=x`, /expected a rate such as 0.8/],
    [`${draft},alpha=0.5,gamma=1001`, /whole gamma from 0 to 1000, got 1001/],
    [`${draft},alpha=0.5,gamma=1.5`, /whole gamma/],
    ['draft:model=llama-2-7b,alpha=0.5', /expected the vocabulary of llama-3.1-8b/],
    ['draft:model=t5-small,alpha=0.5', /same kind as llama-3.1-8b \(decoder\), got t5-small/],
    ['draft:model=lama-3.2-1b,alpha=0.5', /nearest|lama-3.2-1b/],
    ['draft:alpha=0.5', /expected model=MODEL/],
    [`${draft},alpha=0.5,weights=int5`, /weights: expected a format/],
    [`${draft},alpha=0.5,tp=3`, /with draft: tp: expected a divisor/],
  ])('refuses %s', async (text, message) => {
    await expect(ask({}, text)).rejects.toThrow(message)
  })
  it('keeps its own copy of the same weights where it is cut otherwise', async () => {
    const two = { deployment: { parallel: { tensor: 2 } } }
    const same = await ask(two, 'draft:model=llama-3.1-8b,alpha=0.9,gamma=2')
    const whole = await ask(two, 'draft:model=llama-3.1-8b,alpha=0.9,gamma=2,tp=1')
    expect(whole.memory.weights).toBe(same.memory.weights + (await ask({})).memory.weights)
    const staged = await ask({ deployment: { parallel: { pipeline: 2 } } }, `${draft},alpha=0.9,gamma=2`)
    expect(staged.warnings.join()).toMatch(/llama-3.2-1b is cut by its tp alone, --pp/)
  })
  it('is chosen in a prefill for the tokens that follow it', async () => {
    const decoding = await ask({ newTokens: 50 }, `${draft},alpha=2k:0.9/8k:0.7`)
    const prompt = await ask({ newTokens: 50, phase: 'prefill' }, `${draft},alpha=2k:0.9/8k:0.7`)
    expect(prompt.methods).toEqual(decoding.methods)
    expect(prompt.total).toEqual(decoding.total)
    expect(prompt.warnings.join()).not.toMatch(/no rate is given/)
    const share = await ask({ phase: 'prefill' }, 'sparse-draft:alpha=0.8,gamma=2,budget=0.25')
    expect(share.memory.kv).toBe(1.25 * (await ask({ phase: 'prefill' })).memory.kv)
  })
  it('echoes a rate as a number where nothing is drafted', async () => {
    expect((await ask({}, `${draft},alpha=.9,gamma=0`)).methods[0]?.options).toMatchObject({ alpha: 0.9, gamma: 0 })
    expect((await ask({}, `${draft},accepted=0.9,gamma=0`)).methods[0]?.options).not.toHaveProperty('alpha')
  })
  it('says what a share of accepted tokens leaves open where gamma is chosen', async () => {
    const p = await ask({}, `${draft},accepted=0.9`)
    expect(p.warnings.join()).toMatch(/share at one gamma/)
    expect((await ask({}, `${draft},accepted=0.9,gamma=4`)).warnings.join()).not.toMatch(/share at one gamma/)
    const certain = await ask({}, `${draft},alpha=1`)
    expect(certain.methods[0]?.options.gamma).toBe(64)
    expect(certain.warnings.join()).toMatch(/gamma 64 is the largest that could be tried/)
  })
  it('is chosen among what the cache can take back', async () => {
    const p = await ask({}, `${draft},alpha=0.99`, 'kivi:group=4,residual=4')
    expect(p.methods[0]?.options.gamma).toBe(3)
    const groups = await ask({}, 'quantspec:alpha=0.99,group=4')
    expect(groups.methods[0]?.options.gamma).toBeLessThanOrEqual(3)
  })
  it('takes gamma 1 and 1000', async () => {
    expect((await ask({}, `${draft},alpha=0.5,gamma=1`)).tokens_per_round).toBe(1.5)
    const long = await ask({}, `${draft},alpha=0.5,gamma=1000`)
    expect(long.tokens_per_round).toBeCloseTo(2, 12)
    expect(long.speedup?.expected).toBeLessThan(0.01)
  })
})

describe('strategies compose', () => {
  it('KVQuant × Squeezed Attention × 4-bit weights × two devices × a draft, by hand', async () => {
    const context = 65536
    const gamma = 3
    const p = await ask(
      { context, deployment: { weights: parseFormat('int4'), parallel: { tensor: 2 } } },
      'kvquant:bits=3,outliers=0.01,sink=1',
      'squeezed:sparsity=0.9,clusters=0.05',
      `draft:model=llama-3.2-1b,alpha=0.8,gamma=${gamma}`,
    )
    // One rank. Target: 32 layers, 4 key heads of 128; draft: 16 layers, 4 of 64, dense.
    const d = 4 * 128
    const clustered = context - 1 - 100
    const code = (d * 3 + 0.01 * d * 16) / 8
    const verified = 32 * ((clustered * 0.1 + 100) * 2 * code + 2 * d * 2 + 2 * Math.floor(0.05 * clustered) * d * 2)
    const drafted = 16 * 2 * 4 * 64 * 2 * (gamma * context + 0 + 1 + 2)
    expect(sum(stepOf(p, 'verify'), (o) => o.bytes.kv_read)).toBeCloseTo(verified, -1)
    expect(sum(stepOf(p, 'draft'), (o) => o.bytes.kv_read)).toBeCloseTo(drafted, -1)
    expect(p.bytes.kv_read).toBeCloseTo(verified + drafted, -1)
    // The draft keeps its weights in 16 bits; the target's linear layers are 4 bits with 16 per 128.
    const oneB = await ask({ architecture: small as Architecture, context, deployment: { parallel: { tensor: 2 } } })
    const eightB = await ask({ context, deployment: { weights: parseFormat('int4'), parallel: { tensor: 2 } } })
    expect(p.bytes.weights).toBeCloseTo(gamma * oneB.bytes.weights + eightB.bytes.weights + gamma * 4096, 0)
    expect(p.memory.weights).toBe(oneB.memory.weights + eightB.memory.weights)
    expect(p.workload.devices).toBe(2)
  })

  it('refuses two stores and two ways to decode', async () => {
    await expect(ask({}, 'kvquant', 'quantspec:accepted=0.9')).rejects.toThrow(
      /kvquant 4-bit and quantspec 4\+4-bit are both ways to keep/,
    )
    await expect(ask({}, 'draft:model=llama-3.2-1b,alpha=0.5', 'sparse-draft:alpha=0.5')).rejects.toThrow(
      /draft and sparse-draft are both ways to decode/,
    )
    await expect(ask({}, 'kivi:residual=4', 'draft:model=llama-3.2-1b,alpha=0.5,gamma=4')).rejects.toThrow(
      /can take back only what waits in its residual/,
    )
  })

  it('QuantSpec for 32 sequences on a model with windows, by hand', async () => {
    const gemma = await loadModel('gemma-3-4b')
    const context = 40_000
    const gamma = 4
    const p = await ask({ architecture: gemma, context, batch: 32 }, `quantspec:gamma=${gamma},accepted=0.9`)
    const modules = gemma.stacks[0]?.groups.flatMap((g) => g.layers.flatMap(() => g.modules)) ?? []
    const layers = modules.filter((m) => m.kind === 'attention')
    const windows = layers.filter((m) => m.kind === 'attention' && m.reach.kind === 'window').length
    const attention = layers[0]
    if (attention?.kind !== 'attention' || attention.reach.kind !== 'window') throw new Error('expected windows first')
    const d = attention.kvHeads * attention.headDim
    const wide = 2 * d * 2
    const upper = 2 * d * 0.5
    // A draft step at the past L + 1.5 reads 192 rows as they are, the others in 4 bits.
    const past = context + (gamma - 1) / 2
    const read = (rows: number) => (rows - 192) * upper + 192 * wide
    const drafted = gamma * 32 * ((layers.length - windows) * read(past) + windows * read(attention.reach.tokens - 1))
    expect(sum(stepOf(p, 'draft'), (o) => o.bytes.kv_read)).toBeCloseTo(drafted, -3)
    // A full layer holds all in 8 bits but 192, and room for 257; a window as many more as can be taken back.
    const row = 2 * d + scales(d, attention.headDim)
    const held = (rows: number) => (rows - 192) * row + 257 * wide
    const kv =
      32 * ((layers.length - windows) * held(context + gamma + 1) + windows * held(attention.reach.tokens + gamma))
    expect(p.memory.kv).toBeCloseTo(kv, -4)
  })

  /** Scales of a row in two planes: keys a 128th of 4 bytes per channel, values 4 bytes per 128 channels of a head. */
  function scales(d: number, headDim: number): number {
    return (4 * d) / 128 + 4 * (d / headDim) * Math.ceil(headDim / 128)
  }

  it('a ragged batch in which one sequence is still prefilling', () => {
    const target = deploy(llama as Architecture)
    const draft = deploy(small as Architecture)
    const strategy = speculative({
      gamma: 3,
      rate: constantRate('alpha', 0.7),
      draft: () => draft,
      cache: 'rows',
      prefills: true,
    })
    const workload = mixed(decode(4, 1000), decode(2, 50), chunk(1, 512, 256, false))
    const round = strategy(target, workload)
    expect(round.steps.map((s) => [s.name, s.times])).toEqual([
      ['draft prefill', 1],
      ['draft', 3],
      ['verify', 1],
    ])
    const [prefill, drafts, verify] = round.steps.map((s) => s.workload.groups)
    expect(prefill).toEqual(chunk(1, 512, 256, false).groups)
    expect(drafts?.map((g) => [g.sequences, g.query, g.past[0]?.tokens])).toEqual([
      [4, 1, 1001],
      [2, 1, 51],
    ])
    expect(verify?.map((g) => [g.sequences, g.query, g.logits, g.revocable])).toEqual([
      [4, 4, 4, true],
      [2, 4, 4, true],
      [1, 512, 0, undefined],
    ])
    expect(round.tokens).toBeCloseTo(1 + 0.7 + 0.49 + 0.343, 12)
    // Weights are read once per pass, whatever the batch is made of.
    const e = estimate(round.steps, profileOf(h100 as never))
    const alone = estimate(strategy(target, decode(4, 1000)).steps, profileOf(h100 as never))
    expect(e.bytes.weights - alone.bytes.weights).toBeLessThan(0.2 * alone.bytes.weights)
  })

  it('T5 with its cross attention under BiLD, by hand', async () => {
    const t5 = await loadModel('t5-large')
    const p = await ask(
      { architecture: t5, machine: t4 as never, context: 30, source: 512 },
      'bild:small=t5-small,unsure=0.5,rejected=0,window=2',
    )
    // One, two or no small tokens: 0 with 1/2, 1 with 1/4, 2 with 1/4; steps 1, 2, 2.
    expect(p.tokens_per_round).toBeCloseTo(1 + 0.25 + 0.5, 12)
    expect(stepOf(p, 'small')[0]?.times).toBeCloseTo(0.5 + 0.5 + 0.5, 12)
    expect(stepOf(p, 'large')[0]?.times).toBeCloseTo(1, 12)
    expect(stepOf(p, 'large after rollback')).toEqual([])
    // Cross rows: 24 layers of 16 heads of 64, in fp32, once per large pass whatever it checks.
    const cross = stepOf(p, 'large').find((o) => o.name === 'cross-attention')
    expect(cross?.bytes.kv_read).toBe(24 * 2 * 1024 * 4 * 512)
    const own = stepOf(p, 'small').find((o) => o.name === 'cross-attention')
    expect(own?.bytes.kv_read).toBeCloseTo(1.5 * 6 * 2 * 512 * 4 * 512, 6)
    const start = await ask(
      { architecture: t5, machine: t4 as never, phase: 'prefill', context: 1, source: 512 },
      'bild:small=t5-small,unsure=0.5,rejected=0',
    )
    const alone = await ask({ architecture: t5, machine: t4 as never, phase: 'prefill', context: 1, source: 512 })
    expect(start.time_to_first_token_s).toBeGreaterThan(alone.time_to_first_token_s ?? 0)
  })

  it('recurrent layers keep a state after every token that may be taken back', async () => {
    const hybrid = await loadModel('qwen3.5-35b-a3b')
    const deployment = deploy(hybrid)
    const at = (query: number): Workload => ({
      stack: 'decoder',
      groups: decode(1, 1000).groups.map((g) => ({
        ...g,
        query,
        logits: query,
        ...(query > 1 && { revocable: true as const }),
      })),
    })
    const states = (query: number) => memory(deployment, at(query), []).kv
    const rows = memory(
      deploy(hybrid),
      { stack: 'decoder', groups: decode(1, 1000).groups.map((g) => ({ ...g, query: 5 })) },
      [],
    ).kv
    const one = states(5) - rows
    // Four states more than without.
    const [state, recurrent] = recurrentState(hybrid)
    expect(one).toBeCloseTo(4 * recurrent * state, -2)
    const p = await ask({ architecture: hybrid, context: 1000 }, 'sparse-draft:alpha=0.8,gamma=4,budget=256')
    const written = sum(
      stepOf(p, 'verify').filter((o) => o.kind === 'recurrence'),
      (o) => o.bytes.kv_written,
    )
    const read = sum(
      stepOf(p, 'verify').filter((o) => o.kind === 'recurrence'),
      (o) => o.bytes.kv_read,
    )
    expect(written).toBe(5 * read)
  })

  function recurrentState(a: Architecture): [bytes: number, layers: number] {
    for (const g of a.stacks[0]?.groups ?? []) {
      for (const m of g.modules) {
        if (m.kind !== 'delta-net') continue
        const channels = 2 * m.keyHeads * m.keyDim + m.valueHeads * m.valueDim
        const bytes =
          m.valueHeads * m.keyDim * m.valueDim * (m.stateFormat === 'fp32' ? 4 : 2) + channels * (m.kernel - 1) * 2
        const layers = a.stacks[0]?.groups
          .filter((h) => h.modules.some((n) => n.kind === 'delta-net'))
          .reduce((n, h) => n + h.layers.length, 0)
        return [bytes, layers ?? 0]
      }
    }
    throw new Error('expected a delta net')
  }
})

describe('QuantSpec', () => {
  it('reads 4.25 bits to draft and 8.25 to check', async () => {
    const context = 100_000
    const p = await ask(
      { architecture: llama2 as Architecture, machine: a6000 as never, context },
      'quantspec:gamma=1,accepted=0.9',
    )
    const attention = (step: string) => stepOf(p, step).find((o) => o.name === 'attention')
    const coded = context - 192
    const bits = (step: string) => {
      const { kv_read, metadata } = attention(step)?.bytes ?? { kv_read: 0, metadata: 0 }
      return ((kv_read - 32 * 192 * 16384 + metadata) * 8) / (32 * coded * 8192)
    }
    expect(bits('draft')).toBeCloseTo(4.25, 6)
    expect(bits('verify')).toBeCloseTo(8.25, 6)
  })
  it('holds both planes, a buffer for each sequence, and a 4-bit copy of what it drafts with', async () => {
    const context = 131072
    const query = { architecture: llama2 as Architecture, machine: a6000 as never, context }
    const p = await ask(query, 'quantspec:gamma=4,accepted=0.9')
    const plain = await ask(query)
    const copy = (3 * 4096 * 11008 * 32 * 4.125) / 8
    expect(p.memory.weights - plain.memory.weights).toBeCloseTo(copy, -3)
    const tokens = context + 5
    expect(p.memory.kv).toBeCloseTo((tokens - 192) * 264 * 1024 + 257 * 512 * 1024, -3)
    const all = await ask(query, 'quantspec:gamma=4,accepted=0.9,weights=all')
    expect(all.memory.weights).toBeGreaterThan(p.memory.weights)
    const twice = await ask({ ...query, batch: 2 }, 'quantspec:gamma=4,accepted=0.9')
    expect(twice.memory.kv).toBeCloseTo(2 * p.memory.kv, -3)
  })
  it('encodes what leaves the buffer: the tokens that stay', async () => {
    const p = await ask(
      { architecture: llama2 as Architecture, machine: a6000 as never },
      'quantspec:gamma=4,accepted=0.5',
    )
    const write = (step: string) => stepOf(p, step).find((o) => o.name === 'attention-kv-write')?.bytes
    expect(write('draft')?.kv_written).toBe(4 * 32 * 16384)
    // Five tokens as they are; of them three stay, and as many are encoded.
    expect(write('verify')?.kv_written).toBeCloseTo(32 * (5 * 16384 + 3 * 8192), 6)
    expect(write('verify')?.kv_read).toBeCloseTo(32 * 3 * 16384, 6)
  })
  it('copies no weights that are narrow already', async () => {
    const oss = { architecture: await loadModel('gpt-oss-20b') }
    const p = await ask(oss, 'quantspec:gamma=4,accepted=0.9')
    expect(p.memory.weights).toBe((await ask(oss)).memory.weights)
    expect(p.warnings.join()).toMatch(/kept in no more already/)
    expect((await ask(oss, 'quantspec:gamma=4,accepted=0.9,weights=all')).memory.weights).toBeGreaterThan(
      p.memory.weights,
    )
  })
  it('is an 8-bit cache where nothing is drafted, and says so', async () => {
    expect((await ask({}, 'quantspec:gamma=0,accepted=0.9')).warnings.join()).toMatch(/what is left of it is its 8-bit/)
  })
  it('refuses more than it could take back', async () => {
    await expect(ask({}, 'quantspec:gamma=128,accepted=0.9')).rejects.toThrow(/gamma below the group of 128/)
  })
})

describe('BiLD', () => {
  it('echoes the thresholds of the released code where none are given', async () => {
    const p = await ask({}, 'bild:small=llama-3.2-1b,task=iwslt')
    expect(p.methods[0]?.options).toMatchObject({ fallback: 0.6, rollback: 5, aligned: 'no', window: 10 })
    const given = await ask({}, 'bild:small=llama-3.2-1b,unsure=.5,rejected=0')
    expect(given.methods[0]?.options).toMatchObject({ unsure: 0.5, rejected: 0 })
    expect(given.methods[0]?.options).not.toHaveProperty('fallback')
  })
})

describe('sparse drafts', () => {
  it('read and hold their budget beside the target’s cache', async () => {
    const p = await ask({ context: 32768, batch: 4 }, 'sparse-draft:alpha=0.8,gamma=2,budget=512')
    const plain = await ask({ context: 32768, batch: 4 })
    const row = 32 * 2 * 8 * 128 * 2
    expect(sum(stepOf(p, 'draft'), (o) => o.bytes.kv_read)).toBeCloseTo(2 * 4 * 512 * row, -2)
    expect(p.memory.weights).toBe(plain.memory.weights)
    expect(p.memory.kv - plain.memory.kv).toBeCloseTo(4 * row * (512 + 2 + 2), -3)
    const share = await ask({ context: 32768 }, 'sparse-draft:alpha=0.8,gamma=2,budget=0.25')
    expect(sum(stepOf(share, 'draft'), (o) => o.bytes.kv_read)).toBeCloseTo(2 * 8192 * row, -2)
    expect((await ask({ context: 100 }, 'sparse-draft:alpha=0.8,gamma=2')).warnings.join()).toMatch(
      /is the whole context/,
    )
  })
  it('leave choosing among the whole past to the target', async () => {
    const p = await ask({ context: 65536 }, 'squeezed:sparsity=0.9', 'sparse-draft:alpha=0.8,gamma=2,budget=512')
    expect(stepOf(p, 'draft').some((o) => o.name.includes('lookup'))).toBe(false)
    expect(stepOf(p, 'verify').some((o) => o.name.includes('lookup'))).toBe(true)
  })
  it('hold their rows for each sequence of a shared document, in pages of their own', async () => {
    const row = 32 * 2 * 8 * 128 * 2
    const query = { context: 32768, batch: 16, shared: 32768 }
    const p = await ask(query, 'sparse-draft:alpha=0.8,gamma=3,budget=512')
    const plain = await ask(query)
    // What the check holds more of the target, and the draft's copies.
    expect(p.memory.kv - plain.memory.kv).toBe(16 * row * (3 + 512 + 3))
    expect(p.memory.reserved - plain.memory.reserved).toBe(16 * row * 528)
    expect(sum(stepOf(p, 'draft'), (o) => o.bytes.kv_read)).toBeCloseTo(3 * 16 * 512 * row, -2)
  })
  it('read a residual as it is kept', async () => {
    const p = await ask({ context: 32768 }, 'kivi:bits=2', 'sparse-draft:alpha=0.8,gamma=1,budget=512')
    const wide = 32 * 2 * 8 * 128 * 2
    const read = stepOf(p, 'draft').find((o) => o.name === 'attention')?.bytes.kv_read
    expect(read).toBeCloseTo(128 * wide + 384 * (wide / 8), -2)
  })
  it('draft from the target’s own store', async () => {
    const p = await ask({ context: 32768 }, 'kvquant:bits=4,outliers=0', 'sparse-draft:alpha=0.8,gamma=2,budget=512')
    expect(sum(stepOf(p, 'draft'), (o) => o.bytes.kv_read)).toBeLessThan(2 * 512 * 32 * 2 * 8 * 128 * 0.55)
  })
})

it('later tokens are a sequence’s own', () => {
  const [g] = decode(4, 100, undefined, { tokens: 60, shared: true }).groups
  expect(later(g as never, 3).past).toEqual([
    { tokens: 60, copies: 1, sharers: 4, fixed: true },
    { tokens: 43, copies: 4, sharers: 1 },
  ])
  const [h] = decode(4, 60, undefined, { tokens: 60, shared: true }).groups
  expect(later(h as never, 3).past).toHaveLength(2)
})

it('a second deployment with the first’s rows holds states alone', () => {
  const deployment = deploy(llama as Architecture)
  expect(besideMemory({ deployment, workload: decode(1, 1000), roles: [], cache: 'states' })).toEqual({
    weights: 0,
    kv: 0,
    reserved: 0,
  })
})
