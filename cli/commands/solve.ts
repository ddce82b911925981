// memwall solve: the value of one parameter at which a condition turns, or a variant begins to win.
import { planOf, type Request } from '../../simulate/whatif/plan.ts'
import { sensitivity } from '../../simulate/whatif/sensitivity.ts'
import { weightSetting } from '../../simulate/whatif/setting.ts'
import { solve, variables } from '../../simulate/whatif/solve.ts'
import { UsageError } from '../errors.ts'
import { word } from '../options.ts'
import { checkOutput, outputOptions, print } from '../output.ts'
import { requestCommand, requestOf } from '../request.ts'
import { loaders } from '../source.ts'
import { wrap } from '../table.ts'

const help = `
Parameters:
${wrap(
  `${variables.join(', ')}; of a method, such as kvquant.bits or window.tokens. bits are those of the method that has them, else of the weights.`,
  76,
)
  .map((line) => `  ${line}`)
  .join('\n')}

Conditions take the keys of \`predict --json\`: memory.fits, tokens_per_s >= 50,
limit == "compute", speedup.expected > 1 and memory.fits.`

export function command() {
  return requestCommand('solve', {
    means: 'the machine: a name of `memwall list machines`, or a JSON file',
    plot: false,
  })
    .description('The values of one parameter at which a condition turns true or false, or a variant begins to win.')
    .option('--for <parameter>', 'what is looked for: batch, context, bandwidth, kvquant.bits ...', word('--for'))
    .option('--until <condition>', 'what must hold: tokens_per_s >= 50', word('--until'))
    .option(
      '--metric <expression>',
      'what a variant must be better in (default: time per token, or of the pass)',
      word('--metric'),
    )
    .option('--from <value>', 'the lowest value looked at', word('--from'))
    .option('--to <value>', 'the highest value looked at', word('--to'))
    .option('--sensitivity', 'also: percent of time for each percent of every parameter')
    .option(...outputOptions.json)
    .option(...outputOptions.csv)
    .option(...outputOptions.markdown)
    .option(...outputOptions.out)
    .addHelpText('after', help)
    .action(async (model, flags) => {
      checkOutput(flags)
      checkFlags(flags)
      const request = requestOf(model, flags)
      if (flags.for !== undefined && !flags.sensitivity) checkSought(flags.for, request)
      const { until, metric, from, to, price } = flags
      const given = { until, metric, from, to, prices: price }
      const question = Object.fromEntries(Object.entries(given).filter(([, value]) => value !== undefined))
      const solution =
        flags.for === undefined ? undefined : await solve(request, { variable: flags.for, ...question }, loaders)
      const { query, elasticities } = await sensitivityOf()
      const json = { ...solution, ...(elasticities && { sensitivity: elasticities }) }
      const view = async () => (await import('../views/solution.ts')).solutionView(query, solution, elasticities)
      await print({ json, view }, flags)

      async function sensitivityOf() {
        // What is looked for needs no value of its own.
        const plan = await planOf({ ...request, versus: [] }, loaders)
        if (plan.count !== 1) throw new UsageError('expected one value of every option; `memwall sweep` takes several')
        const asked = await plan.query(0)
        return { query: asked, elasticities: flags.sensitivity ? sensitivity(asked) : undefined }
      }
    })
}

/** A value of what is looked for would change nothing; only sensitivities are taken at it. */
function checkSought(sought: string, { settings, figures, weights, methods }: Request): void {
  const given = [
    ...Object.keys(settings).map((name) => [name, `--${name}`] as const),
    ...figures.map((text) => [text.split('=')[0], '--set'] as const),
    // Bits may be those of a method.
    ...(methods.length > 0 ? [] : weights.map((text) => [weightSetting(text).role ?? 'bits', '--weights'] as const)),
  ]
  const idle = given.find(([name]) => name === sought)
  if (idle) throw new UsageError(`--for: expected no ${idle[1]} with a value of ${sought}, which is looked for`)
}

interface Flags {
  readonly for?: string | undefined
  readonly until?: string | undefined
  readonly metric?: string | undefined
  readonly from?: string | undefined
  readonly to?: string | undefined
  readonly versus?: readonly string[] | undefined
  readonly sensitivity?: true | undefined
  readonly price?: unknown
}

/** What would change nothing is a mistake. */
function checkFlags(flags: Flags): void {
  if (flags.price !== undefined && !/price|cost/.test(`${flags.until} ${flags.metric}`)) {
    throw new UsageError('--price: expected a condition or metric with price_per_hour or cost_per_million_tokens')
  }
  if (flags.for === undefined) {
    const idle = (['until', 'versus', 'metric', 'from', 'to'] as const).find((name) => flags[name] !== undefined)
    if (idle) throw new UsageError(`--${idle}: expected --for with the parameter that is looked for`)
    if (!flags.sensitivity) throw new UsageError('expected --for with a parameter, or --sensitivity')
    return
  }
  if (flags.until === undefined && flags.versus === undefined) {
    throw new UsageError('expected --until with a condition, or --versus with a variant')
  }
  if (flags.metric !== undefined && flags.versus === undefined) {
    throw new UsageError('--metric: it is what variants are compared by; expected --versus beside it')
  }
}
