// What tokens cost in money and energy: the price of the devices by the hour, and the power of their boards, over the
// tokens that they make. Dollars stand for any currency.
import type { Machine } from '../hardware/machine.ts'
import type { Prediction } from './predict.ts'

export interface Cost {
  /** Of all devices of the deployment. */
  readonly price_per_hour: number | null
  /** Of a million tokens: generated ones in decode, read ones in prefill and encode. */
  readonly cost_per_million_tokens: number | null
  /** At the boards' full power, which memory-bound work does not draw: an upper bound, hosts and cooling left out. */
  readonly joules_per_token: number | null
}

/** Cost of a prediction on a machine at so many dollars per device and hour; null where price or power is not known. */
export function costOf(p: Prediction, machine: Machine, price: number | undefined): Cost {
  const { devices } = p.workload
  const hourly = price === undefined ? null : price * devices
  const power = machine.power === undefined ? null : machine.power * devices
  return {
    price_per_hour: hourly,
    cost_per_million_tokens: hourly === null ? null : ((hourly / 3600) * 1e6) / p.tokens_per_s,
    joules_per_token: power === null ? null : power / p.tokens_per_s,
  }
}

/** Dollars per device and hour: of all machines, or by name. */
export interface Prices {
  readonly all?: number
  readonly of: Readonly<Record<string, number>>
}

export function priceOf(prices: Prices, machine: string): number | undefined {
  return Object.hasOwn(prices.of, machine) ? prices.of[machine] : prices.all
}

/** Throws RangeError for the price of a machine that is not asked about: it would change nothing. */
export function checkPrices({ of }: Prices, machines: readonly string[]): void {
  const other = Object.keys(of).find((name) => !machines.includes(name))
  if (other !== undefined)
    throw new RangeError(`price: expected a machine of --on (${machines.join(', ')}), got ${other}`)
}

/** Throws RangeError for a figure that needs a price where none is given. */
export function checkPriced(option: string, names: readonly string[], { all, of }: Prices): void {
  const needs = names.find((name) => name === 'price_per_hour' || name === 'cost_per_million_tokens')
  if (needs === undefined || all !== undefined || Object.keys(of).length > 0) return
  throw new RangeError(`${option}: ${needs} needs the price of the machines; expected --price beside it`)
}

/** What machines can be ranked by, best first. */
export const rankings = {
  cost: { key: 'cost_per_million_tokens', least: true },
  energy: { key: 'joules_per_token', least: true },
  speed: { key: 'tokens_per_s', least: false },
} as const
export type Ranking = keyof typeof rankings

export interface Ranked extends Cost {
  /** From 1; null where the model does not fit or the figure is not known. */
  readonly rank: number | null
  readonly machine: string
  readonly fits: boolean | null
  readonly tokens_per_s: number
}

/** The predictions best first; those without a rank come last, in their own order. */
export function rank(entries: readonly { prediction: Prediction; cost: Cost }[], by: Ranking): Ranked[] {
  const { key, least } = rankings[by]
  const rows = entries.map(({ prediction: p, cost }) => ({
    machine: p.machine,
    fits: p.memory.fits,
    tokens_per_s: p.tokens_per_s,
    ...cost,
  }))
  const ranks = (r: (typeof rows)[number]) => r.fits !== false && r[key] !== null
  const sign = least ? 1 : -1
  const ranked = rows.filter(ranks).sort((a, b) => sign * ((a[key] as number) - (b[key] as number)))
  return [
    ...ranked.map((r, i) => ({ rank: i + 1, ...r })),
    ...rows.filter((r) => !ranks(r)).map((r) => ({ rank: null, ...r })),
  ]
}
