// Figures 9 and 32: latency over length, over that of BERT-Base at 128 tokens. Ours are two rooflines of the same
// passes: the authors' accelerator, by the survey's byte counts, and their CPU, by our own model. Neither is their
// method (measured time; an analytical model that is not printed in full), so that only the trend is comparable.
import type { Machine } from '../../../hardware/machine.ts'
import { profileOf } from '../../../hardware/profile.ts'
import { operatorTime } from '../../../hardware/time.ts'
import type { Operator, Pass } from '../../../model/operator.ts'
import { decode } from '../../../model/workload.ts'
import type { Curve, Series } from '../paper.ts'
import { type Row, row, type Table } from '../row.ts'
import { type Convention, cost, costs, tiledConvention } from './convention.ts'
import { caseStudy, encoding, layersOf, lengths, type Model, models, type Run, runOf, unfused } from './models.ts'
import { figure9, figure32 } from './published.ts'

/** The accelerator's datasheet (survey, Figure 11), per cycle; its 16 × 16 array multiplies and adds once a cycle each. */
const accelerator = { multiplyAdds: 256, dram: 64, l2: 16 } as const

/**
 * Traffic between the L2 and the array's own memories. The edge of its tiles is our reading: two 32-bit output tiles,
 * one filled while the other drains, take the accumulator's 128 kB.
 */
const local: Convention = { ...tiledConvention, tile: Math.sqrt(2 ** 17 / 2 / 4) }

/** Cycles of a product: the slowest of the array, the DRAM and the L2, which overlap. */
function productCycles(o: Operator): number {
  const dram = cost(o, tiledConvention).mops / accelerator.dram
  const l2 = cost(o, local).mops / accelerator.l2
  return Math.max(o.matrix / 2 / accelerator.multiplyAdds, dram, l2)
}

/** Cycles of a run, product after product; the rest passes the L2's port by the byte coefficients of Table 5. */
export function acceleratorCycles(run: Run): number {
  const products = run.pass
    .filter((o) => o.shape.kind === 'gemm')
    .reduce((sum, o) => sum + productCycles(o) * o.count * run.times, 0)
  return products + costs(run, tiledConvention).other.mops / accelerator.l2
}

/** Seconds of a pass by the roofline, kernel by kernel. */
function bound(pass: Pass, machine: Machine): number {
  const profile = profileOf(machine, 'none')
  return pass.reduce((sum, o) => sum + operatorTime(o, profile).bound * o.count, 0)
}

type Latency = Readonly<Record<Model, readonly number[]>>

/** Seconds to generate each of `lengths` tokens from nothing: every step at its own context, summed. */
function generationSeconds(model: Model, machine: Machine): number[] {
  const deployment = unfused(caseStudy[model])
  const sums: number[] = []
  let sum = 0
  for (let length = 1, next = 0; next < lengths.length; length++) {
    sum += bound(layersOf(deployment, decode(1, length - 1)), machine)
    if (length !== lengths[next]) continue
    sums.push(sum)
    next++
  }
  return sums
}

function cpuLatency(machine: Machine): Latency {
  const encoders = (model: Model) => lengths.map((l) => bound(encoding(caseStudy[model], l).pass, machine))
  return overBase((model) =>
    caseStudy[model].kind === 'encoder' ? encoders(model) : generationSeconds(model, machine),
  )
}

function acceleratorLatency(): Latency {
  return overBase((model) => lengths.map((l) => acceleratorCycles(runOf(model, l))))
}

function overBase(latency: (model: Model) => number[]): Latency {
  const absolute = Object.fromEntries(models.map((model) => [model, latency(model)])) as Record<Model, number[]>
  const base = absolute['bert-base'][0] ?? Number.NaN
  return Object.fromEntries(models.map((model) => [model, absolute[model].map((l) => l / base)])) as Record<
    Model,
    number[]
  >
}

type Published = Readonly<Record<Model, readonly string[]>>

interface Figure extends Table {
  readonly latency: Published
}

/** One figure's curves: what is published and what we compute. */
export interface Comparison {
  readonly name: 'fig9' | 'fig32'
  readonly title: string
  readonly figure: Figure
  readonly computed: Latency
  readonly why: string
}

export function comparisons(cpu: Machine): Comparison[] {
  return [
    {
      name: 'fig9',
      title: `Latency on a CPU: published, and the fp32 roofline of the ${cpu.title}`,
      figure: figure9,
      computed: cpuLatency(cpu),
      why: 'trend only, 20 % stated: ours is the roofline of the datasheet, theirs was measured; precision and threads are not given',
    },
    {
      name: 'fig32',
      title: "Latency on the survey's accelerator: published, and a roofline of its array, L2 and DRAM",
      figure: figure32,
      computed: acceleratorLatency(),
      why: 'trend only, 20 % stated: their model is not printed in full; ours knows the array, the L2 port and the DRAM',
    },
  ]
}

const trend = 0.2

/** A row for each point but the one that the rest is divided by. */
export function latencyRows(cpu: Machine): Row[] {
  return comparisons(cpu).flatMap(({ name, figure, computed, why }) =>
    models.flatMap((model) =>
      lengths.flatMap((length, i) => {
        if (model === 'bert-base' && i === 0) return []
        const published = figure.latency[model][i] ?? null
        const tolerance = trend * Number(published)
        const item = `${name}/${model}/${length}`
        return row(figure, { item, published, computed: computed[model][i] ?? null, tolerance, why })
      }),
    ),
  )
}

export function latencyCurves(cpu: Machine): Curve[] {
  return comparisons(cpu).map(({ name, title, figure, computed }) => ({
    name,
    title,
    x: 'tokens',
    y: 'latency / BERT-Base at 128 tokens',
    series: models.flatMap((model) => [
      series(model, 'published', figure.latency[model].map(Number)),
      series(model, 'computed', computed[model]),
    ]),
    source: figure.source,
  }))
}

function series(name: string, evidence: Series['evidence'], values: readonly number[]): Series {
  return { name, evidence, points: lengths.map((length, i) => [length, values[i] ?? Number.NaN] as const) }
}
