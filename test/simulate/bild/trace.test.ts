import { describe, expect, it } from 'vitest'
import { generate } from '../../../simulate/bild/algorithm.ts'
import { parseTrace, traceRates } from '../../../simulate/bild/trace.ts'

const token = (more: object = {}) => JSON.stringify({ confidence: 0.9, small: 5, large: 5, nll: 0.1, ...more })
const lines = (...of: string[]) => of.join('\n')

describe('a trace', () => {
  it('is read token by token, text by text', () => {
    const trace = parseTrace(
      lines(
        '\uFEFF{"small_vocabulary": 10, "large_vocabulary": 10}',
        token({ sequence: 'a' }),
        '',
        token({ sequence: 'a', large: 6, nll: 3 }),
        `${token({ sequence: 'b', confidence: 0.2 })}\r`,
        '',
      ),
    )
    expect(trace.texts.map((t) => t.proposals)).toEqual([
      [
        { confidence: 0.9, distance: 0.1, agrees: true },
        { confidence: 0.9, distance: 3, agrees: false },
      ],
      [{ confidence: 0.2, distance: 0.1, agrees: true }],
    ])
    expect(traceRates(trace, { fallback: 0.5, rollback: 2, window: 10 })).toEqual({
      unsure: 1 - 2 / 3,
      rejected: 0.5,
      window: 10,
    })
    expect(traceRates(trace, { fallback: 1, rollback: 2, window: 10 })).toMatchObject({ unsure: 1, rejected: 0 })
  })

  it('is replayed', () => {
    const [text] = parseTrace(lines(token(), token(), token())).texts
    expect(text && generate(text, { fallback: 0.5, rollback: 2, window: 10 }).counts).toMatchObject({
      tokens: 3,
      smallSteps: 2,
    })
  })

  it.each([
    ['', 'expected a line of JSON for each token, got none'],
    ['{"small_vocabulary": 10, "large_vocabulary": 10}', 'expected a line of JSON for each token, got none'],
    [lines(token(), '{"confidence": 0.5, "small": 1, "large": 1}'), 'line 2: expected nll, got none'],
    [lines('', token({ confidence: undefined })), 'line 2: expected confidence, got none'],
    [lines(token(), '{"confidence": NaN, "small": 1, "large": 1, "nll": 0}'), 'line 2: expected numbers, got NaN'],
    [token({ nll: null }), 'line 1: nll: expected a number, got null'],
    [token({ nll: 'x' }), 'line 1: nll: expected a number, got "x"'],
    [token({ confidence: 1.5 }), 'line 1: confidence: expected a probability from 0 to 1, got 1.5'],
    [token({ confidence: -0.1 }), 'line 1: confidence: expected a probability from 0 to 1, got -0.1'],
    [token({ nll: -0.5 }), 'line 1: nll: expected -ln of a probability, which is at least 0, got -0.5'],
    [token({ small: 1.5 }), 'line 1: small: expected a whole number from 0, got 1.5'],
    [lines(token(), 'nonsense'), 'line 2: expected a JSON object'],
    [lines(token(), '[1]'), 'line 2: expected a JSON object'],
    [lines(token(), '{"small_vocabulary":1,"large_vocabulary":1}'), 'line 2: expected vocabularies in the first line'],
    ['{"small_vocabulary": 5, "large_vocabulary": 6}', 'line 1: expected one vocabulary, got 5 entries'],
    ['{"small_vocabulary": 5}', 'line 1: expected large_vocabulary, got none'],
    [lines('{"small_vocabulary":5,"large_vocabulary":5}', token()), "line 2: expected tokens below the vocabulary's 5"],
    [
      token({ large: 6 }),
      "line 1: expected 5 as the large model's choice, to which nll 0.1 gives more than half, got 6",
    ],
    [
      lines(token({ sequence: 1 }), token({ sequence: 2 }), token({ sequence: 1 })),
      'line 3: expected the tokens of sequence 1 in one piece',
    ],
  ])('%j is refused', (content, message) => expect(() => parseTrace(content)).toThrow(message))
})
