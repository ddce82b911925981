// A grid of queries: axes of values, the slowest first, and the query of each point by its number. Points are counted,
// never listed, so that a grid takes no memory however large it is. What needs a disk is passed in.
import type { Machine } from '../../hardware/machine.ts'
import type { Architecture } from '../../model/architecture.ts'
import { type AppliedMethod, type Loaders as MethodLoaders, parseMethod } from '../method.ts'
import type { Query } from '../query.ts'
import { type MethodTemplate, methodTemplate } from './method-template.ts'
import {
  checkRole,
  type Draft,
  type MachineFigure,
  machineFigures,
  numericOf,
  putWeights,
  settings,
  weightSetting,
  withFigure,
} from './setting.ts'
import { steady } from './steady.ts'
import { listOf, numbers, type Scalar, type Values, words } from './values.ts'
import { parseVariant, type Variant } from './variant.ts'

/** What is asked, as typed. */
export interface Request {
  readonly models: readonly string[]
  readonly machines: readonly string[]
  /** Values by the name of a setting: `batch` to `1:256:x2`. */
  readonly settings: Readonly<Record<string, string>>
  /** `[role=]format`, alternatives separated by bars. */
  readonly weights: readonly string[]
  /** Methods, their options with alternatives. */
  readonly methods: readonly string[]
  /** `bandwidth=1TB/s:8TB/s:x2`. */
  readonly figures: readonly string[]
  /** Variants beside the query itself. */
  readonly versus: readonly string[]
}

export const noRequest: Request = {
  models: [],
  machines: [],
  settings: {},
  weights: [],
  methods: [],
  figures: [],
  versus: [],
}

/** How what a request names is loaded, in itself and in the options of its methods. */
export interface Loaders extends MethodLoaders {
  machine(text: string): Promise<Machine>
}

/** The order of axes, the slowest first: what makes another deployment changes rarely. */
const order = [
  ...['variant', 'model', 'machine', ...machineFigures, 'method', 'weights', 'activations', 'kv', 'fusion', 'tp', 'pp'],
  ...['ep', 'calibration', 'phase', 'audio', 'source', 'new-tokens', 'fixed', 'shared', 'past', 'context', 'batch'],
]

type Put = (draft: Draft) => void

export interface Axis {
  /** As in a row's `point`: batch, new_tokens, kvquant.bits, bandwidth. */
  readonly name: string
  readonly values: Values
}

interface Part extends Axis {
  readonly rank: string
  /** What the value at an index does to the draft. */
  put(index: number): Put
}

export interface Plan {
  /** The axes with more than one value, the slowest first. */
  readonly axes: readonly Axis[]
  readonly count: number
  /** The index on each axis. */
  indices(point: number): number[]
  /** The values of the axes. */
  point(point: number): Readonly<Record<string, Scalar>>
  /** The query, at once where its methods are already loaded. */
  query(point: number): Query | Promise<Query>
  readonly models: readonly Architecture[]
  readonly machines: readonly Machine[]
  /** The names of the variants, the query itself first; empty where there are none. */
  readonly variants: readonly string[]
}

/** A parameter whose value is set from outside before a query is asked for; what the request says of it does not count. */
export interface Free {
  /** A setting, a figure of the machine, `weights`, or an option of a method: `kvquant.bits`. */
  readonly name: string
  readonly value: () => Scalar
}

