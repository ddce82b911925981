// ETS: what its headline comes to on synthetic searches. The paper's own figures are its headline and the budgets of its
// thumbnail; all of ours that stand beside them come from a generator of steps, not from its models, data or prompts.
//
// The set: latent log-odds 4 that wander by 0.8, a reward model's noise of 0.8, Zipf's exponent 2, ending from step 6 on.
// Its parameters were taken as given and not moved towards the headline. What an approach means depends on the approach
// before it alone; the row ending in `approaches-by-history` shows what the other reading gives.
import { loadMachine } from '../../hardware/catalog.ts'
import type { Machine } from '../../hardware/machine.ts'
import { profileOf } from '../../hardware/profile.ts'
import type { Architecture } from '../../model/architecture.ts'
import { loadModel } from '../../model/catalog.ts'
import { deploy } from '../../model/deployment.ts'
import { perToken } from '../../model/memory.ts'
import { type Costs, placed } from '../search/cost.ts'
import { exactSolver } from '../search/exact.ts'
import { greedyKept } from '../search/greedy.ts'
import { type Node, uniqueTokens } from '../search/node.ts'
import { against, type Outcome, outcomeOn, type Ratio } from '../search/outcome.ts'
import { type Solver, treeProgram, type Weights } from '../search/program.ts'
import { search } from '../search/search.ts'
import { type Settings, settingsDefaults } from '../search/select.ts'
import { type Generator, syntheticSource } from '../search/synthetic.ts'
import type { Paper } from './paper.ts'
import { type Finding, type Row, row, type Table } from './row.ts'

const paper = 'ets'
const arxiv = 'arXiv 2502.13575'
const headline: Table = { paper, table: 'headline', source: `${arxiv}, abstract` }
const mechanism: Table = { paper, table: 'mechanism', source: `${arxiv}, abstract; llemma-34b on one H100 NVL` }
const thumbnail: Table = { paper, table: 'thumbnail', source: 'github.com/SqueezeAILab/ETS, figure of the README' }
const solverTable: Table = { paper, table: 'solver', source: 'github.com/SqueezeAILab/ETS' }
const accuracyTable: Table = { paper, table: 'accuracy', source: `${arxiv}, MATH500 and GSM8K` }

const widths = [16, 64, 256] as const
const seeds = [1, 2, 3] as const
const problems = 2

/** λ_b and λ_d: as chosen for the set, and as released for a width of 256. */
const lambdas = [
  { name: 'lambda-1.5-1', budget: 1.5, diversity: 1 },
  { name: 'lambda-1-1.45', budget: 1, diversity: 1.45 },
] as const

/** An H100 NVL is sold with 94 GB; the one reading takes that as it stands, the other as GiB. */
const capacities = [
  { name: '94-GB', bytes: 94e9 },
  { name: '94-GiB', bytes: 94 * 2 ** 30 },
] as const

/** Of the memory, for weights and cache: recalled of SGLang. */
const share = 0.88
const threads = 8

type Capacity = (typeof capacities)[number]['name']

interface Run {
  readonly width: number
  readonly name: string
  /** By capacity; tokens are the same in all. */
  readonly outcomes: Readonly<Record<Capacity, Outcome>>
}

interface Bench {
  readonly costs: Readonly<Record<Capacity, Costs>>
  readonly solve: Solver
}

function run(
  { costs, solve }: Bench,
  given: Partial<Settings> & { width: number },
  generator: Partial<Generator> = {},
) {
  const settings: Settings = { ...settingsDefaults, strategy: 'rebase', ...given }
  const searches = seeds.flatMap((seed) => {
    const source = syntheticSource(problems, seed, generator)
    return Array.from({ length: problems }, (_, i) => search<Node>(source, i, settings, solve))
  })
  const on = capacities.map(({ name }) => [name, outcomeOn(searches, costs[name])])
  return Object.fromEntries(on) as Run['outcomes']
}

