// A method whose options take several values: kvquant:bits=2|3|4,sink=1 or window:tokens=1k:64k:x2. Every option with
// more than one value is an axis of its own.
import { parseTokens } from '../../model/quantity.ts'
import { listOf, numbers, type Scalar, type Values, words } from './values.ts'

export interface MethodOptionAxis {
  /** `kvquant.bits`. */
  readonly name: string
  readonly values: Values
}

export interface MethodTemplate {
  readonly name: string
  readonly axes: readonly MethodOptionAxis[]
  /** The method as it would be typed, with these values of its axes in order. */
  text(values: readonly Scalar[]): string
}

/** `1k:64k:x2` and `0.5:0.9:0.1`, and nothing that is a word. */
const rangeLike = /^[0-9.]+[a-z]?:[0-9.]+[a-z]?(:x?[0-9.]+[a-z]?)?$/i

/** An option whose value is set from outside: `kvquant.bits`. */
interface FreeOption {
  readonly name: string
  readonly value: () => Scalar
}

/** Reads `name:key=values,key=values`. Throws RangeError. */
export function methodTemplate(text: string, free?: FreeOption): MethodTemplate {
  const [name = '', given = ''] = text.split(/:(.*)/s)
  const own = free?.name.startsWith(`${name}.`) ? free : undefined
  const option = own?.name.slice(name.length + 1)
  const pairs = given
    .split(',')
    .filter((pair) => pair !== '' && (option === undefined || !pair.startsWith(`${option}=`)))
  if (own) return withFree(name, pairs, option as string, own.value)
  const list = given
  if (list === '') return { name, axes: [], text: () => text }
  const axes: MethodOptionAxis[] = []
  const parts = list.split(',').map((pair) => {
    const [key = '', value = ''] = pair.split(/=(.*)/s)
    const values = valuesOf(`${name}.${key}`, value)
    if (values === undefined) return () => pair
    const at = axes.push({ name: `${name}.${key}`, values }) - 1
    return (chosen: readonly Scalar[]) => `${key}=${chosen[at]}`
  })
  return { name, axes, text: (chosen) => `${name}:${parts.map((part) => part(chosen)).join(',')}` }
}

function withFree(name: string, pairs: readonly string[], option: string, value: () => Scalar): MethodTemplate {
  return { name, axes: [], text: () => `${name}:${[...pairs, `${option}=${value()}`].join(',')}` }
}

/** Several values, or undefined where it is one. */
function valuesOf(name: string, text: string): Values | undefined {
  if (!text.includes('|') && !rangeLike.test(text)) return undefined
  const each = words(name, text).map((word) =>
    rangeLike.test(word) ? numbers(word, { name, parse: number, such: '1k:64k:x2' }) : listOf([scalar(word)]),
  )
  const [only] = each
  if (each.length === 1) return only
  return listOf(each.flatMap((v) => Array.from({ length: v.count }, (_, i) => v.at(i))))
}

function number(text: string): number {
  return parseTokens(text)
}

function scalar(text: string): Scalar {
  const value = parseTokens(text)
  return Number.isNaN(value) ? text : value
}
