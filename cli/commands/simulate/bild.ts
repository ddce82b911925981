// memwall simulate bild: a small and a large model that share a text (simulate/bild/algorithm.ts).
import { seeded } from '../../../model/random.ts'
import { type Event, releasedThresholds, type Text, type Thresholds } from '../../../simulate/bild/algorithm.ts'
import { each, type Outcome, simulateBild, upTo } from '../../../simulate/bild/monte-carlo.ts'
import { type BildRates, bildRound, bildSeconds, largestWindow, roundSeconds } from '../../../simulate/bild/renewal.ts'
import { taskNames, textsOfTask } from '../../../simulate/bild/tasks.ts'
import { traceOf, traceRates } from '../../../simulate/bild/trace.ts'
import { Command } from '../../commander.ts'
import { UsageError } from '../../errors.ts'
import { choice, count, counts, numbers, plotFile, word } from '../../options.ts'
import { checkOutput, outputFormat, outputOptions, print } from '../../output.ts'
import { readTrace, type Steps, stepOptions, stepsOf } from './source.ts'

const help = `
Several thresholds or windows, separated by commas, are swept. A fallback of 0
never falls back (the released code takes 0 for its default, 0.6).

A trace is JSON Lines, one line a token, recorded from real models:
  {"confidence": 0.93, "small": 262, "large": 262, "nll": 0.11}
confidence: the small model's probability of its choice; small, large: the
choices of both; nll: -ln of the large model's probability of the small one's
choice; "sequence" tells texts apart. A first line may give the sizes
small_vocabulary and large_vocabulary.

Seconds are the decoder's steps at batch 1: encoders and prompts are left out.`

/** Where the texts come from, and what is known of them before any is generated. */
export interface Texts {
  readonly title: string
  readonly json: object
  readonly meanTokens: number
  /** A fresh pass over the texts. */
  start(): () => Text | undefined
  rates(thresholds: Thresholds): BildRates
  warnings(thresholds: Thresholds): string[]
}

export interface Point extends Thresholds {
  readonly outcome: Outcome
  readonly rates: BildRates
  readonly closed: { readonly latency: number; readonly speedup: number }
  readonly events: readonly (Event & { readonly text: number })[] | undefined
}

export function command() {
  const { smallS, largeS, model, small, on, mode, context, source, passS, layerS } = stepOptions
  return new Command('bild')
    .description('Big little decoding: what fallback, rollback and window cost and gain, token by token.')
    .optionsGroup('Texts:')
    .option('--task <task>', `synthetic texts like those of ${taskNames.join(', ')}`, choice('--task', taskNames))
    .option('--aligned', "the small model was trained on the large one's texts")
    .option('--trace <file>', 'texts recorded from real models, in place of a task', word('--trace'))
    .option('--tokens <n>', 'tokens to generate (default: 100k)', count('--tokens'))
    .option('--length <n>', "tokens of each text (default: as the task's)", count('--length'))
    .option('--seed <n>', 'of synthetic texts (default: 1)', count('--seed', 0))
    .optionsGroup('Thresholds:')
    .option(
      '--fallback <p,...>',
      `the large model takes over below this confidence (default: ${releasedThresholds.fallback})`,
      numbers('--fallback', 0, 1),
    )
    .option(
      '--rollback <x,...>',
      `it rolls back above this distance in nats (default: ${releasedThresholds.rollback})`,
      numbers('--rollback', 0, Number.POSITIVE_INFINITY),
    )
    .option(
      '--window <n,...>',
      `most tokens of the small model in a row (default: ${releasedThresholds.window})`,
      counts('--window', 1, largestWindow),
    )
    .optionsGroup('Steps:')
    .option(...smallS)
    .option(...largeS)
    .option(...model)
    .option(...small)
    .option(...on)
    .option(...mode)
    .option(...context)
    .option(...source)
    .option(...passS)
    .option(...layerS)
    .optionsGroup('Output:')
    .option('--events', 'print every step')
    .option('--plot <file>', 'draw latency over fallbacks and rollbacks into FILE.png or .svg', plotFile('--plot'))
    .option(...outputOptions.json)
    .option(...outputOptions.csv)
    .option(...outputOptions.markdown)
    .option(...outputOptions.out)
    .addHelpText('after', help)
    .action(async (flags) => {
      checkOutput(flags)
      const { fallback: released, rollback: far, window: usual } = releasedThresholds
      const { fallback = [released], rollback = [far], window = [usual] } = flags
      const grid = fallback.flatMap((f) => rollback.flatMap((r) => window.map((w) => [f, r, w] as const)))
      if (flags.events && grid.length > 1) throw new UsageError('--events: expected one value of each threshold')
      if (flags.events && outputFormat(flags) === 'csv') throw new UsageError('--events: CSV has no place for them')
      const texts = flags.trace === undefined ? taskTexts(flags) : await traceTexts(flags.trace, flags)
      // A step in the middle of a text stands for all of them.
      const steps = await stepsOf(flags, Math.ceil(texts.meanTokens / 2))
      const points = grid.map(([fallback, rollback, window]) =>
        pointOf({ fallback, rollback, window }, texts, steps, flags.events === true),
      )
      const warnings = [
        ...new Set([...steps.warnings, ...points.flatMap((p) => [...texts.warnings(p), ...idleWarnings(p)])]),
      ]
      if (flags.plot !== undefined) {
        const { plotBild } = await import('../../chart/bild.ts')
        await plotBild(flags.plot, texts.title, points)
      }
      const view = async () => (await import('../../views/bild.ts')).bildView(texts.title, steps, points, warnings)
      await print({ json: json(texts, steps, points, warnings), view }, flags)
    })
}

