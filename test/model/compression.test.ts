import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { pieces, type Row, regionsOf, storedBits } from '../../model/cache.ts'
import { deploy } from '../../model/deployment.ts'
import { codeBytes, format, scaleBytes } from '../../model/format.ts'
import { memory } from '../../model/memory.ts'
import { addBytes, noBytes, type Operator } from '../../model/operator.ts'
import { pass } from '../../model/pass.ts'
import { formatLabel, parseFormat } from '../../model/quantity.ts'
import { type Squeezed, squeezedSelection } from '../../model/selections/squeezed.ts'
import { kiviStore } from '../../model/stores/kivi.ts'
import { type Kvquant, kvquantStore } from '../../model/stores/kvquant.ts'
import { decode, prefill, verify, type Workload } from '../../model/workload.ts'
import { architecture, attention } from './tiny.ts'

const heads: Row = {
  kind: 'heads',
  vectors: [
    { of: 'key', count: 2, length: 64 },
    { of: 'value', count: 2, length: 64 },
  ],
}

function ledger(operators: readonly Operator[]) {
  return operators.reduce((sum, o) => addBytes(sum, o), noBytes())
}

function named(operators: readonly Operator[], name: string): Operator {
  const found = operators.find((o) => o.name === name)
  if (!found) throw new Error(`no ${name} among ${operators.map((o) => o.name).join()}`)
  return found
}

describe('the KVQuant store', () => {
  const paper: Kvquant = { bits: 3, outliers: 0.25, sink: 0, storage: 'paper' }

  it('counts codes, outliers, indices, pointers and scales of one token by hand', () => {
    // 128 elements in keys and in values: 3 bits, a quarter of them 16 + 16 bits; a key's 32-bit pointer, a value's scales.
    const each = (128 * 3 + 32 * 32) / 8
    expect(kvquantStore(paper).row(heads)).toEqual({
      bytes: 2 * each + 4 + 4,
      metadata: 2 * ((32 * 16) / 8) + 4 + 4,
      codes: 256,
      scattered: 64,
    })
  })
  it('counts the tables and the scales of channels once', () => {
    // Two tables of 8 entries, and a scale and a zero point for each of 128 channels of keys; all of 16 bits.
    expect(kvquantStore(paper).tables?.(heads)).toBe(2 * (8 + 8 + 256))
  })
  it('keeps what the released code keeps', () => {
    // Decode bytes of a token of LLaMA-7B's layer in the released format: 2396 of keys, 8 more of values.
    const row: Row = { kind: 'heads', vectors: [{ of: 'key', count: 32, length: 128 }] }
    const store = kvquantStore({ bits: 4, outliers: 0.01, sink: 0, storage: 'released' })
    expect(store.row(row).bytes).toBeCloseTo(2048 + 40.96 * 8 + 4 + 40.96 * 0.4, 9)
    const values: Row = { kind: 'heads', vectors: [{ of: 'value', count: 32, length: 128 }] }
    expect(store.row(values).bytes - store.row(row).bytes).toBeCloseTo(8, 9)
  })
  it('has the mean bits that the paper prints', () => {
    const bits = (outliers: number, width: number) => {
      const each = { count: width / 128, length: 128 }
      const row: Row = {
        kind: 'heads',
        vectors: [
          { of: 'key', ...each },
          { of: 'value', ...each },
        ],
      }
      return storedBits(kvquantStore({ bits: 4, outliers, sink: 0, storage: 'paper' }), row, 131072)
    }
    expect(bits(0, 4096)).toBeCloseTo(4 + 16 / 4096, 3)
    expect(bits(0.01, 1024)).toBeCloseTo(4.32 + 32 / 1024, 3)
  })
})

const layer = [attention({ rotary: 2 })]
const tiny = architecture([layer, layer])

