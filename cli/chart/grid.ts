// The figures of a sweep by its axes, as its charts need them.

import { limits } from '../../hardware/time.ts'
import type { Axis } from '../../simulate/whatif/plan.ts'
import type { Outcome } from '../sweep/run.ts'
import type { Sweep } from '../sweep/spec.ts'

export interface Cell {
  /** Null where there is none. */
  readonly value: number | null
  readonly limit: string | null
  readonly fits: boolean | null
}

export interface Grid {
  readonly axes: readonly Axis[]
  /** The cell at an index on each axis. */
  at(indices: readonly number[]): Cell
}

export function gridOf({ plan }: Sweep, { drawn }: Outcome): Grid {
  if (drawn === undefined) throw new Error('Expected the figures of a sweep that is drawn')
  return {
    axes: plan.axes,
    at(indices) {
      const point = plan.axes.reduce((sum, axis, k) => sum * axis.values.count + (indices[k] as number), 0)
      const value = drawn.first[point] as number
      return {
        value: Number.isNaN(value) ? null : value,
        limit: limits[drawn.limit[point] as number] ?? null,
        fits: drawn.fits[point] === 2 ? null : drawn.fits[point] === 1,
      }
    },
  }
}

/** An axis' values as a list. */
export function listed({ values }: Axis): (number | string)[] {
  return Array.from({ length: values.count }, (_, i) => values.at(i))
}

export function numeric(axis: Axis): boolean {
  return typeof axis.values.at(0) === 'number'
}
