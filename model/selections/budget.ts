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
    apart: true,
    thin: (regions) => {
      const past = rows(regions, (r) => !r.fresh)
      if (past <= budget) return regions.map((r) => (r.fresh ? r : own(r)))
      // Sinks and residuals first, of the others what is left.
      const exempt = rows(regions, (r) => !r.fresh && r.exempt)
      const first = Math.min(exempt, budget)
      const keep = (r: Region) => (r.exempt ? first / exempt : (budget - first) / (past - exempt))
      return regions.map((r) => (r.fresh ? r : { ...own(r), read: r.read * keep(r), attended: r.attended * keep(r) }))
    },
  }
}

function rows(regions: readonly Region[], of: (r: Region) => boolean): number {
  return regions.reduce((n, r) => n + (of(r) ? r.read : 0), 0)
}

/** Its own copy for each sequence: what is kept differs. */
function own(r: Region): Region {
  return { ...r, copies: r.copies * r.sharers, sharers: 1 }
}
