// Values of options, parsed and checked where they stand: each parser throws a UsageError that names the option, what it
// expects and what it got. An option that takes one value refuses a second.
import { basename, extname } from 'node:path'
import { type Role, roles } from '../model/architecture.ts'
import type { Format } from '../model/format.ts'
import { nearestHint } from '../model/nearest.ts'
import { parseFormat, parseTokens } from '../model/quantity.ts'
import { UsageError } from './errors.ts'

/** Parses one use of an option; `previous` is what its earlier uses gave. */
export type Parser<T> = (text: string, previous: T | undefined) => T

/** An option given at most once. */
function once<T>(flag: string, parse: (text: string) => T): Parser<T> {
  return (text, previous) => {
    if (previous !== undefined) throw new UsageError(`${flag}: expected one value, got a second: ${shown(text)}`)
    return parse(present(flag, text))
  }
}

/** Options are not values: `--out --json` is a forgotten value. */
function present(flag: string, text: string): string {
  if (text.trim() === '') throw new UsageError(`${flag}: expected a value, got an empty one`)
  if (/^--[a-z]/.test(text)) throw new UsageError(`${flag}: expected a value, got the option ${text}`)
  return text
}

function shown(text: string): string {
  return text === '' ? 'nothing' : text.length > 60 ? `${text.slice(0, 57)}...` : text
}

/** A whole number from `least`, with the suffixes of tokens: 8, 128k, 1M. */
export function count(flag: string, least = 1): Parser<number> {
  return once(flag, (text) => {
    const value = parseTokens(text)
    if (Number.isInteger(value) && value >= least) return value
    throw new UsageError(`${flag}: expected a whole number from ${least}, such as 8 or 128k, got ${shown(text)}`)
  })
}

/** Seconds above 0. */
export function seconds(flag: string): Parser<number> {
  return once(flag, (text) => {
    const value = /^[0-9.]+(e[+-]?[0-9]+)?$/i.test(text.trim()) ? Number(text) : Number.NaN
    if (value > 0 && value <= 1e7) return value
    throw new UsageError(`${flag}: expected seconds above 0 and up to 1e7, such as 30, got ${shown(text)}`)
  })
}

/** A number above a limit, or from it, and below or up to another. */
export function number(flag: string, range: { above?: number; least?: number; below?: number; most?: number } = {}) {
  const { above = Number.NEGATIVE_INFINITY, least = above, below = Number.POSITIVE_INFINITY, most = below } = range
  const fits = (x: number) => x > above && x >= least && x < below && x <= most
  const bounds = [
    ...('above' in range ? [`above ${above}`] : 'least' in range ? [`from ${least}`] : []),
    ...('below' in range ? [`below ${below}`] : 'most' in range ? [`up to ${most}`] : []),
  ]
  return once(flag, (text) => {
    const value = /^-?[0-9]*\.?[0-9]+(e[+-]?[0-9]+)?$/i.test(text.trim()) ? Number(text) : Number.NaN
    if (Number.isFinite(value) && fits(value)) return value
    throw new UsageError(`${flag}: expected ${['a number', bounds.join(' and ')].join(' ').trim()}, got ${shown(text)}`)
  })
}

/** Seconds above 0, of several things where separated by commas. */
export function secondsOfEach(flag: string): Parser<number | readonly number[]> {
  return once<number | readonly number[]>(flag, (text) => {
    const lengths = text.split(',').map((part) => seconds(flag)(part.trim(), undefined))
    return lengths.length === 1 ? (lengths[0] as number) : lengths
  })
}

/** One of a fixed list of words. */
export function choice<const T extends string>(flag: string, words: readonly T[]): Parser<T> {
  return once(flag, (text) => {
    const word = words.find((w) => w === text)
    if (word !== undefined) return word
    throw new UsageError(`${flag}: expected one of ${words.join(', ')}, got ${shown(text)}${nearestHint(text, words)}`)
  })
}

/** Text that must be there. */
export function word(flag: string): Parser<string> {
  return once(flag, (text) => text)
}

export const plotEndings = ['.png', '.svg'] as const

/** A file to draw into. */
export function plotFile(flag: string): Parser<string> {
  return once(flag, (text) => {
    if ((plotEndings as readonly string[]).includes(extname(text).toLowerCase())) return text
    throw new UsageError(`${flag}: expected a file ending in .png or .svg, got ${shown(basename(text))}`)
  })
}

/** A storage or arithmetic format: int4:group=64. */
export function formatOption(flag: string): Parser<Format> {
  return once(flag, (text) => named(flag, () => parseFormat(text)))
}

export interface WeightFormats {
  readonly all?: Format
  readonly roles: Partial<Readonly<Record<Role, Format>>>
}

