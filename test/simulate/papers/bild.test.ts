import { expect, test } from 'vitest'
import { mainRows } from '../../../simulate/papers/bild/latency.ts'
import { agrees, loadPaper, summary } from '../../../simulate/reproduce.ts'

const rows = (await loadPaper('bild')).rows()
const off = (table: string) =>
  rows.filter((r) => r.table.startsWith(table) && r.computed !== null && !agrees(r)).map((r) => r.item)

test('the 16 speedups are 4.7 % off in the mean, by one cost ratio a family', () => {
  const main = mainRows()
  expect(main).toHaveLength(16)
  const mape = main.reduce((sum, r) => sum + Math.abs(r.relative_error ?? 1), 0) / 16
  expect(mape).toBeLessThan(0.05)
  expect(off('Main table')).toEqual(['cnndm/unaligned/rb3-fb0.4/speedup', 'cnndm/unaligned/rb6-fb0.2/speedup'])
})

test("the T5 rows are fitted, mT5's are not", () => {
  for (const r of mainRows()) {
    const t5 = /^(xsum|cnndm)/.test(r.item)
    expect(r.evidence, r.item).toBe(t5 ? 'fitted' : 'predicted')
  }
})

test('the T5 cost ratio is the median of what its rows imply', () => {
  const errors = mainRows()
    .filter((r) => r.evidence === 'fitted')
    .map((r) => r.relative_error ?? Number.NaN)
    .sort((a, b) => a - b)
  expect(Math.abs(((errors[3] ?? 1) + (errors[4] ?? 1)) / 2)).toBeLessThan(0.01)
})

test('what is off is shown with a reason', () => {
  expect(off('Self-trained')).toEqual([])
  expect(off('Shares of synthetic')).toEqual([])
  expect(off('Leviathan et al. 2023, bigram')).toEqual([])
  expect(off('Chen')).toEqual([])
  for (const r of rows) if (r.status !== 'reproduced') expect(r.why ?? '', r.item).not.toBe('')
  expect(new Set(rows.map((r) => r.item)).size).toBe(rows.length)
  for (const r of rows) expect(r.item).toMatch(/^[a-z0-9.-]+(\/[a-z0-9.-]+)+$/)
})

test('steps fitted on two tasks hold on the others, and about on another machine', () => {
  const texts = rows.filter((r) => r.table === 'Texts of a model alone')
  expect(texts.map((r) => [r.evidence, r.status])).toEqual(Array(6).fill(['predicted', 'reproduced']))
})

test('the quality of texts is quoted alone', () => {
  const scores = rows.filter((r) => r.item.endsWith('/score'))
  expect(scores).toHaveLength(20)
  for (const r of scores) expect(r).toMatchObject({ computed: null, evidence: 'quoted', status: 'not reproducible' })
})

test('what rests on a recalled cost is unverified', () => {
  const table2 = rows.filter((r) => r.table.endsWith('Table 2'))
  expect(table2).toHaveLength(12)
  for (const r of table2) expect(r.status).toBe('unverified')
})

test('the summary', () => {
  expect(summary(rows)).toMatchInlineSnapshot(`
    {
      "fitted": {
        "agree": 13,
        "rows": 15,
      },
      "not_reproducible": 44,
      "off": 10,
      "reproduced": 24,
      "rows": 90,
      "unverified": 12,
    }
  `)
})
