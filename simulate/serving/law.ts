// Specifications of random things as people write them: `gamma:cv=2`, `lognormal:mean=300,cv=1`.

export interface Law {
  readonly name: string
  readonly values: Readonly<Record<string, number>>
}

/** Parameters of each law: whether it may be left out, and from where it counts. */
export type Laws = Readonly<
  Record<string, Readonly<Record<string, { readonly default?: number; readonly above: number }>>>
>

/** The law that `text` names, with its defaults. Throws RangeError that names what was expected. */
export function parseLaw(text: string, laws: Laws): Law {
  const [name = '', rest] = split(text, ':')
  const known = Object.hasOwn(laws, name) ? laws[name] : undefined
  if (known === undefined) throw new RangeError(`expected one of ${Object.keys(laws).join(', ')}, got ${text}`)
  const given: Record<string, number> = {}
  for (const pair of rest === undefined ? [] : rest.split(',')) {
    const [key = '', value = ''] = split(pair, '=')
    const parameter = Object.hasOwn(known, key) ? known[key] : undefined
    if (parameter === undefined) {
      const expected = Object.keys(known).join(', ') || 'no parameters'
      throw new RangeError(`expected ${expected} of ${name}, got ${pair === '' ? 'nothing' : pair}`)
    }
    if (Object.hasOwn(given, key)) throw new RangeError(`expected ${key} once, got it twice: ${text}`)
    const number = /^[0-9.]+(e[+-]?[0-9]+)?$/i.test(value) ? Number(value) : Number.NaN
    if (!(number > parameter.above && number < 1e12)) {
      throw new RangeError(`expected ${key} above ${parameter.above}, got ${value === '' ? 'nothing' : value}`)
    }
    given[key] = number
  }
  for (const [key, { default: usual }] of Object.entries(known)) {
    if (Object.hasOwn(given, key)) continue
    if (usual === undefined) throw new RangeError(`expected ${name}:${key}=N, got ${text}`)
    given[key] = usual
  }
  return { name, values: given }
}

function split(text: string, at: string): [string, string?] {
  const i = text.indexOf(at)
  return i < 0 ? [text] : [text.slice(0, i), text.slice(i + 1)]
}
