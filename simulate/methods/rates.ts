// How the drafting methods are told how well a draft guesses: options, and the rate that they make.

import type { Format } from '../../model/format.ts'
import { parseFormat } from '../../model/quantity.ts'
import type { Loaded, MadeStrategy, MethodOption, StrategyContext, Value, Values } from '../method.ts'
import type { Strategy } from '../round.ts'
import { bestGamma, mostTried } from '../speculation/gain.ts'
import { parseRate, type Rate, type RateKind, rateKinds, sameAccepted, traceRate } from '../speculation/rate.ts'
import { contextOf } from '../strategies/groups.ts'
import { mostRevocable } from '../strategies/speculative.ts'

export const gammaOption: MethodOption = {
  name: 'gamma',
  means: 'drafted tokens per round; left out: the number with the fewest seconds per token',
  optional: true,
  least: 0,
  most: 1000,
  whole: true,
}

export const rateOptions: readonly MethodOption[] = [
  {
    name: 'alpha',
    means: 'probability that a token is accepted where all before it were: 0.8, or by context 4k:0.84/32k:0.81',
    kind: 'text',
    optional: true,
  },
  { name: 'accepted', means: 'accepted over drafted tokens, in place of alpha', kind: 'text', optional: true },
  {
    name: 'trace',
    means: 'measured rounds, in place of both: JSON Lines {"drafted": 5, "accepted": 3}',
    kind: 'rounds',
    optional: true,
  },
]

/** The one rate that was given. Throws RangeError. */
function rateOf(method: string, values: Values, loaded: Loaded): Rate {
  const given = [...rateKinds, 'trace'].filter((name) => values[name] !== undefined)
  if (given.length !== 1) {
    const got = given.length === 0 ? 'none' : given.join(' and ')
    throw new RangeError(`with ${method}: expected one of alpha, accepted and trace, got ${got}`)
  }
  const [kind = ''] = given
  if (kind === 'trace') return traceRate(loaded.rounds.trace ?? [])
  try {
    return parseRate(kind as RateKind, String(values[kind]))
  } catch (error) {
    throw error instanceof RangeError ? new RangeError(`with ${method}: ${error.message}`) : error
  }
}

/**
 * The strategy at the gamma that was given, or at the best one up to `most`; gamma and both rates are echoed.
 */
export function drafting(
  method: string,
  context: StrategyContext,
  values: Values,
  loaded: Loaded,
  make: (gamma: number, rate: Rate) => Strategy,
  most = mostRevocable(context.target),
): MadeStrategy {
  const rate = rateOf(method, values, loaded)
  const cached = contextOf(context.workload)
  const warnings: string[] = []
  const round = (gamma: number) => make(gamma, rate)(context.target, context.workload)
  let gamma = values.gamma as number | undefined
  if (gamma === undefined) {
    const best = bestGamma(
      (g) => {
        const r = round(g)
        return { tokens: r.tokens, seconds: context.seconds(r) }
      },
      Math.min(mostTried, rate.most, most),
    )
    gamma = best.gamma
    warnings.push(`${method}: gamma ${gamma} was chosen, of the fewest expected seconds per token`)
    if (gamma === 0) warnings.push(`${method}: no number of drafted tokens gains anything here`)
    if (best.capped) warnings.push(`${method}: gamma ${gamma} is the largest that could be tried`)
    if (values.accepted !== undefined) warnings.push(sameAccepted)
  }
  if (rate.outside(cached))
    warnings.push(`${method}: no rate is given at ${cached} tokens; that of the nearest stands for it`)
  return { strategy: make(gamma, rate), values: { ...values, gamma, ...echoed(rate, gamma, cached, values) }, warnings }
}

/** Both rates at a gamma; where nothing is drafted, the one that was given. */
function echoed(rate: Rate, gamma: number, cached: number, values: Values): Record<string, Value> {
  const { alpha, accepted } = rate.at(Math.max(1, gamma), cached)
  const rates = { ...(alpha !== undefined && { alpha }), ...(accepted !== undefined && { accepted }) }
  if (gamma > 0) return rates
  return Object.fromEntries(Object.entries(rates).filter(([name]) => values[name] !== undefined))
}

/** A format option's format. Throws RangeError that names the option. */
export function formatOf(method: string, name: string, text: Value | undefined): Format | undefined {
  if (text === undefined) return undefined
  try {
    return parseFormat(String(text))
  } catch (error) {
    throw error instanceof RangeError ? new RangeError(`with ${method}: ${name}: ${error.message}`) : error
  }
}
