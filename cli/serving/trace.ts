// A trace of requests: CSV with a header, or JSON Lines.

import { type Recorded, recorded, traceColumns } from '../../simulate/serving/trace.ts'
import { parseLines, TraceError } from '../../simulate/speculation/lines.ts'
import { FileError } from '../errors.ts'
import { readLines } from '../source.ts'

/** The requests of a file. Throws UsageError where there is none, FileError with the line that is wrong. */
export async function readRequests(path: string): Promise<Recorded> {
  const text = readLines(path)
  try {
    if (/^\uFEFF?\s*(\{|$)/.test(text)) return recorded(parseLines(text))
    return recorded(await csvLines(path))
  } catch (error) {
    throw error instanceof TraceError ? new FileError(`${path}: ${error.message}`) : error
  }
}

async function csvLines(path: string) {
  const { csvRows } = await import('../csv.ts')
  const lines = []
  for await (const { line, fields } of csvRows(path)) {
    const missing = lines.length === 0 ? traceColumns.find((c) => !Object.hasOwn(fields, c)) : undefined
    if (missing)
      throw new FileError(`${path}:1: expected columns ${traceColumns.join(', ')} and perhaps class; no ${missing}`)
    lines.push({ at: line, fields })
  }
  return lines
}
