// Files of measurements as cases: each file's kind is told by its header, each row is mapped or given back with the
// reason.
import { BadField, type Case, Unmappable } from '../simulate/accuracy/case.ts'
import { type FileKind, fileKind, fileKinds } from '../simulate/accuracy/kinds.ts'
import { csvRows } from './csv.ts'
import { FileError } from './errors.ts'

/** A row by where it stands (`file:line`), with its case or why it has none. */
export type MeasuredRow =
  | { readonly row: string; readonly file: string; readonly of: Case }
  | { readonly row: string; readonly file: string; readonly why: string }

/** The rows of a file. Throws FileError where the file is at fault. */
export async function* measuredRows(path: string): AsyncGenerator<MeasuredRow> {
  let kind: FileKind | undefined
  for await (const { line, fields } of csvRows(path)) {
    kind ??= kindOf(Object.keys(fields), path)
    const row = `${path}:${line}`
    try {
      // Most kinds need not wait.
      const read = kind.read(fields)
      yield { row, file: path, of: read instanceof Promise ? await read : read }
    } catch (error) {
      if (error instanceof BadField) throw new FileError(`${row}: ${error.message}`)
      if (!(error instanceof Unmappable)) throw error
      yield { row, file: path, why: error.message }
    }
  }
  if (kind === undefined) throw new FileError(`${path}: expected measurements below the header, got none`)
}

function kindOf(header: readonly string[], path: string): FileKind {
  const kind = fileKind(header)
  if (kind) return kind
  const missing = (k: FileKind) => k.columns.filter((column) => !header.includes(column))
  const share = (k: FileKind) => missing(k).length / k.columns.length
  const nearest = [...fileKinds].sort((a, b) => share(a) - share(b))[0] as FileKind
  const hint =
    share(nearest) < 1
      ? `the nearest, ${nearest.name}, also has ${missing(nearest).join(', ')}`
      : `such as ${nearest.columns.join(', ')}`
  throw new FileError(`${path}:1: expected the columns of a kind of measurements; ${hint}`)
}