/** The grid of a request. Throws RangeError where something of it cannot be. */
export async function planOf(request: Request, load: Loaders, free?: Free): Promise<Plan> {
  const models = await Promise.all(request.models.map((text) => load.model(text)))
  const machines = await Promise.all(request.machines.map((text) => load.machine(text)))
  checkDistinct('model', models)
  checkDistinct('on', machines)
  const templates = request.methods.map((text) => methodTemplate(text, free))
  const variants = await Promise.all(request.versus.map((text) => loadVariant(parseVariant(text), load)))
  const base = request.methods.length === 0 ? 'plain' : 'as asked'
  const names = variants.length === 0 ? [] : [base, ...variants.map((v) => v.name)]
  const twice = names.find((name, i) => names.indexOf(name) !== i)
  if (twice !== undefined) throw new RangeError(`versus: expected different variants, got ${twice} twice`)
  const parts = [
    part('variant', 'variant', listOf(names.length === 0 ? [base] : names), () => () => {}),
    part('model', 'model', listOf(models.map((m) => m.name)), (i) => (d) => {
      d.architecture = models[i] as Architecture
    }),
    part('machine', 'machine', listOf(machines.map((m) => m.name)), (i) => (d) => {
      d.machine = machines[i] as Machine
    }),
    ...figureParts(request.figures.filter((text) => free === undefined || !text.startsWith(`${free.name}=`))),
    ...templates.flatMap((t) => t.axes.map((a) => part(a.name, 'method', a.values, () => () => {}))),
    ...weightParts(
      request.weights.filter((text) => free?.name !== weightSetting(text).name),
      models,
    ),
    ...settingParts(Object.fromEntries(Object.entries(request.settings).filter(([name]) => name !== free?.name))),
    ...(free ? freePart(free) : []),
  ].sort((a, b) => order.indexOf(a.rank) - order.indexOf(b.rank))
  for (const v of variants) checkFree(v, parts, models)
  // A misspelt method is told at once; a value that it does not take, at its points.
  const typed = [
    ...templates.map((t) => t.text(t.axes.map((a) => a.values.at(0)))),
    ...variants.flatMap((v) => v.methods),
  ]
  for (const text of typed) await parseMethod(text, load)
  return new Grid(parts, templates, variants, models, machines, names, load)
}

/** A part with one value, which is read anew each time. */
function freePart({ name, value }: Free): Part[] {
  const values = { count: 1, at: value }
  if (name.includes('.')) return []
  if (name === 'weights') return [part(name, name, values, () => putWeights(undefined, String(value())))]
  const { [name]: setting } = settings
  if (setting?.kind === 'number') return [part(name, name, values, () => setting.put(value() as number))]
  const figure = machineFigures.find((f) => f === name)
  if (figure === undefined) throw new RangeError(`expected a number that can be another, got ${name}`)
  return [part(name, name, values, () => putFigure(figure, value() as number))]
}

function part(name: string, rank: string, values: Values, put: (index: number) => Put): Part {
  return { name: name.replaceAll('-', '_'), rank, values, put }
}

function checkDistinct(what: string, loaded: readonly { name: string }[]): void {
  const names = loaded.map((l) => l.name)
  const twice = names.find((name, i) => names.indexOf(name) !== i)
  if (twice !== undefined) throw new RangeError(`${what}: expected different ones, got ${twice} twice`)
}

function settingParts(given: Readonly<Record<string, string>>): Part[] {
  return Object.entries(given).map(([name, text]) => {
    const setting = settings[name]
    if (setting === undefined) throw new RangeError(`expected ${Object.keys(settings).join(', ')}, got ${name}`)
    if (setting.kind === 'number') {
      const values = numbers(text, { name, ...setting.numeric })
      return part(name, name, values, (i) => setting.put(values.at(i) as number))
    }
    const texts = words(name, text, name === 'activations' || name === 'kv' ? /\|/ : /[,|]/)
    const puts = texts.map((word) => setting.put(word))
    return part(name, name, listOf(texts), (i) => puts[i] as Put)
  })
}

function weightParts(given: readonly string[], models: readonly Architecture[]): Part[] {
  const seen = new Set<string>()
  return given.map((text) => {
    const { name, role, rest } = weightSetting(text)
    if (seen.has(name))
      throw new RangeError(`weights: expected one set of formats for ${role ?? 'all weights'}, got two`)
    seen.add(name)
    if (role !== undefined) for (const model of models) checkRole(model, role)
    const texts = words(name, rest)
    const puts = texts.map((word) => putWeights(role, word))
    return part(name, 'weights', listOf(texts), (i) => puts[i] as Put)
  })
}

