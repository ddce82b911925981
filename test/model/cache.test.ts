import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { chunkSelection, denseStore, regionsOf, type Selection, windowSelection } from '../../model/cache.ts'
import { format } from '../../model/format.ts'
import { heldRows } from '../../model/memory.ts'
import { topkSelection } from '../../model/modules/latent-attention.ts'
import type { Sequences } from '../../model/workload.ts'

/** Visits every query and every position, as a mask would. */
function count(group: Sequences, sees: (query: number, key: number) => boolean) {
  const past = group.past.reduce((sum, s) => sum + s.tokens, 0)
  let pairs = 0
  const rows = new Set<number>()
  for (let q = past; q < past + group.query; q++) {
    for (let k = 0; k <= q; k++) {
      if (!sees(q, k)) continue
      pairs++
      if (k < past) rows.add(k)
    }
  }
  return { pairs, pastRows: rows.size }
}

function selected(group: Sequences, ...selections: Selection[]) {
  const regions = regionsOf(group, true, selections)
  return {
    pairs: regions.reduce((sum, r) => sum + r.attended, 0) * group.query,
    pastRows: regions.filter((r) => !r.fresh).reduce((sum, r) => sum + r.read, 0),
  }
}

const inWindow = (w: number) => (q: number, k: number) => q - k < w
const inChunk = (c: number) => (q: number, k: number) => Math.floor(q / c) === Math.floor(k / c)

const groups = fc
  .tuple(fc.array(fc.integer({ min: 1, max: 30 }), { maxLength: 3 }), fc.integer({ min: 1, max: 25 }))
  .map(([lengths, query]) => ({
    sequences: 1,
    query,
    logits: 1,
    past: lengths.map((tokens) => ({ tokens, copies: 1, sharers: 1 })),
  }))

describe('selections see what the mask sees', () => {
  const size = fc.integer({ min: 1, max: 40 })
  it.each([
    ['window', windowSelection, inWindow],
    ['chunk', chunkSelection, inChunk],
  ] as const)('%s', (_, selection, mask) => {
    fc.assert(
      fc.property(groups, size, (group, n) => {
        const brute = count(group, mask(n))
        const ours = selected(group, selection(n))
        expect(ours.pairs).toBeCloseTo(brute.pairs, 6)
        expect(ours.pastRows).toBe(brute.pastRows)
      }),
      { numRuns: 500 },
    )
  })

  it('together, in any order', () => {
    fc.assert(
      fc.property(groups, size, size, size, fc.boolean(), (group, w, v, c, chunked) => {
        const both = chunked ? [windowSelection(w), chunkSelection(c)] : [windowSelection(w), windowSelection(v)]
        const brute = count(group, (q, k) => inWindow(w)(q, k) && (chunked ? inChunk(c) : inWindow(v))(q, k))
        for (const order of [both, [...both].reverse()]) {
          const ours = selected(group, ...order)
          expect(ours.pairs).toBeCloseTo(brute.pairs, 6)
          expect(ours.pastRows).toBe(brute.pastRows)
        }
      }),
      { numRuns: 1000 },
    )
  })

  it('in both directions where nothing is causal', () => {
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 40 }), size, fc.boolean(), (query, n, chunked) => {
        let pairs = 0
        for (let i = 0; i < query; i++)
          for (let j = 0; j < query; j++) if (chunked ? inChunk(n)(i, j) : Math.abs(i - j) < n) pairs++
        const group = { sequences: 1, query, logits: 1, past: [] }
        const [fresh] = regionsOf(group, false, [chunked ? chunkSelection(n) : windowSelection(n)])
        expect((fresh?.attended ?? 0) * query).toBeCloseTo(pairs, 6)
      }),
    )
  })

  it('refuses chunks that do not nest', () => {
    const group = { sequences: 1, query: 1, logits: 1, past: [] }
    expect(() => regionsOf(group, true, [chunkSelection(8), chunkSelection(12)])).toThrow('a multiple of the other')
    expect(() => regionsOf(group, true, [chunkSelection(12), chunkSelection(4)])).not.toThrow()
  })

  it('choose the best rows of what each query sees', () => {
    fc.assert(
      fc.property(groups, size, size, (group, k, w) => {
        const past = group.past.reduce((sum, s) => sum + s.tokens, 0)
        let pairs = 0
        for (let q = past; q < past + group.query; q++) pairs += Math.min(q + 1, w, k)
        expect(selected(group, windowSelection(w), topkSelection(k)).pairs).toBeCloseTo(pairs, 6)
      }),
    )
  })

  it('gather the best rows for each sharer by itself', () => {
    const group = { sequences: 4, query: 1, logits: 1, past: [{ tokens: 99, copies: 1, sharers: 4 }] }
    const [past] = regionsOf(group, true, [topkSelection(10)])
    expect(past).toMatchObject({ copies: 4, sharers: 1 })
    expect((past?.read ?? 0) * 4).toBeCloseTo(4 * 9.9)
  })

  it('leave everything alone where they are wider than the context', () => {
    const group = { sequences: 2, query: 3, logits: 1, past: [{ tokens: 5, copies: 2, sharers: 1 }] }
    for (const s of [windowSelection(100), chunkSelection(100), topkSelection(100)]) {
      expect(regionsOf(group, true, [s])).toEqual(regionsOf(group, true))
    }
  })
})

describe('held rows', () => {
  const group = { sequences: 4, query: 1, logits: 1, past: [segment(100, 1, 4), segment(10, 4, 1)] }
  it('holds a shared stretch once', () => {
    expect(heldRows(group, (n) => n).rows).toBe(100 + 4 * 10 + 4)
  })
  it('holds the newest where a window forgets', () => {
    expect(heldRows(group, (n) => Math.min(n, 8)).rows).toBe(4 * 8)
    expect(heldRows(group, (n) => Math.min(n, 21)).rows).toBe(4 * 11 + 10)
  })
})

function segment(tokens: number, copies: number, sharers: number) {
  return { tokens, copies, sharers }
}

describe('the dense store', () => {
  const row = {
    kind: 'heads',
    vectors: [
      { of: 'key', count: 2, length: 64 },
      { of: 'value', count: 2, length: 64 },
    ],
  } as const
  it('keeps 16-bit rows without metadata', () => {
    expect(denseStore(format('fp16')).row(row)).toEqual({ bytes: 512, metadata: 0, codes: 0, scattered: 0 })
  })
  it('keeps a scale per head vector where there is no group', () => {
    // 256 codes of 8 bits; 4 vectors with one 16-bit scale each.
    expect(denseStore(format('int8')).row(row)).toEqual({ bytes: 256 + 8, metadata: 8, codes: 256, scattered: 0 })
  })
  it('keeps whole groups', () => {
    // Groups of 48 in a vector of 64: two each, 16 bits each.
    const f = { ...format('int4'), group: 48 }
    expect(denseStore(f).row(row)).toEqual({ bytes: 128 + 16, metadata: 16, codes: 256, scattered: 0 })
  })
})
