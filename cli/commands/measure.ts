// memwall measure: kernels on the machine at hand.
import { backendNames } from '../../kernels/backend.ts'
import { kernelNames } from '../../kernels/catalog.ts'
import { openBackends } from '../../kernels/open.ts'
import { Command } from '../commander.ts'
import { choice, count, shapes, word } from '../options.ts'
import { checkOutput, outputOptions, print } from '../output.ts'
import { wrap } from '../table.ts'

const help = `
Kernels:
${wrap(kernelNames.join(', '), 76)
  .map((line) => `  ${line}`)
  .join('\n')}

Each is checked against its reference in double precision before it is timed.
\`memwall list kernels\` says what each does and which sizes it has.
\`tfjs\` is TensorFlow.js, in fp32: what --against tfjs sets beside kernels in fp16 too.`

export function command() {
  return new Command('measure')
    .description('Runs kernels on the machine at hand: checked, timed, and set beside bound and expected.')
    .argument('[kernel...]', 'the kernels (default: all that the backend has)')
    .option('--shape <k=v,...>', 'sizes of a kernel, such as m=1,n=4096; may be given again', shapes('--shape'))
    .option(
      '--backend <name>',
      `what runs them: ${backendNames.join(', ')} (default: the first of ${openBackends.join(' and ')} there is)`,
      choice('--backend', backendNames),
    )
    .option('--against <name>', 'another backend to compare with in the same run', choice('--against', backendNames))
    .option('--adapter <name>', 'of webgpu: a part of its name, its number, or software', word('--adapter'))
    .option('--on <machine>', 'the machine to predict for (default: the one at hand, where it is known)', word('--on'))
    .option('--variants', 'every way to run each shape, not only the usual one')
    .option(
      '--suite <extent>',
      'the shapes of a processor (small) or of a GPU (large)',
      choice('--suite', ['small', 'large']),
    )
    .option('--seconds <n>', 'begin no kernel after so many seconds', count('--seconds'))
    .option(...outputOptions.json)
    .option(...outputOptions.csv)
    .option(...outputOptions.markdown)
    .option(...outputOptions.out)
    .addHelpText('after', help)
    .action(async (names, flags) => {
      checkOutput(flags)
      const { measureAnswer } = await import('../measure.ts')
      const { answer, failed } = await measureAnswer(names, flags)
      await print(answer, flags)
      if (failed) process.exitCode = 1
    })
}
