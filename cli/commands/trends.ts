// memwall trends: the memory wall itself, the paper's series and what the shipped machines add to them.
import { loadMachine, machineNames } from '../../hardware/catalog.ts'
import { memoryBoundSince, type Ridge, ridge, trends } from '../../hardware/trends/trends.ts'
import { predict } from '../../simulate/predict.ts'
import { noRequest, planOf } from '../../simulate/whatif/plan.ts'
import { Command } from '../commander.ts'
import { UsageError } from '../errors.ts'
import { each, plotFile, word } from '../options.ts'
import { checkOutput, outputOptions, print } from '../output.ts'
import { loaders } from '../source.ts'

const help = `
Workloads: llama-3.1-8b or llama-3.1-8b:batch=32,context=8k or a number of
FLOP/byte.`

export function command() {
  return new Command('trends')
    .description(
      'Growth of compute, bandwidth, interconnect and models by the data of AI and Memory Wall, continued by the shipped machines; and the ridge point over time.',
    )
    .option(
      '--workload <model[:k=v,...]>',
      'from which year on it is bound by memory, by its intensity; repeatable',
      each('--workload'),
    )
    .option('--on <machine>', 'whose formats the workloads run in (default: h100-sxm)', word('--on'))
    .option('--ridge', 'draw the ridge point over time instead of the series')
    .option('--plot <file>', 'draw the trends into FILE.png or FILE.svg', plotFile('--plot'))
    .option(...outputOptions.json)
    .option(...outputOptions.csv)
    .option(...outputOptions.markdown)
    .option(...outputOptions.out)
    .addHelpText('after', help)
    .action(async (flags) => {
      checkOutput(flags)
      if (flags.ridge && flags.plot === undefined)
        throw new UsageError('--ridge: expected --plot with the file to draw')
      if (flags.on !== undefined && flags.workload === undefined)
        throw new UsageError('--on: expected --workload beside it')
      const machines = await Promise.all(machineNames.map(loadMachine))
      const series = trends(machines)
      const over = ridge(machines)
      const workloads = await Promise.all(
        (flags.workload ?? []).map((text) => workloadOf(text, flags.on ?? 'h100-sxm', over)),
      )
      if (flags.plot !== undefined) {
        const charts = await import('../chart/trends.ts')
        await (flags.ridge ? charts.plotRidge(flags.plot, over, workloads) : charts.plotTrends(flags.plot, series))
      }
      const { growth, ...shown } = over
      const json = { series, ridge: { ...shown, slope: growth.slope, intercept: growth.intercept, workloads } }
      const view = async () => (await import('../views/trends.ts')).trendsView(series, over, workloads)
      await print({ json, view }, flags)
    })
}

/** A workload's intensity and the year since which the trend's ridge point is above it. */
export interface WorkloadYear {
  readonly workload: string
  /** FLOP/byte. */
  readonly intensity: number
  readonly memory_bound_since: number
}

async function workloadOf(text: string, on: string, over: Ridge): Promise<WorkloadYear> {
  const intensity = await intensityOf(text, on)
  return { workload: text, intensity, memory_bound_since: memoryBoundSince(over, intensity) }
}

async function intensityOf(text: string, on: string): Promise<number> {
  const value = Number(text)
  if (text.trim() !== '' && Number.isFinite(value)) {
    if (value > 0) return value
    throw new UsageError(`--workload: expected an intensity above 0 FLOP/byte, got ${text}`)
  }
  const [model = '', list = ''] = text.split(/:(.*)/s)
  const settings = Object.fromEntries(
    list === '' ? [] : list.split(',').map((pair) => pair.split(/=(.*)/s).slice(0, 2)),
  )
  const plan = await planOf({ ...noRequest, models: [model], machines: [on], settings }, loaders)
  if (plan.count !== 1) throw new UsageError(`--workload: expected one value of each parameter, got ${text}`)
  return predict(await plan.query(0)).arithmetic_intensity
}
