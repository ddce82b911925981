// Inverse questions: the values of one parameter at which a condition on the answer turns, or at which a variant begins
// to be better than the query itself.

import type { Machine } from '../../hardware/machine.ts'
import type { Architecture } from '../../model/architecture.ts'
import { nearestHint } from '../../model/nearest.ts'
import { checkPriced, checkPrices, type Prices } from '../cost.ts'
import { checkNames, type Expression, type Leaf, parseExpression } from '../expression.ts'
import { loadMethod, type MethodOption } from '../method.ts'
import { type Best, type Objective, parseObjective } from './pareto.ts'
import { type Loaders, type Plan, planOf, type Request } from './plan.ts'
import { type Domain, findRoots, type Roots, type Test } from './roots.ts'
import { type Answered, answered, lookup, rowNames } from './row.ts'
import { figureOf, type MachineFigure, machineFigures, numericOf, settings } from './setting.ts'
import { numbers } from './values.ts'

/** What is asked: the parameter, and the condition or the variant. */
export interface Question {
  readonly variable: string
  /** A condition such as `tokens_per_s >= 50`; absent where a variant is compared. */
  readonly until?: string
  /** What a variant must be better in: default the time per output token, or of the pass. */
  readonly metric?: string
  readonly from?: string
  readonly to?: string
  readonly prices?: Prices
}

/** The condition at one value. */
export interface Finding extends Test {
  /** Both sides of the comparison; of a variant its figure and the query's own. Null where there are none. */
  readonly left: Leaf
  readonly right: Leaf
  readonly fits: boolean | null
}

export interface SolvedRoot {
  readonly value: number
  readonly below: number
  readonly above: number
  /** The side on which the condition holds. */
  readonly holds: 'below' | 'above'
  /** What was found at `below` and `above`. */
  readonly certificate: { readonly below: Finding; readonly above: Finding }
}

export interface Solution {
  readonly variable: string
  readonly condition: string
  readonly answer: 'value' | 'always' | 'never'
  readonly roots: readonly SolvedRoot[]
  readonly method: 'bisection' | 'scan'
  readonly resolution: number
  readonly relative_resolution: number
  readonly from: number
  readonly to: number
  readonly points: number
  readonly undecided: number
  /** Why the first undecided value was so. */
  readonly reason: string | null
  readonly warnings: readonly string[]
}

/** Parameters that can be looked for by their own name; options of methods are `method.option`. */
export const variables: readonly string[] = [
  ...Object.entries(settings).flatMap(([name, s]) => (s.kind === 'number' ? [name] : [])),
  ...machineFigures,
  'bits',
]

/** Answers the question about the request, which names one model, one machine and at most one variant. Throws RangeError. */
export async function solve(request: Request, question: Question, load: Loaders): Promise<Solution> {
  const [model, machine] = await Promise.all([
    load.model(only('model', request.models)),
    load.machine(only('on', request.machines)),
  ])
  const target = await targetOf(question.variable, request, model, machine)
  const domain = domainOf(target, question)
  let current = first(domain)
  const plan = await planOf(request, load, { name: target.free, value: () => target.text?.(current) ?? current })
  const expected = request.versus.length === 0 ? 1 : 2
  if (plan.count !== expected) {
    const many =
      request.versus.length > 1
        ? `${request.versus.length} variants`
        : plan.axes.map((a) => `${a.values.count} of ${a.name}`).join(', ')
    throw new RangeError(`solve: expected one value of everything else, got ${many}; \`memwall sweep\` takes several`)
  }
  if (question.prices) {
    checkPrices(
      question.prices,
      plan.machines.map((m) => m.name),
    )
  }
  const probe = await proberOf(plan, question, request.versus.length > 0)
  let reason: string | null = null
  const test = async (value: number): Promise<Finding> => {
    current = value
    try {
      return { value, ...(await probe.at()) }
    } catch (error) {
      if (!(error instanceof RangeError) || /^(until|metric):/.test(error.message)) throw error
      reason ??= error.message
      return { value, holds: null, left: null, right: null, fits: null }
    }
  }
  const known = probe.names !== undefined && turnsOnce(probe.names, target.free, model, request)
  let found: Roots<Finding>
  try {
    found = await findRoots(domain, known, test)
  } catch (error) {
    throw error instanceof RangeError && reason !== null ? new RangeError(reason) : error
  }
  return solutionOf(question.variable, probe.text, domain, found, reason)
}

