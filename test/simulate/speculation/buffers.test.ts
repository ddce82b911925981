// QuantSpec's cache against a plain list: nothing is lost, doubled, reordered, or quantized before it is certain.
import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { bufferSlots, buffers, quantizedOfPrompt } from '../../../simulate/speculation/buffers.ts'

describe('a prompt', () => {
  it.each([
    [200, 0, 200],
    [256, 0, 256],
    [257, 128, 129],
    [300, 128, 172],
    [384, 256, 128],
    [385, 256, 129],
    [4096, 3968, 128],
    [4100, 3968, 132],
    [32000, 31872, 128],
  ])('of %d is split into %d and %d', (tokens, quantized, residual) => {
    expect(quantizedOfPrompt(tokens, 128)).toBe(quantized)
    const cache = buffers(
      Array.from({ length: tokens }, (_, i) => i),
      128,
    )
    expect([cache.quantized.length, cache.residual.length]).toEqual([quantized, residual])
  })

  const golden = join(import.meta.dirname, '../../../../shared/facts/golden-vectors.json')
  it.skipIf(!existsSync(golden))('is split as in the golden vectors', () => {
    const all = JSON.parse(readFileSync(golden, 'utf8')) as { name: string; rows: [number, number, number][] }[]
    const { rows } = all.find((v) => v.name === 'quantspec_prefill_split') ?? { rows: [] }
    expect(rows.length).toBeGreaterThan(0)
    for (const [tokens, quantized] of rows) expect(quantizedOfPrompt(tokens, 128)).toBe(quantized)
  })
})

type Entry = readonly [position: number, by: 'prompt' | 'draft' | 'target']

describe('the life of the cache', () => {
  const cases = fc.record({
    group: fc.integer({ min: 4, max: 16 }),
    prompt: fc.integer({ min: 0, max: 60 }),
    gamma: fc.integer({ min: 0, max: 3 }),
    accepted: fc.array(fc.integer({ min: 0, max: 3 }), { maxLength: 120 }),
  })

  it('is that of a plain list', () => {
    fc.assert(
      fc.property(cases, ({ group, prompt, gamma, accepted }) => {
        const list: Entry[] = Array.from({ length: prompt }, (_, i) => [i, 'prompt'] as const)
        const cache = buffers<Entry>(list, group)
        for (const wanted of accepted) {
          const kept = Math.min(wanted, gamma) + 1
          const round = (by: Entry[1], tokens: number) =>
            Array.from({ length: tokens }, (_, i) => [list.length + i, by] as const)
          cache.draft(round('draft', gamma))
          expect([...cache.quantized, ...cache.residual].slice(0, list.length)).toEqual(list)
          cache.verify(round('target', gamma + 1), kept)
          list.push(...round('target', kept))
          expect([...cache.quantized, ...cache.residual]).toEqual(list)
          expect(cache.quantized.length % group).toBe(0)
          expect(cache.residual.length).toBeLessThan(2 * group)
          if (list.length >= 2 * group) expect(cache.residual.length).toBeGreaterThanOrEqual(group)
        }
        expect(cache.highest).toBeLessThanOrEqual(bufferSlots(group, gamma))
      }),
    )
  })

  it('flushes once per group, however many tokens were rejected', () => {
    const cache = buffers(
      Array.from({ length: 256 }, () => 0),
      128,
    )
    for (let i = 0; i < 1280; i++) {
      cache.draft([1, 1, 1])
      cache.verify([2, 2, 2, 2], 1)
    }
    expect(cache.flushes).toBe(11)
    expect(cache.quantized.length).toBe(11 * 128)
    expect(bufferSlots(128, 0)).toBe(257)
  })

  it('refuses rounds that its buffers cannot take back', () => {
    const cache = buffers([0], 2)
    expect(() => cache.draft([1, 2, 3, 4])).toThrow('expected at most 3 tokens a round for groups of 2, got 4')
    expect(() => cache.verify([1, 2], 3)).toThrow('kept: expected 0 to 2 tokens, got 3')
    expect(() => buffers([0], 0)).toThrow('group: expected a whole number')
  })
})
