// memwall simulate search: trees of sampled steps that a reward model guides (simulate/search).
import { calibrations } from '../../../hardware/profile.ts'
import { readings, retained } from '../../../simulate/search/cost.ts'
import { greedyKept } from '../../../simulate/search/greedy.ts'
import {
  admissions,
  against,
  experiment,
  type Gain,
  type Outcome,
  type Ratio,
} from '../../../simulate/search/outcome.ts'
import type { Solver } from '../../../simulate/search/program.ts'
import type { Search } from '../../../simulate/search/search.ts'
import { type Settings, type StrategyName, settingsDefaults, strategyNames } from '../../../simulate/search/select.ts'
import { generatorDefaults } from '../../../simulate/search/synthetic.ts'
import { Command } from '../../commander.ts'
import { UsageError } from '../../errors.ts'
import {
  choice,
  count,
  counts,
  each,
  formatOption,
  listOf,
  number,
  numbers,
  plotFile,
  seconds,
  weightFormats,
  word,
} from '../../options.ts'
import { checkOutput, outputFormat, outputOptions, print } from '../../output.ts'
import { memoryShare, type Places, searchPlaces } from './search-places.ts'
import { type Steps, searchSteps } from './search-source.ts'

const help = `
Every strategy is compared with REBASE on the same problems: the same samples of
the same steps, so that differences are the strategies' own.

A trace is JSON Lines, one line a node, recorded from a real search:
  {"node": 0, "parent": null, "tokens": 120, "truth": "42"}
  {"node": 1, "parent": 0, "tokens": 57, "reward": 0.93,
   "embedding": [0.1, -0.2], "answer": "42"}
A node without a parent is a problem: its tokens are the prompt's, truth its
right answer if known. reward: what the reward model says of the step;
embedding: the step's own, which ets needs; answer: ends the path; "problem"
tells problems apart. What a strategy asks beyond the recording is counted.

Coverage is the share of the candidates that can still be right that go on:
what stands for accuracy where no model is there to answer.`

const solvers = ['exact', 'greedy'] as const

/** One point of a sweep. */
export interface Point {
  readonly settings: Settings
  readonly outcome: Outcome
  /** Over REBASE at this width; undefined for itself. */
  readonly gain: Gain | undefined
  /** Where events were asked for. */
  readonly searches: readonly Search[]
}

