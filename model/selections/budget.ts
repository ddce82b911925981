// A draft's short cache: so many rows of the past, kept apart and read in a row. StreamingLLM (arXiv 2309.17453) keeps the
// first tokens and the last; SnapKV (arXiv 2404.14469) keeps those that the prompt's end attended most, and the last.
import type { Region, Selection } from '../cache.ts'

export const budgetKinds = ['streaming', 'snapkv'] as const
export type BudgetKind = (typeof budgetKinds)[number]

/** At most `budget` rows of the past; which ones is the kind's matter, how many are read and held is the same. */
export function budgetSelection(kind: BudgetKind, budget: number): Selection {
  return {
    name: `${kind} ${budget}`,
    accepts: ['heads', 'latent'],
    holds: (tokens) => Math.min(tokens, budget),
    thin: (regions) => {
      const past = regions.reduce((n, r) => n + (r.fresh ? 0 : r.read), 0)
      if (past <= budget) return [...regions]
      const keep = budget / past
      // Its own copy for each sequence: what is kept differs.
      return regions.map((r): Region => (r.fresh ? r : { ...own(r), read: r.read * keep, attended: r.attended * keep }))
    },
  }
}

function own(r: Region): Region {
  return { ...r, copies: r.copies * r.sharers, sharers: 1 }
}
