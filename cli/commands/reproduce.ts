// memwall reproduce: published numbers beside ours.

import { loadPaper, type PaperName, paperNames, papers } from '../../simulate/reproduce.ts'
import { Command } from '../commander.ts'
import { UsageError } from '../errors.ts'
import { plotFile } from '../options.ts'
import { checkOutput, outputOptions, print } from '../output.ts'
import { wrap } from '../table.ts'

const help = `
Papers:
${paperNames.map((name) => [name, ...wrap(papers[name].title, 72).map((line) => `  ${line}`)].map((line) => `  ${line}`).join('\n')).join('\n')}`

export function command() {
  return new Command('reproduce')
    .description("A paper's published numbers beside ours, with the error, and what is not reproduced and why.")
    .argument('[paper]', 'the paper (default: all)')
    .option('--plot <file>', "draw the paper's curves into FILE.png or FILE.svg", plotFile('--plot'))
    .option(...outputOptions.json)
    .option(...outputOptions.csv)
    .option(...outputOptions.markdown)
    .option(...outputOptions.out)
    .addHelpText('after', help)
    .action(async (name, flags) => {
      checkOutput(flags)
      const asked = name === undefined ? paperNames : [name]
      const loaded = await Promise.all(asked.map(loadPaper))
      if (flags.plot !== undefined) {
        const curves = loaded.flatMap((paper) => paper.curves?.() ?? [])
        if (curves.length === 0) throw new UsageError(`--plot: ${asked.join(', ')} has no curves to draw`)
        const { plotCurves } = await import('../chart/curves.ts')
        await plotCurves(flags.plot, asked.map((paper) => papers[paper as PaperName].title).join('; '), curves)
      }
      const rows = loaded.flatMap((paper) => paper.rows())
      const view = async () => (await import('../views/reproduction.ts')).reproductionView(rows)
      await print({ json: rows, view }, flags)
    })
}
