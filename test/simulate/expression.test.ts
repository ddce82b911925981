// Expressions: what they compute, what stands for nothing, and that nothing but arithmetic can be reached through them.
import { describe, expect, it } from 'vitest'
import { checkNames, leafAt, leafPaths, parseExpression } from '../../simulate/expression.ts'

const answer = {
  tokens_per_s: 50,
  memory: { fits: true, total: 8 },
  limit: 'memory',
  speedup: null,
  list: [1],
  zero: 0,
}
const lookup = (path: string) => leafAt(answer, path)
const value = async (text: string) => (await parseExpression('--metric', text)).evaluate(lookup)

describe('an expression', () => {
  it.each([
    ['tokens_per_s / memory.total', 6.25],
    ['2 + 3 * 4 ^ 2 - -1', 51],
    ['min(3, max(1, 2)) + abs(-1) + sqrt(16) + pow(2, 3)', 15],
    ['log2(8) + log10(1000) + floor(1.5) + ceil(1.5) + round(1.4)', 10],
    ['-7 % 3', 2],
    ['memory.fits and tokens_per_s >= 50', true],
    ['not memory.fits or limit == "memory"', true],
    ['limit != "compute"', true],
    ['10 < tokens_per_s < 20', false],
    ['tokens_per_s > 10 ? 1 : 2', 1],
    ['true', true],
  ])('%s is %s', async (text, expected) => {
    expect(await value(text)).toBe(expected)
  })

  it('is null where a figure does not apply, or a number is none', async () => {
    expect(await value('speedup.expected * 2')).toBeNull()
    expect(await value('speedup.expected > 1')).toBeNull()
    expect(await value('tokens_per_s / zero')).toBeNull()
    expect(await value('sqrt(-1)')).toBeNull()
    // What decides by itself decides.
    expect(await value('speedup.expected > 1 or memory.fits')).toBe(true)
    expect(await value('speedup.expected > 1 and not memory.fits')).toBe(false)
  })

  it('shows both sides of a comparison', async () => {
    const { sides } = await parseExpression('--until', 'tokens_per_s >= 4 * memory.total')
    expect([sides?.left.evaluate(lookup), sides?.sign, sides?.right.evaluate(lookup)]).toEqual([50, '>=', 32])
  })

  it('names what it does not find', async () => {
    const expression = await parseExpression('--where', 'tokens_per_sec > 1')
    expect(() => checkNames('--where', expression, lookup, leafPaths(answer))).toThrow(
      '--where: expected a key of the answer, got tokens_per_sec; nearest: tokens_per_s',
    )
  })

  it.each(['limit + 1', 'limit > 3', 'memory.fits == 1', 'tokens_per_s and memory.fits', 'list', '"a" < "b"'])(
    '%s: mixes what cannot be, or finds nothing',
    async (text) => {
      const result = await value(text).catch((error: Error) => error)
      expect(result === null || result instanceof RangeError).toBe(true)
    },
  )
})

describe('nothing but arithmetic', () => {
  it.each([
    'import({a: 1})',
    'createUnit("foo")',
    'evaluate("1 + 1")',
    'parse("1")',
    'simplify("x")',
    'derivative("x", "x")',
    'resolve("x")',
    'reviver("x")',
    'f(x) = x',
    'a = 1',
    'a.b = 1',
    '1; 2',
    '[1, 2]',
    '{a: 1}',
    '1:3',
    'memory["total"]',
    'memory[1]',
    'tokens_per_s.toString()',
    'memory.constructor("return process")()',
    'cos.constructor("return 1")()',
    'constructor("x")',
    '__proto__(1)',
    'hasOwnProperty("a")',
    'random()',
    '2 tokens_per_s',
    "tokens_per_s'",
    '5!',
    '~1',
    '1 | 2',
    '1 to 2',
    'min()',
    'sqrt(1, 2)',
    '',
    '1 +',
    '(',
    '"a',
    'tokens_per_s / 0',
    '1 / (2 - 2)',
  ])('%s is refused', async (text) => {
    await expect(parseExpression('--metric', text)).rejects.toThrow(RangeError)
  })

  it('properties of objects are not names', async () => {
    for (const text of ['constructor', '__proto__', 'memory.constructor', 'tokens_per_s.length', 'toString']) {
      const expression = await parseExpression('--metric', text)
      expect(() => checkNames('--metric', expression, lookup, [])).toThrow(RangeError)
    }
  })
})
