// memwall simulate serve: requests through a router to replicas that batch continuously (simulate/serving).
import { seeded } from '../../../model/random.ts'
import { routerNames } from '../../../simulate/serving/router.ts'
import { Command } from '../../commander.ts'
import { choice, count, number, plotFile, word } from '../../options.ts'
import { checkOutput, outputOptions, print } from '../../output.ts'
import {
  failures,
  fleetOptions as fleet,
  promiseOptions as promise,
  service,
  stepOptions as step,
  trafficOptions as traffic,
} from '../../serving/options.ts'
import { type Run, runsOf, type ServeFlags } from '../../serving/runs.ts'

const help = `
TTFT is the time from a request's arrival to the end of the step that makes its
first token. TPOT is the time from its first token to its last over the output
tokens less one: not defined for one token. e2e ends with the last token. wait
is from arrival to the beginning of its first step; prefill the rest of TTFT.

Every step decodes one round of each running sequence and reads the prompts that
were let in. A prompt is let in, first come first served, when its blocks of the
cache are free. A sequence that finds no block for its next token makes the
newest one give up its cache and start again (recomputation). Step times are
those of \`memwall predict\`, contexts within an octave at their mean.

saturated: arrivals exceed service. Latencies then grow with the length of the
run, and their figures are null. --load takes its unit from a replica that is
never idle. MODEL may be several with their replicas, opt-6.7b=1,opt-125m=3.
A trace is CSV or JSON Lines: time, prompt, output and perhaps class; --rate or
--load stretches its times. --service replaces the model by servers of queueing
theory, --batch-cap (default 1 then) of them in each replica.`

export function command() {
  return new Command('serve')
    .description('Requests through a router to replicas that batch continuously: latencies, throughput, availability.')
    .argument('[models]', 'a model, or several with their numbers of replicas')
    .optionsGroup('Fleet:')
    .option(...fleet.on)
    .option(...fleet.replicas)
    .option(...fleet.weights)
    .option(...fleet.activations)
    .option(...fleet.kv)
    .option(...fleet.tp)
    .option(...fleet.pp)
    .option(...fleet.ep)
    .option(...fleet.fusion)
    .option(...fleet.with)
    .option(...fleet.calibration)
    .optionsGroup('Steps:')
    .option(...step.batchCap)
    .option(...step.tokenCap)
    .option(...step.prefill)
    .option(...step.chunk)
    .option(...step.prefix)
    .option(...step.block)
    .option(...step.memoryShare)
    .option(...step.engine)
    .option(...step.engineS)
    .option('--service <law>', 'model, exponential:S or constant:S: seconds of a request (default: model)', service)
    .optionsGroup('Requests:')
    .option(...traffic.rate)
    .option(...traffic.load)
    .option('--concurrency <n>', 'clients that each wait for their answer, in place of a rate', count('--concurrency'))
    .option('--trace <file>', 'recorded requests', word('--trace'))
    .option(...traffic.arrivals)
    .option(...traffic.prompt)
    .option(...traffic.output)
    .option(...traffic.requests)
    .option(...traffic.duration)
    .option(...traffic.tasks)
    .option(...traffic.seed)
    .optionsGroup('Routing and promises:')
    .option(
      '--queue <kind>',
      'shared, or per-replica behind a router (default: per-replica)',
      choice('--queue', queues),
    )
    .option(
      '--router <name>',
      `${routerNames.slice(0, -1).join(', ')} or dqn:FILE (default: least-loaded)`,
      word('--router'),
    )
    .option(...promise.deadline)
    .option(...promise.ttftDeadline)
    .option(...promise.tpotDeadline)
    .option(...promise.soft)
    .option('--drop-late', 'give up requests whose deadline passes while they wait')
    .option('--quality <file>', 'JSON {model: {task: accuracy}} (default: published ones of OPT)', word('--quality'))
    .option('--fail <replica@from:to>', 'a replica is down from one second to another; repeatable', failures('--fail'))
    .option('--price <dollars>', 'an hour of one device', number('--price', { above: 0, most: 1e6 }))
    .optionsGroup('Output:')
    .option('--rows <file>', 'write each request as a line of JSON while the simulation runs', word('--rows'))
    .option(
      '--plot <file>',
      'draw latency over load (several rates), or one run over time, into FILE.png or FILE.svg',
      plotFile('--plot'),
    )
    .option(...outputOptions.json)
    .option(...outputOptions.csv)
    .option(...outputOptions.markdown)
    .option(...outputOptions.out)
    .addHelpText('after', help)
    .action(async (models, flags) => {
      checkOutput(flags)
      const { config, runs, warnings } = await runsOf(models, flags as ServeFlags, seeded)
      if (flags.plot !== undefined) {
        const { plotServing } = await import('../../chart/serving.ts')
        await plotServing(flags.plot, config, runs)
      }
      const view = async () => (await import('../../views/serving.ts')).servingView(config, runs, warnings)
      await print({ json: json(config, runs, warnings), view }, flags)
    })
}

const queues = ['shared', 'per-replica'] as const

function json(config: object, runs: readonly Run[], warnings: readonly string[]) {
  const [only] = runs
  if (runs.length === 1 && only) return { ...config, ...only.point, ...only.answer, warnings }
  return {
    ...config,
    rows: runs.map(({ point, answer: { timeline: _, ...answer } }) => ({ ...point, ...answer })),
    warnings,
  }
}
