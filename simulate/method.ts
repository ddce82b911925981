// Methods that a query can be asked with. Each is a file of its own that rewrites the deployment's options; nothing else
// knows it, and it is loaded when it is asked for.
import type { Architecture } from '../model/architecture.ts'
import type { Store } from '../model/cache.ts'
import { loadModel } from '../model/catalog.ts'
import type { Deployment, DeploymentOptions } from '../model/deployment.ts'
import { nearestHint } from '../model/nearest.ts'
import type { Operator } from '../model/operator.ts'
import { parseTokens } from '../model/quantity.ts'
import type { Workload } from '../model/workload.ts'
import type { Resolved } from './query.ts'
import type { Round, Strategy } from './round.ts'
import type { MeasuredRound } from './speculation/rate.ts'

export type Value = number | string
export type Values = Readonly<Record<string, Value>>

/** What an option holds that is no number: a model, a file of measured rounds, or text that the method reads itself. */
export const optionKinds = ['model', 'rounds', 'text'] as const

/** One option of a method, as given after the colon of `--with`: a number in a range, one of a list, or another kind. */
export interface MethodOption {
  readonly name: string
  readonly means: string
  readonly kind?: (typeof optionKinds)[number]
  /** Absent where it must be given, or may be left out. */
  readonly default?: Value
  /** May be left out. */
  readonly optional?: true
  readonly least?: number
  readonly most?: number
  /** What the number must be below. */
  readonly below?: number
  /** Whole numbers only. */
  readonly whole?: true
  readonly choices?: readonly Value[]
}

/** Work done once, before any pass: not part of any pass's time. */
export interface Preparation {
  readonly name: string
  readonly operators: readonly Operator[]
  /** What it was counted from. */
  readonly note: string
}

/** What a method's options name, loaded. */
export interface Loaded {
  readonly models: Readonly<Record<string, Architecture>>
  readonly rounds: Readonly<Record<string, readonly MeasuredRound[]>>
}

/** How what options name is loaded; a program without a disk has no files. */
export interface Loaders {
  model(name: string): Promise<Architecture>
  rounds?(file: string): Promise<readonly MeasuredRound[]>
}

/** What a strategy is made for. */
export interface StrategyContext {
  readonly target: Deployment
  /** A step that generates: the query's own, or of a prefill the first behind it. */
  readonly workload: Workload
  /** A deployment on the same machine, in formats that it has. */
  deploy(architecture: Architecture, options: DeploymentOptions): Deployment
  /** Expected seconds of a round there. */
  seconds(round: Round): number
}

export interface MadeStrategy {
  readonly strategy: Strategy
  /** What was given, chosen and follows, for answers to echo. */
  readonly values: Values
  readonly warnings: readonly string[]
}

export interface Method {
  readonly name: string
  readonly means: string
  readonly source: string
  readonly options: readonly MethodOption[]
  apply(options: DeploymentOptions, values: Values): DeploymentOptions
  /** It works on a document known beforehand: the whole past, unless the query says which part. */
  readonly document?: true
  /** What to know about this answer. */
  warnings?(resolved: Resolved, values: Values): string[]
  prepare?(resolved: Resolved, values: Values): Preparation | undefined
  /** The rounds that it decodes in; at most one method of a query has them. */
  strategy?(context: StrategyContext, values: Values, loaded: Loaded): MadeStrategy
}

/** A method with its values, as echoed in answers. */
export interface AppliedMethod extends Pick<Method, 'name' | 'document'> {
  readonly values: Values
  apply(options: DeploymentOptions): DeploymentOptions
  warnings(resolved: Resolved): string[]
  prepare(resolved: Resolved): Preparation | undefined
  strategy?(context: StrategyContext): MadeStrategy
}

const table = {
  window: async () => (await import('./methods/window.ts')).window,
  kvquant: async () => (await import('./methods/kvquant.ts')).kvquant,
  kivi: async () => (await import('./methods/kivi.ts')).kivi,
  draft: async () => (await import('./methods/draft.ts')).draft,
  quantspec: async () => (await import('./methods/quantspec.ts')).quantspec,
  'sparse-draft': async () => (await import('./methods/sparse-draft.ts')).sparseDraft,
  bild: async () => (await import('./methods/bild.ts')).bild,
  squeezed: async () => (await import('./methods/squeezed.ts')).squeezed,
} as const satisfies Record<string, () => Promise<Method>>

export const methodNames = Object.keys(table) as (keyof typeof table)[]

/** The method of this name. Throws RangeError with the names there are. */
export async function loadMethod(name: string): Promise<Method> {
  if (!Object.hasOwn(table, name)) {
    throw new RangeError(`expected a method (${methodNames.join(', ')}), got ${name}${nearestHint(name, methodNames)}`)
  }
  return table[name as keyof typeof table]()
}

