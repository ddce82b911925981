// Fits positive constants in log space: a capped absolute log error over rows, and a weak prior towards the start that
// holds what the rows do not determine.
import { nelderMead } from './nelder-mead.ts'

export type Bounds<C> = { readonly [K in keyof C]: readonly [low: number, high: number] }

/** Weight of the prior, per squared factor of e away from the start. */
const prior = 0.003

/** The constants within `bounds` whose `ratios` of expected over measured lie nearest one. */
export function fitLogs<C extends { readonly [K in keyof C]: number }>(
  start: C,
  bounds: Bounds<C>,
  ratios: (constants: C) => readonly number[],
): C {
  const names = Object.keys(start) as (keyof C)[]
  const from = names.map((name) => Math.log(start[name]))
  const at = (logs: readonly number[]): C =>
    Object.fromEntries(names.map((name, i) => [name, Math.exp(logs[i] as number)])) as C
  const loss = (logs: readonly number[]) => {
    const all = ratios(at(logs))
    const size = all.reduce((sum, r) => sum + Math.min(1, Math.abs(Math.log(r))), 0) / all.length
    return size + prior * logs.reduce((away, v, i) => away + (v - (from[i] as number)) ** 2, 0)
  }
  const edge = (side: 0 | 1) => names.map((name) => Math.log(bounds[name][side]))
  return at(nelderMead(loss, from, edge(0), edge(1)))
}
