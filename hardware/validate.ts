// Checks a machine in a user's file and says what is wrong where. The shipped machines are checked by the compiler and
// by tests, so only code that reads users' files should load this file, and with it valibot.
import * as v from 'valibot'
import { type Unit, units } from '../model/format.ts'
import { ceilingBounds } from './ceiling-time.ts'
import { type GemmConstants, gemmBounds } from './gemm-time.ts'
import { type Machine, machineKinds } from './machine.ts'

const text = v.pipe(
  v.string((issue) => `expected a string, got ${issue.received}`),
  v.nonEmpty('expected a string, got an empty one'),
)
const flops = quantity('FLOP/s')
const hertz = quantity('Hz')
const bits = quantity('bits')
const bytes = quantity('bytes')
const bandwidth = quantity('bytes/s')
const perClock = quantity('operations per clock')

const link = object({ kind: text, bandwidth, devices: v.optional(quantity('devices')) })
const peak = v.optional(flops)
const peaks = Object.fromEntries(units.map((unit) => [unit, peak])) as Record<Unit, typeof peak>

const gemm = object(
  Object.fromEntries(Object.entries(gemmBounds).map(([name, range]) => [name, within(range)])) as Record<
    keyof GemmConstants,
    ReturnType<typeof within>
  >,
)

const ceilings = object({
  ...(Object.fromEntries(Object.entries(ceilingBounds).map(([name, range]) => [name, within(range)])) as Record<
    keyof typeof ceilingBounds,
    ReturnType<typeof within>
  >),
  overlap: v.optional(within([1, 16])),
  cache: v.pipe(
    v.array(object({ bytes, rate: bandwidth }), (issue) => `expected a list of working sets, got ${issue.received}`),
    v.minLength(1, 'expected at least one working set, got none'),
    v.check(
      (list) => list.every((p, i) => i === 0 || p.bytes > (list[i - 1]?.bytes ?? 0)),
      'expected working sets in order, the smallest first',
    ),
  ),
})

const calibrated = v.pipe(
  object({
    gemm: v.optional(gemm),
    ceilings: v.optional(ceilings),
    probes: quantity('rows'),
    protocol: text,
    backend: v.optional(text),
    driver: v.optional(text),
    date: v.optional(text),
  }),
  v.check((c) => c.gemm !== undefined || c.ceilings !== undefined, 'expected gemm or ceilings, got neither'),
)

const schema = object({
  name: text,
  title: v.optional(text),
  vendor: text,
  kind: v.picklist(machineKinds, (issue) => `expected ${machineKinds.join(', ')}, got ${issue.received}`),
  year: v.optional(quantity('years')),
  memory: object({
    capacity: v.optional(bytes),
    bandwidth,
    busBits: v.optional(bits),
    dataRate: v.optional(quantity('bits/s')),
  }),
  peaks: object(peaks),
  vector: v.optional(object({ fp32: v.optional(flops), fp16: v.optional(flops) }), {}),
  cache: v.optional(object({ kind: text, bytes })),
  units: object({
    kind: text,
    count: v.custom<number>(isCount, (issue) => `expected a whole number of units, got ${issue.received}`),
    clock: v.optional(hertz),
    matrixClock: v.optional(hertz),
    matrixOperationsPerClock: v.optional(perClock),
    vectorOperationsPerClock: v.optional(perClock),
  }),
  links: v.optional(object({ scaleUp: v.optional(link), host: v.optional(link) }), {}),
  power: v.optional(quantity('watts')),
  sources: v.optional(
    v.record(text, text, (issue) => `expected an object, got ${issue.received}`),
    {},
  ),
  calibrated: v.optional(calibrated),
  /** What `show machine --json` adds: derived from the rest. */
  figures: v.optional(v.unknown()),
  notes: v.optional(v.array(text, (issue) => `expected a list of strings, got ${issue.received}`)),
})

/** The machine in `json`, read from the file at `path`; throws naming every figure that is missing, unknown or wrong. */
export function parseMachine(json: unknown, path: string): Machine {
  const result = v.safeParse(schema, json)
  if (!result.success) {
    throw new Error(`${path}: ${result.issues.map((issue) => `${where(issue)}${issue.message}`).join('; ')}`)
  }
  if (Object.keys(result.output.peaks).length === 0) {
    throw new Error(`${path}: peaks: expected a dense peak in FLOP/s of at least one format, got none`)
  }
  const { figures: _, ...machine } = result.output
  return { ...machine, title: machine.title ?? machine.name }
}

function where(issue: v.BaseIssue<unknown>): string {
  const dotted = v.getDotPath(issue)
  return dotted === null ? '' : `${dotted}: `
}

function quantity(unit: string) {
  return v.custom<number>(isPositive, (issue) => `expected a positive number of ${unit}, got ${issue.received}`)
}

/** A figure that a fit or a probe could have found. */
function within([low, high]: readonly [number, number]) {
  return v.custom<number>(
    (value) => typeof value === 'number' && value >= low && value <= high,
    (issue) => `expected a number from ${low} to ${high}, got ${issue.received}`,
  )
}

function isPositive(value: unknown): boolean {
  return typeof value === 'number' && Number.isFinite(value) && value > 0
}

function isCount(value: unknown): boolean {
  return isPositive(value) && Number.isInteger(value)
}

function object<const Entries extends v.ObjectEntries>(entries: Entries) {
  return v.strictObject(entries, (issue) => {
    if (issue.expected === 'never') return `expected one of ${Object.keys(entries).join(', ')}, got an unknown key`
    if (issue.expected === 'Object') return `expected an object, got ${issue.received}`
    return 'expected this key, got nothing'
  })
}
