// What a paper's module gives: its figures beside ours as rows, and what is better seen than read as curves.
import type { Row } from './row.ts'

export interface Series {
  readonly name: string
  readonly evidence: 'published' | 'computed'
  readonly points: readonly (readonly [x: number, y: number])[]
  /** What each point is; points without stand for a line. */
  readonly labels?: readonly string[]
}

export interface Curve {
  readonly name: string
  readonly title: string
  /** Axis labels. Both axes are logarithmic. */
  readonly x: string
  readonly y: string
  /** Values marked on the x axis. Default: the points' own where they are few, else powers of ten. */
  readonly ticks?: readonly number[]
  readonly series: readonly Series[]
  readonly source: string
}

export interface Paper {
  rows(): readonly Row[]
  curves?(): readonly Curve[]
}
