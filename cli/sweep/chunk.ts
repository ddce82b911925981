// A stretch of a sweep, answered and put into lines where it is computed, so that a worker hands over finished bytes.
import { limits } from '../../hardware/time.ts'
import { Front, type Objective } from '../../simulate/whatif/pareto.ts'
import { type Answered, answerPoints, lookup, type Row, refused, type Tally } from '../../simulate/whatif/row.ts'
import type { RowFormat } from './rows.ts'
import type { Sweep } from './spec.ts'

/** Points of a chunk: few enough to be held, many enough that handing them over costs nothing. */
export const chunkPoints = 512

/** For a chart: figures by point; NaN where there are none. */
export interface Drawn {
  /** The metric; of a Pareto sweep the x. */
  readonly first: Float64Array
  /** Of a Pareto sweep the y. */
  readonly second: Float64Array
  /** Index of the limit, 255 where there is none. */
  readonly limit: Uint8Array
  /** 0, 1, or 2 where it is not known. */
  readonly fits: Uint8Array
}

export interface Candidate {
  readonly x: number
  readonly y: number
  readonly line: string
  /** The values of its axes, for a chart. */
  readonly point: Row['point']
}

export interface Chunk {
  /** Points answered. */
  readonly points: number
  readonly bytes: Uint8Array
  readonly tally: Tally
  readonly front: readonly Candidate[]
  readonly drawn?: Drawn
}

const encoder = new TextEncoder()

/** Answers the points from `begin` to before `end`. */
export async function answerChunk(sweep: Sweep, format: RowFormat, begin: number, end: number): Promise<Chunk> {
  const { plan, ask, objectives, spec } = sweep
  const front = objectives && new Front<Candidate>(objectives[0].best, objectives[1].best)
  const drawn = spec.drawn ? emptyDrawn(end - begin) : undefined
  const lines: string[] = []
  let without = 0
  const tally = await answerPoints(plan, begin, end, ask, (row, index) => {
    if (refused(row)) {
      if (!front) lines.push(format.line(row))
      return
    }
    const [x, y] = objectives ? figures(objectives, row) : [row.metric, null]
    if (drawn) note(drawn, index - begin, row, x, y)
    if (!front) lines.push(format.line(row))
    else if (x === null || y === null) without++
    else front.add(x, y, { x, y, line: format.line(row), point: row.point })
  })
  tally.without_metric += without
  return {
    points: end - begin,
    bytes: encoder.encode(lines.join('')),
    tally,
    front: front ? front.points().map((p) => p.item) : [],
    ...(drawn && { drawn }),
  }
}

function figures(objectives: readonly Objective[], row: Answered): [x: number | null, y: number | null] {
  const [x, y] = objectives.map(({ expression }) => {
    const value = expression.evaluate(lookup(row))
    return typeof value === 'number' ? value : null
  })
  return [x ?? null, y ?? null]
}

function emptyDrawn(points: number): Drawn {
  return {
    first: new Float64Array(points).fill(Number.NaN),
    second: new Float64Array(points).fill(Number.NaN),
    limit: new Uint8Array(points).fill(255),
    fits: new Uint8Array(points).fill(2),
  }
}

function note(drawn: Drawn, at: number, row: Answered, x: number | null, y: number | null): void {
  drawn.first[at] = x ?? Number.NaN
  drawn.second[at] = y ?? Number.NaN
  drawn.limit[at] = limits.indexOf(row.limit)
  drawn.fits[at] = row.memory.fits === null ? 2 : Number(row.memory.fits)
}
