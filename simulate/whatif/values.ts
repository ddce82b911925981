// The values that something takes one after another, as people type them: 1:256:x2 (doubling), 1:256:x2^0.5 (by its root), 0.5:0.9:0.1 (steps), 1:8
// (steps of 1), 1k,8k,128k (a list), and any of these separated by commas. Long ranges are kept as a rule, not as a list.

export type Scalar = number | string

export interface Values {
  readonly count: number
  at(index: number): Scalar
}

/** What a number may be. */
export interface Numeric {
  readonly name: string
  readonly whole?: true
  readonly least?: number
  /** Above this; for numbers that may come close to it. */
  readonly above?: number
  readonly most?: number
  readonly parse: (text: string) => number
  /** How one is typed. */
  readonly such: string
}

/** Longest list that is kept as one. */
const listed = 1_000_000

export function listOf(items: readonly Scalar[]): Values {
  return { count: items.length, at: (i) => items[i] as Scalar }
}

/** Values of a number: a list of numbers and ranges. Throws RangeError. */
export function numbers(text: string, of: Numeric): Values {
  const parts = text.split(/[,|]/).map((part) => part.trim())
  if (parts.some((part) => part === '')) throw wrong(of, text, 'values separated by commas')
  const all = parts.map((part) => (part.includes(':') ? range(part, of) : listOf([one(part, of)])))
  const [only] = all
  if (all.length === 1 && only) return only
  if (all.some((v) => v.count > listed)) throw wrong(of, text, 'one long range by itself')
  const items = all.flatMap((v) => Array.from({ length: v.count }, (_, i) => v.at(i)))
  const twice = items.find((item, i) => items.indexOf(item) !== i)
  if (twice !== undefined) throw wrong(of, `${twice} twice`, 'different values')
  return listOf(items)
}

function one(text: string, of: Numeric): number {
  const value = of.parse(text)
  const { whole, least = Number.NEGATIVE_INFINITY, above = Number.NEGATIVE_INFINITY, most = Number.MAX_VALUE } = of
  if (
    Number.isFinite(value) &&
    value >= least &&
    value > above &&
    value <= most &&
    (!whole || Number.isInteger(value))
  ) {
    return value
  }
  throw wrong(of, text, kind(of))
}

function kind({ whole, least, above, most, such }: Numeric): string {
  const from = above !== undefined ? ` above ${above}` : least !== undefined ? ` from ${least}` : ''
  const to = most === undefined ? '' : ` to ${most}`
  return `a ${whole ? 'whole ' : ''}number${from}${to}, such as ${such}`
}

function wrong({ name }: Numeric, got: string, expected: string): RangeError {
  return new RangeError(`${name}: expected ${expected}, got ${got === '' ? 'nothing' : got}`)
}

/** `from:to`, `from:to:step` or `from:to:xfactor`, both ends included where they are met. */
function range(text: string, of: Numeric): Values {
  const [a = '', b = '', step = '1', ...more] = text.split(':').map((part) => part.trim())
  if (more.length > 0) throw wrong(of, text, 'from:to, from:to:step or from:to:xfactor')
  const [from, to] = [one(a, of), one(b, of)]
  if (from > to) throw wrong(of, text, `a range that rises (${b}:${a})`)
  return step.startsWith('x') ? growing(text, from, to, factorOf(step.slice(1)), of) : rising(text, from, to, step, of)
}

function rising(text: string, from: number, to: number, step: string, of: Numeric): Values {
  const by = step === '1' ? 1 : of.parse(step)
  if (!(by > 0) || !Number.isFinite(by) || (of.whole && !Number.isInteger(by))) {
    throw wrong(of, text, `a step above 0${of.whole ? ', whole' : ''}`)
  }
  const count = Math.floor((to - from) / by + 1e-9) + 1
  return { count, at: (i) => (of.whole ? from + i * by : Number((from + i * by).toPrecision(12))) }
}

/** `2`, or a root such as `2^0.25`, with which every fourth value doubles. */
function factorOf(text: string): number {
  const [base = '', power, ...more] = text.split('^')
  if (more.length > 0 || base === '' || power === '') return Number.NaN
  return Number(base) ** Number(power ?? 1)
}

/** Whole numbers are rounded, and those that round to the same one are one. */
function growing(text: string, from: number, to: number, factor: number, of: Numeric): Values {
  if (!(factor > 1) || !Number.isFinite(factor)) throw wrong(of, text, 'a factor above 1, such as x2 or x2^0.25')
  if (from <= 0) throw wrong(of, text, 'a range from above 0 where it grows by a factor')
  const steps = Math.floor(Math.log(to / from) / Math.log(factor) + 1e-9)
  if (steps >= listed) throw wrong(of, text, `a factor that gives up to ${listed} values`)
  const items: number[] = []
  for (let i = 0; i <= steps; i++) {
    const exact = from * factor ** i
    const value = of.whole ? Math.round(exact) : Number(exact.toPrecision(12))
    if (value !== items.at(-1)) items.push(Math.min(value, to))
  }
  return listOf(items)
}

/** Words or texts that a bar separates: `int4:group=64|fp8`. Throws RangeError. */
export function words(name: string, text: string, separator: RegExp = /\|/): string[] {
  const items = text.split(separator).map((item) => item.trim())
  if (items.some((item) => item === '')) throw new RangeError(`${name}: expected values between the signs, got ${text}`)
  const twice = items.find((item, i) => items.indexOf(item) !== i)
  if (twice !== undefined) throw new RangeError(`${name}: expected different values, got ${twice} twice`)
  return items
}