const made = `made-up steps: ${seeds.length * problems} problems of ${seeds.length} seeds, not the paper's models and data`

function interval({ interval: range }: Ratio): string {
  return range === undefined ? '' : `95 % ${range[0].toFixed(2)} to ${range[1].toFixed(2)}; `
}

/** A ratio to REBASE; the headline stands beside the widest search, where it can only come from. */
function ratioRow(item: string, published: string | null, ratio: Ratio | undefined): Row {
  const finding: Finding = {
    item,
    published,
    computed: ratio?.value ?? null,
    evidence: 'synthetic',
    why: `${ratio ? interval(ratio) : ''}${made}${published === null ? '; the headline names no width' : ''}`,
  }
  return row(headline, finding)
}

interface Headline {
  readonly rows: readonly Row[]
  readonly widest: readonly Run[]
  /** Shares by which greedy choices fall short of the optimum, in the widest search with λ_b 1.5. */
  readonly gaps: readonly number[]
}

function headlineRows(bench: Bench, bases: ReadonlyMap<number, Run['outcomes']>): Headline {
  const rows: Row[] = []
  const widest: Run[] = []
  const gaps: number[] = []
  for (const { name, budget, diversity } of lambdas) {
    for (const width of widths) {
      const wide = width === 256
      const watched = wide && budget > 1 ? { ...bench, solve: watching(bench.solve, gaps) } : bench
      const outcomes = run(watched, { strategy: 'ets', width, budget, diversity })
      const base = bases.get(width) as Run['outcomes']
      const of = (capacity: Capacity) => against(base[capacity], outcomes[capacity])
      const item = `width-${width}/${name}`
      rows.push(ratioRow(`${item}/kv-reduction`, wide ? '1.8' : null, of('94-GB').kv))
      for (const { name: capacity } of capacities) {
        rows.push(ratioRow(`${item}/throughput-${capacity}`, wide ? '1.4' : null, of(capacity).throughput))
      }
      if (wide) widest.push({ width, name, outcomes })
    }
  }
  return { rows, widest, gaps }
}

/** REBASE does not see approaches: its searches are the same. */
function historyRow(bench: Bench, base: Run['outcomes']): Row {
  const generator = { approachMemory: 25 }
  const { budget, diversity } = lambdas[0]
  const ets = run(bench, { strategy: 'ets', width: 256, budget, diversity }, generator)['94-GB']
  return ratioRow(
    `width-256/${lambdas[0].name}/kv-reduction-approaches-by-history`,
    '1.8',
    against(base['94-GB'], ets).kv,
  )
}

function mechanismRows(bench: Bench, base: Run['outcomes'], widest: readonly Run[]): Row[] {
  const all = [{ name: 'rebase', outcomes: base }, ...widest.map((w) => ({ ...w, name: `ets/${w.name}` }))]
  return capacities.flatMap(({ name: capacity }) => {
    const { deployment, budget, weights } = bench.costs[capacity].generator
    const tokens = (budget - weights) / perToken(deployment).kvBytesPerToken
    const own = (item: string, computed: number | null, why: string) =>
      row(mechanism, { item: `${capacity}/${item}`, published: null, computed, why })
    return [
      own('kv-capacity-tokens', tokens, `${share} of the memory, less the weights, at 16 bits; the paper gives none`),
      ...all.map(({ name, outcomes }) => ({
        ...own(
          `width-256/${name}/problems-at-once`,
          outcomes[capacity].time?.together ?? null,
          `over time, of ${threads} threads: that more of them fit is the gain; ${made}`,
        ),
        evidence: 'synthetic' as const,
      })),
    ]
  })
}

