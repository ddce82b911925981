// Fits attention's constants to measured rows. Deterministic: Nelder-Mead in log space from a fixed start, so equal rows
// give equal constants. Reads no files.
import {
  type AttentionConstants,
  type AttentionFacts,
  type AttentionShape,
  attentionBounds,
  attentionFacts,
  attentionTime,
  type StoredKeys,
} from '../attention-time.ts'
import type { Machine } from '../machine.ts'
import { nelderMead } from './nelder-mead.ts'

export const attentionKinds = ['decode', 'prefill', 'encoder'] as const
export type AttentionKind = (typeof attentionKinds)[number]

/** One measurement. */
export interface AttentionRow {
  readonly kind: AttentionKind
  /** The machine's name, as keys `machines` below. */
  readonly machine: string
  readonly sequences: number
  /** Tokens per sequence: queries, and keys that exist. */
  readonly query: number
  readonly kv: number
  readonly heads: number
  readonly kvHeads: number
  readonly headDim: number
  /** Keys that a query sees at most; absent where it sees all. */
  readonly window?: number
  /** Bytes of one stored key or value element. */
  readonly element: number
  /** Whether the keys exceed the last-level cache. */
  readonly cold?: boolean
  readonly seconds: number
}

interface Case {
  readonly row: AttentionRow
  readonly shape: AttentionShape
  readonly stored: StoredKeys
  readonly facts: AttentionFacts
}

type Group = keyof AttentionConstants
type Values = Record<string, number>

/** Starts, and centres of a weak prior that holds what the rows do not determine. */
const start: { decode: AttentionConstants['decode']; prefill: AttentionConstants['prefill'] } = {
  decode: { launch: 4500, start: 5000, tile: 1000, matrix: 1, unpack: 64, wide: 1.1, split: 200, memory: 0.88 },
  prefill: {
    launch: 5000,
    start: 3000,
    matrix: 1.3,
    softmax: 8,
    unpack: 64,
    wide: 1.1,
    exposed: 1,
    settle: 5e-3,
  },
}
const prior = 0.003
/** Weight of rows that are not scored: keys in the cache, short prefills. */
const unscored = { decode: 0.3, prefill: 0.1 }
/** Seconds from which prefill is scored; shorter kernels are mostly launch. */
const long = 1e-3

/** Values held instead of fitted: an ablation holds a constant where its term vanishes. */
export interface Held {
  readonly decode?: Partial<AttentionConstants['decode']>
  readonly prefill?: Partial<AttentionConstants['prefill']>
}

/** The machines of rows, by name. */
export type Machines = ReadonlyMap<string, Machine>

/** The constants of these rows. */
export function fitAttention(rows: readonly AttentionRow[], machines: Machines, held: Held = {}): AttentionConstants {
  return constantsFrom(
    rows.map((row) => caseOf(row, machines)),
    held,
  )
}

/** Expected over measured of each row. */
export function attentionRatios(
  rows: readonly AttentionRow[],
  machines: Machines,
  constants: AttentionConstants,
): number[] {
  return rows.map((row) => expected(caseOf(row, machines), constants) / row.seconds)
}

function expected({ shape, stored, facts }: Case, constants: AttentionConstants): number {
  return attentionTime(shape, stored, facts, constants)
}

function caseOf(row: AttentionRow, machines: Machines): Case {
  const machine = machines.get(row.machine)
  const facts = machine && attentionFacts(machine)
  if (!facts) throw new RangeError(`${row.machine}: expected a machine with clock, peak and cache among those passed`)
  const stored = { element: row.element, row: 2 * row.headDim * row.element, warm: row.cold === false }
  return { row, shape: shapeOf(row), stored, facts }
}

function shapeOf({ kind, sequences, query, kv, heads, kvHeads, headDim, window = kv }: AttentionRow): AttentionShape {
  const causal = kind !== 'encoder'
  const near = Math.min(window, kv)
  const mean = kind === 'prefill' ? near - (near * (near - 1)) / (2 * query) : near
  return {
    kind: 'attention',
    heads,
    kvHeads,
    headDim,
    valueDim: headDim,
    causal,
    rows: [{ sequences, query, kv: mean }],
  }
}

/** Rows that errors are stated for: decode beyond the cache, prefill and encoder over a millisecond. */
export function scored({ kind, cold, seconds }: AttentionRow): boolean {
  return kind === 'decode' ? cold === true : seconds > long
}

function groupOf(kind: AttentionKind): Group {
  return kind === 'decode' ? 'decode' : 'prefill'
}

function constantsFrom(cases: readonly Case[], held: Held): AttentionConstants {
  return {
    decode: { ...fitGroup(cases, 'decode', held.decode ?? {}), ...held.decode },
    prefill: { ...fitGroup(cases, 'prefill', held.prefill ?? {}), ...held.prefill },
  }
}

/** Minimises the weighted mean |log(expected / measured)|, capped at 1, plus the prior. */
function fitGroup<G extends Group>(cases: readonly Case[], group: G, held: object): AttentionConstants[G] {
  const chosen = cases.filter(({ row }) => groupOf(row.kind) === group)
  const names = Object.keys(start[group]).filter((name) => !(name in held))
  const from = names.map((name) => Math.log((start[group] as unknown as Values)[name] as number))
  if (chosen.length === 0) return start[group]
  const bounds = names.map((name) => (attentionBounds[group] as Record<string, readonly [number, number]>)[name])
  const low = bounds.map((b) => Math.log(b?.[0] as number))
  const high = bounds.map((b) => Math.log(b?.[1] as number))
  const weights = weightsOf(chosen, group)
  const best = nelderMead((x) => loss(x, from, chosen, weights, names, group, held), from, low, high)
  return { ...start[group], ...valuesOf(names, best) }
}

function valuesOf(names: readonly string[], logs: readonly number[]): Values {
  return Object.fromEntries(names.map((name, i) => [name, Math.exp(logs[i] as number)]))
}

function loss(
  logs: readonly number[],
  centre: readonly number[],
  cases: readonly Case[],
  weights: readonly number[],
  names: readonly string[],
  group: Group,
  held: object,
): number {
  const constants = { ...start, [group]: { ...valuesOf(names, logs), ...held } } as AttentionConstants
  let sum = 0
  let weight = 0
  for (let i = 0; i < cases.length; i++) {
    const c = cases[i] as Case
    const ratio = expected(c, constants) / c.row.seconds
    sum += Math.min(1, Math.abs(Math.log(ratio))) * (weights[i] as number)
    weight += weights[i] as number
  }
  let away = 0
  for (let i = 0; i < logs.length; i++) away += ((logs[i] as number) - (centre[i] as number)) ** 2
  return sum / weight + prior * away
}

/** Every machine counts alike, however many rows it has; so do its unscored rows, at their lower weight. */
function weightsOf(cases: readonly Case[], group: Group): number[] {
  const key = ({ row }: Case) => `${row.machine} ${scored(row)}`
  const counts = new Map<string, number>()
  for (const c of cases) counts.set(key(c), (counts.get(key(c)) ?? 0) + 1)
  return cases.map((c) => (scored(c.row) ? 1 : unscored[group]) / (counts.get(key(c)) as number))
}
