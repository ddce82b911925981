// Whether a draft can guess for a target at all: both must speak in the same tokens, and the draft ought to be smaller.
import type { Architecture } from '../../model/architecture.ts'
import { parameters } from '../../model/parameters.ts'

/** Heads are padded by up to some hundreds of rows: sizes this near may be one vocabulary. */
const padding = 0.01

/** Entries of the vocabulary that a model's head chooses from; undefined where it has no head. */
export function vocabularySize(a: Architecture): number | undefined {
  for (const { output } of a.stacks) {
    for (const m of output) if (m.kind === 'head') return m.vocabulary
  }
  return undefined
}

/** What to warn of where `draft` guesses for `target`. Throws a RangeError where their vocabularies cannot be one. */
export function pairWarnings(draft: Architecture, target: Architecture): string[] {
  return [...vocabularyWarnings(draft, target), ...sizeWarnings(draft, target)]
}

function vocabularyWarnings(draft: Architecture, target: Architecture): string[] {
  const [own, wanted] = [vocabularySize(draft), vocabularySize(target)]
  if (own === undefined || wanted === undefined) {
    const without = own === undefined ? draft : target
    throw new RangeError(`${without.name}: expected a model that generates tokens, it has no vocabulary head`)
  }
  if (Math.abs(own - wanted) > padding * wanted) {
    throw new RangeError(
      `${draft.name}: expected the vocabulary of ${target.name} (${wanted} entries), got one of ${own}; a draft must use its target's tokens`,
    )
  }
  if (own === wanted) return []
  return [`${draft.name} has ${own} vocabulary entries, ${target.name} ${wanted}: taken to be one vocabulary, padded`]
}

function sizeWarnings(draft: Architecture, target: Architecture): string[] {
  const [own, wanted] = [parameters(draft).total, parameters(target).total]
  if (own < wanted) return []
  return [`the draft ${draft.name} is not smaller than its target ${target.name} (${own} and ${wanted} parameters)`]
}