/** A tree with the figure's budgets; what each choice weighs is ours. */
function thumbnailRows(solve: Solver): Row[] {
  const root: Node = { id: 'r', parent: undefined, depth: 0, tokens: 1, path: 0, reward: 1, terminal: false }
  const below = (parent: Node, id: string): Node => ({
    ...root,
    id,
    parent,
    depth: parent.depth + 1,
    path: parent.path + 1,
  })
  const branches = ['A', 'B', 'C'].map((id) => below(root, id))
  const leaves = [0, 0, 1, 2].map((b, i) => below(branches[b] as Node, `leaf ${i}`))
  const tokens = (weights?: Weights): number => {
    if (weights === undefined) return uniqueTokens(leaves)
    const clusters = weights.diversity > 0 ? [0, 0, 0, 1] : []
    const { keep } = solve(treeProgram(leaves, [0.5, 0.25, 0.125, 0.125], weights, clusters))
    return uniqueTokens(leaves.filter((_, i) => keep[i]))
  }
  const why = "the tree has the figure's shape; its shares and lambdas are ours: the figure states none"
  const one = (item: string, published: string, computed: number) =>
    row(thumbnail, { item: `nodes/${item}`, published, computed, evidence: 'synthetic', why })
  return [
    one('rebase', '7', tokens()),
    one('cache-alone', '3', tokens({ budget: 1.5, diversity: 0 })),
    one('ets', '4', tokens({ budget: 2.5, diversity: 1.5 })),
  ]
}

function watching(solve: Solver, gaps: number[]): Solver {
  return (program) => {
    const best = solve(program)
    const most = Math.max(Math.abs(best.objective), 1e-9)
    if (program.shares.length > 1) gaps.push((best.objective - greedyKept(program).objective) / most)
    return best
  }
}

function solverRows(gaps: readonly number[]): Row[] {
  const own = (item: string, computed: number | null, why: string) =>
    row(solverTable, { item, published: null, computed, evidence: 'synthetic', why })
  const mean = gaps.reduce((a, b) => a + b, 0) / gaps.length
  return [
    own('width-256/lambda-1.5-1/greedy-gap-percent/mean', 100 * mean, `of ${gaps.length} programs; ${made}`),
    own(
      'width-256/lambda-1.5-1/greedy-gap-percent/largest',
      100 * Math.max(...gaps),
      `of ${gaps.length} programs; ${made}`,
    ),
    row(solverTable, {
      item: 'share-of-step-time',
      published: null,
      computed: null,
      why: 'no published figure was found; `memwall simulate search --time-solver` measures ours, which differs by computer',
    }),
  ]
}

function accuracyRows(): Row[] {
  const why = 'its tables per width, model and lambda were not found, and an accuracy needs the models'
  const quoted = (item: string) => row(accuracyTable, { item, published: null, computed: null, why })
  return [quoted('math500'), quoted('gsm8k')]
}

function places(model: Architecture, machine: Machine): Bench['costs'] {
  const costs = (bytes: number): Costs => {
    const sized = { ...machine, memory: { ...machine.memory, capacity: bytes } }
    return { generator: placed(deploy(model), profileOf(sized, 'global'), share), reading: 'paths', threads }
  }
  return Object.fromEntries(capacities.map(({ name, bytes }) => [name, costs(bytes)])) as Bench['costs']
}

function rowsOf(bench: Bench): Row[] {
  const bases = new Map(widths.map((width) => [width, run(bench, { width })] as const))
  const base = bases.get(256) as Run['outcomes']
  const { rows, widest, gaps } = headlineRows(bench, bases)
  return [
    ...rows,
    historyRow(bench, base),
    ...mechanismRows(bench, base, widest),
    ...thumbnailRows(bench.solve),
    ...solverRows(gaps),
    ...accuracyRows(),
  ]
}

let known: readonly Row[] | undefined

/** Loads the paper with its model, machine and solver. */
export async function load(): Promise<Paper> {
  const [model, machine, exact] = await Promise.all([loadModel('llemma-34b'), loadMachine('h100-nvl'), exactSolver()])
  return {
    rows: () => {
      known ??= rowsOf({ costs: places(model, machine), solve: exact })
      return known
    },
  }
}
