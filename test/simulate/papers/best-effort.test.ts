// Best-effort serving beside its abstract: nothing of a made-up configuration counts as reproduced.
import { describe, expect, it } from 'vitest'
import { poisson, serve, statics } from '../../../simulate/papers/best-effort/experiment.ts'
import { loadPaper } from '../../../simulate/reproduce.ts'
import { usualBestEffort } from '../../../simulate/serving/best-effort.ts'

describe('best-effort-serving', () => {
  it('counts nothing as reproduced and says why', async () => {
    const rows = (await loadPaper('best-effort-serving')).rows()
    expect(rows.filter((r) => r.status === 'reproduced' || r.why === null)).toEqual([])
    expect(new Set(rows.map((r) => `${r.table}/${r.item}`)).size).toBe(rows.length)
  })
  it('measures again what its file says of static serving', async () => {
    const rows = (await loadPaper('best-effort-serving')).rows()
    const rate = rows.find((r) => r.item === '4-0-0/static/held-rate')?.computed ?? 0
    const b = { ...usualBestEffort, placement: [4, 0, 0] }
    const at = (share: number) =>
      serve(b, statics, { arrivals: poisson, rate: share * rate, seconds: 20 }, 11).availability
    expect(at(0.9)).toBeGreaterThan(0.95)
    expect(at(1.2)).toBeLessThan(0.95)
  })
})