function figureParts(given: readonly string[]): Part[] {
  const seen = new Set<string>()
  return given.map((text) => {
    const [, name = '', rest = ''] = /^([a-z]+)=(.*)$/s.exec(text) ?? []
    const figure = machineFigures.find((f) => f === name)
    if (figure === undefined || seen.has(name)) {
      const got = figure === undefined ? text : `${name} twice`
      throw new RangeError(`set: expected ${machineFigures.map((f) => `${f}=values`).join(', ')}, got ${got}`)
    }
    seen.add(name)
    const values = numbers(rest, figureNumeric(figure))
    return part(name, name, values, (i) => putFigure(figure, values.at(i) as number))
  })
}

function figureNumeric(figure: MachineFigure) {
  const numeric = numericOf(figure)
  if (numeric === undefined) throw new Error(`${figure} is no figure`)
  return numeric
}

function putFigure(figure: MachineFigure, value: number): Put {
  return (d) => {
    d.machine = steadyMachine(d.machine, figure, value)
  }
}

/** What is known of a machine is kept by its object: the same figures give the same object, the last few times. */
const changed = new WeakMap<Machine, Map<string, Machine>>()

function steadyMachine(machine: Machine, figure: MachineFigure, value: number): Machine {
  const own = changed.get(machine) ?? new Map<string, Machine>()
  changed.set(machine, own)
  const key = `${figure}=${value}`
  const known = own.get(key)
  if (known) return known
  if (own.size >= 64) own.clear()
  const made = withFigure(machine, figure, value)
  own.set(key, made)
  return made
}

interface LoadedVariant extends Variant {
  readonly puts: readonly Put[]
}

async function loadVariant(v: Variant, load: Loaders): Promise<LoadedVariant> {
  // Another machine first: its figures are changed after it.
  const sorted = [...v.changes].sort(([a], [b]) => Number(b === 'on') - Number(a === 'on'))
  const puts = await Promise.all(sorted.map(([name, text]) => change(name, text, load)))
  return { ...v, puts }
}

async function change(name: string, text: string, load: Loaders): Promise<Put> {
  if (name === 'model') {
    const model = await load.model(text)
    return (d) => {
      d.architecture = model
    }
  }
  if (name === 'on') {
    const machine = await load.machine(text)
    return (d) => {
      d.machine = machine
    }
  }
  if (name === 'weights') {
    const { role, rest } = weightSetting(text)
    return putWeights(role, rest)
  }
  const { [name]: setting } = settings
  if (setting?.kind === 'word') return setting.put(text)
  const numeric = numericOf(name)
  if (numeric === undefined) throw new Error(`${name} cannot be changed`)
  const values = numbers(text, numeric)
  if (values.count !== 1) throw new RangeError(`versus: expected one value of ${name}, got ${text}`)
  const value = values.at(0) as number
  return setting ? setting.put(value) : putFigure(name as MachineFigure, value)
}

/** What a variant changes must not be swept as well, and must be something that the model has. */
function checkFree(v: LoadedVariant, parts: readonly Part[], models: readonly Architecture[]): void {
  for (const [name, text] of v.changes) {
    const { role } = name === 'weights' ? weightSetting(text) : { role: undefined }
    const swept = parts.find((p) => p.rank === (name === 'on' ? 'machine' : name) && p.values.count > 1)
    if (name === 'on' && parts.some((p) => (machineFigures as readonly string[]).includes(p.rank))) {
      throw new RangeError(`versus: expected a variant on the same machine, whose figures are set; got ${v.name}`)
    }
    if (swept)
      throw new RangeError(`versus: expected a variant that leaves ${name} alone, which is swept; got ${v.name}`)
    if (role !== undefined && !v.changes.some(([n]) => n === 'model')) for (const m of models) checkRole(m, role)
  }
}

class Grid implements Plan {
  readonly axes: readonly Axis[]
  readonly count: number
  readonly models: readonly Architecture[]
  readonly machines: readonly Machine[]
  readonly variants: readonly string[]
  private readonly parts: readonly Part[]
  /** Which parts have more than one value. */
  private readonly varied: readonly number[]
  private readonly templates: readonly MethodTemplate[]
  private readonly changes: readonly LoadedVariant[]
  private readonly loaders: Loaders
  private readonly methods = new Map<string, AppliedMethod>()

