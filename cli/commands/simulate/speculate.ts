// memwall simulate speculate: a draft that guesses and a target that verifies (simulate/speculation).
import { seeded } from '../../../model/random.ts'
import { taskNames, textsOfTask } from '../../../simulate/bild/tasks.ts'
import { type Trace, traceOf } from '../../../simulate/bild/trace.ts'
import { type Acceptance, fromAlpha, largestGamma } from '../../../simulate/speculation/acceptance.ts'
import { bestGamma, mostTried } from '../../../simulate/speculation/gain.ts'
import {
  type RoundSeconds,
  type SpeculationOutcome,
  simulateRounds,
  simulateTexts,
} from '../../../simulate/speculation/monte-carlo.ts'
import { parseRate, type Rate, type RateKind, sameAccepted, traceRate } from '../../../simulate/speculation/rate.ts'
import { agreeing } from '../../../simulate/speculation/replay.ts'
import { areRounds, roundsOf } from '../../../simulate/speculation/rounds.ts'
import { Command } from '../../commander.ts'
import { UsageError } from '../../errors.ts'
import { choice, count, counts, plotFile, word } from '../../options.ts'
import { checkOutput, outputOptions, print } from '../../output.ts'
import { readTrace, type Steps, stepOptions, stepsOf } from './source.ts'

const help = `
alpha is the probability that a drafted token is accepted where all before it
were; accepted is accepted over drafted tokens. 0.9 at gamma 6 is 5.2 tokens a
round as the one and 6.4 as the other. Either may be a table over contexts,
4k:0.84/32k:0.81, which --context reads.

A trace is JSON Lines: a line a round, {"drafted": 5, "accepted": 3}, or a line
a token as of \`simulate bild\`, of which those are accepted where both models
choose the same. A step of the target takes gamma + 1 tokens at once.`

/** Where acceptance comes from. */
export interface Guesses {
  readonly title: string
  readonly json: object
  /** The closed form's acceptance. Throws RangeError where a gamma is not known. */
  closed(gamma: number): Acceptance
  /** Largest gamma that may be asked for. */
  readonly most: number
  /** Whether texts are short or their tokens given, so that the closed form is not exact and the best gamma is simulated. */
  readonly texts: boolean
  /** Tokens cached in the middle of a text. */
  readonly context: number
  /** Simulates as many tokens as were asked for, or `most`. */
  simulate(gamma: number, seconds: RoundSeconds, most?: number): SpeculationOutcome
  readonly warnings: readonly string[]
}

export interface Point {
  readonly gamma: number
  readonly acceptance: Acceptance
  readonly outcome: SpeculationOutcome
  readonly closed: { readonly latency: number; readonly speedup: number; readonly operations: number | null }
}

export function command() {
  const { smallS, largeS, model, small, on, mode, context, source, passS, layerS } = stepOptions
  return new Command('speculate')
    .description('Speculative decoding: what a draft gains at which gamma, in closed form and by Monte Carlo.')
    .optionsGroup('Acceptance, one of:')
    .option('--alpha <p>', 'probability that a drafted token is accepted', word('--alpha'))
    .option('--accepted <share>', 'accepted over drafted tokens', word('--accepted'))
    .option('--trace <file>', 'rounds or tokens recorded from real models', word('--trace'))
    .option('--task <task>', `synthetic texts like those of ${taskNames.join(', ')}`, choice('--task', taskNames))
    .optionsGroup('Texts:')
    .option('--aligned', "with --task: the draft was trained on the target's texts")
    .option('--gamma <n,...>', 'drafted tokens a round (default: the best)', counts('--gamma', 0, largestGamma))
    .option('--tokens <n>', 'tokens to generate (default: 100k)', count('--tokens'))
    .option('--seed <n>', 'of what is drawn (default: 1)', count('--seed', 0))
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
    .option('--plot <file>', 'draw the speedup over gamma into FILE.png or FILE.svg', plotFile('--plot'))
    .option(...outputOptions.json)
    .option(...outputOptions.csv)
    .option(...outputOptions.markdown)
    .option(...outputOptions.out)
    .addHelpText('after', help)
    .action(async (flags) => {
      checkOutput(flags)
      const guesses = await guessesOf(flags)
      // A table over contexts reads the context even where steps are given in seconds.
      const tabled = (flags.alpha ?? flags.accepted)?.includes(':') && flags.smallS !== undefined
      const steps = await stepsOf(tabled ? { ...flags, context: undefined } : flags, guesses.context)
      const best = flags.gamma === undefined ? bestOf(guesses, steps) : undefined
      const gammas = flags.gamma ?? [best?.gamma ?? 0]
      const points = gammas.map((gamma) => pointOf(gamma, guesses, steps))
      const same = best !== undefined && flags.accepted !== undefined ? [sameAccepted] : []
      const warnings = [...steps.warnings, ...guesses.warnings, ...cappedWarning(best), ...same]
      if (flags.plot !== undefined) {
        const { plotSpeculation } = await import('../../chart/speculation.ts')
        const drawn = flags.gamma === undefined ? around(gammas[0] ?? 0, guesses, steps) : points
        await plotSpeculation(flags.plot, guesses.title, drawn)
      }
      const chosen = best !== undefined
      const view = async () =>
        (await import('../../views/speculation.ts')).speculationView(guesses.title, steps, points, chosen, warnings)
      await print({ json: json(guesses, steps, points, chosen, warnings), view }, flags)
    })
}