export function command() {
  const d = generatorDefaults
  return new Command('search')
    .description('Tree search by steps: what REBASE, beam search, DVTS and ETS keep in the cache, cost and find.')
    .optionsGroup('Strategy:')
    .option(
      '--strategy <s,...>',
      `${strategyNames.join(', ')} (default: ets; ets-kv is without coverage)`,
      listOf('--strategy', strategyNames),
    )
    .option('--width <n,...>', 'samples of a step (default: 64)', counts('--width', 1, 65536))
    .option(
      '--lambda-b <x,...>',
      `ets: what a whole tree costs (default: ${settingsDefaults.budget})`,
      numbers('--lambda-b', 0, 1e6),
    )
    .option(
      '--lambda-d <x,...>',
      `ets: what all clusters are worth (default: ${settingsDefaults.diversity})`,
      numbers('--lambda-d', 0, 1e6),
    )
    .option('--temperature <t>', 'of the softmax over rewards (default: 0.2)', number('--temperature', { above: 0 }))
    .option(
      '--distance <x>',
      'ets: cosine distance up to which steps say the same (default: 0.05)',
      number('--distance', { least: 0, most: 2 }),
    )
    .option('--fixed <n>', 'beam, dvts: paths kept (default: square root of the width)', count('--fixed'))
    .option('--depth <n>', 'steps of a path, at most (default: 25)', count('--depth'))
    .option('--max-tokens <n>', 'tokens from which on a path is left (default: 1024)', count('--max-tokens'))
    .option(
      '--solver <kind>',
      "exact (HiGHS) or greedy, for ets's program (default: exact)",
      choice('--solver', solvers),
    )
    .option(
      '--time-limit <s>',
      'of one exact solve, then the better of its best and greedy (default: 10)',
      seconds('--time-limit'),
    )
    .option('--time-solver', "add the solver's seconds on this computer, which differ from run to run")
    .optionsGroup('Problems:')
    .option('--trace <file>', 'searches recorded from real models, in place of synthetic ones', word('--trace'))
    .option('--problems <n>', 'synthetic problems (default: 20)', count('--problems'))
    .option('--seed <n>', 'of what is drawn (default: 1)', count('--seed', 0))
    .option('--prompt <n>', `tokens of a problem (default: ${d.prompt}, as ETS's release counts)`, count('--prompt', 0))
    .option('--start <z>', `log-odds of being right at first (default: ${d.start})`, number('--start'))
    .option(
      '--difficulty <x>',
      `its spread over problems (default: ${d.difficulty})`,
      number('--difficulty', { least: 0 }),
    )
    .option('--drift <x>', `its mean change by a step (default: ${d.drift})`, number('--drift'))
    .option('--wander <x>', `spread of that change (default: ${d.wander})`, number('--wander', { least: 0 }))
    .option(
      '--reward-noise <x>',
      `of the reward model, in log-odds (default: ${d.rewardNoise})`,
      number('--reward-noise', { least: 0 }),
    )
    .option('--step-tokens <n>', `median of a step (default: ${d.stepTokens})`, number('--step-tokens', { least: 1 }))
    .option('--step-spread <x>', `of their logarithm (default: ${d.stepSpread})`, number('--step-spread', { least: 0 }))
    .option('--shortest <n>', `tokens of a step, at least (default: ${d.shortest})`, count('--shortest'))
    .option('--longest <n>', `and at most (default: ${d.longest})`, count('--longest'))
    .option('--zipf <a>', `exponent of approaches by frequency (default: ${d.zipf})`, number('--zipf', { above: 1 }))
    .option(
      '--approach-memory <n>',
      `steps before one that say what its approach means (default: ${d.approachMemory})`,
      count('--approach-memory', 0),
    )
    .option(
      '--embedding-size <n>',
      `numbers of an embedding (default: ${d.embeddingSize})`,
      count('--embedding-size', 2),
    )
    .option(
      '--embedding-noise <x>',
      `of steps about their approach (default: ${d.embeddingNoise})`,
      number('--embedding-noise', { least: 0 }),
    )
    .option(
      '--hazard <p>',
      `a path ends at depth d with p x (d - from) (default: ${d.hazard})`,
      number('--hazard', { least: 0 }),
    )
    .option('--hazard-from <d>', `that from (default: ${d.hazardFrom})`, number('--hazard-from'))
    .option(
      '--wrong-answers <n>',
      `different ones, by Zipf's law too (default: ${d.wrongAnswers})`,
      count('--wrong-answers'),
    )
    .optionsGroup('Machines:')
    .option('--model <model>', 'the model that writes the steps; needs --on', word('--model'))
    .option('--on <machine>', 'the machine that it runs on', word('--on'))
    .option('--weights <[role=]format>', 'storage of its weights', weightFormats('--weights'))
    .option('--kv <format>', 'storage of its cache', formatOption('--kv'))
    .option('--tp <n>', 'devices of tensor parallelism (default: 1)', count('--tp'))
    .option('--with <method[:k=v,...]>', 'a method of `memwall list methods`; repeatable', each('--with'))
    .option('--memory <bytes>', "a device's memory, in place of the machine's: 94e9", number('--memory', { above: 0 }))
    .option(
      '--memory-share <x>',
      `of it for weights and cache (default: ${memoryShare})`,
      number('--memory-share', { above: 0, most: 1 }),
    )
    .option('--threads <n>', 'problems at once, if they fit (default: 8)', count('--threads'))
    .option(
      '--admit <kind>',
      'fitting: problems start when they fit; all: they take turns, and what the cache loses is computed again (default: fitting)',
      choice('--admit', admissions),
    )
    .option(
      '--attention <kind>',
      'reads shared tokens on all paths, or once per tree (default: paths)',
      choice('--attention', readings),
    )
    .option('--prm <model>', 'the reward model; scores are free without', word('--prm'))
    .option('--prm-on <machine>', 'its own machine (default: another one as --on)', word('--prm-on'))
    .option('--prm-keeps <kind>', 'between steps: tree or prompt (default: tree)', choice('--prm-keeps', retained))
    .option('--embedder <model>', "ets: the encoder of steps, on the reward model's machine", word('--embedder'))
    .option('--calibration <set>', 'none, global or measured, as of predict', choice('--calibration', calibrations))
    .optionsGroup('Output:')
    .option('--events', 'add every step: widths, kept, objective')
    .option(
      '--plot <file>',
      'draw coverage over KV tokens, or a sweep of lambda, into FILE.png or .svg',
      plotFile('--plot'),
    )
    .option(...outputOptions.json)
    .option(...outputOptions.csv)
    .option(...outputOptions.markdown)
    .option(...outputOptions.out)
    .addHelpText('after', help)
    .action(async (flags) => {
      checkOutput(flags)
      const { depth = settingsDefaults.depth, maxTokens: tokens = settingsDefaults.tokens } = flags
      const grid = settingsOf(flags, depth, tokens)
      if (flags.events && grid.length > 1)
        throw new UsageError('--events: expected one strategy, width and pair of lambdas')
      if (flags.events && outputFormat(flags) === 'csv')
        throw new UsageError('--events: expected no --csv, whose rows are of the sweep')
      if (flags.plot !== undefined && grid.length < 2) {
        throw new UsageError('--plot: expected several strategies, widths or lambdas to draw, got one')
      }
      checkApplies(flags, grid)
      const steps = await searchSteps(flags)
      checkEmbedded(grid, steps)
      const longest = steps.prompt + tokens + (flags.longest ?? d.longest)
      const places = await searchPlaces(flags, longest)
      if (flags.admit !== undefined && places === undefined)
        throw new UsageError('--admit: expected --model beside it, got none')
      const points = await pointsOf(grid, flags, steps, places)
      const warnings = [...(places?.warnings ?? []), ...pointWarnings(points, places, flags.solver !== 'greedy')]
      const run = {
        steps,
        places,
        solver: flags.solver ?? 'exact',
        timed: flags.timeSolver === true,
        warnings,
      } as const
      if (flags.plot !== undefined) {
        const { plotSearch } = await import('../../chart/search.ts')
        await plotSearch(flags.plot, steps.title, points)
      }
      const view = async () => (await import('../../views/search.ts')).searchView(run, points)
      await print({ json: json(run, points), view }, flags)
    })
}

