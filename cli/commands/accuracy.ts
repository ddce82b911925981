// memwall accuracy: predictions against measured rows.
import { type Calibration, calibrations } from '../../hardware/profile.ts'
import { defaultGroups, groupKeys } from '../../simulate/accuracy/keys.ts'
import type { Accuracy } from '../accuracy.ts'
import { Command } from '../commander.ts'
import { UsageError } from '../errors.ts'
import { choice, names, plotFile, word } from '../options.ts'
import { checkOutput, outputOptions, print } from '../output.ts'
import { wrap } from '../table.ts'

const help = `
A file's kind is told by its header: products, attention, experts, collectives,
operators of a layer, whole models, serving. Rows that cannot be predicted are
listed with the reason. A machine is found by its name or alias.

Keys of --group-by:
${wrap(groupKeys.join(', '), 76)
  .map((line) => `  ${line}`)
  .join('\n')}

--calibration measured takes a few products (bf16 or fp16, in the columns
hardware, dtype, m, n, k, latency_us) of each machine from --probes, and does
not score them.

--simulate takes batch_size as clients that each ask again when they have their
answer, and predicts the time per output token of that loop in steady state, by
the engine called serving: one set for all, fitted to dense models, which also
simulate serve --engine serving has. Its intervals are not known. bound stays
the roofline of one decode step.`

export function command() {
  return new Command('accuracy')
    .description('How far predictions are from measured rows: by group, bound beside expected.')
    .argument('<file.csv...>', 'the measurements')
    .option(
      '--calibration <set>',
      `constants: ${calibrations.join(', ')} (default: global)`,
      choice('--calibration', calibrations),
    )
    .option('--probes <file>', 'products measured on the machines, to calibrate them', word('--probes'))
    .option('--simulate', "simulate the clients of a serving file's rows, in place of one decode step")
    .option('--group-by <keys>', `what to group by (default: ${defaultGroups.join(',')})`, names('--group-by'))
    .option('--plot <file>', 'draw predicted against measured into FILE.png or FILE.svg', plotFile('--plot'))
    .option(...outputOptions.json)
    .option(...outputOptions.csv)
    .option(...outputOptions.markdown)
    .option(...outputOptions.out)
    .addHelpText('after', help)
    .action(async (files, flags) => {
      checkOutput(flags)
      const calibration = calibrationOf(flags)
      if (flags.simulate && calibration !== 'global') {
        throw new UsageError(
          `--simulate: expected --calibration global, got ${calibration}: its engine was fitted with that`,
        )
      }
      const { accuracyOf } = await import('../accuracy.ts')
      const answer = await accuracyOf(files, {
        calibration,
        probes: flags.probes,
        groupBy: flags.groupBy,
        simulate: flags.simulate,
      })
      if (flags.plot !== undefined) {
        const { plotAccuracy } = await import('../chart/accuracy.ts')
        await plotAccuracy(flags.plot, answer)
      }
      const view = async () => (await import('../views/accuracy.ts')).accuracyView(answer)
      await print({ json: json(answer), view }, flags)
    })
}

function calibrationOf(flags: { calibration?: Calibration; probes?: string }): Calibration {
  const { probes, calibration = probes === undefined ? 'global' : 'measured' } = flags
  if (calibration === 'measured' && probes === undefined) {
    throw new UsageError('--calibration measured: expected --probes FILE.csv, a few products measured on the machines')
  }
  if (calibration !== 'measured' && probes !== undefined) {
    throw new UsageError(`--probes: expected --calibration measured, got ${calibration}`)
  }
  return calibration
}

function json({ outcomes: _, ...answer }: Accuracy) {
  return answer
}
