// memwall cluster: Squeezed Attention on the tensors of a cache.
import { observationWindow } from '../../model/tensor/squeezed/clusters.ts'
import { Command } from '../commander.ts'
import { count, number, plotFile, word } from '../options.ts'
import { checkOutput, outputOptions, print } from '../output.ts'
import { tensorHelp, tensorOptions } from '../tensors.ts'

const help = `${tensorHelp}
Here layers.N.query is needed, of the last --input + 100 tokens.

The last --input tokens are the user's; those before them are the fixed context.
Its keys, but for the first --sink and the last --window ones, are clustered by
direction (k-means++). A query meets the centroids; keys of clusters whose mean
importance to the user's queries is above one threshold for all layers and heads
are read. The threshold drops the share --sparsity of the keys for the context's
last 100 queries, or for those of --calibrate.

Random and recent keys take the bytes that clusters and centroids take, and
always the first token and the window.`

export function command() {
  return new Command('cluster')
    .description('Squeezed Attention on the tensors of a KV cache: keys are clustered, and few clusters are read.')
    .argument('<file>', 'a safetensors file, or `synthetic`')
    .option(
      '--clusters <share>',
      'clusters as a share of the keys (default: 0.05)',
      number('--clusters', { above: 0, most: 1 }),
    )
    .option(
      '--coarse <share>',
      'clusters of the centroids as a share of the keys: two levels',
      number('--coarse', { above: 0, most: 1 }),
    )
    .option(
      '--sparsity <share>',
      'share of the keys left out (default: 0.9)',
      number('--sparsity', { least: 0, below: 1 }),
    )
    .option('--input <n>', "the user's tokens (default: 16)", count('--input'))
    .option(
      '--window <n>',
      `last tokens of the context always kept (default: ${observationWindow})`,
      count('--window', 0),
    )
    .option('--sink <n>', 'first tokens always kept (default: 1; the paper: 0)', count('--sink', 0))
    .option('--iterations <n>', 'of k-means at most (default: 300)', count('--iterations'))
    .option('--calibrate <file2>', 'set the threshold by other tensors', word('--calibrate'))
    .option('--seed <n>', 'seed of k-means, random keys and synthetic tensors (default: 1)', count('--seed', 0))
    .option(...tensorOptions.rope)
    .option(...tensorOptions.theta)
    .option(...tensorOptions.tokens)
    .option(...tensorOptions.layers)
    .option(...tensorOptions.heads)
    .option(...tensorOptions.headDim)
    .option(...tensorOptions.without)
    .option(
      '--channel-outliers',
      'synthetic: with the outlier channels that `quantize` has; rotated, they hide clusters',
    )
    .option('--on <machine>', 'what reading less saves on a machine', word('--on'))
    .option('--plot <file>', 'draw lost attention over budget into FILE.png or FILE.svg', plotFile('--plot'))
    .option(...outputOptions.json)
    .option(...outputOptions.csv)
    .option(...outputOptions.markdown)
    .option(...outputOptions.out)
    .addHelpText('after', help)
    .action(async (file, flags) => {
      checkOutput(flags)
      const { clusterAnswer } = await import('../cluster.ts')
      const answer = await clusterAnswer(file, flags)
      if (flags.plot !== undefined) {
        const { plotBudget } = await import('../chart/budget.ts')
        await plotBudget(flags.plot, answer)
      }
      const view = async () => (await import('../views/cluster.ts')).clusterView(answer)
      await print({ json: answer, view }, flags)
    })
}
