// Reading a config.json field by field: what was read, what was left and what had to be assumed is part of the answer.
// Every value is checked where it is read, so that nothing downstream sees a NaN, a negative width or a string.

/** A config that cannot be read; its message is one line that names the field. */
export class ConfigError extends Error {
  override name = 'ConfigError'
}

export type Json = Readonly<Record<string, unknown>>

/** Documented values of absent fields. */
export type Defaults = Readonly<Record<string, number | boolean | string>>

/** The largest values that are taken for sane; each one bounds a kind of field. */
export const limits = { width: 1e7, vocabulary: 1e8, layers: 1e4, tokens: 1e10, multiplier: 1e4 } as const

interface Log {
  readonly used: Set<string>
  readonly assumed: string[]
  /** Why a field was deliberately not read. */
  readonly leftOut: Map<string, string>
}

export function isObject(value: unknown): value is Json {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

/** A value as an error message shows it: short, on one line. */
export function shown(value: unknown): string {
  if (value === undefined) return 'nothing'
  if (Array.isArray(value)) return `a list of ${value.length}`
  if (isObject(value)) return 'an object'
  const text = typeof value === 'string' ? JSON.stringify(value) : String(value)
  return text.length > 40 ? `${text.slice(0, 37)}...` : text
}

export class Fields {
  readonly #json: Json
  readonly #log: Log
  readonly #prefix: string
  readonly outer: Fields | undefined
  /** The model's name, for messages. */
  readonly model: string
  #defaults: Defaults = {}

  constructor(json: Json, model: string, prefix = '', outer?: Fields) {
    this.#json = json
    this.#prefix = prefix
    this.outer = outer
    this.model = model
    this.#log = outer === undefined ? { used: new Set(), assumed: [], leftOut: new Map() } : outer.#log
  }

  /** The fields of a nested config. */
  inner(key: string): Fields {
    const value = this.raw(key)
    if (!isObject(value)) throw this.wrong(key, 'an object', value)
    return new Fields(value, this.model, `${this.#prefix}${key}.`, this)
  }

  /** Where a field that a wrapper and its text part may both have is stated: the wrapper's word counts. */
  owner(key: string): Fields {
    return this.outer?.states(key) ? this.outer.owner(key) : this
  }

  /** Where one of the fields is stated: here, else in the wrapper around. */
  nearest(keys: readonly string[]): Fields {
    const here = this.outer === undefined || keys.some((key) => this.has(key))
    return here ? this : this.outer.nearest(keys)
  }

  /** How many wrappers are around. */
  get depth(): number {
    return this.outer === undefined ? 0 : this.outer.depth + 1
  }

  /** Whether the field is an object; not counted as reading it. */
  isObject(key: string): boolean {
    return this.has(key) && isObject(this.#json[key])
  }

  /** Part of a wrapper's config: fields equal to the family's defaults are then left out of it by Transformers. */
  get nested(): boolean {
    return this.outer !== undefined
  }

  /** Values for fields that are absent, each noted as assumed when it is used. */
  setDefaults(defaults: Defaults): void {
    this.#defaults = defaults
  }

  get used(): string[] {
    return [...this.#log.used]
  }

  get assumed(): readonly string[] {
    return this.#log.assumed
  }

  /** Own fields that nobody read. */
  get ignored(): string[] {
    const { used, leftOut } = this.#log
    return Object.keys(this.#json)
      .map((key) => this.#prefix + key)
      .filter((path) => !used.has(path))
      .map((path) => (leftOut.has(path) ? `${path} (${leftOut.get(path)})` : path))
  }

  /** Says why a field that is there is not read. */
  leaveOut(key: string, why: string): void {
    if (this.has(key)) this.#log.leftOut.set(this.#prefix + key, why)
  }

  get keys(): string[] {
    return Object.keys(this.#json)
  }

  error(message: string): ConfigError {
    return new ConfigError(`${message} in config of ${this.model}`)
  }

  wrong(key: string, expected: string, got: unknown): ConfigError {
    return this.error(`${this.#prefix}${key}: expected ${expected}, got ${shown(got)}`)
  }

  note(assumption: string): void {
    if (!this.#log.assumed.includes(assumption)) this.#log.assumed.push(assumption)
  }

  /** Whether the config states the field, null included; not counted as reading it. */
  states(key: string): boolean {
    return Object.hasOwn(this.#json, key) && this.#json[key] !== undefined
  }

  /** Whether the config has the field with a value; not counted as reading it. */
  has(key: string): boolean {
    return this.states(key) && this.#json[key] !== null
  }

  /** The value as it stands; null is undefined. */
  raw(key: string): unknown {
    if (!this.states(key)) return undefined
    this.#log.used.add(this.#prefix + key)
    return this.#json[key] ?? undefined
  }

  /** The value, else the family's default of an absent (not null) field. */
  #value(key: string): unknown {
    if (this.states(key)) return this.raw(key)
    const known = Object.hasOwn(this.#defaults, key) ? this.#defaults[key] : undefined
    if (known !== undefined) this.note(`${key} = ${known} (default of the family)`)
    return known
  }

  /** Takes a value for an absent field, and says so. */
  assume<T extends number | boolean | string>(key: string, value: T, reason: string): T {
    this.note(`${key} = ${value} (${reason})`)
    return value
  }

  /** The first of several spellings that the config has. */
  spelled(keys: readonly string[]): string {
    return keys.find((key) => this.has(key)) ?? keys.find((key) => this.states(key)) ?? (keys[0] as string)
  }

  /** A whole number from `low`; undefined where the field is absent or null. */
  whole(key: string, low = 0, high: number = limits.width): number | undefined {
    const value = this.#value(key)
    if (value === undefined) return undefined
    if (typeof value !== 'number' || !Number.isSafeInteger(value) || value < low)
      throw this.wrong(key, low === 0 ? 'a whole number from 0' : 'a positive integer', value)
    if (value > high) throw this.wrong(key, `at most ${high}`, value)
    return value
  }

  /** A positive integer; undefined where the field is absent or null. */
  optional(key: string, high: number = limits.width): number | undefined {
    return this.whole(key, 1, high)
  }

  /** A positive integer that must be there, under the first spelling found. */
  count(keys: string | readonly string[], high: number = limits.width): number {
    const key = typeof keys === 'string' ? keys : this.spelled(keys)
    const value = this.optional(key, high)
    if (value === undefined) throw this.wrong(key, 'a positive integer', undefined)
    return value
  }

  /** A positive integer, assumed where absent. */
  countOr(keys: string | readonly string[], fallback: number, reason: string, high: number = limits.width): number {
    const key = typeof keys === 'string' ? keys : this.spelled(keys)
    return this.optional(key, high) ?? this.assume(key, this.size(key, fallback, high), reason)
  }

  /** A size that the field makes with others: each may be sane where their product is not. */
  size(key: string, made: number, high: number = limits.width): number {
    if (made <= high) return made
    throw this.error(`${this.#prefix}${key}: expected to make a size of at most ${high}, got ${made}`)
  }

  /** A boolean, assumed where absent. */
  flag(key: string, fallback: boolean, reason = 'default of the family'): boolean {
    return this.optionalFlag(key) ?? this.assume(key, fallback, reason)
  }

  optionalFlag(key: string): boolean | undefined {
    const value = this.#value(key)
    if (value !== undefined && typeof value !== 'boolean') throw this.wrong(key, 'true or false', value)
    return value
  }

  /** A positive number that multiplies a size; undefined where absent. */
  multiplier(key: string): number | undefined {
    const value = this.#value(key)
    if (value === undefined) return undefined
    if (typeof value !== 'number' || !Number.isFinite(value) || value <= 0)
      throw this.wrong(key, 'a positive number', value)
    if (value > limits.multiplier) throw this.wrong(key, `at most ${limits.multiplier}`, value)
    return value
  }

  /** A non-empty string; undefined where absent. */
  text(key: string): string | undefined {
    const value = this.#value(key)
    if (value === undefined) return undefined
    if (typeof value !== 'string' || value === '') throw this.wrong(key, 'a string', value)
    return value
  }

  /** A list whose items pass the test; undefined where absent. */
  list<T>(key: string, item: (value: unknown) => value is T, expected: string): readonly T[] | undefined {
    const value = this.raw(key)
    if (value === undefined) return undefined
    if (!Array.isArray(value)) throw this.wrong(key, 'a list', value)
    const bad = value.findIndex((v) => !item(v))
    if (bad >= 0) throw this.wrong(`${key}[${bad}]`, expected, value[bad])
    return value
  }

  strings(key: string): readonly string[] | undefined {
    return this.list(key, (v) => typeof v === 'string', 'a string')
  }

  /** Whole numbers (layer indices). */
  wholes(key: string): readonly number[] | undefined {
    return this.list(key, (v): v is number => Number.isSafeInteger(v) && (v as number) >= 0, 'a whole number')
  }

  /** Positive integers of sane size (widths per layer). */
  counts(key: string): readonly number[] | undefined {
    const sane = (v: unknown): v is number =>
      Number.isSafeInteger(v) && (v as number) > 0 && (v as number) <= limits.width
    return this.list(key, sane, `a positive integer, at most ${limits.width}`)
  }

  /** Throws one error that names every field of `keys` that is missing. */
  require(keys: readonly (string | readonly string[])[]): void {
    const missing = keys
      .map((spellings) => (typeof spellings === 'string' ? [spellings] : spellings))
      .filter((spellings) => !spellings.some((key) => this.has(key) || this.#defaulted(key)))
      .map((spellings) => this.#prefix + spellings[0])
    if (missing.length > 0) throw this.error(`${missing.join(', ')}: missing`)
  }

  #defaulted(key: string): boolean {
    return !this.states(key) && Object.hasOwn(this.#defaults, key)
  }

  /** `numerator / denominator` where it is whole; an error that names both fields where it is not. */
  quotient(numerator: string, a: number, denominator: string, b: number): number {
    if (a % b !== 0) throw this.error(`${numerator}: ${a} is not divisible by ${denominator} = ${b}`)
    return a / b
  }
}