/** What all points of an answer share. */
export interface Run {
  readonly steps: Steps
  readonly places: Places | undefined
  readonly solver: (typeof solvers)[number]
  readonly timed: boolean
  readonly warnings: readonly string[]
}

interface Flags {
  readonly strategy?: readonly StrategyName[] | undefined
  readonly width?: readonly number[] | undefined
  readonly lambdaB?: readonly number[] | undefined
  readonly lambdaD?: readonly number[] | undefined
  readonly temperature?: number | undefined
  readonly distance?: number | undefined
  readonly fixed?: number | undefined
  readonly solver?: (typeof solvers)[number] | undefined
  readonly timeLimit?: number | undefined
  readonly timeSolver?: true | undefined
  readonly admit?: (typeof admissions)[number] | undefined
  readonly events?: true | undefined
  readonly embedder?: string | undefined
  readonly embeddingSize?: number | undefined
  readonly embeddingNoise?: number | undefined
}

function settingsOf(flags: Flags, depth: number, tokens: number): Settings[] {
  const { strategy = ['ets'], width = [64], fixed } = flags
  const { lambdaB = [settingsDefaults.budget], lambdaD = [settingsDefaults.diversity] } = flags
  const { temperature = settingsDefaults.temperature, distance = settingsDefaults.distance } = flags
  const shared = { temperature, distance, depth, tokens, ...(fixed !== undefined && { fixed }) }
  return width.flatMap((w) =>
    strategy.flatMap((s) =>
      (solves(s) ? lambdaB : [0]).flatMap((budget) =>
        (s === 'ets' ? lambdaD : [0]).map((diversity) => ({ ...shared, strategy: s, width: w, budget, diversity })),
      ),
    ),
  )
}

/** Whether the strategy has a program to solve. */
function solves(strategy: StrategyName): boolean {
  return strategy === 'ets' || strategy === 'ets-kv'
}

