// The methods that a query can be asked with: all of them, or one with its options.
import { loadMethod, type Method, methodNames, rangeOf } from '../../simulate/method.ts'
import type { Answer } from '../answer.ts'
import { UsageError } from '../errors.ts'
import { table } from '../table.ts'

const kinds = { model: 'a model', rounds: 'a file', text: 'text' } as const satisfies Record<string, string>

function methodRow({ name, means, source, options }: Method) {
  return {
    name,
    means,
    source,
    options: options.map((o) => ({
      name: o.name,
      means: o.means,
      default: o.default ?? null,
      values: o.choices ? o.choices.join(', ') : o.kind ? kinds[o.kind] : rangeOf(o),
    })),
  }
}

type MethodRow = ReturnType<typeof methodRow>
type OptionRow = MethodRow['options'][number]

export async function methodsAnswer(): Promise<Answer> {
  const rows = (await Promise.all(methodNames.map(loadMethod))).map(methodRow)
  return {
    json: rows,
    view: () => {
      const list = table<MethodRow>(
        [
          { key: 'name', title: 'method', value: (m) => m.name },
          { key: 'options', title: 'options', value: (m) => m.options.map((o) => o.name).join(' '), wraps: true },
          { key: 'means', title: 'what it does', value: (m) => m.means, wraps: true },
          { key: 'source', value: (m) => m.source },
        ],
        rows,
      )
      return { table: list, sections: [{ kind: 'table', table: list }] }
    },
  }
}

export async function methodAnswer(name: string): Promise<Answer> {
  const method = await loadMethod(name).catch((error) => {
    throw error instanceof RangeError ? new UsageError(error.message) : error
  })
  const row = methodRow(method)
  return {
    json: row,
    view: () => {
      const options = table<OptionRow>(
        [
          { key: 'name', title: 'option', value: (o) => o.name },
          {
            key: 'default',
            title: 'default',
            value: (o) => o.default,
            text: (o) => (o.default === null ? 'none' : String(o.default)),
            align: 'right',
          },
          { key: 'values', title: 'values', value: (o) => o.values, wraps: true },
          { key: 'means', title: 'meaning', value: (o) => o.means, wraps: true },
        ],
        row.options,
      )
      return {
        table: options,
        sections: [
          { kind: 'title', text: row.name, under: row.means },
          ...(row.options.length === 0 ? [] : [{ kind: 'table', table: options } as const]),
          { kind: 'notes', lines: [`--with ${usage(row)}`, row.source] },
        ],
      }
    },
  }
}

function usage({ name, options }: MethodRow): string {
  return options.length === 0 ? name : `${name}:${options.map((o) => `${o.name}=…`).join(',')}`
}
