// memwall compare: one query on several machines.
import { predict } from '../../simulate/predict.ts'
import { UsageError } from '../errors.ts'
import { names } from '../options.ts'
import { checkOutput, outputOptions, print } from '../output.ts'
import { queryCommand, queryOf } from '../query.ts'
import { loadMachineArgument, loadModelArgument } from '../source.ts'

export function command() {
  return queryCommand('compare', { means: 'the machines, separated by commas', parse: names('--on') })
    .description('The same query of MODEL on several machines, one row each.')
    .option(...outputOptions.json)
    .option(...outputOptions.csv)
    .option(...outputOptions.markdown)
    .option(...outputOptions.out)
    .action(async (model, flags) => {
      checkOutput(flags)
      const [architecture, ...machines] = await Promise.all([
        loadModelArgument(model),
        ...flags.on.map(loadMachineArgument),
      ])
      checkDistinct(machines.map((m) => m.name))
      const queries = await Promise.all(machines.map((machine) => queryOf(architecture, machine, flags)))
      const entries = queries.map((query) => ({ machine: query.machine, prediction: predict(query) }))
      if (flags.plot !== undefined) {
        const { plotRoofline } = await import('../chart/roofline.ts')
        await plotRoofline(flags.plot, entries)
      }
      const rows = entries.map((e) => e.prediction)
      const view = async () => (await import('../views/comparison.ts')).comparisonView(rows)
      await print({ json: { rows }, view }, flags)
    })
}

function checkDistinct(names: readonly string[]): void {
  const twice = names.find((name, i) => names.indexOf(name) !== i)
  if (twice !== undefined) throw new UsageError(`--on: expected different machines, got ${twice} twice`)
}
