// Inverse questions against dense scans, and the certificates of their answers.
import { describe, expect, it } from 'vitest'
import { loadMachine } from '../../../hardware/catalog.ts'
import { loadModel } from '../../../model/catalog.ts'
import { parseMethod } from '../../../simulate/method.ts'
import { predict } from '../../../simulate/predict.ts'
import { noRequest, type Request } from '../../../simulate/whatif/plan.ts'
import { findRoots } from '../../../simulate/whatif/roots.ts'
import { sensitivity } from '../../../simulate/whatif/sensitivity.ts'
import { type Question, solve } from '../../../simulate/whatif/solve.ts'

const load = { model: loadModel, machine: loadMachine }
const base: Request = { ...noRequest, models: ['llama-3.1-8b'], machines: ['h100-sxm'] }
const ask = (question: Question, request: Partial<Request> = {}) => solve({ ...base, ...request }, question, load)

describe('roots', () => {
  const test = (f: (x: number) => boolean | null) => async (value: number) => ({ value, holds: f(value) })
  it('of a condition that turns once are found by bisection, with both sides', async () => {
    const found = await findRoots(
      { kind: 'whole', from: 1, to: 1e9 },
      true,
      test((x) => x < 123_456_789),
    )
    expect(found).toMatchObject({ method: 'bisection', first: true, resolution: 1 })
    expect(found.roots).toEqual([
      { value: 123456788, below: { value: 123456788, holds: true }, above: { value: 123456789, holds: false } },
    ])
    const real = await findRoots(
      { kind: 'real', from: 0.01, to: 100 },
      true,
      test((x) => x >= Math.PI),
    )
    expect(real.roots[0]?.value).toBeCloseTo(Math.PI, 8)
    expect(real.roots[0]?.above.holds).toBe(true)
  })
  it('that turn several times are all found by a scan', async () => {
    const holds = (x: number) => Math.sin(x / 50) > 0
    const found = await findRoots({ kind: 'whole', from: 1, to: 1000 }, false, test(holds))
    const dense = Array.from({ length: 999 }, (_, i) => i + 1).filter((x) => holds(x) !== holds(x + 1))
    expect(found.roots.map((r) => r.below.value)).toEqual(dense)
    expect(found.resolution).toBe(0)
  })
  it('are looked for by a scan where a condition said to turn once does not', async () => {
    const found = await findRoots(
      { kind: 'whole', from: 1, to: 4000 },
      true,
      test((x) => x > 1000 && x < 3000),
    )
    expect(found).toMatchObject({ method: 'scan', roots: [{ value: 1001 }, { value: 2999 }] })
  })
  it('skip what cannot be decided, and need something that can', async () => {
    const found = await findRoots(
      { kind: 'whole', from: 1, to: 16 },
      false,
      test((x) => (Math.log2(x) % 1 === 0 ? x > 4 : null)),
    )
    expect(found).toMatchObject({ undecided: 11, roots: [{ value: 8, below: { value: 4 }, above: { value: 8 } }] })
    await expect(
      findRoots(
        { kind: 'whole', from: 1, to: 9 },
        false,
        test(() => null),
      ),
    ).rejects.toThrow(RangeError)
  })
})

