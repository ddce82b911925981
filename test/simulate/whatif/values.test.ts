// Lists and ranges as people type them.
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { parseFigure, parseTokens } from '../../../model/quantity.ts'
import { methodTemplate } from '../../../simulate/whatif/method-template.ts'
import { numbers, type Values } from '../../../simulate/whatif/values.ts'

const whole = { name: 'batch', whole: true, least: 1, most: 1e9, parse: parseTokens, such: '8 or 128k' } as const
const real = { name: 'audio', above: 0, parse: Number, such: '30' } as const
const all = (v: Values) => Array.from({ length: v.count }, (_, i) => v.at(i))

describe('values', () => {
  it.each([
    ['8', [8]],
    ['1k,8k,128k', [1024, 8192, 131072]],
    ['1:5', [1, 2, 3, 4, 5]],
    ['1:256:x2', [1, 2, 4, 8, 16, 32, 64, 128, 256]],
    ['1:20:x1.5', [1, 2, 3, 5, 8, 11, 17]],
    ['1k:4k:x2^0.5', [1024, 1448, 2048, 2896, 4096]],
    ['1,2,8:64:x2', [1, 2, 8, 16, 32, 64]],
    ['1k:4k:1k', [1024, 2048, 3072, 4096]],
    ['3:10:4', [3, 7]],
  ])('%s', (text, expected) => {
    expect(all(numbers(text, whole))).toEqual(expected)
  })
  it('of real numbers step without their rounding errors', () => {
    expect(all(numbers('0.5:0.9:0.1', real))).toEqual([0.5, 0.6, 0.7, 0.8, 0.9])
  })
  it('of a billion points are not listed', () => {
    const values = numbers('1:1000000000', whole)
    expect([values.count, values.at(0), values.at(999_999_999)]).toEqual([1e9, 1, 1e9])
  })
  it.each([
    '',
    ',',
    '1,',
    '8:1',
    '1:8:0',
    '1:8:x1',
    '1:8:x0.5',
    '1:8:-1',
    '1:inf',
    'NaN',
    '1:2:3:4',
    '0',
    '1.5',
    '2e10',
    '0:8:x2',
    '1,1',
    '1:',
    ':8',
    '1:8:xx',
    '1:8:x2^',
    '1:8:x^2',
  ])('%j is refused', (text) => {
    expect(() => numbers(text, whole)).toThrow(RangeError)
    expect(() => numbers(text, whole)).toThrow(/^batch: expected /)
  })
  it('rise, stay inside and begin where they are told to', () => {
    fc.assert(
      fc.property(
        fc.integer({ min: 1, max: 1000 }),
        fc.integer({ min: 0, max: 5000 }),
        fc.double({ min: 1.01, max: 4, noNaN: true }),
        (from, more, factor) => {
          const items = all(numbers(`${from}:${from + more}:x${factor.toFixed(3)}`, whole)) as number[]
          expect(items[0]).toBe(from)
          expect(items.at(-1)).toBeLessThanOrEqual(from + more)
          expect(items.slice(1).every((item, i) => item > (items[i] as number))).toBe(true)
        },
      ),
    )
  })
})

describe('figures with units', () => {
  it.each([
    ['3.35TB/s', 3.35e12],
    ['2e12', 2e12],
    ['80 GiB', 80 * 2 ** 30],
    ['80GB', 80e9],
    ['989 TFLOP/s', 989e12],
    ['1PFLOPS', 1e15],
    ['.5', 0.5],
  ])('%s', (text, expected) => {
    expect(parseFigure(text)).toBeCloseTo(expected, -2)
  })
  it.each(['', 'fast', '3 parsecs', '-1', '1e', 'TB/s'])('%j is none', (text) => {
    expect(parseFigure(text)).toBeNaN()
  })
})

describe('methods with several values', () => {
  it('have an axis for each option with more than one', () => {
    const template = methodTemplate('kvquant:bits=2|3|4,sink=1,outliers=0:0.02:0.01')
    expect(template.axes.map((a) => [a.name, all(a.values)])).toEqual([
      ['kvquant.bits', [2, 3, 4]],
      ['kvquant.outliers', [0, 0.01, 0.02]],
    ])
    expect(template.text([3, 0.01])).toBe('kvquant:bits=3,sink=1,outliers=0.01')
  })
  it('keep words and single values as they are', () => {
    expect(methodTemplate('draft:model=llama-3.2-1b,alpha=0.8').text([])).toBe('draft:model=llama-3.2-1b,alpha=0.8')
    expect(methodTemplate('kvquant').text([])).toBe('kvquant')
    expect(methodTemplate('kvquant:storage=paper|released').axes[0]?.values.at(1)).toBe('released')
  })
})