/** Storage of the weights, all of them (`int4`) or of a role (`head=int8`); may be given once for each. */
export function weightFormats(flag: string): Parser<WeightFormats> {
  return (text, previous = { roles: {} }) => {
    const [, role, rest = text] = /^([a-z][a-z-]*)=(.*)$/s.exec(present(flag, text)) ?? []
    const value = named(flag, () => parseFormat(rest))
    if (role === undefined) {
      if (previous.all) throw new UsageError(`${flag}: expected one format for all weights, got a second: ${text}`)
      return { ...previous, all: value }
    }
    const known = roles.find((r) => r === role)
    if (known === undefined) throw new UsageError(`${flag}: expected ${roleList(role)}, got ${role}`)
    if (previous.roles[known]) throw new UsageError(`${flag}: expected one format for ${known}, got a second: ${rest}`)
    return { ...previous, roles: { ...previous.roles, [known]: value } }
  }
}

function roleList(role: string): string {
  return `a role (${roles.join(', ')}${nearestHint(role, roles)})`
}

/** Several values, one per use of the option. */
export function each(flag: string): Parser<readonly string[]> {
  return (text, previous = []) => [...previous, present(flag, text)]
}

/** Names separated by commas. */
export function names(flag: string): Parser<readonly string[]> {
  return once<readonly string[]>(flag, (text) => {
    const list = text.split(',').map((name) => name.trim())
    if (list.includes('')) throw new UsageError(`${flag}: expected names separated by commas, got ${shown(text)}`)
    return list
  })
}

/** Some of a fixed list of words, separated by commas. */
export function listOf<const T extends string>(flag: string, words: readonly T[]): Parser<readonly T[]> {
  const parse = names(flag)
  return (text, previous) =>
    parse(text, previous).map((name) => {
      const known = words.find((w) => w === name)
      if (known !== undefined) return known
      throw new UsageError(`${flag}: expected some of ${words.join(', ')}, got ${name}${nearestHint(name, words)}`)
    })
}

/** Puts the option's name before the message of a parser that does not know it. */
function named<T>(flag: string, parse: () => T): T {
  try {
    return parse()
  } catch (error) {
    throw error instanceof RangeError ? new UsageError(`${flag}: ${error.message}`) : error
  }
}

/** Whole numbers by name, `m=1,n=4k`; one record for each use of the option. */
export function shapes(flag: string): Parser<readonly Readonly<Record<string, number>>[]> {
  return (text, previous = []) => [...previous, shape(flag, present(flag, text))]
}

function shape(flag: string, text: string): Readonly<Record<string, number>> {
  const sizes: Record<string, number> = {}
  for (const pair of text.split(',')) {
    const [, name, value] = /^\s*([a-z][a-z0-9-]*)\s*=\s*(\S+)\s*$/.exec(pair) ?? []
    const number = value === undefined ? Number.NaN : parseTokens(value)
    if (name === undefined || !Number.isInteger(number) || number < 0) {
      throw new UsageError(`${flag}: expected sizes such as m=1,n=4096 or tokens=32k, got ${shown(pair)}`)
    }
    if (Object.hasOwn(sizes, name)) throw new UsageError(`${flag}: expected ${name} once, got it twice: ${shown(text)}`)
    sizes[name] = number
  }
  return sizes
}

/** Numbers in a range, separated by commas, each once. */
export function numbers(flag: string, least: number, most: number): Parser<readonly number[]> {
  const range = most === Number.POSITIVE_INFINITY ? `from ${least}` : `from ${least} to ${most}`
  return list(flag, `numbers ${range}`, (text) => {
    const value = /^\.?[0-9][0-9.]*(e[+-]?[0-9]+)?$/i.test(text) ? Number(text) : Number.NaN
    return value >= least && value <= most ? value : Number.NaN
  })
}

/** Whole numbers from `least`, separated by commas, each once, with the suffixes of tokens. */
export function counts(flag: string, least: number, most: number): Parser<readonly number[]> {
  return list(flag, `whole numbers from ${least} to ${most}`, (text) => {
    const value = parseTokens(text)
    return Number.isInteger(value) && value >= least && value <= most ? value : Number.NaN
  })
}

function list(flag: string, expected: string, parse: (text: string) => number): Parser<readonly number[]> {
  return once<readonly number[]>(flag, (text) => {
    const values = text.split(',').map((part) => parse(part.trim()))
    const wrong = values.findIndex(Number.isNaN)
    if (wrong !== -1) {
      throw new UsageError(
        `${flag}: expected ${expected}, separated by commas, got ${shown(text.split(',')[wrong] ?? '')}`,
      )
    }
    const twice = values.find((v, i) => values.indexOf(v) !== i)
    if (twice !== undefined) throw new UsageError(`${flag}: expected different values, got ${twice} twice`)
    return values
  })
}
