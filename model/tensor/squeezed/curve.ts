// Attention lost against budget, by selection and sparsity, over all heads.

import { denseBytes, type Reading, rowBytes } from './bytes.ts'
import { type SelectionName, selectionNames } from './selections.ts'

/** One selection at one sparsity, over all heads. */
export interface CurvePoint {
  readonly selection: SelectionName
  readonly sparsity: number
  /** Rows and centroids read as a share of all rows. */
  readonly budget: number
  readonly lostMass: number
}

/** Budgets and losses by selection and sparsity, over heads. */
export class CurveTally {
  readonly #sums = new Map<string, { point: CurvePoint; read: number; all: number; lost: number; heads: number }>()

  add(selection: SelectionName, sparsity: number, of: Reading, lostMass: number): void {
    const key = `${selection} ${sparsity}`
    const fresh = { point: { selection, sparsity, budget: 0, lostMass: 0 }, read: 0, all: 0, lost: 0, heads: 0 }
    const sum = this.#sums.get(key) ?? fresh
    sum.read += rowBytes(of)
    sum.all += denseBytes(of)
    sum.lost += lostMass
    sum.heads++
    this.#sums.set(key, sum)
  }

  points(): CurvePoint[] {
    const points = [...this.#sums.values()].map(({ point, read, all, lost, heads }) => ({
      ...point,
      budget: read / all,
      lostMass: lost / heads,
    }))
    const place = (name: SelectionName) => selectionNames.indexOf(name)
    return points.sort((a, b) => place(a.selection) - place(b.selection) || a.sparsity - b.sparsity)
  }
}
