// memwall report: predicted against measured.
import { openBackends } from '../../kernels/open.ts'
import { Command } from '../commander.ts'
import { UsageError } from '../errors.ts'
import { choice, names, word } from '../options.ts'
import { checkOutput, checkWritable, outputOptions, print } from '../output.ts'

const help = `
Without --from this machine is calibrated, as \`memwall calibrate\` does, and its
kernels are measured beside what is then predicted for them: less than 90 s on
two cores, some minutes on a GPU, whose shapes are larger. Nothing else should run
meanwhile.

Errors are expected over measured, less one. Regimes: memory, compute, ridge
(both within a factor of 2), launch (latencies), decode (codes, scattered rows).`

export function command() {
  return new Command('report')
    .description('Predicted against measured: by kernel and shape, by regime, and what methods gain.')
    .option(
      '--from <file,...>',
      'what `memwall measure --json --out FILE` wrote, in place of measuring here',
      names('--from'),
    )
    .option(
      '--backend <name>',
      `what runs the kernels: ${openBackends.join(', ')} (default: the first there is)`,
      choice('--backend', openBackends),
    )
    .option('--adapter <name>', 'of webgpu: a part of its name, its number, or software', word('--adapter'))
    .option('--html <file>', 'one self-contained page, for browsers, phones and print', word('--html'))
    .option('--png <file>', 'the charts as one picture', word('--png'))
    .option(...outputOptions.json)
    .option(...outputOptions.csv)
    .option(...outputOptions.markdown)
    .option(...outputOptions.out)
    .addHelpText('after', help)
    .action(async ({ from, backend, adapter, html, png, ...flags }) => {
      checkOutput(flags)
      for (const path of [html, png]) if (path !== undefined) checkWritable(path)
      if (from !== undefined && (backend !== undefined || adapter !== undefined)) {
        throw new UsageError('--from reads what was measured: expected no --backend and no --adapter')
      }
      const { reportAnswer } = await import('../report.ts')
      await print(await reportAnswer({ from, backend, adapter, html, png }), flags)
    })
}