interface GuessFlags {
  readonly alpha?: string | undefined
  readonly accepted?: string | undefined
  readonly trace?: string | undefined
  readonly task?: (typeof taskNames)[number] | undefined
  readonly aligned?: true | undefined
  readonly tokens?: number | undefined
  readonly seed?: number | undefined
  readonly context?: number | undefined
}

const usualTokens = 100 * 2 ** 10

async function guessesOf(flags: GuessFlags): Promise<Guesses> {
  const ways = (['alpha', 'accepted', 'trace', 'task'] as const).filter((name) => flags[name] !== undefined)
  const [way] = ways
  if (way === undefined || ways.length > 1) {
    const got = ways.length === 0 ? 'none' : ways.map((name) => `--${name}`).join(' and ')
    throw new UsageError(`expected one of --alpha, --accepted, --trace and --task, got ${got}`)
  }
  if (flags.aligned && way !== 'task') throw new UsageError(`--aligned: expected --task, got --${way}`)
  if (way === 'task') return taskGuesses(flags)
  if (way === 'trace') return traceGuesses(flags)
  return rateGuesses(parsedRate(way, flags), flags)
}

function parsedRate(kind: RateKind, flags: GuessFlags): Rate {
  const text = flags[kind] ?? ''
  const rate = parseRate(kind, text)
  if (text.includes(':') && flags.context === undefined) {
    throw new UsageError(`--${kind}: expected --context beside a table over contexts`)
  }
  return rate
}

function rateGuesses(rate: Rate, { tokens = usualTokens, seed = 1, context = 1 }: GuessFlags): Guesses {
  return {
    title: rate.label,
    json: { rate: rate.label, task: null, aligned: null, trace: null, seed },
    closed: (gamma) => rate.at(gamma, context),
    most: rate.most,
    texts: false,
    context: 512,
    simulate: (gamma, seconds) => simulateRounds(tokens, rate.at(gamma, context), seeded(seed), seconds),
    warnings: rate.outside(context) ? [`${rate.label}: ${context} tokens lie outside, the nearest rate is taken`] : [],
  }
}

function taskGuesses({ task, aligned, tokens = usualTokens, seed = 1 }: GuessFlags): Guesses {
  if (task === undefined) throw new UsageError('--task: expected a task')
  const s = textsOfTask(task, aligned === true)
  return {
    title: s.title,
    json: { rate: null, task, aligned: aligned === true, trace: null, seed },
    closed: (gamma) => fromAlpha(s.agreement, gamma),
    most: largestGamma,
    texts: true,
    context: Math.ceil(s.tokens / 2),
    simulate: (gamma, seconds, most = tokens) => {
      const next = s.texts(seeded(seed))
      let given = 0
      const text = () => {
        if (given >= Math.min(tokens, most)) return undefined
        const { tokens: length, propose } = next()
        given += length
        return { tokens: length, accepted: (position: number, most: number) => drawnRun(propose, position, most) }
      }
      return simulateTexts(text, gamma, seconds)
    },
    warnings: ['the laws of the tasks were measured on confident tokens: agreement on the others is extrapolated'],
  }
}

function drawnRun(propose: (position: number) => { agrees: boolean }, position: number, most: number): number {
  let run = 0
  while (run < most && propose(position + run).agrees) run++
  return run
}

async function traceGuesses(flags: GuessFlags): Promise<Guesses> {
  const path = flags.trace ?? ''
  const trace = await readTrace(path, (lines) => (areRounds(lines) ? roundsOf(lines) : traceOf(lines)))
  if (!('texts' in trace)) {
    const guesses = rateGuesses(traceRate(trace), flags)
    return { ...guesses, json: { ...guesses.json, rate: null, trace: path } }
  }
  const drawn = (['tokens', 'seed'] as const).find((name) => flags[name] !== undefined)
  if (drawn !== undefined) throw new UsageError(`--${drawn}: nothing is drawn from a trace of tokens`)
  return tokenGuesses(path, trace)
}

