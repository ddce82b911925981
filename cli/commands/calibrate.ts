// memwall calibrate: this machine's ceilings, or a machine's constants from products measured on it.

import { openBackends } from '../../kernels/open.ts'
import { Command } from '../commander.ts'
import { UsageError } from '../errors.ts'
import { choice, word } from '../options.ts'
import { checkOutput, checkWritable, outputOptions, print } from '../output.ts'

const help = `
Without --from kernels on this machine measure what it reads, computes, unpacks
and fetches at most, in less than a minute; nothing else should run meanwhile.

With --from, FILE.csv has a row for each product y = x W, in bf16 or fp16 with cold weights, in
the columns hardware, dtype, m, n, k, latency_us (microseconds in a replayed
graph). Eight shapes are enough: m, n, k of 1 4096 8192, 16 12288 8192,
64 4096 12288, 128 8192 8192, 512 6144 6144, 2048 4096 4096, 4096 8192 8192 and
16384 12288 12288.

The machine is written to --to, or kept as \`local\`; both go after --on.`

export function command() {
  return new Command('calibrate')
    .description("This machine's ceilings, measured here; or a machine adjusted to products measured on it.")
    .option('--from <file.csv>', 'products measured on one machine, in place of measuring here', word('--from'))
    .option(
      '--backend <name>',
      `what runs the kernels: ${openBackends.join(', ')} (default: the first there is)`,
      choice('--backend', openBackends),
    )
    .option('--adapter <name>', 'of webgpu: a part of its name, its number, or software', word('--adapter'))
    .option('--to <file.json>', 'the machine to write (default: `local`)', word('--to'))
    .option(...outputOptions.json)
    .option(...outputOptions.csv)
    .option(...outputOptions.markdown)
    .option(...outputOptions.out)
    .addHelpText('after', help)
    .action(async ({ from, to, backend, adapter, ...flags }) => {
      checkOutput(flags)
      if (to !== undefined) checkWritable(to)
      if (from === undefined) {
        const { ceilingsAnswer } = await import('../ceilings.ts')
        await print(await ceilingsAnswer({ backend, adapter }, to), flags)
        return
      }
      if (backend !== undefined || adapter !== undefined) {
        throw new UsageError('--from reads what was measured elsewhere: expected no --backend and no --adapter')
      }
      const { calibrationAnswer } = await import('../calibration.ts')
      await print(await calibrationAnswer(from, to), flags)
    })
}