interface TextFlags {
  readonly task?: (typeof taskNames)[number] | undefined
  readonly aligned?: true | undefined
  readonly tokens?: number | undefined
  readonly length?: number | undefined
  readonly seed?: number | undefined
}

const usualTokens = 100 * 2 ** 10

function taskTexts({ task, aligned, tokens = usualTokens, length, seed = 1 }: TextFlags): Texts {
  if (task === undefined) throw new UsageError('expected --task or --trace: the texts to generate')
  const s = textsOfTask(task, aligned === true)
  const fixed = length === undefined ? {} : { tokens: length }
  return {
    title: s.title,
    json: { task, aligned: aligned === true, seed, length: length ?? null, trace: null },
    meanTokens: length ?? s.tokens,
    // Every point of a sweep meets the same chances.
    start: () => {
      const next = s.texts(seeded(seed))
      return upTo(tokens, () => ({ ...next(), ...fixed }))
    },
    rates: s.rates,
    warnings: s.warnings,
  }
}

async function traceTexts(path: string, flags: TextFlags): Promise<Texts> {
  const synthetic = (['task', 'aligned', 'tokens', 'length', 'seed'] as const).find((name) => flags[name] !== undefined)
  if (synthetic !== undefined) throw new UsageError(`--${synthetic}: it is for synthetic texts, not for --trace`)
  const trace = await readTrace(path, traceOf)
  return {
    title: `${trace.texts.length === 1 ? 'a text' : `${trace.texts.length} texts`} of ${path}`,
    json: { task: null, aligned: null, seed: null, length: null, trace: path },
    meanTokens: trace.texts.reduce((sum, t) => sum + t.tokens, 0) / trace.texts.length,
    start: () => each(trace.texts),
    rates: (thresholds) => traceRates(trace, thresholds),
    warnings: () => [],
  }
}

function pointOf(thresholds: Thresholds, texts: Texts, steps: Steps, logged: boolean): Point {
  const events: (Event & { text: number })[] = []
  const log = logged ? (event: Event, text: number) => events.push({ ...event, text }) : undefined
  const outcome = simulateBild(texts.start(), thresholds, steps, log)
  const rates = texts.rates(thresholds)
  const tokens = outcome.counts.tokens / outcome.texts
  const latency = bildSeconds(rates, tokens, steps)
  return {
    ...thresholds,
    outcome,
    rates,
    closed: { latency, speedup: closedSpeedup(rates, steps) },
    events: logged ? events : undefined,
  }
}

/** Thresholds that never or always fire on these texts. */
function idleWarnings({ fallback, rollback, outcome: { counts: c } }: Point): string[] {
  const emitted = c.smallSteps - c.fallbacks
  return [
    ...(c.fallbacks === 0 && c.smallSteps > 0 ? [`fallback ${fallback}: never fires on these texts`] : []),
    ...(emitted === 0 && c.smallSteps > 0
      ? [`fallback ${fallback}: always fires on these texts, so every small step is wasted`]
      : []),
    ...(c.rollbacks === 0 && emitted > 0 ? [`rollback ${rollback}: never fires on these texts`] : []),
  ]
}

function closedSpeedup(rates: BildRates, steps: Steps): number {
  const round = bildRound(rates)
  return (round.tokens * steps.large(1)) / roundSeconds(round, steps)
}

function json(texts: Texts, steps: Steps, points: readonly Point[], warnings: readonly string[]) {
  const shared = {
    workload: texts.json,
    mode: steps.mode,
    models: steps.models,
    context: steps.context,
    small_s: steps.small,
    large_s: steps.large(1),
  }
  const [only] = points
  if (points.length === 1 && only !== undefined) return { ...shared, ...pointJson(only), warnings }
  return { ...shared, rows: points.map(pointJson), warnings }
}

function pointJson({ fallback, rollback, window, outcome: o, rates, closed, events }: Point) {
  const c = o.counts
  return {
    fallback,
    rollback,
    window,
    latency_s: o.latency,
    time_per_token_s: (o.latency * o.texts) / c.tokens,
    speedup: o.speedup,
    texts: o.texts,
    counts: {
      tokens: c.tokens,
      small_steps: c.smallSteps,
      large_steps: c.largeSteps,
      fallbacks: c.fallbacks,
      rollbacks: c.rollbacks,
      capped: c.capped,
      deleted: c.deleted,
      iterations: c.iterations,
    },
    fallback_share: o.shares.fallback,
    rollback_share: o.shares.rollback,
    ci95: o.interval === undefined ? null : { latency_s: o.interval.latency, speedup: o.interval.speedup },
    closed_form: { unsure: rates.unsure, rejected: rates.rejected, latency_s: closed.latency, speedup: closed.speedup },
    ...(events && { events }),
  }
}