describe('solve', () => {
  it('the largest batch that fits, next to the first that does not', async () => {
    const s = await ask({ variable: 'batch', until: 'memory.fits' }, { settings: { context: '8k' } })
    expect(s).toMatchObject({ answer: 'value', method: 'bisection', roots: [{ holds: 'below' }] })
    const root = s.roots[0] as (typeof s.roots)[number]
    const [architecture, machine] = [await loadModel('llama-3.1-8b'), await loadMachine('h100-sxm')]
    const fits = (batch: number) => predict({ architecture, machine, batch, context: 8192 }).memory.fits
    expect([fits(root.below), fits(root.above), root.above - root.below]).toEqual([true, false, 1])
  })

  it('the bandwidth that a rate needs', async () => {
    const s = await ask({ variable: 'bandwidth', until: 'bound_s <= 4e-3' })
    expect(s).toMatchObject({ method: 'bisection', roots: [{ holds: 'above' }] })
    const architecture = await loadModel('llama-3.1-8b')
    const machine = await loadMachine('h100-sxm')
    const p = predict({ architecture, machine })
    expect(s.roots[0]?.value).toBeCloseTo((p.bytes.total / 4e-3) * 1, -9)
  })

  it('break-evens as a dense scan finds them', async () => {
    const range = { from: '1k', to: '3k' }
    const s = await ask({ variable: 'context', ...range }, { machines: ['l40s'], versus: ['kvquant:bits=3'] })
    const [architecture, machine] = [await loadModel('llama-3.1-8b'), await loadMachine('l40s')]
    const methods = [await parseMethod('kvquant:bits=3')]
    const wins = (context: number) => {
      const { speedup } = predict({ architecture, machine, context, methods })
      return (speedup?.expected ?? 0) > 1
    }
    const dense: number[] = []
    for (let c = 1024; c < 3072; c++) if (wins(c) !== wins(c + 1)) dense.push(c)
    expect(s.roots.map((r) => r.below)).toEqual(dense)
    expect(s).toMatchObject({ method: 'scan', resolution: 0 })
  }, 30_000)

  it('several roots are all there', async () => {
    const s = await ask(
      { variable: 'context', from: '8k', to: '11k' },
      { machines: ['mi300x'], versus: ['kvquant:bits=3'] },
    )
    const [architecture, machine] = [await loadModel('llama-3.1-8b'), await loadMachine('mi300x')]
    const methods = [await parseMethod('kvquant:bits=3')]
    for (const { below, above } of s.roots) {
      const [a, b] = [below, above].map(
        (context) => (predict({ architecture, machine, context, methods }).speedup?.expected ?? 0) > 1,
      )
      expect(a).not.toBe(b)
    }
  })

  it('never and always are answers', async () => {
    expect(await ask({ variable: 'batch', until: 'bytes.total > 0', to: '64' })).toMatchObject({
      answer: 'always',
      roots: [],
    })
    expect(await ask({ variable: 'batch', until: 'tokens_per_s > 1e9', to: '64' })).toMatchObject({
      answer: 'never',
      roots: [],
    })
  })

  it('options of methods and bits of weights', async () => {
    const bits = await ask({ variable: 'bits', until: 'memory.total < 12e9' }, { machines: ['l4'] })
    expect(bits.roots).toMatchObject([{ value: 8, below: 8, above: 16 }])
    const own = await ask(
      { variable: 'kvquant.bits', until: 'memory.kv < 2.6e8' },
      { methods: ['kvquant'], settings: { context: '8k' } },
    )
    expect(own.roots).toMatchObject([{ value: 3, below: 3, above: 4, holds: 'below' }])
    const window = await ask(
      { variable: 'window.tokens', until: 'memory.kv < 1e9', from: '1k', to: '16k' },
      { methods: ['window:tokens=1'], settings: { context: '64k' } },
    )
    expect(window.roots).toMatchObject([{ holds: 'below' }])
  })

  it.each([
    [{ variable: 'speed', until: 'bound_s > 1' }, {}, /for: expected batch/],
    [{ variable: 'kvquant.bits', until: 'bound_s > 1' }, {}, /expected --with kvquant/],
    [{ variable: 'batch' }, {}, /until: expected a condition/],
    [{ variable: 'batch', until: 'tokens_per_s' }, {}, /until: expected a condition such as/],
    [{ variable: 'batch', until: 'cost_per_million_tokens < 1' }, {}, /needs the price/],
    [{ variable: 'batch', until: 'bound_s > 1', prices: { of: { t4: 1 } } }, {}, /price: expected a machine of --on/],
    [{ variable: 'batch', until: 'speed > 3' }, {}, /expected a key of the answer, got speed/],
    [{ variable: 'batch', until: 'bound_s > 1', from: '8', to: '4' }, {}, /less than --to 4, got 8/],
    [{ variable: 'bits', until: 'bound_s > 1', from: '2' }, {}, /neither --from nor --to/],
    [{ variable: 'batch', until: 'bound_s > 1' }, { settings: { context: '1k,2k' } }, /2 of context.*sweep/],
    [{ variable: 'batch', until: 'bound_s > 1' }, { machines: ['t4', 'l4'] }, /on: expected one, got t4, l4/],
    [
      { variable: 'tp', until: 'bound_s > 1', from: '3', to: '5' },
      { machines: ['l4'], models: ['gpt-2-small'], settings: { context: '0' } },
      /context/,
    ],
  ] as const)('%j of %j is refused', async (question, request, message) => {
    await expect(ask(question, request as unknown as Partial<Request>)).rejects.toThrow(message)
  })
})

describe('sensitivity', () => {
  it('sums to what scaling everything does: time of memory-bound work falls as bandwidth rises', async () => {
    const [architecture, machine] = [await loadModel('llama-3.1-8b'), await loadMachine('h100-sxm')]
    const rows = sensitivity({ architecture, machine })
    const of = (name: string) => rows.find((r) => r.parameter === name)
    expect(of('bandwidth')?.bound).toBeCloseTo(-1, 2)
    expect(of('peak')?.bound).toBeCloseTo(0, 6)
    expect(of('link')).toBeUndefined()
    const busy = sensitivity({ architecture, machine, phase: 'prefill', context: 8192 })
    // Less context than its document cannot be asked.
    const shared = sensitivity({ architecture, machine, context: 2048, shared: 2048 })
    expect(shared.find((r) => r.parameter === 'context')).toMatchObject({ low: 2048, high: 2150 })
    expect(busy.find((r) => r.parameter === 'peak')?.bound).toBeLessThan(-0.9)
  })
})
