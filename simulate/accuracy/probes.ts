// A few products measured on a machine, which adjust its constants; the others stay those of all machines.
import type { GemmRow } from '../../hardware/fit/gemm.ts'
import { fitProbes } from '../../hardware/fit/probes.ts'
import { type GemmFacts, gemmFacts } from '../../hardware/gemm-time.ts'
import type { Machine } from '../../hardware/machine.ts'
import { type Constants, globalConstants } from '../../hardware/profile.ts'
import type { Unit } from '../../model/format.ts'
import { BadField, type Case } from './case.ts'

/** Bytes of an element of 16 bits. */
const element = 2

/** What tells a probe among other rows; undefined for rows that can be none. */
export function probeKey(row: Case, machine: string): string | undefined {
  if (row.kind !== 'gemm') return undefined
  const [o] = row.operators
  if (o?.shape.kind !== 'gemm') return undefined
  const { m, n, k } = o.shape
  return `${machine} ${o.unit} ${m} ${n} ${k}`
}

/** Probes as the rows of a fit. Throws BadField where one is no product in 16 bits. */
export function probeRows(machine: Machine, probes: readonly Case[]): GemmRow[] {
  const known = new Map<Unit, GemmFacts>()
  const factsOf = (unit: Unit) => {
    const facts = known.get(unit) ?? gemmFacts(machine, unit)
    if (!facts) throw new BadField(`${machine.name} has no unit for ${unit}`)
    known.set(unit, facts)
    return facts
  }
  return probes.map((row) => {
    const [o] = row.operators
    if (row.kind !== 'gemm' || o?.shape.kind !== 'gemm') {
      throw new BadField(`expected products in bf16 or fp16, got a row of ${row.kind}`)
    }
    const facts = factsOf(o.unit)
    const { m, n, k, matrices } = o.shape
    const weights = matrices * n * k * element
    return { machine: machine.name, facts, m, n, k, matrices, weights, activation: element, measured: row.seconds }
  })
}

/** The constants of a machine after its probes. Throws BadField as above. */
export function probedConstants(machine: Machine, probes: readonly Case[]): Constants {
  return { ...globalConstants, gemm: fitProbes(probeRows(machine, probes), globalConstants.gemm) }
}
