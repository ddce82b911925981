// Learned best-effort serving: the abstract's claims beside a simulation whose deadline, lengths, machine, placements and
// tasks are ours, because the paper's are not known. Closed forms are computed here; what routers do was measured by
// bench/best-effort.js over seeds and is read from its file.
import { modelFacts, usualBestEffort } from '../serving/best-effort.ts'
import type { Mean, Measured } from './best-effort/experiment.ts'
import type { Paper } from './paper.ts'
import { type Finding, type Row, row, type Table } from './row.ts'

const paper = 'best-effort-serving'
const arxiv = 'arXiv 2401.07886'
const of = (table: string): Table => ({
  paper,
  table,
  source: `${arxiv}; configuration of its simulation not published`,
})
const tables = {
  configuration: of('configuration'),
  rates: of('rates'),
  windows: of('windows'),
  shifts: of('shifts'),
}

const known = 'no figure is published'
const command = 'simulated over 5 seeds (bench/best-effort.js), not the models, deadlines and traffic of the paper'

/** The interval of a mean, cut where nothing can be: below 0, and above 1 for a share. */
function spread({ mean, half }: Mean, most = Number.POSITIVE_INFINITY): string {
  return `95 % ${Math.max(0, mean - half).toPrecision(3)} to ${Math.min(most, mean + half).toPrecision(3)}`
}

function shareSpread(share: Mean): string {
  return spread(share, 1)
}

function synthetic(
  table: Table,
  item: string,
  published: string | null,
  computed: number | null,
  why: string,
  more: Partial<Finding> = {},
): Row {
  return row(table, { item, published, computed, evidence: computed === null ? 'quoted' : 'synthetic', why, ...more })
}

/** One thing at a time. */
const variations = {
  usual: {},
  'deadline-1-s': { deadline: 1 },
  'deadline-3-s': { deadline: 3 },
  'prompt-64': { prompt: 64 },
  'prompt-512': { prompt: 512 },
  'output-24': { output: 24, steps: 26 },
  'output-96': { output: 96, steps: 104 },
  'memory-share-0.6': { memoryShare: 0.6 },
  'memory-share-0.9': { memoryShare: 0.9 },
  'compute-share-0.3': { computeShare: 0.3 },
  'compute-share-0.7': { computeShare: 0.7 },
} as const

/** Feasible batches, rates, and what 1/1/2 serves against 4/0/0 by them. Steps per request were fitted, once. */
function configurationRows(): Row[] {
  return Object.entries(variations).flatMap(([name, change]) => {
    const facts = modelFacts({ ...usualBestEffort, ...change })
    const [large, mid, small] = facts.map((f) => f.rate) as [number, number, number]
    const figures = [
      ...facts.flatMap((f) => [
        [`${f.model.name}/feasible-batch`, f.batch] as const,
        [`${f.model.name}/requests-per-s`, f.rate] as const,
      ]),
      ['ratio/opt-1.3b-to-opt-6.7b', mid / large] as const,
      ['ratio/opt-125m-to-opt-6.7b', small / large] as const,
      ['ratio/1-1-2-to-4-0-0', (large + mid + 2 * small) / (4 * large)] as const,
    ]
    const why = `${known}; the 52 steps in a deadline's 48 tokens were chosen for the batches of another computation`
    return figures.map(([item, computed]) =>
      row(tables.configuration, { item: `${name}/${item}`, published: null, computed, fitted: 1, why }),
    )
  })
}

function nameOf({ placement, router }: Measured): string {
  return `${placement.join('-')}/${router}`
}

function rateRows(all: readonly Measured[]): Row[] {
  const [base] = all as [Measured, ...Measured[]]
  const perGpu = (m: Measured) => m.held.rate.mean * m.held.performance.mean
  return all.flatMap((m) => {
    const name = nameOf(m)
    const why = (interval: string) => `${interval}; ${known}; ${command}`
    const share = (item: string, of: Mean) =>
      synthetic(tables.rates, `${name}/${item}`, null, of.mean, why(shareSpread(of)))
    const rows = [
      synthetic(tables.rates, `${name}/held-rate`, null, m.held.rate.mean, why(spread(m.held.rate))),
      share('held-performance', m.held.performance),
    ]
    if (m === base) return rows
    return [
      ...rows,
      gainRow(name, m),
      share('at-tenfold/availability', m.tenfold.availability),
      share('at-tenfold/performance', m.tenfold.performance),
      synthetic(
        tables.rates,
        `${name}/performance-per-gpu`,
        '3.9',
        perGpu(m) / perGpu(base),
        `answers' worth per GPU at the largest rate that holds, against 4/0/0; the paper's load and its 8 GPUs' are not known, and the ratio follows the load; ${command}`,
      ),
      ...m.sweep.flatMap((s) => [
        share(`rate-${s.rate}/availability`, s.availability),
        share(`rate-${s.rate}/performance`, s.performance),
      ]),
    ]
  })
}

/** "More than 10 times" is a lower bound: whatever is above agrees. Set beside the placement whose capacity reaches it. */
function gainRow(name: string, { placement, gain }: Measured): Row {
  const item = `${name}/held-rate-to-static`
  const computed = gain.mean
  if ((placement[2] ?? 0) < 2)
    return synthetic(tables.rates, item, null, computed, `${spread(gain)}; ${known}; ${command}`)
  const why = `${spread(gain)}; published is more than 10, a lower bound, and the capacity of the placement decides; ${command}`
  return synthetic(tables.rates, item, '10', computed, why, { tolerance: Math.max(0, computed - 10) })
}

function windowRows(all: readonly Measured[]): Row[] {
  const [base, ...others] = all as [Measured, ...Measured[]]
  return others.flatMap((m) =>
    m.bursts.flatMap((load, i) => {
      const still = base.bursts[i] as Measured['bursts'][number]
      const ratio = (item: string, published: string, ours: Mean, statics: Mean) => {
        const why = `windows of 8 s: ${ours.mean.toPrecision(3)} (${shareSpread(ours)}) against ${statics.mean.toPrecision(3)} of 4/0/0; ${command}`
        const computed = statics.mean > 0 ? ours.mean / statics.mean : null
        return synthetic(tables.windows, `${nameOf(m)}/${load.name}/${item}`, published, computed, why)
      }
      const { availability } = load
      const why = `${shareSpread(availability)}; static: ${still.availability.mean.toPrecision(3)}; ${known}; ${command}`
      return [
        ratio('above-96', '4.1', load.above96, still.above96),
        ratio('above-98', '2.3', load.above98, still.above98),
        synthetic(tables.windows, `${nameOf(m)}/${load.name}/availability`, null, availability.mean, why),
      ]
    }),
  )
}

function shiftRows(all: readonly Measured[]): Row[] {
  return all.flatMap((m) =>
    m.shifts.flatMap((s) =>
      (['availability', 'performance'] as const).map((item) =>
        synthetic(
          tables.shifts,
          `${nameOf(m)}/${s.name}/${item}`,
          null,
          s[item].mean,
          `${shareSpread(s[item])}; ${known}; ${command}`,
        ),
      ),
    ),
  )
}

export async function load(): Promise<Paper> {
  const { default: json } = await import('./best-effort/measured.json', { with: { type: 'json' } })
  const all = json as readonly Measured[]
  return { rows: () => [...configurationRows(), ...rateRows(all), ...windowRows(all), ...shiftRows(all)] }
}
