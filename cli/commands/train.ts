// memwall train: memory, FLOPs and time of a training step.
import { calibrations } from '../../hardware/profile.ts'
import { fusions } from '../../model/deployment.ts'
import { recomputations } from '../../simulate/train/activations.ts'
import { optimizers, precisions, train } from '../../simulate/train/train.ts'
import { Command } from '../commander.ts'
import { UsageError } from '../errors.ts'
import { choice, count, number, word } from '../options.ts'
import { checkOutput, outputOptions, print } from '../output.ts'
import { loadMachineArgument, loadModelArgument } from '../source.ts'

const help = `
Numbers take suffixes: 4k is 4096. --tokens is a plain number: 300e9.`

export function command() {
  return new Command('train')
    .description(
      'A training step of MODEL: memory of each device by part, FLOPs, and with --on the time and the largest batch.',
    )
    .argument('<model>', 'a name of `memwall list models`, a config.json, or a folder holding one')
    .requiredOption('--batch <n>', 'sequences of each replica in a step', count('--batch'))
    .requiredOption('--sequence <n>', 'tokens of each', count('--sequence'))
    .option('--on <machine>', 'the machine, for times and what fits', word('--on'))
    .option('--optimizer <name>', 'adam, or sgd with momentum (default: adam)', choice('--optimizer', optimizers))
    .option(
      '--precision <kind>',
      'mixed: 16 bits and a copy in fp32; amp: fp32, multiplied in 16 bits; fp32 (default: mixed)',
      choice('--precision', precisions),
    )
    .option(
      '--recompute <what>',
      'none, selective (scores) or full (layers) (default: none)',
      choice('--recompute', recomputations),
    )
    .option(
      '--fusion <kind>',
      'attention: flash, or unfused with scores kept (default: flash)',
      choice('--fusion', fusions),
    )
    .option(
      '--dropout <kept>',
      'on or off (default: on where feed-forward layers have no gate)',
      choice('--dropout', ['on', 'off']),
    )
    .option(
      '--zero <stage>',
      'spread over replicas: 1 optimizer, 2 gradients too, 3 parameters too (default: 0)',
      choice('--zero', ['0', '1', '2', '3']),
    )
    .option('--tp <n>', 'devices of tensor parallelism (default: 1)', count('--tp'))
    .option('--dp <n>', 'replicas (default: 1)', count('--dp'))
    .option('--tokens <n>', 'tokens of the whole training', number('--tokens', { above: 0 }))
    .option(
      '--calibration <set>',
      'constants behind the time: none, global or measured',
      choice('--calibration', calibrations),
    )
    .option(...outputOptions.json)
    .option(...outputOptions.csv)
    .option(...outputOptions.markdown)
    .option(...outputOptions.out)
    .addHelpText('after', help)
    .action(async (model, flags) => {
      checkOutput(flags)
      if (flags.calibration !== undefined && flags.on === undefined) {
        throw new UsageError('--calibration: expected --on with the machine whose times are asked for')
      }
      const [architecture, machine] = await Promise.all([
        loadModelArgument(model),
        flags.on === undefined ? undefined : loadMachineArgument(flags.on),
      ])
      const { batch, sequence, optimizer, precision, recompute, fusion, tp, dp, tokens, calibration } = flags
      const options = { optimizer, precision, recompute, fusion, tensor: tp, data: dp, tokens, calibration, machine }
      const given = Object.fromEntries(Object.entries(options).filter(([, value]) => value !== undefined))
      const step = train({
        architecture,
        batch,
        sequence,
        ...given,
        ...(flags.dropout !== undefined && { dropout: flags.dropout === 'on' }),
        ...(flags.zero !== undefined && { zero: Number(flags.zero) as 0 | 1 | 2 | 3 }),
      })
      const view = async () => (await import('../views/training.ts')).trainingView(step)
      await print({ json: step, view }, flags)
    })
}