describe('passes over a coded cache', () => {
  const store = kvquantStore({ bits: 4, outliers: 0.5, sink: 2, storage: 'paper' })
  const own = {
    kind: 'heads',
    vectors: [
      { of: 'key', count: 2, length: 3 },
      { of: 'value', count: 2, length: 3 },
    ],
  } as const
  const stored = store.row(own)

  it('reads the sink wide, the rest coded, and every table once', () => {
    const operator = named(pass(deploy(tiny, { store }), decode(3, 10)), 'attention')
    const kv = operator.streams.filter((s) => s.owner === 'kv')
    const tables = store.tables?.(own) ?? 0
    expect(kv).toEqual([
      {
        owner: 'kv',
        way: 'read',
        bytes: 3 * 8 * stored.bytes + tables,
        metadata: 3 * 8 * stored.metadata + tables,
        codec: 'table',
        codes: 3 * 8 * 12,
        scattered: 3 * 8 * 6,
      },
      { owner: 'kv', way: 'read', bytes: 3 * 2 * 12 * 2, metadata: 0 },
    ])
  })
  it('turns cached keys as they are read, and not the new one', () => {
    const dense = pass(deploy(tiny), decode(1, 10))
    const coded = pass(deploy(tiny, { store }), decode(1, 10))
    // 4 query heads and 2 key heads, two elements of each.
    expect(named(dense, 'attention-rotary').vector).toBe(3 * 6 * 2)
    expect(named(coded, 'attention-rotary').vector).toBe(3 * 4 * 2)
    const unpacked = 8 * 12 * 2
    const turned = 10 * 2 * 2 * 7
    expect(named(coded, 'attention').vector - named(dense, 'attention').vector).toBe(unpacked + turned)
  })
  it('splits keys and values as they are kept where scores go through memory', () => {
    const operators = pass(deploy(tiny, { store, fusion: 'unfused' }), decode(1, 10))
    const read = (name: string) =>
      named(operators, name)
        .streams.filter((s) => s.owner === 'kv')
        .reduce((sum, s) => sum + s.bytes, 0)
    const fused = named(pass(deploy(tiny, { store }), decode(1, 10)), 'attention')
    const whole = fused.streams.filter((s) => s.owner === 'kv').reduce((sum, s) => sum + s.bytes, 0)
    expect(read('attention-scores') + read('attention-values')).toBeCloseTo(whole, 9)
    expect(read('attention-values')).toBeGreaterThan(0)
  })
  it('holds what it reads: memory is rows, sink and tables', () => {
    const deployment = deploy(tiny, { store })
    const workload = decode(3, 10)
    const held = memory(deployment, workload, []).kv
    const tables = 2 * (store.tables?.(own) ?? 0)
    expect(held).toBeCloseTo(2 * 3 * (9 * stored.bytes + 2 * 12 * 2) + tables, 9)
  })
  it('keeps a scale per token on every rank', () => {
    const half = {
      kind: 'heads',
      vectors: [
        { of: 'key', count: 1, length: 3 },
        { of: 'value', count: 1, length: 3 },
      ],
    } as const
    const one = named(pass(deploy(tiny, { store, parallel: { tensor: 2 } }), decode(1, 10)), 'attention')
    const coded = one.streams.find((s) => s.codes !== undefined)
    expect(coded?.bytes).toBe(8 * store.row(half).bytes + (store.tables?.(half) ?? 0))
    expect(2 * store.row(half).bytes).toBeGreaterThan(stored.bytes)
  })
})

describe('a residual of the newest tokens', () => {
  const wide = fc.record({ first: fc.integer({ min: 0, max: 5 }), last: fc.integer({ min: 0, max: 9 }) })

  it('cuts every stretch where the store does', () => {
    fc.assert(
      fc.property(fc.integer({ min: 0, max: 30 }), fc.integer({ min: 0, max: 30 }), wide, (a, b, w) => {
        const [begin, end] = [Math.min(a, b), Math.max(a, b)]
        const isWide = (i: number) => i < w.first || i >= 30 - w.last
        const expected = Array.from({ length: end - begin }, (_, i) => isWide(begin + i))
        const got = pieces(begin, end, 30, w).flatMap((p) => new Array<boolean>(p.end - p.begin).fill(p.wide))
        expect(got).toEqual(expected)
      }),
    )
  })
  it('codes every token once, when it leaves the residual', () => {
    const residual = fc.integer({ min: 0, max: 8 })
    fc.assert(
      fc.property(
        residual,
        fc.array(fc.integer({ min: 1, max: 12 }), { minLength: 1, maxLength: 6 }),
        (last, steps) => {
          const store = kiviStore({ bits: 2, group: 3, residual: last })
          const row = store.row({
            kind: 'heads',
            vectors: [
              { of: 'key', count: 2, length: 3 },
              { of: 'value', count: 2, length: 3 },
            ],
          })
          const deployment = deploy(tiny, { store })
          let past = 0
          let written = 0
          for (const query of steps) {
            const write = named(pass(deployment, verify(1, past, query)), 'attention-kv-write')
            written += write.streams.filter((s) => s.way === 'write').reduce((sum, s) => sum + s.bytes, 0)
            past += query
          }
          // Tokens that were ever wide were written so, too: each that the residual took when it was new.
          const wideWrites = steps.reduce((sum, query) => sum + Math.min(query, last), 0)
          const coded = Math.max(0, past - last)
          expect(written).toBeCloseTo(coded * row.bytes + wideWrites * 12 * 2, 6)
        },
      ),
    )
  })
  it('has the bits of the comparison at 32k tokens', () => {
    const row: Row = {
      kind: 'heads',
      vectors: [
        { of: 'key', count: 32, length: 128 },
        { of: 'value', count: 32, length: 128 },
      ],
    }
    expect(storedBits(kiviStore({ bits: 2, group: 32, residual: 128 }), row, 32768)).toBeCloseTo(3.05, 2)
  })
})