function only(what: string, list: readonly string[]): string {
  const [one] = list
  if (one === undefined || list.length > 1)
    throw new RangeError(`${what}: expected one, got ${list.join(', ') || 'none'}`)
  return one
}

function solutionOf(
  variable: string,
  condition: string,
  domain: Domain,
  found: Roots<Finding>,
  reason: string | null,
): Solution {
  const roots = found.roots.map(
    ({ value, below, above }): SolvedRoot => ({
      value,
      below: below.value,
      above: above.value,
      holds: below.holds ? 'below' : 'above',
      certificate: { below, above },
    }),
  )
  const [from, to] = ends(domain)
  return {
    variable,
    condition,
    answer: roots.length > 0 ? 'value' : found.first ? 'always' : 'never',
    roots,
    method: found.method,
    resolution: found.resolution,
    relative_resolution: found.relative,
    from,
    to,
    points: found.points,
    undecided: found.undecided,
    reason,
    warnings: warningsOf(roots),
  }
}

function warningsOf(roots: readonly SolvedRoot[]): string[] {
  const unfit = roots.filter((r) => (r.holds === 'below' ? r.certificate.below : r.certificate.above).fits === false)
  if (unfit.length === 0) return []
  return [`at ${unfit.map((r) => r.value).join(', ')} it does not fit in memory; times are as if it did`]
}

// The parameter

interface Target {
  /** Its name in a plan. */
  readonly free: string
  readonly domain: Domain | undefined
  /** How text that a user gives for it is read. */
  readonly parse: ReturnType<typeof numericOf>
  /** Another text than the number itself. */
  readonly text?: (value: number) => string
}

const longestContext = 2 ** 20

async function targetOf(variable: string, request: Request, model: Architecture, machine: Machine): Promise<Target> {
  if (variable === 'bits') return bitsTarget(request, model)
  if (variable.includes('.')) return optionTarget(variable, request, model)
  const parse = numericOf(variable)
  if (parse === undefined) {
    throw new RangeError(
      `for: expected ${variables.join(', ')}, or an option of a method such as window.tokens; got ${variable}${nearestHint(variable, variables)}`,
    )
  }
  return { free: variable, domain: usualDomain(variable, model, machine), parse }
}

/** Where a parameter is looked for unless the user says otherwise; undefined where that is unknown. */
function usualDomain(variable: string, model: Architecture, machine: Machine): Domain | undefined {
  const figure = machineFigures.find((f) => f === variable)
  if (figure !== undefined) return figureDomain(figure, machine)
  if (variable === 'audio') return { kind: 'real', from: 0.1, to: 3600 }
  const tokens = model.positions ?? longestContext
  const most = { batch: 65_536, tp: 64, pp: 64, ep: 256 }[variable] ?? tokens
  const least = numericOf(variable)?.least ?? 1
  return { kind: 'whole', from: least, to: most }
}

function figureDomain(figure: MachineFigure, machine: Machine): Domain | undefined {
  const value = figureOf(machine, figure)
  return value === undefined ? undefined : { kind: 'real', from: value / 100, to: value * 100 }
}

/** Bits of the one method that has such an option, else of the weights, as formats with so many. */
async function bitsTarget(request: Request, model: Architecture): Promise<Target> {
  for (const text of request.methods) {
    const name = text.split(':')[0] ?? ''
    const { options } = await loadMethod(name)
    if (options.some((o) => o.name === 'bits')) return optionTarget(`${name}.bits`, request, model)
  }
  const formats: Readonly<Record<number, string>> = {
    2: 'int2',
    3: 'int3',
    4: 'int4',
    8: 'int8',
    16: model.dtype === 'fp32' ? 'fp16' : model.dtype,
  }
  return {
    free: 'weights',
    domain: { kind: 'list', items: Object.keys(formats).map(Number) },
    parse: undefined,
    text: (bits) => formats[bits] as string,
  }
}

