// memwall quantize: the compression of keys and values, run on tensors.
import { type MethodName, methodNames, methodTable, storages, weightings } from '../../model/tensor/scheme.ts'
import { Command } from '../commander.ts'
import { choice, count, number, plotFile, word } from '../options.ts'
import { checkOutput, outputOptions, print } from '../output.ts'
import { wrap } from '../table.ts'
import { tensorHelp, tensorOptions } from '../tensors.ts'

/** A method's name, and what it means in lines beside it. */
function methodLines(name: MethodName): string {
  const [first, ...more] = wrap(methodTable[name].means, 76 - width)
  return [`  ${name.padEnd(width)}  ${first}`, ...more.map((line) => ' '.repeat(width + 4) + line)].join('\n')
}

const width = Math.max(...methodNames.map((name) => name.length))
const help = `
Methods:
${methodNames.map(methodLines).join('\n')}

The attention error is the distance of the last queries' causal attention from
that over the tensors as they are, relative to its length, for each head.
${tensorHelp}`

export function command() {
  return new Command('quantize')
    .description('Quantizes keys and values, and says what it takes and what it costs in error, by layer and head.')
    .argument('<file>', 'tensors of a KV cache, or `synthetic`')
    .option('--method <name>', 'how (default: kvquant)', choice('--method', methodNames))
    .option('--bits <n>', 'bits of a code (default: 4)', number('--bits'))
    .option('--outliers <share>', 'share of elements kept apart (kvquant: 0.01)', number('--outliers'))
    .option('--cap <n>', 'outliers of one token of keys at most', count('--cap', 2))
    .option('--sink <n>', 'first tokens kept in 16 bits (kvquant: 1)', count('--sink', 0))
    .option('--norm', 'give the levels the mean and deviation of the data (Q-Norm)')
    .option('--weight <kind>', `what k-means weighs with: ${weightings.join(', ')}`, choice('--weight', weightings))
    .option('--storage <kind>', 'paper (16-bit values and indices, default) or released', choice('--storage', storages))
    .option('--keys <state>', 'quantize keys pre or post rotation (kvquant: pre)', choice('--keys', ['pre', 'post']))
    .option('--calibrate <file>', 'calibrate on other tensors', word('--calibrate'))
    .option('--queries <n>', 'last queries to compare attention of (default: 32)', count('--queries'))
    .option('--on <machine>', 'what it saves there', word('--on'))
    .option('--plot <file>', 'draw error against bits of all methods into FILE.png or FILE.svg', plotFile('--plot'))
    .option(...tensorOptions.rope)
    .option(...tensorOptions.theta)
    .option(...tensorOptions.tokens)
    .option(...tensorOptions.layers)
    .option(...tensorOptions.heads)
    .option(...tensorOptions.headDim)
    .option(...tensorOptions.seed)
    .option(...tensorOptions.without)
    .option(...outputOptions.json)
    .option(...outputOptions.csv)
    .option(...outputOptions.markdown)
    .option(...outputOptions.out)
    .addHelpText('after', help)
    .action(async (file, flags) => {
      checkOutput(flags)
      const { quantization } = await import('../quantization.ts')
      const answer = await quantization(file, flags)
      if (flags.plot !== undefined) {
        const { plotQuantization } = await import('../chart/quantization.ts')
        await plotQuantization(flags.plot, answer)
      }
      const view = async () => (await import('../views/quantization.ts')).quantizationView(answer)
      await print({ json: answer, view }, flags)
    })
}
