// JSON Lines that users record: each line an object; what is wrong is told with the line's number.

/** A trace's content is wrong; the message names the line. */
export class TraceError extends Error {
  override name = 'TraceError'
}

export type Fields = Readonly<Record<string, unknown>>

export interface Line {
  /** From 1. */
  readonly at: number
  readonly fields: Fields
}

/** The objects of a file, blank lines passed over. Throws TraceError. */
export function parseLines(content: string): Line[] {
  const lines: Line[] = []
  content.split('\n').forEach((line, i) => {
    if (line.trim() !== '') lines.push({ at: i + 1, fields: fieldsOf(line.replace(/^\uFEFF/, ''), i + 1) })
  })
  return lines
}

export function fail(line: number, message: string): never {
  throw new TraceError(`line ${line}: ${message}`)
}

function fieldsOf(line: string, at: number): Fields {
  let value: unknown
  try {
    value = JSON.parse(line)
  } catch {
    const number = /\b(NaN|Infinity)\b/.exec(line)?.[1]
    fail(at, number === undefined ? 'expected a JSON object' : `expected numbers, got ${number}`)
  }
  if (typeof value !== 'object' || value === null || Array.isArray(value)) fail(at, 'expected a JSON object')
  return value as Fields
}

/** A finite number. */
export function number({ at, fields }: Line, name: string): number {
  const value = fields[name]
  if (value === undefined) fail(at, `expected ${name}, got none`)
  if (typeof value !== 'number' || !Number.isFinite(value)) {
    fail(at, `${name}: expected a number, got ${typeof value === 'number' ? value : JSON.stringify(value)}`)
  }
  return value
}

/** A whole number from 0. */
export function whole(line: Line, name: string): number {
  const value = number(line, name)
  if (!Number.isInteger(value) || value < 0) fail(line.at, `${name}: expected a whole number from 0, got ${value}`)
  return value
}
