// What a selection costs and keeps over all heads.

import { denseBytes, lookupBytes, rowBytes } from './bytes.ts'
import type { SelectionName } from './selections.ts'
import type { Squeezed } from './squeeze.ts'

export interface SelectionTotal {
  readonly selection: SelectionName
  /** Kept rows of the context, the window included, as a share of all. */
  readonly keptShare: number
  /** Rows and centroids read, as a share of the rows' bytes. */
  readonly budget: number
  /** The same with labels, scores, indices and the second reading of centroids; absent where there are none. */
  readonly budgetWithLookup?: number
  /** Means over heads. */
  readonly attentionMass: number
  readonly outputError: number
  /** The largest of a head. */
  readonly worstOutputError: number
}

/** Totals of the selections that were compared, in their order. */
export function selectionTotals({ heads }: Pick<Squeezed, 'heads'>): SelectionTotal[] {
  const names = heads[0]?.selections.map(({ selection }) => selection) ?? []
  return names.map((selection, i) => {
    const own = heads.flatMap(({ selections }) => selections[i] ?? [])
    const sum = (of: (row: (typeof own)[number]) => number) => own.reduce((total, row) => total + of(row), 0)
    const all = sum(denseBytes)
    const rows = sum(rowBytes)
    const looksUp = selection === 'clusters' || selection === 'hierarchy'
    return {
      selection,
      keptShare: sum(({ kept }) => kept) / sum(({ tokens }) => tokens),
      budget: rows / all,
      ...(looksUp && { budgetWithLookup: (rows + sum(lookupBytes)) / all }),
      attentionMass: 1 - sum(({ lostMass }) => lostMass) / own.length,
      outputError: sum(({ outputError }) => outputError) / own.length,
      worstOutputError: own.reduce((most, { outputError }) => Math.max(most, outputError), 0),
    }
  })
}
