// Whole passes: no constant of a kernel is fitted on them, and those of a machine whose kernels were fitted are of the
// others. An engine without graphs has one number of its own, the gap before a kernel; it too is of other machines.
import { errorsOf, hash } from '../../hardware/fit/errors.ts'
import { byGroup, ratiosBy, withoutEach } from '../../hardware/fit/schemes.ts'
import type { Constants } from '../../hardware/profile.ts'
import { type CasesOf, type Measured, told } from './cases.ts'
import type { FileName } from './data.ts'

/** Files of whole passes of engines on GPUs. */
export const passFiles = [
  'decode_batch1',
  'whole_model_latency',
  'vit_inference',
  'serving',
  'llamacpp_strix_halo',
] as const satisfies readonly FileName[]

export interface PassRow {
  readonly measured: Measured
  /** Expected over measured, by constants of other machines. */
  readonly ratio: number
  /** By the shipped constants, and the engine's gap of the other half of the machine's rows. */
  readonly same: number
}

type ConstantsOf = (machine: string) => Constants

/** Gaps tried, in seconds. */
const gaps = Array.from({ length: 41 }, (_, i) => i * 0.25e-6)

/** `unseen` gives the set without a machine, by its name. */
export function passesOf(cases: CasesOf, unseen: ConstantsOf, shipped: Constants): PassRow[] {
  const all = () => shipped
  const rows = passFiles.flatMap((file) => cases(file))
  const isBert = ({ row }: Measured) => row.kind === 'bert'
  const berts = rows.filter(isBert)
  const foreign = withGaps(berts, nameOf, unseen)
  const same = byGroup(berts, nameOf, (own) => withGaps(own, halfOf, all))
  return [
    ...rows
      .filter((r) => !isBert(r))
      .map((measured) => ({ measured, ratio: ratio(measured, unseen), same: ratio(measured, all) })),
    ...berts.map((measured, i) => ({ measured, ratio: foreign[i] ?? Number.NaN, same: same[i] ?? Number.NaN })),
  ]
}

const nameOf = ({ machine }: Measured) => machine.name
const halfOf = ({ row }: Measured) => String(hash(JSON.stringify([row.operators, row.keys])) & 1)

function ratio(measured: Measured, constantsOf: ConstantsOf): number {
  return told(measured, constantsOf(measured.machine.name)).ratio
}

function withGap({ row, machine }: Measured, kernel: number): Measured {
  return row.engine === undefined ? { row, machine } : { row: { ...row, engine: { ...row.engine, kernel } }, machine }
}

/** Ratios with the gap before a kernel that suits the other groups' rows best. */
function withGaps(rows: readonly Measured[], groupOf: (row: Measured) => string, constantsOf: ConstantsOf): number[] {
  const ratios = (some: readonly Measured[], gap: number) => some.map((r) => ratio(withGap(r, gap), constantsOf))
  const fitting = {
    constants: (some: readonly Measured[]) => {
      const errors = gaps.map((gap) => errorsOf(ratios(some, gap)).mape)
      return gaps[errors.indexOf(Math.min(...errors))] ?? 0
    },
    ratios,
  }
  return ratiosBy(rows, groupOf, withoutEach(rows, groupOf, fitting), fitting)
}

/** With what they are grouped by: the machine. */
export function passRatios(passes: readonly PassRow[], which: 'ratio' | 'same' = 'ratio') {
  return passes.map((p) => ({ ratio: p[which], group: p.measured.machine.name }))
}
