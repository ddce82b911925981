// memwall calibrate: a machine's constants from products measured on it.
import { Command } from '../commander.ts'
import { word } from '../options.ts'
import { outputOptions, print } from '../output.ts'

const help = `
FILE.csv has a row for each product y = x W, in bf16 or fp16 with cold weights, in
the columns hardware, dtype, m, n, k, latency_us (microseconds in a replayed
graph). Eight shapes are enough: m, n, k of 1 4096 8192, 16 12288 8192,
64 4096 12288, 128 8192 8192, 512 6144 6144, 2048 4096 4096, 4096 8192 8192 and
16384 12288 12288.

The machine is written to --to, or kept as \`local\`; both go after --on.`

export function command() {
  return new Command('calibrate')
    .description('A machine adjusted to products measured on it, held near the constants of all machines.')
    .requiredOption('--from <file.csv>', 'products measured on one machine', word('--from'))
    .option('--to <file.json>', 'the machine to write (default: `local`)', word('--to'))
    .option(...outputOptions.json)
    .option(...outputOptions.csv)
    .option(...outputOptions.markdown)
    .option(...outputOptions.out)
    .addHelpText('after', help)
    .action(async ({ from, to, ...flags }) => {
      const { calibrationAnswer } = await import('../calibration.ts')
      await print(await calibrationAnswer(from, to), flags)
    })
}
