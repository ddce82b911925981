import { describe, expect, it } from 'vitest'
import { agrees, loadPaper } from '../../../simulate/reproduce.ts'

describe('QuantSpec', async () => {
  const rows = (await loadPaper('quantspec')).rows()
  const of = (table: string, kind = '') => rows.filter((r) => r.table === table && r.item.endsWith(kind))
  const error = (r: { relative_error: number | null }) => Math.abs(r.relative_error ?? 1)

  it('keeps 4.25 and 8.25 bits', () => {
    expect(of('cache').map((r) => [r.computed, r.status])).toEqual([
      [4.25, 'reproduced'],
      [8.25, 'reproduced'],
    ])
  })
  it('has its kernels: ratios within 5 %, the trace within 10 %, all fitted, the ratio of bytes beside them', () => {
    const ratios = of('kernels', '/expected')
    expect(ratios.length).toBe(2)
    for (const r of ratios) expect(error(r)).toBeLessThan(0.05)
    for (const r of of('kernels', '/bound')) expect(r).toMatchObject({ status: 'off', evidence: 'predicted' })
    const traced = of('kernels').filter((r) => !r.item.includes('/') && r.computed !== null)
    expect(traced.length).toBe(4)
    for (const r of [...ratios, ...traced]) {
      expect(error(r)).toBeLessThan(0.1)
      expect(r).toMatchObject({ evidence: 'fitted', status: 'not reproducible' })
    }
  })
  it('is within 20 % end to end, with one overhead fitted, and the bound beside it', () => {
    const expected = of('end to end', '/expected')
    expect(expected.length).toBe(3)
    for (const r of expected) {
      expect(error(r)).toBeLessThan(0.2)
      expect(r).toMatchObject({ evidence: 'fitted', fitted_parameters: 1 })
    }
    for (const r of of('end to end', '/bound')) expect(r.status).toBe('off')
  })
  it('says what is impossible in the quoted sparse drafts', () => {
    for (const r of of('end to end', '/ceiling')) {
      expect(r.computed).toBeLessThan(r.published ?? 0)
      expect(r.why).toMatch(/impossible as quoted/)
    }
    // By bytes of Llama-2-7B with a quarter of the cache: 1.06 at 4k, 1.27 at 32k.
    const at = (item: string) => of('end to end').find((r) => r.item === item)?.computed
    expect(at('streaming/4096/ceiling')).toBeCloseTo(1.06, 1)
    expect(at('snapkv/32768/ceiling')).toBeCloseTo(1.27, 2)
  })
  it('explains the memory', () => {
    const [peak, ratio] = of('memory')
    expect(peak?.computed).toBeCloseTo(48.7, -0.5)
    expect(peak?.why).toMatch(/temporaries/)
    expect(ratio?.computed).toBeGreaterThan(1.25)
    expect(ratio?.computed).toBeLessThan(1.5)
  })
  it('has MagicDec’s twelve rows within 7 % on average, with one overhead per machine', () => {
    const expected = of('MagicDec', '/expected')
    expect(expected.length).toBe(12)
    expect(expected.reduce((sum, r) => sum + error(r), 0) / 12).toBeLessThan(0.07)
    for (const machine of ['a100-80gb-sxm', 'h100-sxm']) {
      const own = expected.filter((r) => r.item.startsWith(machine))
      expect(own.reduce((sum, r) => sum + error(r), 0) / own.length).toBeLessThan(0.07)
    }
    for (const r of expected) expect(r.status === 'off' || agrees(r)).toBe(true)
  })
  it('quotes what it does not predict', () => {
    const quoted = rows.filter((r) => r.computed === null)
    expect(quoted.map((r) => r.table)).toContain('perplexity')
    expect(quoted.filter((r) => r.table === 'MagicDec')).toHaveLength(7)
    for (const r of quoted) expect(r).toMatchObject({ status: 'not reproducible', evidence: 'quoted' })
  })
})
