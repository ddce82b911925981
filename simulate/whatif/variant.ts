// A variant: the query with other settings, `kvquant:bits=3` or `name=3-bit cache;with=kvquant:bits=3;weights=int4`.
import { nearestHint } from '../../model/nearest.ts'
import { machineFigures, settings } from './setting.ts'

export interface Variant {
  readonly name: string
  /** Names of settings, and model, on, weights and the machine's figures, with the texts that they get. */
  readonly changes: readonly (readonly [name: string, text: string])[]
  /** Methods on top of the query's own. */
  readonly methods: readonly string[]
}

const others = ['model', 'on', 'weights', ...machineFigures] as const

/** Every name that a variant can change. */
export const changeable: readonly string[] = [...Object.keys(settings), ...others]

/** Reads a variant. Throws RangeError. */
export function parseVariant(text: string): Variant {
  const changes: (readonly [string, string])[] = []
  const methods: string[] = []
  let name: string | undefined
  for (const part of text.split(';').map((p) => p.trim())) {
    const [, key, value = ''] = /^([a-z][a-z-]*)=(.*)$/s.exec(part) ?? []
    if (part === '' || (key !== undefined && value === '')) {
      throw new RangeError(`versus: expected a method or settings such as kv=fp8;tp=2, got ${text || 'nothing'}`)
    }
    if (key === undefined) methods.push(part)
    else if (key === 'with') methods.push(value)
    else if (key === 'name') name = value
    else if (changeable.includes(key)) changes.push([key, value])
    else {
      const known = ['name', 'with', ...changeable]
      throw new RangeError(`versus: expected ${known.join(', ')} before the =, got ${key}${nearestHint(key, known)}`)
    }
  }
  if (changes.length + methods.length === 0) throw new RangeError(`versus: expected something to change, got ${text}`)
  return { name: name ?? text, changes, methods }
}
