// ETS's program solved exactly by HiGHS (WebAssembly), which is loaded when it is first asked for. Only the x need to be
// whole: y and z then are by themselves. A node with one child below is held with it, and the root always, so that each
// stands for its whole chain.
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
  const model = highs.createModel(modelOf(p, highs))
  try {
    model.options.set({
      output_flag: false,
      time_limit: limit,
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
    const keep = p.shares.map((_, i) => (colValue[i] ?? 0) > 0.5)
    const found = { keep, objective: keep.includes(true) ? objective(p, keep) : Number.NEGATIVE_INFINITY, optimal }
    if (optimal) return found
    const quick = greedyKept(p)
    return quick.objective > found.objective ? quick : found
  } finally {
    model.dispose()
  }
}

/** Columns x, then y of nodes that branch, then z of clusters of several; rows in compressed form. */
function modelOf(p: Program, { infinity, constants }: Highs): ModelData {
  const n = p.shares.length
  const { variableType } = constants
  const { nodes, above, top } = columnsOf(p)
  const costs = nodes.map((count, i) => (i < n ? (p.shares[i] as number) : 0) - p.cost * count)
  const rows = new Rows(infinity)
  nodes.forEach((_, column) => {
    const over = above[column] as number
    // What has everything below it is held anyway.
    if (over >= 0 && over !== top) rows.atLeast(0, [over, 1], [column, -1])
  })
  // With these the tree alone has whole corners, so that only coverage is left to search.
  for (const [over, below] of children(above)) rows.atLeast(0, [over, -1], ...below.map(one))
  const members = new Map<number, number[]>()
  for (const [i, cluster] of p.clusters.entries()) {
    const known = members.get(cluster)
    if (known) known.push(i)
    else members.set(cluster, [i])
  }
  for (const those of members.values()) {
    const [first = 0] = those
    if (those.length === 1) {
      costs[first] = (costs[first] ?? 0) + p.gain
      continue
    }
    rows.atLeast(0, [costs.length, -1], ...those.map(one))
    costs.push(p.gain)
  }
  rows.atLeast(1, ...p.shares.map((_, i) => one(i)))
  const zeros = costs.map((_, column) => (column === top ? 1 : 0))
  return {
    sense: constants.objectiveSense.maximize,
    numCols: costs.length,
    colCost: costs,
    colLower: zeros,
    colUpper: costs.map(() => 1),
    integrality: costs.map((_, i) => (i < n ? variableType.integer : variableType.continuous)),
    ...rows.data(costs.length),
  }
}

interface Columns {
  /** Nodes that the column stands for. */
  readonly nodes: number[]
  /** The column before each; -1 for the topmost. */
  readonly above: number[]
  /** The column that everything is below. */
  readonly top: number
}

function columnsOf({ shares, parents, before }: Program): Columns {
  const nodes = shares.map(() => 1)
  const below: number[][] = parents.map(() => [])
  for (const [i, j] of before.entries()) below[j]?.push(i)
  const above = shares.map(() => -1)
  let top = -1
  for (let j = parents.length - 1; j >= 0; j--) {
    const under = below[j] as number[]
    let column = under[0] as number
    if (under.length === 1) nodes[column] = (nodes[column] as number) + 1
    else {
      column = nodes.push(1) - 1
      above.push(-1)
      for (const child of under) above[child] = column
    }
    below[parents[j] as number]?.push(column)
    if (j === 0) top = column
  }
  return { nodes, above, top }
}

function children(above: readonly number[]): Map<number, number[]> {
  const below = new Map<number, number[]>()
  above.forEach((over, column) => {
    if (over < 0) return
    const known = below.get(over)
    if (known) known.push(column)
    else below.set(over, [column])
  })
  return below
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
