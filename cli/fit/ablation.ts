import { type Table, table } from '../table.ts'
import type { Data } from './data.ts'

export function ablations(_data: Data, _say: (what: string) => void): readonly object[] {
  return []
}
export function ablationTable(rows: readonly object[]): Table {
  return table([], rows)
}
