// memwall sweep: a grid of queries, streamed as rows or drawn.
import { availableParallelism } from 'node:os'
import { extname } from 'node:path'
import { UsageError } from '../errors.ts'
import { count, word } from '../options.ts'
import { checkWritable, outputOptions } from '../output.ts'
import { requestCommand, requestOf } from '../request.ts'
import { grouped, runSweep, tallyNotes } from '../sweep/run.ts'
import { loadSweep, type SweepFormat, type SweepSpec, trySome } from '../sweep/spec.ts'
import * as units from '../units.ts'

/** More points than this are only answered with --yes. */
const unasked = 5_000_000
/** Points that a chart can hold. */
const drawable = 1_000_000

/** Each takes some 100 MB. */
const mostWorkers = 256

const help = `
Values: 1:256:x2 doubles (x2^0.25: every fourth does), 0.5:0.9:0.1 and 1:8 step,
1k,8k,128k is a list; words and formats are separated by bars (int4|fp8,
kvquant:bits=2|3|4). Models and machines are separated by commas. All
combinations are asked. Expressions take the keys of \`predict --json\`, such as
tokens_per_s / price_per_hour, and know + - * / ^ % < <= > >= == != and, or,
not, a ? b : c, min, max, abs, sqrt, log2 and the like.`

export function command() {
  const own = requestCommand('sweep', { means: 'the machines, separated by commas', plot: true })
  for (const option of own.options) {
    if (option.long === '--plot')
      option.description = 'draw the points into FILE.png or FILE.svg: lines, a map, bars or a front'
  }
  return own
    .description('A grid of queries of MODEL, or of several separated by commas: a row for each point, or a chart.')
    .option(
      '--metric <expression>',
      'a figure of every row, and what charts show (default there: tokens_per_s)',
      word('--metric'),
    )
    .option('--where <expression>', 'only rows for which this holds: memory.fits', word('--where'))
    .option(
      '--pareto <x,y>',
      'only rows that no other beats in both: time_per_output_token_s,tokens_per_s',
      word('--pareto'),
    )
    .option('--title <text>', 'above the chart (default: the metric)', word('--title'))
    .optionsGroup('Run:')
    .option(
      '--workers <n>',
      'worker threads (default: one for each core, none for less than a second)',
      count('--workers'),
    )
    .option('--resume', 'go on with FILE of --out where a run of the same sweep was stopped')
    .option('--yes', `answer more than ${grouped(unasked)} points`)
    .option('--json', 'print JSON Lines: predict without operators, and the point')
    .option(...outputOptions.csv)
    .option('--out <file>', 'write to FILE, in the format of its ending where no flag says', word('--out'))
    .addHelpText('after', help)
    .action(async (models, flags) => {
      const format = formatOf(flags)
      checkFlags(flags)
      const spec: SweepSpec = {
        request: requestOf(models, flags),
        ...(metricOf(flags) !== undefined && { metric: metricOf(flags) as string }),
        ...(flags.where !== undefined && { where: flags.where }),
        ...(flags.pareto !== undefined && { pareto: flags.pareto }),
        prices: flags.price ?? { of: {} },
        format,
        drawn: flags.plot !== undefined,
        ...(flags.title !== undefined && { title: flags.title }),
      }
      if ((flags.workers ?? 0) > mostWorkers) {
        throw new UsageError(`--workers: expected up to ${mostWorkers}, got ${flags.workers}`)
      }
      const sweep = await loadSweep(spec)
      const { plan } = sweep
      const chart = flags.plot === undefined ? undefined : await import('../chart/sweep.ts')
      if (chart && plan.count > drawable) {
        throw new UsageError(`--plot: expected up to ${grouped(drawable)} points, got ${grouped(plan.count)}`)
      }
      chart?.checkDrawable(sweep)
      const { secondsPerPoint } = await trySome(sweep)
      if (plan.count > unasked && !flags.yes) {
        const time = units.duration((secondsPerPoint * plan.count) / (flags.workers ?? availableParallelism()))
        throw new UsageError(`expected --yes for ${grouped(plan.count)} points, which take about ${time}`)
      }
      const silent = flags.plot !== undefined && flags.out === undefined && !flags.json && !flags.csv
      const { resume = false, workers, out } = flags
      const asked = process.argv.slice(2).join(' ')
      const outcome = await runSweep(sweep, {
        resume,
        silent,
        asked,
        secondsPerPoint,
        ...(workers !== undefined && { workers }),
        ...(out !== undefined && { out }),
      })
      for (const note of tallyNotes(outcome.tally, plan.count)) process.stderr.write(`memwall: ${note}\n`)
      if (chart && flags.plot !== undefined) await chart.plotSweep(flags.plot, sweep, outcome)
      if (silent) process.stdout.write(`${grouped(plan.count)} points drawn into ${flags.plot}\n`)
    })
}

interface Flags {
  readonly json?: true | undefined
  readonly csv?: true | undefined
  readonly out?: string | undefined
  readonly plot?: string | undefined
  readonly resume?: true | undefined
  readonly pareto?: string | undefined
  readonly metric?: string | undefined
  readonly title?: string | undefined
}

/** What a chart shows where nothing else is said. */
function metricOf({ metric, plot, pareto }: Flags): string | undefined {
  return metric ?? (plot !== undefined && pareto === undefined ? 'tokens_per_s' : undefined)
}

const endings: Readonly<Record<string, SweepFormat>> = { '.json': 'jsonl', '.jsonl': 'jsonl', '.csv': 'csv' }

function formatOf({ json, csv, out }: Flags): SweepFormat {
  if (json && csv) throw new UsageError('expected one of --json and --csv, got both')
  if (json) return 'jsonl'
  return csv ? 'csv' : (endings[extname(out ?? '').toLowerCase()] ?? 'text')
}

function checkFlags({ out, plot, resume, pareto, title }: Flags): void {
  if (title !== undefined && plot === undefined)
    throw new UsageError('--title: expected --plot with the chart that it is for')
  for (const path of [out, plot]) if (path !== undefined) checkWritable(path)
  if (out !== undefined && out === plot)
    throw new UsageError(`expected two files, got ${out} for both --out and --plot`)
  if (!resume) return
  if (out === undefined) throw new UsageError('--resume: expected --out FILE, which is gone on with')
  if (plot !== undefined) throw new UsageError('--resume: expected no --plot, which needs every point')
  if (pareto !== undefined) throw new UsageError('--resume: expected no --pareto, whose front is written at the end')
}
