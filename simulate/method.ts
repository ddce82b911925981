// Methods that a query can be asked with: each is a rewrite of the deployment's options, and nothing else knows it.
import { windowSelection } from '../model/cache.ts'
import type { DeploymentOptions } from '../model/deployment.ts'
import { nearestHint } from '../model/nearest.ts'
import { parseTokens } from '../model/quantity.ts'

/** One option of a method, as given after the colon of `--with`. */
export interface MethodOption {
  readonly name: string
  readonly means: string
  /** Absent where it must be given. */
  readonly default?: number
  readonly least: number
}

export interface Method {
  readonly name: string
  readonly means: string
  readonly source: string
  readonly options: readonly MethodOption[]
  apply(options: DeploymentOptions, values: Readonly<Record<string, number>>): DeploymentOptions
}

/** A method with its values, as echoed in answers. */
export interface AppliedMethod {
  readonly name: string
  readonly values: Readonly<Record<string, number>>
  apply(options: DeploymentOptions): DeploymentOptions
}

const window: Method = {
  name: 'window',
  means: 'every layer reads and holds only the last tokens',
  source: 'sliding window attention: Longformer, arXiv 2004.05150, section 3.1',
  options: [{ name: 'tokens', means: 'length of the window, the new token included', least: 1 }],
  apply: (options, { tokens = 1 }) => ({
    ...options,
    selections: [...(options.selections ?? []), windowSelection(tokens)],
  }),
}

export const methods: readonly Method[] = [window]

/** `name:key=value,key=value` as a method with its values. Throws RangeError naming what was expected. */
export function parseMethod(text: string): AppliedMethod {
  const [name = '', list = ''] = text.split(/:(.*)/s)
  const method = methods.find((m) => m.name === name)
  if (!method) {
    const names = methods.map((m) => m.name)
    throw new RangeError(`with: expected a method (${names.join(', ')}), got ${name}${nearestHint(name, names)}`)
  }
  const given = new Map(list === '' ? [] : list.split(',').map((pair) => pair.split(/=(.*)/s) as [string, string]))
  const values: Record<string, number> = {}
  for (const option of method.options) {
    const text = given.get(option.name)
    given.delete(option.name)
    const value = text === undefined ? option.default : parseTokens(text)
    if (value === undefined) throw new RangeError(`with ${name}: expected ${option.name}=N (${option.means}), got none`)
    if (!(value >= option.least)) {
      throw new RangeError(`with ${name}: expected ${option.name} from ${option.least}, got ${text}`)
    }
    values[option.name] = value
  }
  const [unknown] = given.keys()
  if (unknown !== undefined) {
    throw new RangeError(`with ${name}: expected ${method.options.map((o) => o.name).join(', ')}, got ${unknown}`)
  }
  return { name, values, apply: (options) => method.apply(options, values) }
}
