// A measured row as something that can be predicted: the operators that were timed, on which machine, by which clock.

import type { Basis } from '../../hardware/profile.ts'
import type { Architecture, Module } from '../../model/architecture.ts'
import { type Deployment, type DeploymentOptions, deploy } from '../../model/deployment.ts'
import { type Format, type FormatName, format } from '../../model/format.ts'
import type { Operator } from '../../model/operator.ts'
import { pass } from '../../model/pass.ts'
import type { Workload } from '../../model/workload.ts'
import type { Engine } from '../engine.ts'
import type { Loop } from '../serving/closed-loop.ts'

/** One row of a file, by column. */
export type Line = Readonly<Record<string, string>>

export interface Case {
  readonly kind: string
  /** As the file names it. */
  readonly machine: string
  /** Measured seconds. */
  readonly seconds: number
  /** Run one after the other. */
  readonly operators: readonly Operator[]
  /** What rows can be grouped by, beside what the prediction says. */
  readonly keys: Readonly<Record<string, string>>
  /** What the clock saw of kernels; absent: their share of a replayed graph. */
  readonly basis?: Basis
  /** What launched the kernels, where it adds time of its own. */
  readonly engine?: Engine
  /** A model's whole pass, rather than kernels timed alone. */
  readonly whole?: true
  /** Whether kernels find their operands in the last-level cache: surely, or where those of the row fit it. */
  readonly warm?: 'all' | 'fitting'
  /** The clients of a served model, which can be simulated. */
  readonly served?: Served
}

export interface Served {
  readonly deployment: Deployment
  readonly loop: Loop
  /** Measured seconds to the first token; undefined where the row states none. */
  readonly ttft: number | undefined
}

/** Why a row cannot be predicted, though nothing is wrong with it. */
export class Unmappable extends Error {
  override name = 'Unmappable'
}

/** A field that no measurement can have: the file is at fault. */
export class BadField extends Error {
  override name = 'BadField'
}

/** A number of the row. Throws Unmappable where the row states none, BadField where it is none. */
export function number(line: Line, column: string): number {
  const text = line[column] ?? ''
  if (text.trim() === '') throw new Unmappable(`${column}: the row states none`)
  const value = Number(text)
  if (!(Math.abs(value) < 1e12)) throw new BadField(`${column}: expected a number, got '${text}'`)
  return value
}

/** A whole number of at least one. */
export function count(line: Line, column: string): number {
  const value = number(line, column)
  if (Number.isInteger(value) && value >= 1) return value
  throw new Unmappable(`${column}: expected a whole number from 1, got ${value}`)
}

/** What was measured: a number above zero that some clock could show. Throws BadField. */
export function measured(line: Line, column: string): number {
  const value = Number(line[column] || Number.NaN)
  if (value > 1e-12 && value < 1e12) return value
  throw new BadField(`${column}: expected a number above 0, got ${line[column] ? `'${line[column]}'` : 'nothing'}`)
}

const micro = 1e-6

/** What every file of kernels has: the machine, and microseconds. */
export function timed(line: Line): { machine: string; seconds: number } {
  return { machine: line.hardware ?? '', seconds: measured(line, 'latency_us') * micro }
}

const formatNames: Readonly<Record<string, FormatName>> = {
  bfloat16: 'bf16',
  bf16: 'bf16',
  half: 'fp16',
  float16: 'fp16',
  fp16: 'fp16',
  fp32: 'fp32',
  fp8: 'fp8',
  int8: 'int8',
}

/** A format by the name that a file gives it. */
export function formatOf(line: Line, column: string): Format {
  const known = formatNames[(line[column] ?? '').toLowerCase()]
  if (known !== undefined) return format(known)
  throw new Unmappable(`${column}: '${line[column] ?? ''}' is not known (${Object.keys(formatNames).join(', ')})`)
}

/** The operators of one module as the only layer of a model, in the formats given. */
export function operatorsOf(
  module: Module,
  workload: Workload,
  options: DeploymentOptions,
  dtype: FormatName = 'bf16',
) {
  return pass(deploy(layer(module, dtype, workload.stack), options), workload)
}

function layer(module: Module, dtype: FormatName, name: 'encoder' | 'decoder'): Architecture {
  return {
    name: 'measured operators',
    type: 'operators',
    kind: name,
    dtype,
    formats: {},
    stacks: [{ name, width: 0, input: [], groups: [{ layers: [0], modules: [module] }], output: [] }],
    reading: { used: [], ignored: [], assumed: [] },
  }
}

/** Runs `make`, whose complaints are the row's: a size that does not divide, a model that is not known. */
export function mapped<T>(make: () => T): T {
  try {
    return make()
  } catch (error) {
    throw error instanceof RangeError ? new Unmappable(error.message) : error
  }
}
