import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { findFault, JsonError, parseJson, place } from '../../cli/json.ts'

const where = (text: string) => {
  try {
    parseJson(text, 'x')
    return 'fine'
  } catch (error) {
    expect(error).toBeInstanceOf(JsonError)
    return (error as Error).message
  }
}

describe('the fault of a text that is not JSON', () => {
  it.each([
    ['', 'x:1:1: expected a JSON value, got an empty file'],
    [' \n', 'x:1:1: expected a JSON value, got an empty file'],
    ['{"a": 1,}', 'x:1:9: expected a key, got } (a comma before it is one too many)'],
    ['[1, 2,\n]', 'x:2:1: expected a value, got ] (a comma before it is one too many)'],
    ['{"a": 1\n "b": 2}', 'x:2:2: expected , or }, got "b"'],
    ['\r\n\r\n{"a":}', 'x:3:6: expected a value, got }'],
    ['{"a": NaN}', 'x:1:7: expected a value, got NaN (JSON has no such number)'],
    ['{"a": -Infinity}', 'x:1:7: expected a value, got -Infinity (JSON has no such number)'],
    ['// no\n{}', 'x:1:1: expected a value, got // (JSON has no comments)'],
    ["{'a': 1}", "x:1:2: expected a key or }, got '"],
    ['{"a": "b\n"}', 'x:1:9: expected a string on one line, got a line break or tab inside it'],
    ['{"a": "\\x"}', 'x:1:7: expected a string, got one without an end or with a wrong escape'],
    ['{"a": "b', 'x:1:7: expected a string, got one without an end or with a wrong escape'],
    ['{"a": 01}', 'x:1:7: expected a value, got 01'],
    ['{} {}', 'x:1:4: expected the end, got {'],
    ['[1, [2', 'x:1:7: expected , or ], got the end of the file'],
    ['{"a" 1}', 'x:1:6: expected :, got 1'],
    ['[tru]', 'x:1:2: expected a value or ], got tru'],
    ['<html>', 'x:1:1: expected a value, got <'],
  ])('of %j is %s', (text, message) => expect(where(text)).toBe(message))

  it('is none where there is only a byte order mark', () => {
    expect(parseJson('\uFEFF{"a": 1}', 'x')).toEqual({ a: 1 })
  })

  it('shows no more than a piece of a long line', () => {
    expect(where(`[${'x'.repeat(1e5)}]`).length).toBeLessThan(80)
  })

  it('is found in a deep nest', () => {
    expect(where('['.repeat(1e5))).toBe('x:1:100001: expected a value or ], got the end of the file')
  })

  it('is found exactly where JSON.parse finds none', () => {
    const broken = fc
      .tuple(fc.json(), fc.nat(), fc.constantFrom('', ',', '"', '}', ']', ':', '0', 'x', '\n', '\\'))
      .map(([text, at, put]) => {
        const i = at % (text.length + 1)
        return text.slice(0, i) + put + text.slice(i + 1)
      })
    fc.assert(
      fc.property(fc.oneof(fc.json(), broken), (text) => {
        let valid = true
        try {
          JSON.parse(text)
        } catch {
          valid = false
        }
        expect(findFault(text) === undefined).toBe(valid)
      }),
      { numRuns: 2000 },
    )
  })
})

describe('place', () => {
  it('counts lines of any ending', () => {
    expect(place('a\nb\r\nc\rd', 0)).toEqual({ line: 1, column: 1 })
    expect(place('a\nb\r\nc\rd', 2)).toEqual({ line: 2, column: 1 })
    expect(place('a\nb\r\nc\rde', 8)).toEqual({ line: 4, column: 2 })
  })
})