  constructor(
    parts: readonly Part[],
    templates: readonly MethodTemplate[],
    changes: readonly LoadedVariant[],
    models: readonly Architecture[],
    machines: readonly Machine[],
    variants: readonly string[],
    loaders: Loaders,
  ) {
    this.parts = parts
    this.templates = templates
    this.changes = changes
    this.models = models
    this.machines = machines
    this.variants = variants
    this.loaders = loaders
    this.varied = parts.flatMap((p, k) => (p.values.count > 1 ? [k] : []))
    this.axes = this.varied.map((k) => parts[k] as Part)
    this.count = parts.reduce((product, p) => product * p.values.count, 1)
    if (this.count > Number.MAX_SAFE_INTEGER) {
      throw new RangeError(`expected up to ${Number.MAX_SAFE_INTEGER} points, got ${this.count}`)
    }
  }

  indices(point: number): number[] {
    const all = this.all(point)
    return this.varied.map((k) => all[k] as number)
  }

  /** The index on every part, fixed ones too; the last turns fastest. */
  private all(point: number): number[] {
    const indices = new Array<number>(this.parts.length)
    let rest = point
    for (let k = this.parts.length - 1; k >= 0; k--) {
      const { count } = (this.parts[k] as Part).values
      indices[k] = rest % count
      rest = Math.floor(rest / count)
    }
    return indices
  }

  point(point: number): Record<string, Scalar> {
    const all = this.all(point)
    const values: Record<string, Scalar> = {}
    for (const k of this.varied) {
      const { name, values: of } = this.parts[k] as Part
      values[name] = of.at(all[k] as number)
    }
    return values
  }

  query(point: number): Query | Promise<Query> {
    const indices = this.all(point)
    const texts = this.methodTexts(indices)
    const missing = texts.filter((text) => !this.methods.has(text))
    if (missing.length === 0) return this.build(indices, texts)
    return this.load(missing).then(() => this.build(indices, texts))
  }

  private async load(texts: readonly string[]): Promise<void> {
    // A long axis of a method's option would fill the memory.
    if (this.methods.size > 1000) this.methods.clear()
    for (const text of texts) this.methods.set(text, steady(await parseMethod(text, this.loaders)))
  }

  /** The slowest part is which variant it is. */
  private variant([index = 0]: readonly number[]): LoadedVariant | undefined {
    return index === 0 ? undefined : this.changes[index - 1]
  }

  private methodTexts(indices: readonly number[]): string[] {
    if (this.templates.length === 0 && this.changes.length === 0) return []
    const chosen = this.parts.flatMap((p, k) => (p.rank === 'method' ? [p.values.at(indices[k] as number)] : []))
    let used = 0
    const own = this.templates.map((t) => {
      const text = t.text(chosen.slice(used, used + t.axes.length))
      used += t.axes.length
      return text
    })
    return [...own, ...(this.variant(indices)?.methods ?? [])]
  }

  private build(indices: readonly number[], texts: readonly string[]): Query {
    const draft = { query: {}, deployment: {}, parallel: {}, roles: {}, methods: [] } as unknown as Draft
    for (let k = 0; k < this.parts.length; k++) (this.parts[k] as Part).put(indices[k] as number)(draft)
    for (const put of this.variant(indices)?.puts ?? []) put(draft)
    const deployment = draft.deployment as { parallel?: object; roles?: object }
    if (Object.keys(draft.parallel).length > 0) deployment.parallel = draft.parallel
    if (Object.keys(draft.roles).length > 0) deployment.roles = draft.roles
    const methods = texts.map((text) => this.methods.get(text) as AppliedMethod)
    const { architecture, machine, query } = draft
    return { ...query, architecture, machine, deployment: draft.deployment, ...(methods.length > 0 && { methods }) }
  }
}
