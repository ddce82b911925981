// Comma-separated files with a header row, read as a stream (RFC 4180; a byte order mark and blank lines are passed
// over). What is wrong with a file is told with its line.
import { createReadStream } from 'node:fs'
import { CsvError, type Info, parse } from 'csv-parse'
import { FileError, fileReason, UsageError } from './errors.ts'

export interface CsvRow {
  /** From 1, where the row ends. */
  readonly line: number
  readonly fields: Readonly<Record<string, string>>
}

/** A row is no longer than this: more is a quote that never ends. */
const longest = 2 ** 20

/** The rows below the header. Throws FileError, or UsageError where there is no such file. */
export async function* csvRows(path: string): AsyncGenerator<CsvRow> {
  const parser = createReadStream(path)
    .on('error', (error) => parser.destroy(error))
    .pipe(parse({ bom: true, info: true, relax_column_count: true, skip_empty_lines: true, max_record_size: longest }))
  let header: readonly string[] | undefined
  try {
    for await (const { record, info } of parser as AsyncIterable<{ record: string[]; info: Info }>) {
      if (header === undefined) header = headerOf(record, path, info.lines)
      else yield { line: info.lines, fields: fieldsOf(header, record, path, info.lines) }
    }
  } catch (error) {
    throw describe(error, path)
  }
  if (header === undefined) throw new FileError(`${path}: expected a header row and measurements, got an empty file`)
}

function headerOf(record: readonly string[], path: string, line: number): string[] {
  const names = record.map((name) => name.trim())
  const twice = names.find((name, i) => names.indexOf(name) !== i)
  if (twice !== undefined) throw new FileError(`${path}:${line}: expected different columns, got '${twice}' twice`)
  return names
}

function fieldsOf(header: readonly string[], record: readonly string[], path: string, line: number) {
  if (record.length !== header.length) {
    throw new FileError(`${path}:${line}: expected ${header.length} fields as in the header, got ${record.length}`)
  }
  const fields: Record<string, string> = {}
  for (let i = 0; i < header.length; i++) fields[header[i] as string] = record[i] as string
  return fields
}

const quotes: Readonly<Record<string, string>> = {
  CSV_QUOTE_NOT_CLOSED: 'expected a closing quote, got the end of the file',
  CSV_INVALID_CLOSING_QUOTE: 'expected a comma or the end of the line after a closing quote',
  CSV_NON_TRIMABLE_CHAR_AFTER_CLOSING_QUOTE: 'expected a comma or the end of the line after a closing quote',
  INVALID_OPENING_QUOTE: 'expected a quote only around a whole field, got one inside it',
  CSV_MAX_RECORD_SIZE: 'expected a row of less than 1 MiB: a quote may not be closed',
}

function describe(error: unknown, path: string): unknown {
  if (error instanceof CsvError) {
    const what = quotes[error.code] ?? error.message
    return new FileError(`${path}:${(error as { lines?: number }).lines ?? '?'}: ${what}`)
  }
  const { code } = error as NodeJS.ErrnoException
  if (code === 'ENOENT' || code === 'ENOTDIR') return new UsageError(`${path}: no such file`)
  if (code === 'EISDIR') return new UsageError(`${path}: expected a CSV file, got a folder`)
  return code ? new FileError(`cannot read ${path}: ${fileReason(error)}`) : error
}
