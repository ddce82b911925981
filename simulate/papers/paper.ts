// What a paper's module gives: its figures beside ours as rows, and what is better seen than read as curves.
import type { Row } from './row.ts'

export interface Series {
  readonly name: string
  readonly evidence: 'published' | 'computed'
  readonly points: readonly (readonly [x: number, y: number])[]
}

export interface Curve {
  readonly name: string
  readonly title: string
  /** Axis labels. Both axes are logarithmic. */
  readonly x: string
  readonly y: string
  readonly series: readonly Series[]
  readonly source: string
}

export interface Paper {
  rows(): readonly Row[]
  curves?(): readonly Curve[]
}
