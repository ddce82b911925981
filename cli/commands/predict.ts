// memwall predict: one what-if query.
import { predict } from '../../simulate/predict.ts'
import { UsageError } from '../errors.ts'
import { word } from '../options.ts'
import { checkOutput, outputOptions, print } from '../output.ts'
import { queryCommand, queryOf } from '../query.ts'
import { loadMachineArgument, loadModelArgument } from '../source.ts'

const help = `
Numbers take suffixes: 128k is 131072, 1M is 2^20.`

export function command() {
  return queryCommand('predict', {
    means: 'the machine: a name of `memwall list machines`, or a JSON file',
    parse: word('--on'),
  })
    .description('What one pass (a decode step, a prefill, an encode) of MODEL costs on MACHINE, operator by operator.')
    .option(...outputOptions.json)
    .option(...outputOptions.csv)
    .option(...outputOptions.markdown)
    .option(...outputOptions.out)
    .addHelpText('after', help)
    .action(async (model, flags) => {
      checkOutput(flags)
      if (flags.on.includes(','))
        throw new UsageError('--on: expected one machine, got several; `memwall compare` takes them')
      const [architecture, machine] = await Promise.all([loadModelArgument(model), loadMachineArgument(flags.on)])
      const query = await queryOf(architecture, machine, flags)
      const prediction = predict(query)
      if (flags.plot !== undefined) {
        const { plotRoofline } = await import('../chart/roofline.ts')
        await plotRoofline(flags.plot, [{ prediction, machine }])
      }
      const view = async () => (await import('../views/prediction.ts')).predictionView(prediction, query)
      await print({ json: prediction, view }, flags)
    })
}
