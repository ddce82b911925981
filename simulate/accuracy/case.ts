// A measured row as something that can be predicted: the operators that were timed, on which machine, on which clock.

import type { Architecture, Module } from '../../model/architecture.ts'
import { type DeploymentOptions, deploy } from '../../model/deployment.ts'
import type { Format } from '../../model/format.ts'
import { type FormatName, format } from '../../model/format.ts'
import type { Operator } from '../../model/operator.ts'
import { pass } from '../../model/pass.ts'
import type { Workload } from '../../model/workload.ts'

/** One row of a file, by column. */
export type Line = Readonly<Record<string, string>>

/**
 * What the clock of a measurement saw. `graph`: kernels of a replayed graph. `profiler`: a profiler's kernel durations.
 * `pass`: a whole pass as a user waits for it.
 */
export const bases = ['graph', 'profiler', 'pass'] as const
export type Basis = (typeof bases)[number]

export interface Case {
  readonly kind: string
  /** As the file names it. */
  readonly machine: string
  /** Measured seconds. */
  readonly seconds: number
  readonly basis: Basis
  readonly operators: readonly Operator[]
  /** What rows can be grouped by, beside machine, kind and regime. */
  readonly keys: Readonly<Record<string, string>>
  /** Whether the timed kernels find their keys or weights in the last-level cache. */
  readonly warm?: true
}

/** Why a row cannot be predicted. */
export class Unmappable extends Error {}

/** A number of the row. Throws Unmappable where the column has none. */
export function number(line: Line, column: string): number {
  const value = Number(line[column])
  if (line[column] === undefined || line[column] === '' || !Number.isFinite(value)) {
    throw new Unmappable(`${column}: expected a number, got ${line[column] ? `'${line[column]}'` : 'nothing'}`)
  }
  return value
}

/** A whole number of at least one. */
export function count(line: Line, column: string): number {
  const value = number(line, column)
  if (!Number.isInteger(value) || value < 1)
    throw new Unmappable(`${column}: expected a whole number from 1, got ${value}`)
  return value
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
export function formatOf(name: string | undefined): Format {
  const known = formatNames[(name ?? '').toLowerCase()]
  if (known === undefined) throw new Unmappable(`format: '${name}' is not known`)
  return format(known)
}

/** The operators of some modules as one layer of a model, in the formats given. */
export function operatorsOf(
  modules: readonly Module[],
  workload: Workload,
  options: DeploymentOptions,
  dtype: FormatName = 'bf16',
) {
  return pass(deploy(layer(modules, dtype, workload.stack), options), workload)
}

function layer(modules: readonly Module[], dtype: FormatName, name: 'encoder' | 'decoder'): Architecture {
  return {
    name: 'measured operators',
    type: 'operators',
    kind: name,
    dtype,
    formats: {},
    stacks: [{ name, width: 0, input: [], groups: [{ layers: [0], modules }], output: [] }],
    reading: { used: [], ignored: [], assumed: [] },
  }
}
