// memwall train-router: a router that learns which model should serve a request (simulate/serving/dqn).
import { existsSync } from 'node:fs'
import { saturationRate } from '../../simulate/serving/capacity.ts'
import { type Hyper, usualHyper } from '../../simulate/serving/dqn/learner.ts'
import { policyFile } from '../../simulate/serving/dqn/policy.ts'
import { type Episode, type Scenario, Training } from '../../simulate/serving/dqn/training.ts'
import { always } from '../../simulate/serving/lengths.ts'
import { optQuality, type Quality, qualityOf } from '../../simulate/serving/quality.ts'
import { Command } from '../commander.ts'
import { UsageError } from '../errors.ts'
import { count, counts, number, word } from '../options.ts'
import { checkWritable, outputOptions, print, writeWhole } from '../output.ts'
import { progress } from '../progress.ts'
import { type FleetOf, fleetOf } from '../serving/fleet.ts'
import {
  fleetOptions as fleet,
  promiseOptions as promise,
  stepOptions as step,
  trafficOptions as traffic,
} from '../serving/options.ts'
import { feasible } from '../serving/routing.ts'
import { drawTasks } from '../serving/runs.ts'

const help = `
The router sees a request's task, how many requests each model has per replica,
and the arrivals of the last second; it chooses the model, and the least loaded
replica of it serves. Double DQN: a network of two hidden layers, trained on
simulated traffic at rates drawn between --least-rate and --most-rate. A choice
earns the model's accuracy on the task over the best model's if its answer is in
time, less in the last 15 % before the deadline, and costs --penalty if not. Of
the networks and their averages the one that did best on traffic kept for
validation is written, where the worst of 16 rates counts apart.
Use it with \`memwall simulate serve --router dqn:FILE\`.

In the end the router is run beside two others on arrivals and mixes of tasks
that it was not trained on.

A checkpoint is written beside FILE every few episodes; --resume goes on from it
with the same result as without the interruption.`

const usual = { episodes: 100, steps: 200, seconds: 20 } as const

export function command() {
  return new Command('train-router')
    .description('Train a router by Double DQN: which model should serve which request, at which load.')
    .argument('<models>', 'models with their numbers of replicas, opt-6.7b=1,opt-1.3b=1,opt-125m=2')
    .argument('<file>', 'the JSON file to write the router to')
    .optionsGroup('Fleet:')
    .option(...fleet.on)
    .option(...fleet.weights)
    .option(...fleet.activations)
    .option(...fleet.kv)
    .option(...fleet.tp)
    .option(...fleet.pp)
    .option(...fleet.ep)
    .option(...fleet.fusion)
    .option(...fleet.with)
    .option(...fleet.calibration)
    .option(...step.batchCap)
    .option(...step.tokenCap)
    .option(...step.prefill)
    .option(...step.chunk)
    .option(...step.prefix)
    .option(...step.block)
    .option(...step.memoryShare)
    .option(...step.engineS)
    .optionsGroup('Requests:')
    .option(...traffic.tasks)
    .option('--quality <file>', 'JSON {model: {task: accuracy}} (default: published ones of OPT)', word('--quality'))
    .option(...promise.deadline)
    .option(...promise.soft)
    .option(...traffic.prompt)
    .option(...traffic.output)
    .option('--arrivals <law>', 'as of `simulate serve` (default: bursty:cv=0.5,window=4)', traffic.arrivals[2])
    .option(
      '--least-rate <r>',
      'least mean rate of an episode (default: 3 % of saturation)',
      number('--least-rate', { above: 0, most: 1e6 }),
    )
    .option(
      '--most-rate <r>',
      'largest (default: saturation within the deadline)',
      number('--most-rate', { above: 0, most: 1e6 }),
    )
    .optionsGroup('Training:')
    .option('--episodes <n>', `simulated stretches of traffic (default: ${usual.episodes})`, count('--episodes'))
    .option('--steps <n>', `of training in each (default: ${usual.steps})`, count('--steps'))
    .option('--hidden <n,...>', 'widths of the hidden layers (default: 64,64)', hidden('--hidden'))
    .option(
      '--learning-rate <r>',
      `of Adam, falling (default: ${usualHyper.rate})`,
      number('--learning-rate', { above: 0, most: 1 }),
    )
    .option(
      '--gamma <g>',
      `discount per request (default: ${usualHyper.gamma})`,
      number('--gamma', { least: 0, below: 1 }),
    )
    .option(
      '--penalty <p>',
      `of a missed deadline (default: ${usualHyper.penalty})`,
      number('--penalty', { least: 0, most: 1000 }),
    )
    .option('--seed <n>', 'of everything that is drawn (default: 1)', count('--seed', 0))
    .option('--resume', 'go on from the checkpoint')
    .optionsGroup('Output:')
    .option(...outputOptions.json)
    .addHelpText('after', help)
    .action(async (models, file, flags) => {
      checkWritable(file)
      const { prompt = always(128), output = always(48), seed = 1 } = flags
      const of = await fleetOf(models, flags, Math.round(prompt.mean + output.mean / 2))
      const scenario = await scenarioOf(of, { ...flags, prompt, output })
      const { loadTensorFlow } = await import('../serving/tensorflow.ts')
      const { tf, backend } = await loadTensorFlow()
      const hyper: Hyper = {
        ...usualHyper,
        hidden: flags.hidden ?? usualHyper.hidden,
        rate: flags.learningRate ?? usualHyper.rate,
        gamma: flags.gamma ?? usualHyper.gamma,
        penalty: flags.penalty ?? usualHyper.penalty,
      }
      const { episodes = usual.episodes, steps = usual.steps } = flags
      const most = flags.mostRate ?? scenario.scales.rate
      const least = flags.leastRate ?? Math.min(most, 0.03 * scenario.scales.rate)
      if (least > most) throw new UsageError(`--least-rate: expected at most the largest rate ${most}, got ${least}`)
      const arrivals = flags.arrivals ?? { name: 'bursty', values: { cv: 0.5, window: 4 } }
      const trafficOf = { arrivals, least, most, seconds: usual.seconds }
      const training = new Training({ tf, scenario, traffic: trafficOf, hyper, seed, episodes, stepsPerEpisode: steps })
      const asked = JSON.stringify({
        models,
        machine: of.machine.name,
        flags: { ...flags, resume: undefined, json: undefined },
      })
      const last = await trained(training, { file, asked, resume: flags.resume === true, episodes })
      const policy = training.policy()
      const { evaluate } = await import('../../simulate/serving/dqn/evaluation.ts')
      const evaluation = evaluate(scenario, policy, trafficOf, seed)
      const protocol = { backend, seed, episodes, steps_per_episode: steps, hyper, traffic: trafficOf }
      writeWhole(file, `${JSON.stringify(policyFile(policy, protocol))}\n`)
      const { removeCheckpoint } = await import('../serving/checkpoint.ts')
      removeCheckpoint(checkpointOf(file))
      training.dispose()
      const json = {
        file,
        ...protocol,
        models: scenario.models,
        tasks: scenario.tasks,
        last,
        evaluation,
        warnings: of.warnings,
      }
      const view = async () => (await import('../views/router.ts')).routerView(json)
      await print({ json, view }, flags)
    })
}