function tokenGuesses(path: string, { texts }: Trace): Guesses {
  const agrees = texts.map((t) => t.proposals.map((p) => p.agrees))
  const all = agrees.flat()
  const alpha = all.filter(Boolean).length / all.length
  return {
    title: `${texts.length === 1 ? 'a text' : `${texts.length} texts`} of ${path}`,
    json: { rate: null, task: null, aligned: null, trace: path, seed: null },
    closed: (gamma) => fromAlpha(alpha, gamma),
    most: largestGamma,
    texts: true,
    context: Math.ceil(all.length / texts.length / 2),
    simulate: (gamma, seconds) => {
      let i = 0
      const text = () => {
        const own = agrees[i++]
        return own && { tokens: own.length, accepted: agreeing(own) }
      }
      return simulateTexts(text, gamma, seconds)
    },
    warnings: [],
  }
}

function secondsOf(gamma: number, steps: Steps): RoundSeconds {
  return { round: gamma * steps.small + steps.large(gamma + 1), alone: steps.large(1) }
}

function bestOf(guesses: Guesses, steps: Steps): { gamma: number; capped: boolean } {
  const round = (gamma: number) => {
    const seconds = secondsOf(gamma, steps)
    if (!guesses.texts) return { tokens: guesses.closed(gamma).tokens, seconds: seconds.round }
    const { counts, latency, texts } = guesses.simulate(gamma, seconds, usualTokens)
    return { tokens: counts.tokens, seconds: latency * texts }
  }
  return bestGamma(round, Math.min(mostTried, guesses.most))
}

function cappedWarning(best: { gamma: number; capped: boolean } | undefined): string[] {
  return best?.capped ? [`gamma ${best.gamma} is the largest that was tried: a larger one may be better`] : []
}

/** Gammas from 0 to beyond the best, for its chart. */
function around(best: number, guesses: Guesses, steps: Steps): Point[] {
  const most = Math.min(guesses.most, Math.max(4, 2 * best))
  const every = Math.ceil(most / 16)
  const gammas = Array.from({ length: Math.floor(most / every) + 1 }, (_, i) => i * every)
  return [...new Set([...gammas, best])].sort((a, b) => a - b).map((gamma) => pointOf(gamma, guesses, steps))
}

function pointOf(gamma: number, guesses: Guesses, steps: Steps): Point {
  const acceptance = guesses.closed(gamma)
  const seconds = secondsOf(gamma, steps)
  const outcome = guesses.simulate(gamma, seconds)
  const { operations } = steps
  return {
    gamma,
    acceptance,
    outcome,
    closed: {
      latency: ((outcome.counts.tokens / outcome.texts) * seconds.round) / acceptance.tokens,
      speedup: (acceptance.tokens * seconds.alone) / seconds.round,
      operations: operations === null ? null : (gamma * operations + gamma + 1) / acceptance.tokens,
    },
  }
}

function json(guesses: Guesses, steps: Steps, points: readonly Point[], chosen: boolean, warnings: readonly string[]) {
  const shared = {
    workload: guesses.json,
    mode: steps.mode,
    models: steps.models,
    context: steps.context,
    small_s: steps.small,
    large_s: steps.large(1),
    gamma_chosen: chosen,
  }
  const [only] = points
  if (points.length === 1 && only !== undefined) return { ...shared, ...pointJson(only), warnings }
  return { ...shared, rows: points.map(pointJson), warnings }
}

function pointJson({ gamma, acceptance, outcome: o, closed }: Point) {
  const c = o.counts
  return {
    gamma,
    alpha: acceptance.alpha ?? null,
    accepted: acceptance.accepted ?? null,
    tokens_per_round: c.tokens / c.rounds,
    latency_s: o.latency,
    time_per_token_s: (o.latency * o.texts) / c.tokens,
    speedup: o.speedup,
    texts: o.texts,
    counts: {
      tokens: c.tokens,
      rounds: c.rounds,
      drafted: c.drafted,
      accepted: c.accepted,
      small_steps: c.drafted,
      large_steps: c.rounds,
    },
    ci95: o.interval === undefined ? null : { latency_s: o.interval.latency, speedup: o.interval.speedup },
    closed_form: {
      tokens_per_round: acceptance.tokens,
      latency_s: closed.latency,
      speedup: closed.speedup,
      operations: closed.operations,
    },
  }
}