const noFiles: Loaders = { model: loadModel }

/**
 * `name:key=value,key=value` as a method with its values; models are presets unless `loaders` knows more. Throws
 * RangeError naming what was expected.
 */
export async function parseMethod(text: string, loaders: Loaders = noFiles): Promise<AppliedMethod> {
  const [name = '', list = ''] = text.split(/:(.*)/s)
  let method: Method
  try {
    method = await loadMethod(name)
  } catch (error) {
    throw error instanceof RangeError ? new RangeError(`with: ${error.message}`) : error
  }
  const given = pairs(name, list)
  return applyMethod(method, given, await load(method, given, loaders))
}

async function load(method: Method, given: Readonly<Record<string, string>>, loaders: Loaders): Promise<Loaded> {
  const models: Record<string, Architecture> = {}
  const rounds: Record<string, readonly MeasuredRound[]> = {}
  for (const { name, kind } of method.options) {
    const text = given[name]
    if (text === undefined || kind === undefined || kind === 'text') continue
    if (kind === 'model') models[name] = await loaders.model(text)
    else if (loaders.rounds) rounds[name] = await loaders.rounds(text)
    else throw new RangeError(`with ${method.name}: ${name} is a file, and no files can be read here`)
  }
  return { models, rounds }
}

function pairs(name: string, list: string): Record<string, string> {
  const given: Record<string, string> = {}
  if (list === '') return given
  for (const pair of list.split(',')) {
    const [key = '', value = ''] = pair.split(/=(.*)/s)
    if (Object.hasOwn(given, key)) throw new RangeError(`with ${name}: expected ${key} once, got it twice`)
    given[key] = value
  }
  return given
}

const nothing: Loaded = { models: {}, rounds: {} }

/** The method with these values, defaults filled in and checked. Throws RangeError. */
export function applyMethod(
  method: Method,
  given: Readonly<Record<string, Value>>,
  loaded: Loaded = nothing,
): AppliedMethod {
  const known = method.options.map((o) => o.name)
  for (const key of Object.keys(given)) {
    if (known.includes(key)) continue
    throw new RangeError(`with ${method.name}: expected ${known.join(', ')}, got ${key}${nearestHint(key, known)}`)
  }
  const values: Record<string, Value> = {}
  for (const option of method.options) {
    const value = Object.hasOwn(given, option.name) ? given[option.name] : option.default
    if (value === undefined && option.optional) continue
    values[option.name] = checked(method.name, option, value)
  }
  const { name, document, strategy } = method
  return {
    name,
    ...(document && { document }),
    values,
    apply: (options) => method.apply(options, values),
    warnings: (resolved) => method.warnings?.(resolved, values) ?? [],
    prepare: (resolved) => method.prepare?.(resolved, values),
    ...(strategy && { strategy: (context: StrategyContext) => strategy(context, values, loaded) }),
  }
}

function checked(method: string, option: MethodOption, given: Value | undefined): Value {
  const { name, means, kind, choices, least, most, below, whole } = option
  if (given === '' || given === undefined)
    throw new RangeError(
      `with ${method}: expected ${name}=${kind === undefined ? 'N' : kind.toUpperCase()} (${means}), got none`,
    )
  if (choices) {
    const chosen = choices.find((c) => String(c) === String(given))
    if (chosen !== undefined) return chosen
    throw new RangeError(`with ${method}: expected ${name} to be one of ${choices.join(', ')}, got ${given}`)
  }
  if (kind) return given
  const value = typeof given === 'number' ? given : parseTokens(given)
  const inside =
    value >= (least ?? Number.NEGATIVE_INFINITY) && value <= (most ?? Number.MAX_VALUE) && value < (below ?? Infinity)
  if (inside && (!whole || Number.isInteger(value))) return value
  throw new RangeError(`with ${method}: expected ${whole ? 'whole ' : ''}${name} ${rangeOf(option)}, got ${given}`)
}

/** `from 0 to below 1`. */
export function rangeOf({ least, most, below }: MethodOption): string {
  const from = least === undefined ? '' : `from ${least}`
  const to = below !== undefined ? `to below ${below}` : most !== undefined ? `to ${most}` : ''
  return [from, to].filter((s) => s !== '').join(' ') || 'as a number'
}

/** The options with this store as the cache. Throws RangeError where they name another way to keep it. */
export function withStore(options: DeploymentOptions, store: Store): DeploymentOptions {
  if (options.store) {
    throw new RangeError(
      `with: ${options.store.name} and ${store.name} are both ways to keep the cache; expected one of them`,
    )
  }
  if (options.kv) {
    throw new RangeError(
      `with: --kv ${options.kv.name} and ${store.name} are both ways to keep the cache; expected one of them`,
    )
  }
  return { ...options, store }
}
