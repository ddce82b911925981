import { describe, expect, it } from 'vitest'
import { agrees, loadPaper } from '../../../simulate/reproduce.ts'

describe('KVQuant', async () => {
  const rows = (await loadPaper('kvquant')).rows()
  const of = (table: string) => rows.filter((r) => r.table === table)

  it('has every average bit and every size to the printed digit', () => {
    const known = [...of('average bits'), ...of('KV cache size')].filter((r) => r.published !== null)
    expect(known.length).toBe(36 + 16 + 3)
    expect(known.filter((r) => r.status !== 'reproduced')).toEqual([])
  })
  it('prints the grid of sizes', () => {
    const grid = of('KV cache size').filter((r) => r.item.startsWith('grid/'))
    expect(grid.length).toBe(4 * 3 * 7)
    const at = (item: string) => grid.find((r) => r.item === item)?.computed ?? Number.NaN
    expect(at('grid/llama-7b/131072/fp16')).toBe(64)
    // 65B: 80 layers of 8192, keys and values in 16 bits.
    expect(at('grid/llama-65b/10000000/fp16')).toBeCloseTo((2 * 80 * 8192 * 2 * 1e7) / 2 ** 30, 6)
  })
  it('shows the margin of each ordering, and that it vanishes in its control', () => {
    const orderings = of('orderings on synthetic tensors')
    expect(orderings.length).toBe(2 * 5)
    for (const r of orderings) {
      expect(r).toMatchObject({ evidence: 'synthetic', published: null, status: 'not reproducible' })
      if (r.item.endsWith('/margin')) expect(r.computed, r.item).toBeGreaterThan(1.15)
      else expect(r.computed, r.item).toBeLessThan(1.06)
    }
  })
  it('has every kernel time within 6 %, fitted, with the bound beside it', () => {
    const expected = of('kernel times').filter((r) => r.item.endsWith('/expected'))
    expect(expected.length).toBe(12)
    for (const r of expected) {
      expect(Math.abs(r.relative_error ?? 1)).toBeLessThan(0.06)
      expect(r).toMatchObject({ evidence: 'fitted', fitted_parameters: 6, status: 'not reproducible' })
      expect(agrees(r)).toBe(true)
    }
    const bounds = of('kernel times').filter((r) => r.item.endsWith('/bound'))
    expect(bounds.length).toBe(12)
    for (const r of bounds) expect(r).toMatchObject({ evidence: 'predicted', status: 'off' })
  })
})

describe('Squeezed Attention', async () => {
  const rows = (await loadPaper('squeezed-attention')).rows()
  const at = (item: string) => rows.find((r) => r.item === item)

  it('reads the published budgets', () => {
    for (const item of ['Sq-70', 'Sq-80', 'Sq-90', 'reduction/Sq-70', 'reduction/Sq-90']) {
      expect(at(item)?.status).toBe('reproduced')
    }
    expect(at('H-Sq-90')).toMatchObject({ evidence: 'fitted', fitted_parameters: 1 })
    expect(at('H-Sq-90')?.computed).toBeCloseTo(0.122, 3)
    expect(at('H-Sq-90, half of the centroids left')).toMatchObject({ status: 'off' })
  })
  it('shows each correction taking from the gain, which stays above 4 at long contexts', () => {
    for (const phase of ['decode', 'prefill 4k']) {
      const steps = ['rows and centroids', 'labels, scores, indices', 'second pass', 'gathers']
      const gains = steps.map((s) => at(`${phase}/Sq-90/524288/${s}`)?.computed ?? 0)
      for (let i = 1; i < gains.length; i++) expect(gains[i]).toBeLessThan(gains[i - 1] as number)
      expect(at(`${phase}/Sq-90/524288/expected`)?.computed).toBeGreaterThan(4)
    }
    // Launches and the choice itself weigh more on short contexts.
    const short = at('decode/Sq-90/32768/expected')?.computed ?? 0
    expect(short).toBeLessThan(4)
  })
  it('claims no row that nothing was published for', () => {
    const reproduced = rows.filter((r) => r.table === 'attention speedup' && r.status === 'reproduced')
    expect(reproduced.map((r) => r.item)).toEqual(['more than 4 times/decode', 'more than 4 times/prefill'])
    for (const r of reproduced) {
      expect(r).toMatchObject({ published: 4, evidence: 'predicted', why: expect.stringMatching(/lower bound/) })
      expect(r.computed).toBeGreaterThan(4)
      expect(r.computed).toBeLessThan(6)
    }
  })
})
