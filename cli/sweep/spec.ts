// A sweep as plain data, so that workers and a later resumption get the same one; and what it is made of once loaded.

import { checkPriced, checkPrices, type Prices } from '../../simulate/cost.ts'
import { checkNames, type Expression, parseExpression } from '../../simulate/expression.ts'
import { type Best, type Objective, parseObjectives, splitWay } from '../../simulate/whatif/pareto.ts'
import { type Plan, planOf, type Request } from '../../simulate/whatif/plan.ts'
import { type Answered, type Ask, lookup, refused, rowAt, rowNames } from '../../simulate/whatif/row.ts'
import { UsageError } from '../errors.ts'
import { loaders } from '../source.ts'

export const sweepFormats = ['text', 'jsonl', 'csv'] as const
export type SweepFormat = (typeof sweepFormats)[number]

export interface SweepSpec {
  readonly request: Request
  readonly metric?: string
  readonly where?: string
  /** x and y, of which only the front is put out. */
  readonly pareto?: string
  readonly prices: Prices
  readonly format: SweepFormat
  /** Whether a chart needs the figures of every point. */
  readonly drawn: boolean
  /** Above the chart. */
  readonly title?: string
}

export interface Sweep {
  readonly spec: SweepSpec
  readonly plan: Plan
  readonly ask: Ask
  readonly objectives?: readonly [x: Objective, y: Objective]
  /** Which way the metric is better, where it was said. */
  readonly best?: Best
}

/** Loads what the spec names. Throws UsageError and RangeError. */
export async function loadSweep(spec: SweepSpec): Promise<Sweep> {
  const plan = await planOf(spec.request, loaders)
  const { where, pareto, prices } = spec
  const [metric, best] = spec.metric === undefined ? [] : splitWay(spec.metric)
  const ask: Ask = {
    prices,
    ...(metric !== undefined && { metric: await parseExpression('--metric', metric) }),
    ...(where !== undefined && { where: await parseExpression('--where', where) }),
  }
  return {
    spec,
    plan,
    ask,
    ...(best && { best }),
    ...(pareto !== undefined && { objectives: await parseObjectives('--pareto', pareto) }),
  }
}

/** Points that are tried beforehand. */
const tried = 64
/** Points that are tried where the first ones all fail. */
const triedAtMost = 4096

/** Tries some points spread over the sweep: throws where none can be asked, or an expression reads what is not there. */
export async function trySome({
  plan,
  ask,
  objectives,
  spec,
}: Sweep): Promise<{ secondsPerPoint: number; sample: Answered }> {
  checkPrices(
    spec.prices,
    plan.machines.map((m) => m.name),
  )
  const expressions = expressionsOf({ ask, ...(objectives && { objectives }) })
  for (const [option, { names }] of expressions) checkPriced(option, names, spec.prices)
  const { sample, asked } = await firstAnswer(plan, spec.prices)
  for (const [option, expression] of expressions) checkNames(option, expression, lookup(sample), rowNames(sample))
  // What mixes kinds of values is told before any row is out.
  const { where, metric } = ask
  const kept = where?.evaluate(lookup(sample)) ?? null
  if (kept !== null && typeof kept !== 'boolean') {
    throw new UsageError(`--where: expected true or false, such as memory.fits, got ${kept} from ${where?.text}`)
  }
  const shown = metric?.evaluate(lookup(sample)) ?? null
  if (typeof shown === 'string') throw new UsageError(`--metric: expected a number, got ${shown} from ${metric?.text}`)
  const begin = performance.now()
  const n = Math.min(tried, plan.count)
  for (let k = 0; k < n; k++) await rowAt(plan, spread(k, n, plan.count), ask)
  return { secondsPerPoint: (performance.now() - begin) / 1e3 / n, sample: asked }
}

/** One of `n` points spread evenly over `count`. */
function spread(k: number, n: number, count: number): number {
  return Math.floor((k * count) / n)
}

async function firstAnswer(plan: Plan, prices: Prices): Promise<{ sample: Answered; asked: Answered }> {
  let reason = ''
  const n = Math.min(triedAtMost, plan.count)
  for (let k = 0; k < n; k++) {
    const row = await rowAt(plan, spread(k, n, plan.count), { prices })
    if (!refused(row)) return { sample: row, asked: row }
    reason ||= row.error
  }
  throw new RangeError(n > 1 ? `none of ${n} points can be asked; the first: ${reason}` : reason)
}

type Named = readonly [option: string, expression: Expression]

function expressionsOf({ ask, objectives }: Pick<Sweep, 'ask' | 'objectives'>): Named[] {
  return [
    ...(ask.metric ? [['--metric', ask.metric] as const] : []),
    ...(ask.where ? [['--where', ask.where] as const] : []),
    ...(objectives ?? []).map((o) => ['--pareto', o.expression] as const),
  ]
}