/** Refuses what would change nothing. */
function checkApplies(flags: Flags, grid: readonly Settings[]): void {
  const some = (of: (s: Settings) => boolean) => grid.some(of)
  const needs = (given: unknown, flag: string, strategies: string, applies: boolean) => {
    if (given !== undefined && !applies)
      throw new UsageError(`${flag}: it is for ${strategies}; expected that in --strategy`)
  }
  const programs = some((s) => solves(s.strategy))
  needs(flags.lambdaB, '--lambda-b', 'ets and ets-kv', programs)
  needs(flags.solver, '--solver', 'ets and ets-kv', programs)
  needs(flags.timeLimit, '--time-limit', 'ets and ets-kv', programs)
  needs(flags.timeSolver, '--time-solver', 'ets and ets-kv', programs)
  needs(
    flags.lambdaD,
    '--lambda-d',
    'ets',
    some((s) => s.strategy === 'ets'),
  )
  needs(
    flags.fixed,
    '--fixed',
    'beam and dvts',
    some((s) => s.strategy === 'beam' || s.strategy === 'dvts'),
  )
  for (const [name, flag] of forClusters) needs(flags[name], flag, 'ets with a lambda-d above 0', some(clustered))
  if (flags.timeLimit !== undefined && flags.solver === 'greedy') {
    throw new UsageError('--time-limit: it is for --solver exact, not for greedy')
  }
}

/** What only clusters of steps can feel. */
const forClusters = [
  ['distance', '--distance'],
  ['embedder', '--embedder'],
  ['embeddingSize', '--embedding-size'],
  ['embeddingNoise', '--embedding-noise'],
] as const satisfies readonly (readonly [keyof Flags, string])[]

function clustered(s: Settings): boolean {
  return s.strategy === 'ets' && s.diversity > 0
}

function checkEmbedded(grid: readonly Settings[], { embedded, title }: Steps): void {
  if (embedded || !grid.some(clustered)) return
  throw new UsageError(`${title}: ets expects embeddings, got none; --strategy ets-kv or --lambda-d 0 go without`)
}

async function pointsOf(
  grid: readonly Settings[],
  flags: Flags,
  { source }: Steps,
  places: Places | undefined,
): Promise<Point[]> {
  const solve = await solverOf(grid, flags)
  const run = (settings: Settings, searches?: Search[]): Outcome => {
    const costs = places && { ...places.costs, ...(!clustered(settings) && { embedder: undefined }) }
    return experiment({
      source,
      settings,
      solve,
      ...(costs && { costs }),
      ...(flags.admit && { admission: flags.admit }),
      ...(flags.timeSolver && { clock: () => performance.now() / 1e3 }),
      ...(searches && { log: (one: Search) => searches.push(one) }),
    })
  }
  const bases = new Map<number, Outcome>()
  const base = (s: Settings): Outcome => {
    const known = bases.get(s.width) ?? run({ ...s, strategy: 'rebase' })
    bases.set(s.width, known)
    return known
  }
  return grid.map((settings) => {
    const searches: Search[] = []
    if (settings.strategy === 'rebase') {
      const outcome = flags.events ? run(settings, searches) : base(settings)
      return { settings, outcome, gain: undefined, searches }
    }
    const outcome = run(settings, flags.events ? searches : undefined)
    return { settings, outcome, gain: against(base(settings), outcome), searches }
  })
}

async function solverOf(grid: readonly Settings[], { solver, timeLimit }: Flags): Promise<Solver> {
  if (solver === 'greedy' || !grid.some((s) => solves(s.strategy))) return greedyKept
  const { exactSolver } = await import('../../../simulate/search/exact.ts')
  return exactSolver(timeLimit)
}

