// How constants are scored: never on a row that they were fitted on. A whole group (a machine, a model) is left out, or
// each half of a group is scored with constants of the other half.

/** Constants from rows, and expected over measured of rows by constants. */
export interface Fitting<Row, Constants> {
  readonly constants: (rows: readonly Row[]) => Constants
  readonly ratios: (rows: readonly Row[], constants: Constants) => number[]
}

/** For each group, the constants of all other groups' rows. */
export function withoutEach<Row, C>(
  rows: readonly Row[],
  groupOf: (row: Row) => string,
  { constants }: Fitting<Row, C>,
): Map<string, C> {
  const groups = [...new Set(rows.map(groupOf))]
  return new Map(groups.map((group) => [group, constants(rows.filter((r) => groupOf(r) !== group))]))
}

/** In the rows' order: ratios by the constants of each row's group. */
export function ratiosBy<Row, C>(
  rows: readonly Row[],
  groupOf: (row: Row) => string,
  constants: ReadonlyMap<string, C>,
  { ratios }: Fitting<Row, C>,
): number[] {
  return byGroup(rows, groupOf, (own, group) => ratios(own, constants.get(group) as C))
}

/** In the rows' order: ratios by the constants of the other half of the row's group. */
export function otherHalf<Row, C>(
  rows: readonly Row[],
  groupOf: (row: Row) => string,
  halfOf: (row: Row) => string,
  fitting: Fitting<Row, C>,
): number[] {
  return byGroup(rows, groupOf, (own) => ratiosBy(own, halfOf, withoutEach(own, halfOf, fitting), fitting))
}

/** Values of each group's rows, put back in the order of all rows. */
export function byGroup<Row>(
  rows: readonly Row[],
  groupOf: (row: Row) => string,
  values: (own: Row[], group: string) => number[],
): number[] {
  const groups = new Map<string, number[]>()
  for (const [i, row] of rows.entries()) {
    const key = groupOf(row)
    const group = groups.get(key)
    if (group) group.push(i)
    else groups.set(key, [i])
  }
  const out: number[] = new Array(rows.length)
  for (const [group, indices] of groups) {
    const found = values(
      indices.map((i) => rows[i] as Row),
      group,
    )
    for (const [j, i] of indices.entries()) out[i] = found[j] as number
  }
  return out
}