async function optionTarget(variable: string, request: Request, model: Architecture): Promise<Target> {
  const [name = '', key = ''] = variable.split(/\.(.*)/s)
  const used = request.methods.some((text) => text.split(':')[0] === name)
  if (!used) throw new RangeError(`for: expected --with ${name} beside ${variable}`)
  const { options } = await loadMethod(name)
  const option = options.find((o) => o.name === key)
  if (option === undefined) {
    throw new RangeError(`for: expected an option of ${name} (${options.map((o) => o.name).join(', ')}), got ${key}`)
  }
  return { free: variable, domain: optionDomain(option, model), parse: optionNumeric(variable, option) }
}

function optionDomain(option: MethodOption, model: Architecture): Domain {
  const { choices, least, most, below, whole } = option
  if (choices) {
    const items = choices.filter((c) => typeof c === 'number').sort((a, b) => a - b)
    if (items.length < choices.length) throw new RangeError(`for: expected an option with numbers, got ${option.name}`)
    return { kind: 'list', items }
  }
  // A share that must stay below 1 comes close to it.
  const to = most ?? (below === undefined ? (model.positions ?? longestContext) : below * (1 - 1e-9))
  return { kind: whole ? 'whole' : 'real', from: least ?? (whole ? 1 : 0), to }
}

function optionNumeric(name: string, { whole, least, most }: MethodOption): ReturnType<typeof numericOf> {
  const base = numericOf('context')
  return (
    base && {
      name,
      parse: base.parse,
      such: '0.5 or 4k',
      ...(whole && { whole }),
      ...(least !== undefined && { least }),
      ...(most !== undefined && { most }),
    }
  )
}

function domainOf({ domain, parse, free }: Target, { from, to }: Question): Domain {
  if (from === undefined && to === undefined && domain !== undefined) return domain
  if (domain?.kind === 'list' || parse === undefined) {
    throw new RangeError(`from: ${free} has values of its own; expected neither --from nor --to`)
  }
  const one = (option: string, text: string | undefined, usual: number | undefined): number => {
    if (text === undefined) {
      if (usual === undefined)
        throw new RangeError(`${option}: expected --${option} for ${free}, which the machine does not state`)
      return usual
    }
    return numbers(text, { ...parse, name: option }).at(0) as number
  }
  const range = { kind: domain?.kind ?? 'real', from: one('from', from, domain?.from), to: one('to', to, domain?.to) }
  if (range.from >= range.to) throw new RangeError(`from: expected less than --to ${range.to}, got ${range.from}`)
  return range
}

function ends(domain: Domain): [from: number, to: number] {
  if (domain.kind !== 'list') return [domain.from, domain.to]
  return [domain.items[0] as number, domain.items.at(-1) as number]
}

function first(domain: Domain): number {
  return ends(domain)[0]
}

// The condition

interface Prober {
  readonly text: string
  /** The names that the condition reads against constants alone; undefined where it is of another form. */
  readonly names?: readonly string[]
  at(): Promise<Omit<Finding, 'value'>>
}

