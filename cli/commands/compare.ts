// memwall compare: one query on several machines.
import { checkPrices, costOf, priceOf, type Ranking, rank, rankings } from '../../simulate/cost.ts'
import { predict } from '../../simulate/predict.ts'
import { UsageError } from '../errors.ts'
import { choice, names } from '../options.ts'
import { checkOutput, outputOptions, print } from '../output.ts'
import { queryCommand, queryOf } from '../query.ts'
import { prices } from '../request.ts'
import { loadMachineArgument, loadModelArgument } from '../source.ts'

export function command() {
  return queryCommand('compare', { means: 'the machines, separated by commas', parse: names('--on') })
    .description('The same query of MODEL on several machines, one row each.')
    .option('--price <dollars>', 'of a device and hour: 2.5, or by machine h100-sxm=2.5,t4=0.35', prices('--price'))
    .option(
      '--rank <by>',
      'rank by cost, energy or speed (default: cost where a price is given, else speed)',
      choice('--rank', Object.keys(rankings) as Ranking[]),
    )
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
      const { price = { of: {} } } = flags
      const by = flags.rank ?? (flags.price === undefined ? 'speed' : 'cost')
      checkPrices(
        price,
        machines.map((m) => m.name),
      )
      if (flags.rank === 'cost' && flags.price === undefined) {
        throw new UsageError('--rank: cost needs the price of the machines; expected --price')
      }
      const costs = entries.map(({ prediction, machine }) => ({
        prediction,
        cost: costOf(prediction, machine, priceOf(price, machine.name)),
      }))
      const rows = entries.map((e) => e.prediction)
      const ranking = { by, machines: rank(costs, by) }
      const view = async () => (await import('../views/comparison.ts')).comparisonView(rows, ranking)
      await print({ json: { rows, ranking }, view }, flags)
    })
}

function checkDistinct(names: readonly string[]): void {
  const twice = names.find((name, i) => names.indexOf(name) !== i)
  if (twice !== undefined) throw new UsageError(`--on: expected different machines, got ${twice} twice`)
}
