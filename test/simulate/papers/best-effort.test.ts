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
  it('holds what is published as a lower bound against what is below it alone', async () => {
    const rows = (await loadPaper('best-effort-serving')).rows()
    const gains = rows.filter((r) => r.item.endsWith('/held-rate-to-static') && r.published !== null)
    expect(gains.length).toBeGreaterThan(1)
    for (const r of gains) expect(r.status).toBe((r.computed ?? 0) >= 10 ? 'not reproducible' : 'off')
  })
  it('has no interval of a share beyond 0 and 1', async () => {
    const rows = (await loadPaper('best-effort-serving')).rows()
    const shares = rows.filter((r) => /availability|performance$|above-9/.test(r.item))
    const ends = shares.flatMap((r) => (/95 % (\S+) to (\S+)[;)]/.exec(r.why ?? '') ?? []).slice(1).map(Number))
    expect(ends.length).toBeGreaterThan(200)
    expect(Math.min(...ends)).toBeGreaterThanOrEqual(0)
    expect(Math.max(...ends)).toBeLessThanOrEqual(1)
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