const released: Squeezed = { sparsity: 0.9, clusters: 0.05, coarse: 0, survive: 1, window: 100, index: 64, passes: 2 }

function document(tokens: number, batch: number, shared: boolean, query = 1): Workload {
  return verify(batch, tokens, query, undefined, { tokens, shared })
}

describe('Squeezed Attention', () => {
  const model = architecture([[attention({ heads: 4, kvHeads: 2, headDim: 8, width: 8 })]])

  it('picks rows of a document only, and leaves its window and the user’s tokens', () => {
    const group = {
      sequences: 2,
      query: 3,
      logits: 3,
      past: [
        { tokens: 1100, copies: 1, sharers: 2, fixed: true as const },
        { tokens: 7, copies: 2, sharers: 1 },
      ],
    }
    const [picked, window, own, fresh] = regionsOf(group, true, [squeezedSelection(released)])
    expect(picked).toMatchObject({ begin: 0, end: 1000, gathered: true, copies: 2, sharers: 1 })
    expect(picked?.read).toBeCloseTo(100, 9)
    expect(picked?.attended).toBeCloseTo(100, 9)
    expect(window).toMatchObject({ begin: 1000, end: 1100, gathered: false, copies: 1, sharers: 2, read: 100 })
    expect(own).toMatchObject({ begin: 1100, end: 1107, read: 7, attended: 7 })
    expect(fresh).toMatchObject({ fresh: true, read: 3, attended: 2 })
  })

  it('counts its kernels by hand', () => {
    const operators = pass(deploy(model, { selections: [squeezedSelection(released)] }), document(1100, 1, false))
    // 1000 keys in 50 clusters, two key heads of 8 elements, four query heads; 100 keys are kept, 100 are the window.
    const lookup = named(operators, 'attention-lookup')
    expect(lookup.matrix).toBe(2 * 2 * 4 * 50 * 8)
    const kv = (o: Operator) => o.streams.filter((s) => s.owner === 'kv')
    expect(kv(lookup).map((s) => s.bytes)).toEqual([2 * 2 * 50 * 8 * 2, 2 * 2 * 50 * 4])
    const select = named(operators, 'attention-select')
    expect(kv(select).map((s) => s.bytes)).toEqual([2 * 1000 * 8])
    expect(select.streams.filter((s) => s.owner === 'activations').map((s) => s.bytes)).toEqual([
      2 * 1000 * 4,
      expect.closeTo(2 * 1000 * 5 + 2 * 100 * 8, 6),
    ])
    const sparse = named(operators, 'attention')
    expect(kv(sparse).map((s) => [Math.round(s.bytes), s.run])).toEqual([
      [100 * 2 * 2 * 8 * 2, undefined],
      [100 * 2 * 2 * 8 * 2, 16],
    ])
    expect(sparse.matrix).toBeCloseTo(4 * 4 * 8 * (100 + 100 + 1), 6)
    expect(named(operators, 'attention-merge').launches).toBe(1)
  })

  it('looks through two levels', () => {
    const s = { ...released, coarse: 0.01, survive: 0.5 }
    const operators = pass(deploy(model, { selections: [squeezedSelection(s)] }), document(1100, 1, false))
    expect(named(operators, 'attention-coarse-lookup').shape).toMatchObject({ n: 10 })
    expect(named(operators, 'attention-lookup').shape).toMatchObject({ n: 25 })
    expect(named(operators, 'attention-lookup').streams.find((r) => r.run)?.run).toBe(16)
  })

  it('keeps the keys, their labels and the centroids', () => {
    const dense = memory(deploy(model), document(1100, 3, true), []).kv
    const squeezed = memory(
      deploy(model, { selections: [squeezedSelection(released)] }),
      document(1100, 3, true),
      [],
    ).kv
    expect(squeezed - dense).toBe(2 * (50 * (8 * 2 + 4) + 1000 * 8))
  })

  it('gathers for each sharer what dense attention reads once', () => {
    const bytes = (selections: ReturnType<typeof squeezedSelection>[], batch: number) =>
      ledger(pass(deploy(model, { selections }), document(1100, batch, true))).kv_read
    expect(bytes([], 8) - bytes([], 4)).toBeCloseTo(0, 9)
    const each = 100 * 2 * 2 * 8 * 2
    expect(bytes([squeezedSelection(released)], 8) - bytes([squeezedSelection(released)], 4)).toBeCloseTo(4 * each, 6)
  })

  it('leaves windowed layers alone', () => {
    const windowed = architecture([[attention({ reach: { kind: 'window', tokens: 64 } })]])
    const plain = pass(deploy(windowed), document(1100, 1, false))
    expect(pass(deploy(windowed, { selections: [squeezedSelection(released)] }), document(1100, 1, false))).toEqual(
      plain,
    )
  })

  it('reads coded rows where the cache is coded, and the sink as ever', () => {
    const store = kvquantStore({ bits: 4, outliers: 0, sink: 1, storage: 'paper' })
    const deployment = deploy(model, { store, selections: [squeezedSelection(released)] })
    const sparse = named(pass(deployment, document(1101, 1, false)), 'attention')
    const row: Row = {
      kind: 'heads',
      vectors: [
        { of: 'key', count: 2, length: 8 },
        { of: 'value', count: 2, length: 8 },
      ],
    }
    const each = store.row(row).bytes
    const kv = sparse.streams.filter((s) => s.owner === 'kv')
    // The window with the tables, the hundred kept rows, and the sink of one token.
    expect(kv[0]?.bytes).toBeCloseTo(100 * each + (store.tables?.(row) ?? 0), 6)
    expect(kv[1]?.bytes).toBeCloseTo(100 * each, 6)
    expect(kv[1]?.run).toBe(each / 4)
    expect(kv[2]?.bytes).toBe(2 * 2 * 8 * 2)
  })

  it('is nothing without sparsity and centroids', () => {
    const off = squeezedSelection({ ...released, sparsity: 0, clusters: 0 })
    for (const workload of [document(1100, 3, true), document(50, 1, false, 20), prefill(2, 40)]) {
      expect(pass(deploy(model, { selections: [off] }), workload)).toEqual(pass(deploy(model), workload))
    }
  })
})

