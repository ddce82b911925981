// Whole passes: no constant is fitted on them, and those of a machine whose kernels were fitted are of the others.
import type { Constants } from '../../hardware/profile.ts'
import { casesOf, type Measured, told } from './cases.ts'
import type { Data } from './data.ts'

export interface PassRow {
  readonly file: 'decode_batch1' | 'whole_model_latency'
  readonly measured: Measured
  /** Expected over measured. */
  readonly ratio: number
}

/** `constantsOf` gives the set for a machine's name. */
export async function passesOf({ lines }: Data, constantsOf: (machine: string) => Constants): Promise<PassRow[]> {
  const out: PassRow[] = []
  for (const file of ['decode_batch1', 'whole_model_latency'] as const) {
    for (const measured of await casesOf(lines[file])) {
      const answer = told(measured, constantsOf(measured.machine.name))
      if (answer) out.push({ file, measured, ratio: answer.ratio })
    }
  }
  return out
}

/** With what they are grouped by: the machine. */
export function passRatios(passes: readonly PassRow[]) {
  return passes.map(({ ratio, measured }) => ({ ratio, group: measured.machine.name }))
}
