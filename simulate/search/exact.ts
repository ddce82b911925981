// ETS's program solved exactly by HiGHS (WebAssembly), which is loaded when it is first asked for. What every best choice
// settles alike is settled before, which leaves it few columns.
import type { Highs, ModelData } from 'highs'
import { greedyKept } from './greedy.ts'
import { type Kept, objective, type Program, type Solver } from './program.ts'

/** Seconds after which a solve gives the best it has. */
export const usualLimit = 10

let highs: Promise<Highs> | undefined

/** Loads HiGHS. A solve that takes longer than `limit` seconds answers with the better of its best and the greedy one. */
export async function exactSolver(limit = usualLimit): Promise<Solver> {
  highs ??= loadHighs()
  const loaded = await highs
  return (program) => solved(loaded, program, limit)
}

/** Its types are a CommonJS module's, what is loaded is not. */
async function loadHighs(): Promise<Highs> {
  const { default: load } = (await import('highs')) as unknown as { default: typeof import('highs').default }
  return load()
}

function solved(highs: Highs, p: Program, limit: number): Kept {
  if (p.shares.length === 1) return { keep: [true], objective: objective(p, [true]), optimal: true }
  const small = reduced(p)
  const model = highs.createModel(modelOf(p, small, highs))
  try {
    model.options.set({
      output_flag: false,
      time_limit: limit,
      // These trees are small: what heuristics find, the search finds sooner.
      mip_heuristic_effort: 0,
      // A relative gap of 1e-4, HiGHS's own, would leave optima unproven that differ by a node.
      mip_rel_gap: 0,
      mip_abs_gap: 1e-9,
      mip_feasibility_tolerance: 1e-9,
      primal_feasibility_tolerance: 1e-9,
      dual_feasibility_tolerance: 1e-9,
    })
    model.run()
    const optimal = model.getModelStatus() === highs.constants.modelStatus.optimal
    const { colValue } = model.getSolution()
    const keep = small.of.map((column) => (colValue[column] ?? 0) > 0.5)
    const found = { keep, objective: keep.includes(true) ? objective(p, keep) : Number.NEGATIVE_INFINITY, optimal }
    if (optimal) return found
    const quick = greedyKept(p)
    return quick.objective > found.objective ? quick : found
  } finally {
    model.dispose()
  }
}

/** One yes or no of the reduced program: a candidate, or a node with all candidates on it that pay for themselves. */
interface Column {
  /** What it brings beside its coverage. */
  value: number
  /** Clusters that it covers. */
  readonly clusters: ReadonlySet<number>
  /** It can be chosen by itself; else it is held exactly where something below it is. */
  readonly own: boolean
  above: number
}

interface Reduced {
  readonly columns: readonly Column[]
  /** The column that everything is below. */
  readonly top: number
  /** The column that decides over each candidate; -1 where no best choice needs it. */
  readonly of: readonly number[]
}

/**
 * A candidate whose share pays for its own node goes wherever the node before it goes. Of the others, the best of each
 * cluster on a node can be of use, and only where none of that cluster is on the node anyway. A node with nothing but one
 * column below is held with it.
 */
function reduced({ shares, parents, before, clusters, cost }: Program): Reduced {
  const columns: Column[] = []
  const of = shares.map(() => -1)
  const below: number[][] = parents.map(() => [])
  const paying: number[][] = parents.map(() => [])
  const others: number[][] = parents.map(() => [])
  for (const [i, j] of before.entries()) ((shares[i] as number) >= cost ? paying : others)[j]?.push(i)
  const clusterOf = (i: number) => clusters[i] ?? -1
  for (let j = parents.length - 1; j >= 0; j--) {
    const going = paying[j] as number[]
    const covered = new Set(going.map(clusterOf))
    const under = below[j] as number[]
    for (const i of (others[j] as number[]).sort((a, b) => (shares[b] as number) - (shares[a] as number))) {
      if (covered.has(clusterOf(i))) continue
      covered.add(clusterOf(i))
      of[i] = columns.length
      under.push(columns.length)
      const own = { clusters: new Set([clusterOf(i)]), own: true, above: -1 }
      columns.push({ value: (shares[i] as number) - cost, ...own })
    }
    const only = going.length === 0 && under.length === 1 ? columns[under[0] as number] : undefined
    if (only !== undefined) {
      only.value -= cost
      below[parents[j] as number]?.push(under[0] as number)
      continue
    }
    const at = columns.length
    for (const column of under) (columns[column] as Column).above = at
    for (const i of going) of[i] = at
    const value = going.reduce((sum, i) => sum + (shares[i] as number) - cost, -cost)
    columns.push({ value, clusters: new Set(going.map(clusterOf)), own: going.length > 0, above: -1 })
    below[parents[j] as number]?.push(at)
  }
  return { columns, top: columns.findIndex((c) => c.above === -1), of }
}

/** The columns, then whether each cluster is covered. */
function modelOf(p: Program, { columns, top }: Reduced, { infinity, constants }: Highs): ModelData {
  const { variableType } = constants
  const costs = columns.map((c) => c.value)
  const rows = new Rows(infinity)
  const below = new Map<number, number[]>()
  for (const [i, { above }] of columns.entries()) {
    if (above < 0) continue
    below.set(above, [...(below.get(above) ?? []), i])
    // What has everything below it is held anyway.
    if (above !== top) rows.atLeast(0, [above, 1], [i, -1])
  }
  // With these the tree alone has whole corners, so that only coverage is left to search.
  for (const [i, under] of below) if (!columns[i]?.own) rows.atLeast(0, [i, -1], ...under.map(one))
  for (const covering of coverings(p, columns).values()) {
    rows.atLeast(0, [costs.length, -1], ...covering.map(one))
    costs.push(p.gain)
  }
  rows.atLeast(1, ...columns.flatMap((c, i) => (c.own ? [one(i)] : [])))
  return {
    sense: constants.objectiveSense.maximize,
    numCols: costs.length,
    colCost: costs,
    colLower: costs.map((_, i) => (i === top ? 1 : 0)),
    colUpper: costs.map(() => 1),
    integrality: costs.map((_, i) => (columns[i]?.own ? variableType.integer : variableType.continuous)),
    ...rows.data(costs.length),
  }
}

/** The columns that cover each cluster. */
function coverings({ clusters }: Program, columns: readonly Column[]): Map<number, number[]> {
  const covering = new Map<number, number[]>()
  if (clusters.length === 0) return covering
  for (const [i, column] of columns.entries()) {
    for (const cluster of column.clusters) {
      const known = covering.get(cluster)
      if (known) known.push(i)
      else covering.set(cluster, [i])
    }
  }
  return covering
}

type Term = readonly [column: number, value: number]

function one(column: number): Term {
  return [column, 1]
}

class Rows {
  private readonly starts = [0]
  private readonly indices: number[] = []
  private readonly values: number[] = []
  private readonly lower: number[] = []
  private readonly infinity: number

  constructor(infinity: number) {
    this.infinity = infinity
  }

  atLeast(bound: number, ...terms: readonly Term[]): void {
    for (const [column, value] of terms) {
      this.indices.push(column)
      this.values.push(value)
    }
    this.starts.push(this.indices.length)
    this.lower.push(bound)
  }

  data(columns: number): Pick<ModelData, 'numRows' | 'rowLower' | 'rowUpper' | 'matrix'> {
    const { starts, indices, values, lower } = this
    const shape = { numRows: lower.length, numCols: columns }
    return {
      numRows: lower.length,
      rowLower: lower,
      rowUpper: lower.map(() => this.infinity),
      matrix: { format: 'csr', ...shape, starts, indices, values },
    }
  }
}
