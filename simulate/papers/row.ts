// One published figure beside ours. A status says whether the figure was reproduced and an evidence says how ours came
// about; the two are kept apart so that agreement by construction is never mistaken for a reproduction.

/**
 * `reproduced`: predicted, and within the tolerance. `off`: outside it. `unverified`: the published figure was only
 * recalled, or not checked. `not reproducible`: nothing here predicts it; either nothing is computed, or what is
 * computed agrees by construction (`fitted`, `synthetic`, `quoted`), and `agrees` then tells that it does.
 */
export const statuses = ['reproduced', 'off', 'unverified', 'not reproducible'] as const
export type Status = (typeof statuses)[number]

/**
 * `predicted`: no constant behind it was fitted on the row's table. `fitted`: one was. `synthetic`: made-up inputs
 * stand for the paper's. `quoted`: the published figure alone, or a quotient with one.
 */
export const evidences = ['predicted', 'fitted', 'synthetic', 'quoted'] as const
export type Evidence = (typeof evidences)[number]

/** Keys as `reproduce --json` prints them. Figures in FLOP, bytes, seconds or as pure numbers; null where there is none. */
export interface Row {
  readonly paper: string
  readonly table: string
  /** A path: model, length, operation, figure. */
  readonly item: string
  readonly published: number | null
  readonly computed: number | null
  /** computed / published - 1. */
  readonly relative_error: number | null
  /** Largest difference that counts as the same figure, in the figure's own unit. */
  readonly tolerance: number | null
  readonly status: Status
  readonly evidence: Evidence
  /** How many constants or choices behind `computed` were fitted on the row's table. */
  readonly fitted_parameters: number
  readonly why: string | null
  readonly source: string
}

/** What all rows of a table share. */
export interface Table {
  readonly paper: string
  readonly table: string
  readonly source: string
}

export interface Finding {
  readonly item: string
  /** As printed, with the unit as an exponent: `7.25e9` is 7.25 GFLOP. Null where no figure is known. */
  readonly published: string | null
  readonly computed: number | null
  /** Default: fitted where there are fitted parameters, quoted where nothing is computed, else predicted. */
  readonly evidence?: Evidence
  /** Constants fitted on the row's own table. */
  readonly fitted?: number
  /** Default: half the last printed digit. */
  readonly tolerance?: number
  /** The published figure was only recalled, or what it stands for was not checked. */
  readonly recalled?: true
  /** Needed wherever the row is not reproduced and it does not go without saying. */
  readonly why?: string
}

/** Half of the last printed digit: 0.005e9 of `7.25e9`. */
export function halfLastDigit(printed: string): number {
  const parts = /^-?\d*\.?(\d*)(?:e([+-]?\d+))?$/.exec(printed)
  if (parts === null) throw new Error(`Expected a printed number such as '7.25e9', got '${printed}'`)
  const [, decimals = '', exponent = '0'] = parts
  return Number(`0.5e${Number(exponent) - decimals.length}`)
}

// A figure that lies on the edge of its tolerance is within it whichever way the last bit rounds.
const slack = 1 + 1e-9

/** Whether ours is the published figure, by the tolerance, however it came about. */
export function agrees(row: Pick<Row, 'published' | 'computed' | 'tolerance'>): boolean {
  const { published, computed, tolerance } = row
  if (published === null || computed === null || tolerance === null) return false
  return Math.abs(computed - published) <= tolerance * slack
}

/** A row of a table: its tolerance and its status follow from what is published and how ours came about. */
export function row({ paper, table, source }: Table, finding: Finding): Row {
  const { item, computed, fitted = 0, recalled = false } = finding
  const published = finding.published === null ? null : Number(finding.published)
  const tolerance = finding.published === null ? null : (finding.tolerance ?? halfLastDigit(finding.published))
  const evidence = finding.evidence ?? (computed === null ? 'quoted' : fitted > 0 ? 'fitted' : 'predicted')
  const figures = { published, computed, tolerance }
  const status = statusOf(figures, evidence, recalled)
  const relative = published === null || computed === null ? null : computed / published - 1
  const why = finding.why ?? reason(status, evidence, fitted)
  return {
    paper,
    table,
    item,
    published,
    computed,
    relative_error: relative,
    tolerance,
    status,
    evidence,
    fitted_parameters: fitted,
    why,
    source,
  }
}

function statusOf(
  figures: Pick<Row, 'published' | 'computed' | 'tolerance'>,
  evidence: Evidence,
  recalled: boolean,
): Status {
  if (figures.published === null || figures.computed === null) return 'not reproducible'
  if (recalled) return 'unverified'
  if (!agrees(figures)) return 'off'
  return evidence === 'predicted' ? 'reproduced' : 'not reproducible'
}

function reason(status: Status, evidence: Evidence, fitted: number): string | null {
  if (status === 'reproduced') return null
  if (status === 'not reproducible' && evidence === 'fitted') {
    return `agrees by construction: ${fitted} of the constants behind it were fitted on this table`
  }
  return 'no explanation found'
}

/** How many rows a paper has of each kind. `fitted` counts the rows that agree by construction; no status counts twice. */
export interface Summary {
  readonly rows: number
  readonly reproduced: number
  readonly off: number
  readonly unverified: number
  readonly not_reproducible: number
  /** Of `off` and `not_reproducible`, the fitted rows: those that agree, and all. */
  readonly fitted: { readonly agree: number; readonly rows: number }
}

export function summary(rows: readonly Row[]): Summary {
  const count = (status: Status) => rows.filter((r) => r.status === status).length
  const fitted = rows.filter((r) => r.evidence === 'fitted')
  return {
    rows: rows.length,
    reproduced: count('reproduced'),
    off: count('off'),
    unverified: count('unverified'),
    not_reproducible: count('not reproducible'),
    fitted: { agree: fitted.filter(agrees).length, rows: fitted.length },
  }
}