describe('non-uniform weights', () => {
  it('keep a table per row, and outliers with their places', () => {
    const f = parseFormat('nuq3:outliers=0.01')
    expect(codeBytes(f, 1000)).toBeCloseTo((1000 * 3 + 10 * 16) / 8, 9)
    // Four rows of 250: a table of 8 entries and a pointer each, and an index for every outlier.
    expect(scaleBytes(f, 4, 250)).toBeCloseTo((4 * (8 * 16 + 32) + 10 * 32) / 8, 9)
    expect(formatLabel(f)).toBe('nuq3:outliers=0.01')
    expect(parseFormat(formatLabel(f))).toEqual(f)
  })
  it('add their outliers in the product', () => {
    const dense = pass(deploy(tiny, { weights: format('nuq4') }), decode(1, 4))
    const sparse = pass(deploy(tiny, { weights: parseFormat('nuq4:outliers=0.5') }), decode(1, 4))
    const [a, b] = [named(dense, 'attention-out'), named(sparse, 'attention-out')]
    expect(b.vector - a.vector).toBe(a.matrix / 2)
    expect(b.streams[0]?.scattered).toBe((12 * 8) / 2)
  })
  it.each([
    ['nuq3:outliers=1', /outliers from 0 to below 1, got 1/],
    ['nuq3:outliers=x', /got x/],
    ['int4:outliers=0.1', /expected group=N, scale=BITS or zero=BITS/],
  ])('refuses %s', (text, message) => {
    expect(() => parseFormat(text)).toThrow(message)
  })
})
