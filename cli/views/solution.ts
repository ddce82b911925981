// The answer of a solver as people read it: where the condition turns, what was found on both sides, and how it was looked
// for; and how the time answers to every parameter.
import { predict } from '../../simulate/predict.ts'
import type { Query } from '../../simulate/query.ts'
import type { Elasticity } from '../../simulate/whatif/sensitivity.ts'
import { machineFigures } from '../../simulate/whatif/setting.ts'
import type { Finding, Solution, SolvedRoot } from '../../simulate/whatif/solve.ts'
import type { Section, View } from '../answer.ts'
import { valueLabel } from '../chart/value-label.ts'
import { type Column, type Table, table } from '../table.ts'
import * as units from '../units.ts'
import { workloadLine } from './prediction.ts'

export function solutionView(
  query: Query,
  solution: Solution | undefined,
  elasticities: readonly Elasticity[] | undefined,
): View {
  const title: Section = {
    kind: 'title',
    text: solution
      ? answerLine(solution)
      : `What the time of ${query.architecture.name} on ${query.machine.name} depends on`,
    // Sensitivities are taken at a value of what is looked for too.
    under: underLine(query, elasticities ? undefined : solution?.variable),
  }
  const roots = solution && table(rootColumns(solution), solution.roots)
  const sensitive = elasticities && table(elasticityColumns, elasticities)
  return {
    table: (roots ?? sensitive) as Table,
    sections: [
      title,
      ...(solution && solution.roots.length > 0 && roots ? [{ kind: 'table' as const, table: roots }] : []),
      ...(solution ? [{ kind: 'notes' as const, lines: [howLine(solution)] }] : []),
      ...(sensitive
        ? [{ kind: 'table' as const, title: 'Percent of time for each percent more of', table: sensitive }]
        : []),
      { kind: 'warnings', lines: solution ? warnings(solution) : [] },
    ],
  }
}

function underLine(query: Query, sought: string | undefined): string {
  try {
    const p = predict(query)
    return `${p.model} on ${p.machine}: ${workloadLine(p, sought)}`
  } catch (error) {
    // What is looked for may make the query possible.
    if (error instanceof RangeError) return `${query.architecture.name} on ${query.machine.name}`
    throw error
  }
}

/** Whole numbers to the last digit: a root and its neighbour differ there. */
function label(variable: string, value: number): string {
  return (machineFigures as readonly string[]).includes(variable) ? valueLabel(variable, value) : units.plain(value)
}

/** `memory.fits up to batch 31, not from 32`. */
function answerLine({ variable, condition, answer, roots, from, to }: Solution): string {
  const name = (value: number) => `${variable} ${label(variable, value)}`
  if (answer === 'always') return `${condition}: always, from ${name(from)} to ${label(variable, to)}`
  if (answer === 'never') return `${condition}: never, from ${name(from)} to ${label(variable, to)}`
  const root = roots.at(-1)
  if (root === undefined) return condition
  const turns = roots.length > 1 ? `turns ${roots.length} times, the last ` : ''
  return `${condition}: ${turns}${root.holds === 'below' ? 'up to' : 'from'} ${name(root.value)}`
}

function rootColumns({ variable }: Solution): Column<SolvedRoot>[] {
  const side = (of: 'below' | 'above'): Column<SolvedRoot>[] => [
    { key: of, title: of, value: (r) => r[of], text: (r) => label(variable, r[of]), align: 'right' },
    {
      key: `${of}_holds`,
      title: 'holds',
      value: (r) => r.certificate[of].holds,
      text: (r) => (r.certificate[of].holds ? 'yes' : 'no'),
    },
    { key: `${of}_left`, value: (r) => r.certificate[of].left },
    { key: `${of}_right`, value: (r) => r.certificate[of].right },
    { key: `${of}_found`, title: 'found', text: (r) => foundText(r.certificate[of]), align: 'right' },
  ]
  return [
    { key: 'value', title: variable, value: (r) => r.value, text: (r) => label(variable, r.value), align: 'right' },
    {
      key: 'holds',
      title: 'holds',
      value: (r) => r.holds,
      text: (r) => (r.holds === 'below' ? 'up to it' : 'from it'),
    },
    ...side('below'),
    ...side('above'),
  ]
}

/** Both sides of the comparison, where there are any: `51.2 | 50`. */
function foundText({ left, right }: Finding): string {
  return left === null && right === null ? '' : `${leaf(left)} | ${leaf(right)}`
}

function leaf(value: Finding['left']): string {
  return typeof value === 'number' ? String(Number(value.toPrecision(7))) : String(value)
}

function howLine(s: Solution): string {
  const range = `${s.variable} ${label(s.variable, s.from)} to ${label(s.variable, s.to)}`
  if (s.method === 'bisection') return `By bisection over ${range}: the figure is known to only rise or only fall.`
  if (s.resolution === 0) return `By a scan of ${range}: all ${s.points} values.`
  const gap = `${s.points} values at most ${units.percent(s.relative_resolution)} apart`
  return `By a scan of ${range}: ${gap}; what turns twice between two of them is not seen.`
}

function warnings({ undecided, points, reason, warnings: more }: Solution): string[] {
  const left =
    undecided === 0
      ? []
      : [
          `not decided at ${undecided} of ${points} values${reason === null ? ': a figure is not known there' : `: ${reason}`}`,
        ]
  return [...left, ...more]
}

const elasticityColumns: readonly Column<Elasticity>[] = [
  { key: 'parameter', title: 'parameter', value: (e) => e.parameter },
  { key: 'value', title: 'is', value: (e) => e.value, text: (e) => elasticityValue(e), align: 'right' },
  { key: 'low', value: (e) => e.low },
  { key: 'high', value: (e) => e.high },
  { key: 'bound', title: 'bound', value: (e) => e.bound, text: (e) => signed(e.bound), align: 'right' },
  { key: 'expected', title: 'expected', value: (e) => e.expected, text: (e) => signed(e.expected), align: 'right' },
]

function elasticityValue({ parameter, value }: Elasticity): string {
  return valueLabel(parameter === 'vector' ? 'peak' : parameter, value)
}

function signed(value: number): string {
  const text = value.toFixed(2)
  return text === '-0.00' ? '0.00' : text
}
