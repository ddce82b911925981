// One point of a grid, answered: the prediction without its operators, where it stands in the grid, what it costs and the
// metric that was asked for; or why it cannot be asked. And what expressions find in such a row.
import { type Cost, costOf, type Prices, priceOf } from '../cost.ts'
import { type Expression, type Leaf, leafAt, leafPaths } from '../expression.ts'
import { type Prediction, predict } from '../predict.ts'
import type { Query } from '../query.ts'
import type { Plan } from './plan.ts'
import type { Scalar } from './values.ts'

type Point = Readonly<Record<string, Scalar>>

export interface Answered extends Omit<Prediction, 'operators'>, Cost {
  readonly point: Point
  readonly metric: number | null
}

/** A point that no query can be made of, such as heads that do not divide. */
export interface Refused {
  readonly point: Point
  readonly error: string
}

export type Row = Answered | Refused

export function refused(row: Row): row is Refused {
  return 'error' in row
}

export interface Ask {
  readonly metric?: Expression
  readonly where?: Expression
  readonly prices: Prices
}

/** A query's prediction as a row. */
export function answered(query: Query, point: Point, { metric, prices }: Pick<Ask, 'metric' | 'prices'>): Answered {
  const prediction = predict(query)
  const { operators: _, ...rest } = prediction
  const row = {
    point,
    ...rest,
    ...costOf(prediction, query.machine, priceOf(prices, query.machine.name)),
    metric: null,
  }
  return metric === undefined ? row : { ...row, metric: numberOf(metric, row) }
}

function numberOf(metric: Expression, row: Answered): number | null {
  const value = metric.evaluate(lookup(row))
  if (typeof value === 'string') throw new RangeError(`metric: expected a number, got ${value} from ${metric.text}`)
  return typeof value === 'boolean' ? Number(value) : value
}

/** The row of a point; a RangeError of its query becomes its error. */
export async function rowAt(plan: Plan, index: number, ask: Pick<Ask, 'metric' | 'prices'>): Promise<Row> {
  const query = queryAt(plan, index)
  return rowOf(plan, index, query instanceof Promise ? await query : query, ask)
}

function queryAt(plan: Plan, index: number): Query | RangeError | Promise<Query | RangeError> {
  const caught = (error: unknown) => {
    if (error instanceof RangeError) return error
    throw error
  }
  try {
    const query = plan.query(index)
    return query instanceof Promise ? query.catch(caught) : query
  } catch (error) {
    return caught(error)
  }
}

function rowOf(plan: Plan, index: number, query: Query | RangeError, ask: Pick<Ask, 'metric' | 'prices'>): Row {
  const point = plan.point(index)
  if (query instanceof RangeError) return { point, error: query.message }
  try {
    return answered(query, point, ask)
  } catch (error) {
    if (error instanceof RangeError && !error.message.startsWith('metric')) return { point, error: error.message }
    throw error
  }
}

/** What became of a stretch of points. */
export interface Tally {
  /** Rows that came out. */
  rows: number
  refused: number
  /** The first point that was refused, and why. */
  reason: string | null
  /** Points that `where` left out. */
  left_out: number
  /** Points at which `where` could not be decided; they are left out. */
  undecided: number
  /** Points whose metric is null. */
  without_metric: number
}

export function noTally(): Tally {
  return { rows: 0, refused: 0, reason: null, left_out: 0, undecided: 0, without_metric: 0 }
}

export function addTally(to: Tally, more: Tally): void {
  to.rows += more.rows
  to.refused += more.refused
  to.reason ??= more.reason
  to.left_out += more.left_out
  to.undecided += more.undecided
  to.without_metric += more.without_metric
}

/** Answers the points from `begin` to before `end` in order; `use` gets each row that `where` keeps. */
export async function answerPoints(
  plan: Plan,
  begin: number,
  end: number,
  ask: Ask,
  use: (row: Row, index: number) => void,
): Promise<Tally> {
  const tally = noTally()
  for (let i = begin; i < end; i++) {
    const query = queryAt(plan, i)
    const row = rowOf(plan, i, query instanceof Promise ? await query : query, ask)
    if (refused(row)) {
      tally.refused++
      tally.reason ??= row.error
    } else {
      const kept = ask.where === undefined ? true : ask.where.evaluate(lookup(row))
      if (kept !== true && kept !== false && kept !== null) {
        throw new RangeError(`where: expected true or false, got ${kept} from ${ask.where?.text}`)
      }
      if (kept === null) tally.undecided++
      if (kept !== true) {
        tally.left_out++
        continue
      }
      if (ask.metric && row.metric === null) tally.without_metric++
    }
    tally.rows++
    use(row, i)
  }
  return tally
}

/** What an expression finds: keys of the row, then of its workload, then of its point. */
export function lookup(row: Answered): (path: string) => Leaf | undefined {
  return (path) => leafAt(row, path) ?? other(row, path)
}

function other(row: Answered, path: string): Leaf | undefined {
  const found = leafAt(row.workload, path)
  if (found !== undefined) return found
  if (Object.hasOwn(row.point, path)) return row.point[path]
  return leafAt(row, path)
}

/** Every name that an expression finds in a row. */
export function rowNames(row: Answered): string[] {
  return [...new Set([...leafPaths(row), ...leafPaths(row.workload), ...Object.keys(row.point)])]
}
