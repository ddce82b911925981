// Reads the file that `memwall measure --json --out` wrote, and says what is wrong in it where.
import * as v from 'valibot'
import { limits, terms } from '../hardware/time.ts'
import { kernelNames } from '../kernels/catalog.ts'
import type { MeasuredRun } from '../kernels/report.ts'
import { FileError } from './errors.ts'
import { readJsonFile } from './source.ts'

const text = v.string((i) => `expected a string, got ${i.received}`)
const amount = v.pipe(
  v.number((i) => `expected a number, got ${i.received}`),
  v.minValue(0, (i) => `expected a number from 0, got ${i.received}`),
)
const shape = v.record(
  v.string(),
  v.number((i) => `expected a number, got ${i.received}`),
)
const kernel = v.picklist(kernelNames, (i) => `expected a kernel of \`memwall list kernels\`, got ${i.received}`)

const list = (i: { received: string }) => `expected a list, got ${i.received}`
const word = <const T extends readonly string[]>(words: T) =>
  v.picklist(words, (i) => `expected one of ${words.join(', ')}, got ${i.received}`)
const flag = v.boolean((i) => `expected true or false, got ${i.received}`)

const row = v.looseObject({
  kernel,
  shape,
  variant: text,
  checked: flag,
  fault: v.nullable(text),
  median_s: v.nullable(amount),
  spread_s: v.nullable(amount),
  warm: flag,
  bytes: amount,
  flops: amount,
  bound_s: v.nullable(amount),
  expected_s: v.nullable(amount),
  limit: v.nullable(word(limits)),
  term: v.nullable(word(terms)),
})

const run = v.looseObject({
  machine: text,
  backend: text,
  device: text,
  driver: text,
  date: text,
  protocol: text,
  roofs: v.object({ bytes_per_s: v.nullable(amount), flops_per_s: v.nullable(amount) }),
  rows: v.array(row, list),
  failed: v.array(v.object({ kernel, shape, why: text }), list),
  warnings: v.array(text, list),
})

/** The run in a file. Throws FileError. */
export async function readMeasured(path: string): Promise<MeasuredRun> {
  const result = v.safeParse(run, await readJsonFile(path))
  if (result.success) return result.output as unknown as MeasuredRun
  const [issue] = result.issues
  const where = v.getDotPath(issue)
  throw new FileError(
    `${path}: ${where === null ? '' : `${where}: `}${issue.message}; expected what \`memwall measure --json\` prints`,
  )
}
