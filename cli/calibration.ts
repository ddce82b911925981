// What `memwall calibrate` does and answers: probes adjust the few constants of one machine, which is written as a file.
import { mkdirSync } from 'node:fs'
import { dirname } from 'node:path'
import { errorsOf } from '../hardware/fit/errors.ts'
import { gemmRatios } from '../hardware/fit/gemm.ts'
import { probeSpread } from '../hardware/fit/probes.ts'
import type { GemmConstants } from '../hardware/gemm-time.ts'
import type { Machine } from '../hardware/machine.ts'
import { globalConstants } from '../hardware/profile.ts'
import type { Case } from '../simulate/accuracy/case.ts'
import { probedConstants, probeRows } from '../simulate/accuracy/probes.ts'
import { probesOf } from './accuracy.ts'
import type { Answer } from './answer.ts'
import { FileError } from './errors.ts'
import { localPath } from './local.ts'
import { writeWhole } from './output.ts'
import { type Column, table } from './table.ts'
import { digits } from './units.ts'

/** Fewer shapes say too little of six constants, whatever holds them. */
const fewest = 4
/** Mean error after calibration from which the rows are no products of this machine as stated. */
const worst = 0.3

interface Adjusted {
  readonly constant: keyof GemmConstants
  readonly global: number
  readonly measured: number
}

/** Clocks in thousands and joules of 1e-13: three digits of either. */
function shown(value: number): string {
  return value < 1e-3 ? value.toExponential(2) : digits(value)
}

const columns: readonly Column<Adjusted>[] = [
  { key: 'constant', title: 'constant', value: (a) => a.constant },
  { key: 'global', title: 'all machines', value: (a) => a.global, text: (a) => shown(a.global), align: 'right' },
  { key: 'measured', title: 'this one', value: (a) => a.measured, text: (a) => shown(a.measured), align: 'right' },
]

function percent(share: number): string {
  return `${digits(100 * share)} %`
}

/** Calibrates the machine of the probes in `from` and writes it to `to`, or as `local`. Throws FileError. */
export async function calibrationAnswer(from: string, to: string | undefined): Promise<Answer> {
  const [machine, probes] = onlyMachine(await probesOf(from), from)
  const { gemm } = probedConstants(machine, probes)
  const rows = probeRows(machine, probes)
  const error = {
    before: errorsOf(gemmRatios(rows, globalConstants.gemm)),
    after: errorsOf(gemmRatios(rows, gemm)),
  }
  if (error.after.mape > worst) {
    const [off, most] = [percent(error.after.mape), percent(worst)]
    throw new FileError(
      `${from}: expected products within ${most} of what ${machine.name} can do, got ${off} off; are the times microseconds, with cold weights?`,
    )
  }
  const path = to ?? localPath()
  const protocol = `products of ${from}, as stated there; held to the constants of all machines`
  if (to === undefined) mkdirSync(dirname(path), { recursive: true })
  writeWhole(
    path,
    `${JSON.stringify({ ...machine, calibrated: { gemm, probes: probes.length, protocol } }, null, 2)}\n`,
  )
  const adjusted = (Object.keys(probeSpread) as (keyof typeof probeSpread)[]).map((constant) => ({
    constant,
    global: globalConstants.gemm[constant],
    measured: gemm[constant],
  }))
  const ledger = table(columns, adjusted)
  return {
    json: { machine: machine.name, file: path, probes: probes.length, error, constants: adjusted },
    view: () => ({
      table: ledger,
      sections: [
        {
          kind: 'title',
          text: `${machine.title}, calibrated by ${probes.length} products`,
          under: `written to ${path}`,
        },
        {
          kind: 'facts',
          rows: [
            [
              'error',
              `${percent(error.before.mape)} before, ${percent(error.after.mape)} after, on the products themselves`,
            ],
          ],
        },
        { kind: 'table', table: ledger },
      ],
    }),
  }
}

function onlyMachine(rows: ReadonlyMap<Machine, readonly Case[]>, from: string): readonly [Machine, readonly Case[]] {
  const [first, second] = rows
  if (!first) throw new FileError(`${from}: expected products measured on a machine, got none`)
  if (second)
    throw new FileError(`${from}: expected the products of one machine, got ${first[0].name} and ${second[0].name}`)
  const shapes = new Set(first[1].map((row) => JSON.stringify(row.operators[0]?.shape))).size
  if (shapes < fewest) throw new FileError(`${from}: expected at least ${fewest} shapes of products, got ${shapes}`)
  return first
}
