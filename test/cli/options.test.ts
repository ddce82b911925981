import { describe, expect, it } from 'vitest'
import { choice, count, names, plotFile, seconds, weightFormats, word } from '../../cli/options.ts'
import { outputFormat } from '../../cli/output.ts'

describe('a whole number', () => {
  it.each([
    ['8', 8],
    ['128k', 131072],
    ['1M', 2 ** 20],
    ['0.5k', 512],
    ['1e9', 1e9],
  ])('%s is %d', (text, value) => expect(count('--n')(text, undefined)).toBe(value))

  it.each(['-1', '0', '1.5', '', ' ', 'NaN', 'Infinity', '0x10', '1e400', 'ten', '1 2', '٣'])('%j is none', (text) => {
    expect(() => count('--n')(text, undefined)).toThrow(/^--n: expected/)
  })
})

describe('an option', () => {
  it('takes one value', () => {
    expect(() => word('--out')('b', 'a')).toThrow('--out: expected one value, got a second: b')
  })
  it('does not take another option as its value', () => {
    expect(() => word('--out')('--json', undefined)).toThrow('--out: expected a value, got the option --json')
  })
  it('with choices names the nearest', () => {
    expect(() => choice('--phase', ['decode', 'prefill'])('prefil', undefined)).toThrow(/nearest: prefill$/)
  })
  it('in seconds is above 0', () => {
    expect(seconds('--audio')('0.5', undefined)).toBe(0.5)
    for (const text of ['0', '-1', 'x', '1e99', '..'])
      expect(() => seconds('--audio')(text, undefined)).toThrow(/--audio/)
  })
  it('with names refuses empty ones', () => {
    expect(names('--on')('a, b', undefined)).toEqual(['a', 'b'])
    expect(() => names('--on')('a,,b', undefined)).toThrow(/--on/)
  })
  it('that draws takes PNG and SVG', () => {
    expect(plotFile('--plot')('a/b.PNG', undefined)).toBe('a/b.PNG')
    expect(() => plotFile('--plot')('a.jpg', undefined)).toThrow('expected a file ending in .png or .svg, got a.jpg')
  })
})

describe('formats of weights', () => {
  it('are given for all or by role', () => {
    const parse = weightFormats('--weights')
    const both = parse('head=int8', parse('int4:group=64', undefined))
    expect(both.all).toMatchObject({ name: 'int4', group: 64 })
    expect(both.roles.head).toMatchObject({ name: 'int8' })
  })
  it('are given once each', () => {
    const parse = weightFormats('--weights')
    expect(() => parse('int8', parse('int4', undefined))).toThrow(/got a second: int8/)
    expect(() => parse('head=int8', parse('head=int4', undefined))).toThrow(/one format for head/)
  })
  it('are those of roles that exist', () => {
    expect(() => weightFormats('--weights')('hed=int8', undefined)).toThrow(/nearest: head/)
    expect(() => weightFormats('--weights')('int5', undefined)).toThrow(/^--weights: expected a format/)
  })
})

describe('the format of the output', () => {
  it('is the flag, else the ending of the file, else text', () => {
    expect(outputFormat({})).toBe('text')
    expect(outputFormat({ out: 'a.csv' })).toBe('csv')
    expect(outputFormat({ out: 'a.csv', json: true })).toBe('json')
    expect(outputFormat({ out: 'a.MD' })).toBe('markdown')
  })
  it('is one', () => {
    expect(() => outputFormat({ json: true, csv: true })).toThrow(/got --json and --csv/)
  })
})