/** Widths may be the same: unlike other lists. */
function hidden(flag: string) {
  const one = counts(flag, 1, 4096)
  return (text: string, previous: readonly number[] | undefined) => {
    if (previous !== undefined) throw new UsageError(`${flag}: expected one value, got a second: ${text}`)
    return text.split(',').flatMap((part) => one(part, undefined))
  }
}

function checkpointOf(file: string): string {
  return `${file}.checkpoint`
}

interface Run {
  readonly file: string
  readonly asked: string
  readonly resume: boolean
  readonly episodes: number
}

/** Episodes between two checkpoints. */
const checkpointEvery = 5

/** Runs the episodes that are left, with checkpoints; returns the last one's figures. */
async function trained(training: Training, { file, asked, resume, episodes }: Run): Promise<Episode | null> {
  const { damaged, readCheckpoint, writeCheckpoint } = await import('../serving/checkpoint.ts')
  const path = checkpointOf(file)
  if (resume) {
    const state = readCheckpoint(path, asked)
    try {
      await training.restore(state)
    } catch (error) {
      throw damaged(path, error instanceof RangeError ? error.message : 'parts are missing')
    }
  } else if (existsSync(path)) {
    throw new UsageError(`${path}: a training was interrupted here; expected --resume, or the file away`)
  }
  const shown = progress(process.stderr, '; --resume goes on from the last checkpoint')
  let last: Episode | null = null
  while (!training.done) {
    last = training.next()
    const percent = (share: number) => `${(100 * share).toFixed(0)} %`
    await shown.step(
      `episode ${training.episode} of ${episodes}: ${last.rate.toFixed(0)} requests/s, ${percent(last.availability)} in time, ${percent(last.epsilon)} by chance`,
    )
    if (training.episode % checkpointEvery !== 0) continue
    const state = await training.state()
    writeCheckpoint(path, asked, state)
    // The optimizer's products of decays are restored rounded otherwise: so that both ways go on alike.
    await training.restore(state)
  }
  shown.end()
  return last
}

interface ScenarioFlags {
  readonly tasks?: readonly { readonly name: string; readonly weight: number }[] | undefined
  readonly quality?: string | undefined
  readonly deadline?: number | undefined
  readonly soft?: number | undefined
  readonly prompt: ReturnType<typeof always>
  readonly output: ReturnType<typeof always>
}

async function scenarioOf({ members }: FleetOf, flags: ScenarioFlags): Promise<Scenario> {
  const { tasks, deadline, prompt, output } = flags
  if (members.length < 2) throw new UsageError(`models: expected two at least, between which a router chooses`)
  if (tasks === undefined) throw new UsageError('--tasks: expected the tasks of the requests, got none')
  if (deadline === undefined) throw new UsageError('--deadline: expected one, got none')
  const models = members.map((m) => m.kind.name)
  const names = tasks.map((t) => t.name)
  const batches = feasible('', { members, prompt: prompt.mean, output: output.mean, deadline })
  const late = batches.indexOf(0)
  if (late >= 0)
    throw new UsageError(`--deadline: ${models[late]} alone takes longer; expected more than ${deadline} s`)
  // What a fleet serves within the deadline, and never more than what saturates it.
  const rate = members.reduce((sum, { kind, count }, m) => {
    const within = (batches[m] as number) / deadline
    return sum + count * Math.min(within, saturationRate(kind, prompt, output))
  }, 0)
  return {
    models,
    tasks: names,
    quality: qualityOf(await readQualityFlag(flags.quality), models, names),
    deadline,
    soft: flags.soft,
    prompt,
    output,
    scales: { batches, rate },
    drawTasks: (random) => drawTasks(tasks, random),
    replicas: (streams) =>
      members.flatMap(({ kind, count }, model) => Array.from({ length: count }, () => kind.serving(model, streams()))),
  }
}

async function readQualityFlag(path: string | undefined): Promise<Quality> {
  if (path === undefined) return optQuality
  const { readQuality } = await import('../serving/runs.ts')
  return readQuality(path)
}
