// Squeezeformer: parameters and FLOPs of its six sizes and of the three Conformer-CTC that it is compared with, the chain
// of design steps between two of them, and what each is said to save. Word error rates are quoted: nothing here hears.
import { loadMachine } from '../../hardware/catalog.ts'
import type { Architecture } from '../../model/architecture.ts'
import { loadModel } from '../../model/catalog.ts'
import { loadConfig } from '../../model/import/read.ts'
import { parameters } from '../../model/parameters.ts'
import { presets } from '../../model/presets/speech.ts'
import type { Paper } from './paper.ts'
import { type Row, row } from './row.ts'
import { asThePaper, everything, flops, operatorsOf } from './squeezeformer/convention.ts'
import { curves, type Models } from './squeezeformer/curves.ts'
import {
  ablation,
  ablationTable,
  claims,
  claimsTable,
  flopsTable,
  isSqueezeformer,
  type Name,
  names,
  parametersTable,
  profiledTable,
  published,
  throughputTable,
  werTable,
} from './squeezeformer/published.ts'

const onlyRecalled = 'the published figure was recalled, not read'

function parameterRows(models: Models): Row[] {
  return names.map((name) =>
    row(parametersTable(name), {
      item: `${name}/parameters`,
      published: `${published[name].parameters}e6`,
      computed: parameters(models[name]).total,
      ...(!isSqueezeformer(name) && { recalled: true, why: onlyRecalled }),
    }),
  )
}

/** Share by which a profiler's count of element-wise work may differ from ours. */
const profilerTolerance = 0.025

function profiledRows(models: Models): Row[] {
  return names.flatMap((name) => {
    const figures = published[name]
    if (!('profiled' in figures)) return []
    const printed = `${figures.profiled}e9`
    const computed = flops(operatorsOf(models[name]), everything)
    const tolerance = profilerTolerance * Number(printed)
    return row(profiledTable, { item: `${name}/profiled-flops`, published: printed, computed, tolerance })
  })
}

const contradicted: ReadonlySet<Name> = new Set<Name>(['squeezeformer-s', 'squeezeformer-m', 'squeezeformer-l'])

function flopsRows(models: Models): Row[] {
  return names.map((name) =>
    row(flopsTable, {
      item: `${name}/flops`,
      published: `${published[name].flops}e9`,
      computed: flops(operatorsOf(models[name]), asThePaper),
      fitted: 1,
      recalled: true,
      why: contradicted.has(name)
        ? `${onlyRecalled}; it is at odds with the profiled figure, which ours meets, so the sizes are right`
        : `${onlyRecalled}; how the paper counts was guessed from six of these figures`,
    }),
  )
}

function ablationRows(steps: readonly Architecture[]): Row[] {
  const why = `${onlyRecalled}; counted as the figures of the nine models are, not fitted again`
  return ablation.flatMap(({ step, ...figures }, i) => {
    const a = steps[i] as Architecture
    const finding = { recalled: true, why } as const
    const total = parameters(a).total
    const counted = flops(operatorsOf(a), asThePaper)
    return [
      row(ablationTable, {
        ...finding,
        item: `${step}/parameters`,
        published: `${figures.parameters}e6`,
        computed: total,
      }),
      row(ablationTable, { ...finding, item: `${step}/flops`, published: `${figures.flops}e9`, computed: counted }),
    ]
  })
}

function claimRows(steps: readonly Architecture[]): Row[] {
  const why = 'read in notes on the paper, not in the paper, and counted by the convention guessed for it'
  const passes = steps.map((a) => operatorsOf(a))
  const all = passes.map((p) => flops(p, asThePaper))
  const [whole = Number.NaN] = all
  const saved = (i: number) => (100 * ((all[i - 1] ?? Number.NaN) - (all[i] ?? Number.NaN))) / whole
  const subsampling = flops(passes[0] ?? [], asThePaper, (o) => o.name.startsWith('subsampling'))
  const figures = [
    ['temporal-u-net/flops-saved-percent', claims.uNetSaves, saved(1)],
    ['conformer-ctc-m/subsampling-percent', claims.subsamplingShare, (100 * subsampling) / whole],
    ['separable-subsampling/flops-saved-percent', claims.separableSaves, saved(5)],
  ] as const
  return figures.map(([item, figure, computed]) =>
    row(claimsTable, { item, published: figure, computed, recalled: true, why }),
  )
}

function quotedRows(): Row[] {
  const tests = ['test-clean', 'test-other'] as const
  const errors = names.flatMap((name) =>
    tests.map((test, i) => {
      const why = `quoted: how well a model hears is not computed${isSqueezeformer(name) ? '' : '; recalled'}`
      const item = `${name}/${test}-wer-percent`
      return row(werTable(name), { item, published: published[name].wer[i] as string, computed: null, why })
    }),
  )
  const why = 'the measured throughputs could not be read, so there is nothing to compare with'
  return [...errors, row(throughputTable, { item: 'a100/throughput', published: null, computed: null, why })]
}

/** Each step's config: the first model's fields, and those of all steps up to it. */
async function loadSteps(): Promise<Architecture[]> {
  let config = presets['conformer-ctc-m'] ?? {}
  const configs = ablation.map(({ fields }) => {
    config = { ...config, ...fields }
    return config
  })
  return Promise.all(configs.map((json, i) => loadConfig(json, ablation[i]?.step ?? 'step')))
}

/** Loads the paper with its models and the machines of its chart. */
export async function load(): Promise<Paper> {
  const loaded = await Promise.all(names.map(async (name) => [name, await loadModel(name)] as const))
  const models = Object.fromEntries(loaded) as Models
  const [steps, a100, t4] = await Promise.all([loadSteps(), loadMachine('a100-80gb-sxm'), loadMachine('t4')])
  return {
    rows: () => [
      ...parameterRows(models),
      ...profiledRows(models),
      ...flopsRows(models),
      ...ablationRows(steps),
      ...claimRows(steps),
      ...quotedRows(),
    ],
    curves: () => curves(models, a100, t4),
  }
}
