#!/usr/bin/env node
// Fits the global constants to a folder of measurements, says how wrong they are where they were not fitted, and writes
// them. `npm run fit -- DATA`; not a command of the product, which ships the result.
import { createHash } from 'node:crypto'
import { fileURLToPath } from 'node:url'
import shipped from '../hardware/constants.json' with { type: 'json' }
import type { Intervals } from '../hardware/interval.ts'
import { Command, CommanderError } from './commander.ts'
import { describeError, exitCode } from './errors.ts'
import { ablations, ablationTable } from './fit/ablation.ts'
import { readCases } from './fit/cases.ts'
import { type Coverage, coverageOf, intervalsOf, operatorFiles, outcomesOf } from './fit/coverage.ts'
import { type Data, readData } from './fit/data.ts'
import { type Figure, figuresOf } from './fit/figures.ts'
import { type Fits, fitAll, rounded } from './fit/fitted.ts'
import { accuracyPage } from './fit/page.ts'
import { passesOf, passFiles } from './fit/passes.ts'
import { coverageTable, figureTable, intervalTable, status } from './fit/report.ts'
import { setsOf } from './fit/sets.ts'
import { writeWhole } from './output.ts'
import { text } from './table.ts'
import { noStyles } from './terminal.ts'

const width = 150

const program = new Command('fit')
  .description('Fit the global constants to a folder of measured CSV files, and print how wrong they are.')
  .argument('<folder>', 'the folder of the CSV files')
  .option(
    '--out <file>',
    'the constants to write',
    fileURLToPath(new URL('../../hardware/constants.json', import.meta.url)),
  )
  .option('--docs <file>', 'write the tables as Markdown too')
  .option('--date <day>', 'the date to record (default: of the newest data file)')
  .option('--ablation', 'refit without each term and print the errors (minutes)')
  .exitOverride()

try {
  program.parse()
  const [folder = ''] = program.args
  await main(folder, program.opts())
} catch (error) {
  if (error instanceof CommanderError) process.exitCode = error.exitCode === 0 ? 0 : 2
  else {
    process.stderr.write(`${describeError(error, (process.env.MEMWALL_DEBUG ?? '') !== '')}\n`)
    process.exitCode = exitCode(error)
  }
}

interface Options {
  readonly out: string
  readonly docs?: string
  readonly date?: string
  readonly ablation?: true
}

async function main(folder: string, { out, docs, date, ablation }: Options): Promise<void> {
  const begin = performance.now()
  const say = (what: string) =>
    void process.stderr.write(`${((performance.now() - begin) / 1e3).toFixed(1).padStart(6)} s  ${what}\n`)
  say('reading')
  const data = await readData(folder)
  const fits = fitAll(data, say)
  const sets = setsOf(data, fits)
  say('cases')
  const cases = await readCases(data, [...operatorFiles, ...passFiles], sets.graph, say)
  const passes = passesOf(cases, sets.unseen, sets.graph)
  const figures = figuresOf(data, fits, passes, say)
  say('intervals')
  const outcomes = outcomesOf(cases, sets)
  const intervals = rounded(intervalsOf(outcomes, passes))
  const coverage = coverageOf(outcomes, passes, intervals)
  const day = date ?? dayOf(data)
  const constants = constantsFile(data, fits, intervals, figures, coverage, day)
  writeWhole(out, constants)
  for (const table of [figureTable(figures), coverageTable(coverage), intervalTable(intervals)]) {
    process.stdout.write(`${await text(table, width, noStyles)}\n`)
  }
  const terms = ablation ? ablations(data, fits, say) : []
  if (ablation) process.stdout.write(await text(ablationTable(terms), width, noStyles))
  if (docs !== undefined) {
    writeWhole(docs, accuracyPage({ data, date: day, fits, figures, outcomes, coverage, intervals, ablation: terms }))
  }
  say(`done; constants ${createHash('sha256').update(constants).digest('hex').slice(0, 12)}`)
}

/** The day of the newest file; of data that is already known, the day that was recorded, whatever a copy's clock says. */
function dayOf({ hashes, date }: Data): string {
  const { data, date: recorded } = shipped.fit
  return JSON.stringify(data) === JSON.stringify(hashes) ? recorded : date
}

/** The committed file: constants, and what they were fitted on and how wrong they are. */
function constantsFile(
  { hashes, ...data }: Data,
  { graph, profiler }: Fits,
  interval: Intervals,
  figures: readonly Figure[],
  coverage: readonly Coverage[],
  date: string,
): string {
  const [whole] = coverage
  const fit = {
    data: hashes,
    date,
    rows: {
      gemm: data.gemm.length,
      fp8: data.fp8.length,
      attention: data.attention.length,
      collectives: data.collectives.length,
      layers: data.layers.length + data.plain.length,
    },
    errors: figures
      .filter((f) => f.group === undefined)
      .map(({ name, scheme, errors, fitted, target }) => ({
        name,
        scheme,
        ...rounded(errors),
        constants: fitted,
        ...(target !== undefined && { target, status: status({ name, scheme, errors, fitted, target }) }),
      })),
    coverage: rounded({
      rows: whole?.rows ?? 0,
      shipped: whole?.shipped.inside ?? 0,
      unseen: whole?.unseen.inside ?? 0,
      width: whole?.shipped.width ?? 0,
    }),
  }
  const json = JSON.stringify({ constants: { ...graph, profiler, interval }, fit }, null, 2)
  // Pairs on one line, as the formatter has them.
  return `${json.replace(/\[\s+([^\s,]+),\s+([^\s\]]+)\s+\]/g, '[$1, $2]')}\n`
}