function pointWarnings(points: readonly Point[], places: Places | undefined, exact: boolean): string[] {
  return points.flatMap(({ settings: { strategy, width }, outcome: o }) => {
    const name = `${strategy}, width ${width}`
    const gib = (bytes: number) => `${(bytes / 2 ** 30).toFixed(1)} GiB`
    return [
      ...(o.missing > 0
        ? [`${name}: the recording lacks ${o.missing} of the samples asked for; it is searched as far as it goes`]
        : []),
      ...(o.time?.fits === false
        ? [
            `${name}: a tree does not fit: expected a device of at least ${gib(o.time.least)}, got ${gib(places?.capacity ?? 0)}; no throughput`,
          ]
        : []),
      ...(exact && o.solver.unproven > 0
        ? [`${name}: ${o.solver.unproven} of ${o.solver.solves} solves hit --time-limit and gave the best found`]
        : []),
    ]
  })
}

function json({ steps, places, solver, timed, warnings }: Run, points: readonly Point[]) {
  const shared = { workload: steps.json, models: places?.json ?? null }
  const [only] = points
  const of = (p: Point) => pointJson(p, places, solver, timed)
  if (points.length === 1 && only !== undefined) return { ...shared, ...of(only), warnings }
  return { ...shared, rows: points.map(of), warnings }
}

function pointJson(
  { settings: s, outcome: o, gain, searches }: Point,
  places: Places | undefined,
  solver: string,
  timed: boolean,
) {
  const t = o.time
  const fits = t?.fits === true
  return {
    strategy: s.strategy,
    width: s.width,
    lambda_b: solves(s.strategy) ? s.budget : null,
    lambda_d: solves(s.strategy) ? s.diversity : null,
    temperature: s.temperature,
    distance: clustered(s) ? s.distance : null,
    fixed: s.fixed ?? null,
    depth: s.depth,
    max_tokens: s.tokens,
    problems: o.problems,
    kv_tokens: {
      mean: o.kv.mean,
      peak: o.kv.peak,
      unshared: o.kv.unshared,
      total: o.kv.total,
      sharing: o.kv.mean === 0 ? 1 : o.kv.unshared / o.kv.mean,
    },
    kv_bytes_per_token: places?.kvBytesPerToken ?? null,
    throughput: fits ? t.throughput : null,
    throughput_bound: fits ? t.throughputBound : null,
    concurrency: t?.together ?? null,
    latency_s: t?.latency ?? null,
    seconds: t ? { generate: t.generate, score: t.score, embed: t.embed } : null,
    memory: t ? { fits, least: t.least, capacity: places?.capacity ?? null } : null,
    coverage: o.coverage ?? null,
    approach_coverage: o.approaches ?? null,
    going: o.going,
    accuracy: o.accuracy ?? null,
    steps_per_problem: o.steps,
    tokens: {
      generated: o.generated,
      requested: o.requested,
      recomputed: t ? o.recomputed : null,
      missing_samples: o.missing,
    },
    solver: solves(s.strategy) ? solverJson(o, solver, timed) : null,
    ci95: {
      kv_tokens: o.kvInterval ?? null,
      throughput: fits ? (t.throughputInterval ?? null) : null,
      coverage: o.coverageInterval ?? null,
      accuracy: o.accuracyInterval ?? null,
    },
    against:
      gain === undefined
        ? null
        : {
            strategy: 'rebase',
            kv_reduction: ratioJson(gain.kv),
            throughput_gain: ratioJson(gain.throughput),
          },
    ...(searches.length > 0 && { steps: searches.flatMap(stepsJson) }),
  }
}

function ratioJson(ratio: Ratio | undefined) {
  return ratio ? { value: ratio.value, ci95: ratio.interval ?? null } : null
}

function solverJson(o: Outcome, kind: string, timed: boolean) {
  const { solves, unproven, clusters, seconds: own } = o.solver
  const each = own / o.problems
  return {
    kind,
    solves,
    unproven,
    clusters,
    ...(timed && { measured_s: each, share_of_step: o.time ? each / (each + o.time.latency) : null }),
  }
}

function stepsJson({ steps }: Search, problem: number) {
  return steps.map(({ depth, candidates, chosen, unique, unshared }) => ({
    problem,
    depth,
    candidates: candidates.map((c) => c.id),
    widths: chosen.widths,
    kept: candidates.filter((_, i) => chosen.keep[i]).map((c) => c.id),
    objective: chosen.objective ?? null,
    clusters: chosen.clusters ?? null,
    kv_tokens: unique,
    unshared,
  }))
}
