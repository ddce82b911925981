// A recorded trace: what a small and a large model said, token by token, as JSON Lines that a user writes from real
// models:
//
//   {"confidence": 0.93, "small": 262, "large": 262, "nll": 0.11}
//
// `confidence` is the small model's probability of its choice `small`, `large` the large model's choice at the same place,
// `nll` -ln of the probability that the large model gives to `small`. `sequence` (any value) tells texts apart that follow
// each other; a first line may give both `small_vocabulary` and `large_vocabulary`.

import { fail, type Line, number, parseLines, TraceError, whole } from '../speculation/lines.ts'
import type { Proposal, Text, Thresholds } from './algorithm.ts'
import type { BildRates } from './renewal.ts'

export interface Trace {
  readonly texts: readonly TraceText[]
}

export interface TraceText extends Text {
  readonly proposals: readonly Proposal[]
}

/** Reads a trace. Throws TraceError with the number of the first line that is wrong. */
export function parseTrace(content: string): Trace {
  return traceOf(parseLines(content))
}

/** The trace that these lines hold. Throws TraceError. */
export function traceOf(lines: readonly Line[]): Trace {
  const texts: Proposal[][] = []
  const ended = new Set<unknown>()
  let vocabulary: number | undefined
  let open: { sequence: unknown; proposals: Proposal[] } | undefined
  lines.forEach((line, i) => {
    const { at, fields } = line
    if ('small_vocabulary' in fields || 'large_vocabulary' in fields) {
      if (i > 0) fail(at, 'expected vocabularies in the first line alone')
      vocabulary = oneVocabulary(line)
      return
    }
    const sequence = fields.sequence ?? null
    if (open === undefined || open.sequence !== sequence) {
      if (ended.has(sequence)) fail(at, `expected the tokens of sequence ${sequence} in one piece, got it again`)
      if (open !== undefined) ended.add(open.sequence)
      open = { sequence, proposals: [] }
      texts.push(open.proposals)
    }
    open.proposals.push(proposalOf(line, vocabulary))
  })
  if (texts.length === 0) throw new TraceError('expected a line of JSON for each token, got none')
  return { texts: texts.map(textOf) }
}

/** A text whose proposals are known position by position; asked again after a rollback, they are the same. */
export function textOf(proposals: readonly Proposal[]): TraceText {
  return { proposals, tokens: proposals.length, propose: (position) => proposals[position] as Proposal }
}

/** The closed form's rates of a trace: as if its tokens came in any order. */
export function traceRates({ texts }: Trace, { fallback, rollback, window }: Thresholds): BildRates {
  const all = texts.flatMap((t) => t.proposals)
  const emitted = all.filter((p) => p.confidence >= fallback)
  const rejected = emitted.filter((p) => p.distance > rollback && !p.agrees)
  const share = emitted.length === 0 ? 0 : rejected.length / emitted.length
  return { unsure: 1 - emitted.length / all.length, rejected: share, window }
}

function oneVocabulary(line: Line): number {
  const [small, large] = [whole(line, 'small_vocabulary'), whole(line, 'large_vocabulary')]
  if (small !== large) {
    fail(line.at, `expected one vocabulary, got ${small} entries of the small model and ${large} of the large one`)
  }
  return small
}

function proposalOf(line: Line, vocabulary: number | undefined): Proposal {
  const { at } = line
  const confidence = number(line, 'confidence')
  if (confidence < 0 || confidence > 1) {
    fail(at, `confidence: expected a probability from 0 to 1, got ${confidence}`)
  }
  const [small, large] = [whole(line, 'small'), whole(line, 'large')]
  const distance = number(line, 'nll')
  if (distance < 0) fail(at, `nll: expected -ln of a probability, which is at least 0, got ${distance}`)
  if (vocabulary !== undefined && Math.max(small, large) >= vocabulary) {
    fail(at, `expected tokens below the vocabulary's ${vocabulary}, got ${Math.max(small, large)}`)
  }
  // What holds more than half of the probability is the choice: another choice means another vocabulary.
  if (small !== large && distance < Math.LN2 * (1 - 1e-3)) {
    fail(
      at,
      `expected ${small} as the large model's choice, to which nll ${distance} gives more than half, got ${large}; do both models use one vocabulary?`,
    )
  }
  return { confidence, distance, agrees: small === large }
}
