// KVQuant's kernels on an RTX A6000, fitted on the eight times of its table 6: what each kernel starts with, the share of
// the bandwidth that its 16-bit ones reach, and the rate at which outliers are scattered. How fast codes are looked up is
// not fitted: it follows from the loads of the kernel.
import { type CodecConstants, codecTime, publishedKernels } from '../../../hardware/codec-time.ts'
import type { Machine } from '../../../hardware/machine.ts'
import type { Architecture } from '../../../model/architecture.ts'
import { deploy } from '../../../model/deployment.ts'
import { type Operator, operatorBytes } from '../../../model/operator.ts'
import { pass } from '../../../model/pass.ts'
import { kvquantStore } from '../../../model/stores/kvquant.ts'
import { decode } from '../../../model/workload.ts'
import { type Row, row } from '../row.ts'
import { kernelTable, table6, table6Tokens } from './published.ts'

type Kernel = keyof typeof table6
const kernels = Object.keys(table6) as Kernel[]

/** The 16-bit share of the bandwidth, the scatter rate, and a start for each of the four kernels. */
const fittedConstants = 6

const store = kvquantStore({ bits: 4, outliers: 0.01, sink: 0, storage: 'released' })

/** The kernel of one layer, as the ledger has it: keys against a query, or weights against values. */
function operatorOf(kernel: Kernel, model: Architecture, tokens: number): Operator {
  const deployment = deploy(model, { fusion: 'unfused', ...(kernel.endsWith('fp16') ? {} : { store }) })
  const name = kernel.startsWith('K') ? 'attention-scores' : 'attention-values'
  const operator = pass(deployment, decode(1, tokens)).find((o) => o.name === name)
  if (!operator) throw new Error(`Expected the operator ${name}`)
  return operator
}

export interface KernelFit {
  readonly memory: number
  /** Outliers per clock and unit. */
  readonly scatter: number
  /** Seconds before the first byte. */
  readonly start: Readonly<Record<Kernel, number>>
}

/** Slopes over the two lengths give the rates, the shorter length the starts. */
export function fitKernels(model: Architecture, machine: Machine): KernelFit {
  const [short, long] = table6Tokens
  const time = (kernel: Kernel, i: 0 | 1) => Number(table6[kernel][i])
  const slope = (a: Kernel, b: Kernel) => (time(a, 1) - time(a, 0) + time(b, 1) - time(b, 0)) / 2
  const grown = (kernel: Kernel) =>
    operatorBytes(operatorOf(kernel, model, long)) - operatorBytes(operatorOf(kernel, model, short))
  const memory = grown('K fp16') / slope('K fp16', 'V fp16') / machine.memory.bandwidth
  const rates = ratesOf(machine)
  const grownCodes = (['K nuq4-1%', 'V nuq4-1%'] as const).map((kernel) => {
    const at = (tokens: number) =>
      codecTime(operatorOf(kernel, model, tokens).streams, rates, { ...publishedKernels, scatter: 1 })
    return { decode: at(long).decode - at(short).decode, scatter: at(long).scatter - at(short).scatter }
  })
  const mean = (f: (g: (typeof grownCodes)[number]) => number) =>
    grownCodes.reduce((n, g) => n + f(g), 0) / grownCodes.length
  const scatter = mean((g) => g.scatter) / (slope('K nuq4-1%', 'V nuq4-1%') - mean((g) => g.decode))
  const rate = { memory, scatter }
  const start = Object.fromEntries(
    kernels.map((kernel) => [kernel, time(kernel, 0) - seconds(operatorOf(kernel, model, short), machine, rate)]),
  ) as Record<Kernel, number>
  return { ...rate, start }
}

function ratesOf(machine: Machine) {
  const { clock } = machine.units
  if (clock === undefined) throw new Error(`${machine.name}: expected a clock`)
  return { units: machine.units.count, clock, bandwidth: machine.memory.bandwidth }
}

function seconds(o: Operator, machine: Machine, fit: Pick<KernelFit, 'memory' | 'scatter'>): number {
  const constants: CodecConstants = { ...publishedKernels, ...fit }
  const codes = codecTime(o.streams, ratesOf(machine), constants)
  const moved = operatorBytes(o) / (machine.memory.bandwidth * fit.memory)
  return Math.max(moved, codes.decode) + codes.scatter
}

export function kernelRows(model: Architecture, machine: Machine): Row[] {
  const fit = fitKernels(model, machine)
  const rows: Row[] = []
  const bounds = new Map<string, number>()
  const expected = new Map<string, number>()
  for (const kernel of kernels) {
    table6Tokens.forEach((tokens, i) => {
      const operator = operatorOf(kernel, model, tokens)
      const published = table6[kernel][i as 0 | 1]
      const item = `${kernel}/${tokens}`
      const bound = operatorBytes(operator) / machine.memory.bandwidth
      const ours = fit.start[kernel] + seconds(operator, machine, fit)
      bounds.set(item, bound)
      expected.set(item, ours)
      const tolerance = 0.06 * Number(published)
      rows.push(
        row(kernelTable, { item: `${item}/expected`, published, computed: ours, tolerance, fitted: fittedConstants }),
        row(kernelTable, {
          item: `${item}/bound`,
          published,
          computed: bound,
          tolerance,
          why: kernel.endsWith('fp16')
            ? 'a roof: the kernel reaches 85 % of the bandwidth after its start'
            : 'a roof: the kernel is limited by its table look-ups and by scattering outliers, not by bytes',
        }),
      )
    })
  }
  return [...rows, ...speedupRows(expected, bounds)]
}

/** What 4 bits gain over 16: by the published times, by ours, and by bytes alone. */
function speedupRows(expected: ReadonlyMap<string, number>, bounds: ReadonlyMap<string, number>): Row[] {
  return (['K', 'V'] as const).flatMap((side) =>
    table6Tokens.flatMap((tokens, i) => {
      const [wide, narrow] = [`${side} fp16`, `${side} nuq4-1%`] as const
      const published = (Number(table6[wide][i as 0 | 1]) / Number(table6[narrow][i as 0 | 1])).toFixed(2)
      const gain = (times: ReadonlyMap<string, number>) =>
        (times.get(`${wide}/${tokens}`) ?? 0) / (times.get(`${narrow}/${tokens}`) ?? 1)
      const tolerance = 0.06 * Number(published)
      const item = `${side} speedup/${tokens}`
      return [
        row(kernelTable, {
          item: `${item}/expected`,
          published,
          computed: gain(expected),
          tolerance,
          fitted: fittedConstants,
        }),
        row(kernelTable, {
          item: `${item}/bound`,
          published,
          computed: gain(bounds),
          tolerance,
          why: 'what bytes alone promise: the published kernels do not reach it',
        }),
      ]
    }),
  )
}
