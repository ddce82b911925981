// Recorded requests: time in seconds, tokens of prompt and output, and a class. Times go up.
import { fail, type Line } from '../speculation/lines.ts'
import type { Arrival } from './request.ts'

export interface Recorded {
  readonly requests: readonly Arrival[]
  /** Names of the classes, by index. */
  readonly classes: readonly string[]
}

export const traceColumns = ['time', 'prompt', 'output'] as const

/** Requests of lines, numbers as numbers or as text (CSV). Throws TraceError with the line that is wrong. */
export function recorded(lines: readonly Line[]): Recorded {
  const classes = new Map<string, number>()
  const requests: Arrival[] = []
  let before = 0
  for (const line of lines) {
    const time = figure(line, 'time')
    if (time < 0) fail(line.at, `time: expected seconds from 0, got ${time}`)
    if (time < before)
      fail(line.at, `time: expected times in order, got ${time} after ${before}; sort the file by time`)
    before = time
    const [prompt, output] = [tokens(line, 'prompt'), tokens(line, 'output')]
    const name = String(line.fields.class ?? '')
    if (!classes.has(name)) classes.set(name, classes.size)
    requests.push({ time, prompt, output, task: classes.get(name) ?? 0 })
  }
  if (requests.length === 0) fail(1, 'expected requests, got none')
  return { requests, classes: [...classes.keys()] }
}

function figure({ at, fields }: Line, name: string): number {
  const value = fields[name]
  if (value === undefined || value === '') fail(at, `expected ${name}, got none`)
  const number = typeof value === 'string' ? Number(value) : value
  if (typeof number !== 'number' || !(Math.abs(number) < 1e12)) {
    fail(at, `${name}: expected a number, got ${JSON.stringify(value)}`)
  }
  return number
}

function tokens(line: Line, name: string): number {
  const value = figure(line, name)
  if (!Number.isInteger(value) || value < 1) fail(line.at, `${name}: expected whole tokens from 1, got ${value}`)
  return value
}

/** Requests per second of the trace: gaps over its length. Infinite where all come at once. */
export function rateOf({ requests }: Recorded): number {
  const span = (requests.at(-1)?.time ?? 0) - (requests[0]?.time ?? 0)
  return (requests.length - 1) / span
}