async function proberOf(plan: Plan, question: Question, versus: boolean): Promise<Prober> {
  const prices = question.prices ?? { of: {} }
  const row = async (index: number): Promise<Answered> => answered(await plan.query(index), {}, { prices })
  if (versus) return versusProber(plan, question, row)
  if (question.until === undefined) throw new RangeError('until: expected a condition, or --versus with a variant')
  const condition = await parseExpression('until', question.until)
  checkPriced('until', condition.names, prices)
  let checked = false
  return {
    text: question.until,
    ...formOf(condition),
    at: async () => {
      const answer = await row(0)
      if (!checked) checkNames('until', condition, lookup(answer), rowNames(answer))
      checked = true
      const find = lookup(answer)
      const holds = condition.evaluate(find)
      if (holds !== null && typeof holds !== 'boolean') {
        throw new RangeError(`until: expected a condition such as tokens_per_s >= 50, got ${question.until}`)
      }
      const { sides } = condition
      const [left, right] = sides ? [sides.left.evaluate(find), sides.right.evaluate(find)] : [null, null]
      return { holds, left, right, fits: answer.memory.fits }
    },
  }
}

async function versusProber(
  plan: Plan,
  { until, metric, prices = { of: {} } }: Question,
  row: (index: number) => Promise<Answered>,
): Promise<Prober> {
  if (until !== undefined)
    throw new RangeError('until: expected either a condition or --versus with a variant, got both')
  const objective = metric === undefined ? undefined : await parseObjective('metric', metric)
  checkPriced('metric', objective?.expression.names ?? [], prices)
  const [, name = ''] = plan.variants
  let checked = false
  return {
    text: `${name} has the ${objective?.best ?? 'least'} ${objective?.expression.text ?? 'time per token'}`,
    at: async () => {
      const [own, other] = [await row(0), await row(1)]
      if (objective && !checked) checkNames('metric', objective.expression, lookup(other), rowNames(other))
      checked = true
      const [left, right] = [figure(other, objective), figure(own, objective)]
      const fits = own.memory.fits === false || other.memory.fits === false ? false : other.memory.fits
      if (left === null || right === null) return { holds: null, left, right, fits }
      return { holds: better(left, right, objective?.best ?? 'least'), left, right, fits }
    },
  }
}

function better(a: number, b: number, best: Best): boolean {
  return best === 'least' ? a < b : a > b
}

function figure(row: Answered, objective: Objective | undefined): number | null {
  if (objective === undefined) return row.time_per_output_token_s ?? row.expected_s
  const value = objective.expression.evaluate(lookup(row))
  return typeof value === 'number' ? value : null
}

/** The one name that is held against a constant, or that is true or false by itself. */
function formOf({ sides, names }: Expression): { names?: readonly string[] } {
  if (names.length !== 1) return {}
  if (sides === undefined) return names[0] === 'memory.fits' ? { names } : {}
  const plain = sides.left.text === names[0] || sides.right.text === names[0]
  return plain && sides.sign !== '==' && sides.sign !== '!=' ? { names } : {}
}

// What is known to turn once

const growing: ReadonlySet<string> = new Set([
  'memory.total',
  'memory.kv',
  'memory.fits',
  'bound_s',
  'flops',
  'bytes.total',
  'bytes.kv_read',
])

/** Figures that only rise, or only fall, with a figure of the machine. */
const byMachine: Readonly<Record<MachineFigure, ReadonlySet<string>>> = {
  bandwidth: new Set(['bound_s', 'floor_s']),
  peak: new Set(['bound_s', 'floor_s']),
  link: new Set(['bound_s', 'floor_s']),
  capacity: new Set(['memory.fits']),
}

/**
 * Whether the figure is known to only rise or only fall with the variable: sums of terms that do. Not where the cache is
 * another than the whole past in one format, whose rows may come and go with the context.
 */
function turnsOnce([name = '']: readonly string[], variable: string, model: Architecture, request: Request): boolean {
  const figure = machineFigures.find((f) => f === variable)
  if (figure !== undefined) return byMachine[figure].has(name)
  if (!growing.has(name) || request.methods.length > 0) return false
  if (variable === 'batch') return true
  const reaches = model.stacks
    .flatMap((s) => s.groups.flatMap((g) => g.modules))
    .flatMap((m) => (m.kind === 'attention' ? [m.reach.kind] : []))
  const simple = reaches.length > 0 && reaches.every((kind) => kind === 'full' || kind === 'window')
  return simple && (variable === 'context' || variable === 'past')
}
