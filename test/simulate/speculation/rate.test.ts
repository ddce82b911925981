import { describe, expect, it } from 'vitest'
import { loadModel } from '../../../model/catalog.ts'
import { seeded } from '../../../model/random.ts'
import { constantRate, parseRate, tableRate, traceRate } from '../../../simulate/speculation/rate.ts'
import { pairWarnings, vocabularySize } from '../../../simulate/speculation/vocabulary.ts'

describe('a rate', () => {
  it('is a number', () => {
    expect(parseRate('alpha', '0.9').at(6, 4096).tokens).toBeCloseTo(5.217031, 6)
    expect(parseRate('accepted', '0.9').at(6, 1).tokens).toBeCloseTo(6.4, 12)
    expect(constantRate('alpha', 0.5)).toMatchObject({ label: 'alpha 0.5' })
  })

  it('is a table over contexts, straight over their logarithm, and says where it ends', () => {
    const rate = parseRate('alpha', '4k:0.84/64k:0.80')
    expect(rate.label).toBe('alpha 4096:0.84/65536:0.8')
    const alpha = (context: number) => rate.at(3, context).alpha
    expect(alpha(4096)).toBe(0.84)
    expect(alpha(16384)).toBeCloseTo(0.82, 12)
    expect(alpha(65536)).toBe(0.8)
    expect([alpha(1), alpha(1e6)]).toEqual([0.84, 0.8])
    expect([1, 4096, 20000, 65536, 65537].map(rate.outside)).toEqual([true, false, false, false, true])
  })

  it('is a trace of rounds', () => {
    const rounds = [0, 1, 1, 2, 4, 4, 3, 0].map((accepted) => ({ drafted: 4, accepted }))
    const a = traceRate(rounds).at(4, 1)
    expect(a.tokens).toBeCloseTo(1 + 15 / 8, 12)
    expect(a.accepted).toBeCloseTo(15 / 32, 12)
    // A shorter draft would have kept the same tokens, up to its own length.
    expect(traceRate(rounds).at(2, 1).tokens).toBeCloseTo(1 + (0 + 1 + 1 + 2 + 2 + 2 + 2 + 0) / 8, 12)
    const random = seeded(3)
    const n = 20_000
    const mean = Array.from({ length: n }, () => a.sample(random)).reduce((x, y) => x + y) / n
    expect(Math.abs(mean - a.tokens)).toBeLessThan(0.05)
  })

  it('counts rounds of different lengths over those that drafted so far', () => {
    const rate = traceRate([
      { drafted: 2, accepted: 2 },
      { drafted: 1, accepted: 1 },
      { drafted: 1, accepted: 0 },
    ])
    expect(rate.at(2, 1).tokens).toBeCloseTo(1 + 2 / 3 + 2 / 3, 12)
    expect(() => rate.at(3, 1)).toThrow('gamma: expected at most 2, the tokens that the trace drafted a round, got 3')
  })

  it.each(['', 'x', '1.2', '-0.1', 'NaN', '4k:0.8/4k:0.7', '4k:1.5', 'zero:0.5', '0:0.5', '4k:', '4k:0.8/'])(
    'is not %j',
    (text) => expect(() => parseRate('alpha', text)).toThrow(/^alpha.*expected/),
  )

  it('is not told of nothing', () => {
    expect(() => tableRate('alpha', [])).toThrow('got none')
    expect(() => traceRate([])).toThrow('expected rounds with drafted tokens, got none')
    expect(() => traceRate([{ drafted: 2, accepted: 3 }])).toThrow('got 3 of 2')
  })
})

describe('a pair', () => {
  it('of one vocabulary is not warned of', async () => {
    expect(pairWarnings(await loadModel('mt5-small'), await loadModel('mt5-large'))).toEqual([])
    expect(vocabularySize(await loadModel('t5-small'))).toBe(32128)
    expect(vocabularySize(await loadModel('bert-base'))).toBeUndefined()
  })
  it('of two is refused', async () => {
    const [draft, target] = [await loadModel('gpt2-small'), await loadModel('llama-2-7b')]
    expect(() => pairWarnings(draft, target)).toThrow(
      'expected the vocabulary of llama-2-7b (32000 entries), got one of 50257',
    )
    const encoder = await loadModel('bert-base')
    expect(() => pairWarnings(encoder, target)).toThrow('no vocabulary head')
  })
  it('of a large draft is warned of', async () => {
    expect(pairWarnings(await loadModel('llama-2-13b'), await loadModel('llama-2-7b'))).toEqual([
      expect.stringMatching(/^the draft llama-2-13b is not smaller than its target llama-2-7b/),
    ])
  })
})
