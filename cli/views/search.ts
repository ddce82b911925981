// A search simulated: one row for each point of the sweep, or the facts of one, with its steps where they are asked for.
import type { Interval } from '../../simulate/confidence.ts'
import type { Ratio } from '../../simulate/search/outcome.ts'
import type { Section, View } from '../answer.ts'
import type { Point, Run } from '../commands/simulate/search.ts'
import { type Column, table } from '../table.ts'
import * as units from '../units.ts'

export function searchView(run: Run, points: readonly Point[]): View {
  const rows = table(columns(run, points), points)
  const [only] = points
  const one = points.length === 1 && only !== undefined
  const body: Section[] = one ? single(run, only) : [{ kind: 'table', table: rows }]
  const under = run.places === undefined ? run.steps.title : `${run.steps.title}; ${run.places.title}`
  return {
    table: rows,
    sections: [
      { kind: 'title', text: 'Tree search', under },
      ...body,
      { kind: 'notes', lines: notes(run, one) },
      { kind: 'warnings', lines: run.warnings },
    ],
  }
}

function notes({ places }: Run, one: boolean): string[] {
  return [
    `KV tokens are of a step before it is pruned, each once, with the prompt. ${one ? 'Intervals are of 95 % over problems.' : '--csv and --json add intervals of 95 % over problems.'}`,
    ...(places !== undefined && places.costs.scorer === undefined
      ? ['Scores cost nothing here; --prm adds the reward model.']
      : []),
  ]
}

function within(range: Interval | undefined, text: (x: number) => string): string {
  return range === undefined ? '' : ` (${text(range[0])} to ${text(range[1])})`
}

const two = (x: number) => `${x.toFixed(2)}x`

function times(ratio: Ratio | undefined): string {
  return ratio === undefined ? '' : two(ratio.value)
}

function single(run: Run, { settings: s, outcome: o, gain, searches }: Point): Section[] {
  const t = o.time
  const solved = s.strategy === 'ets' || s.strategy === 'ets-kv'
  const lambdas = solved ? `, lambda-b ${s.budget}${s.strategy === 'ets' ? `, lambda-d ${s.diversity}` : ''}` : ''
  const rows: [string, string][] = [
    ['strategy', `${s.strategy}, width ${s.width}${lambdas}`],
    ['KV tokens', `${units.digits(o.kv.mean)} in the mean${within(o.kvInterval, units.digits)}, ${o.kv.peak} at most`],
    [
      'unshared',
      `${units.digits(o.kv.unshared)} by paths: ${two(o.kv.mean === 0 ? 1 : o.kv.unshared / o.kv.mean)} as many`,
    ],
  ]
  if (t?.fits) {
    rows.push(
      [
        'throughput',
        `${perMinute(t.throughput)}${within(t.throughputInterval, perMinute)}; bound ${perMinute(t.throughputBound)}`,
      ],
      ['at once', `${units.digits(t.together)} problems over time, ${units.duration(t.latency)} each`],
      [
        'of that',
        `${units.duration(t.generate)} to generate, ${units.duration(t.score)} to score, ${units.duration(t.embed)} to embed`,
      ],
    )
  }
  if (o.recomputed > 0)
    rows.push(['recomputed', `${units.digits(o.recomputed)} tokens a problem that the cache had lost`])
  if (gain !== undefined) {
    rows.push([
      'against REBASE',
      gain.kv ? `${two(gain.kv.value)} less KV${within(gain.kv.interval, two)}` : 'nothing to choose among',
    ])
    if (gain.throughput)
      rows.push(['', `${two(gain.throughput.value)} the throughput${within(gain.throughput.interval, two)}`])
  }
  if (o.coverage !== undefined) {
    rows.push([
      'coverage',
      `${units.percent(o.coverage)} of right paths go on${within(o.coverageInterval, units.percent)}`,
    ])
  }
  if (o.approaches !== undefined) rows.push(['', `${units.percent(o.approaches)} of their approaches`])
  if (o.accuracy !== undefined) {
    rows.push(['accuracy', `${units.percent(o.accuracy)} of ${o.problems}${within(o.accuracyInterval, units.percent)}`])
  }
  if (solved) rows.push(['solver', solverText(run, o)])
  return [{ kind: 'facts', rows }, ...(searches.length === 0 ? [] : [stepLines(searches)])]
}

function perMinute(perSecond: number): string {
  return `${units.digits(perSecond * 60)} a minute`
}

function solverText({ solver, timed }: Run, o: Point['outcome']): string {
  const { solves, unproven, clusters, seconds } = o.solver
  const each = seconds / o.problems
  const proven = solver === 'exact' ? `, ${solves - unproven} proven` : ''
  const spent = timed ? `; ${units.duration(each)} a problem on this computer${share(each, o)}` : ''
  return `${solver}: ${solves} ${solves === 1 ? 'solve' : 'solves'}${proven}${clusters > 0 ? `, ${units.digits(clusters)} clusters a step` : ''}${spent}`
}

function share(each: number, { time }: Point['outcome']): string {
  return time === undefined ? '' : `, ${units.percent(each / (each + time.latency))} of its time`
}

function stepLines(searches: Point['searches']): Section {
  const lines = searches.flatMap((one, problem) =>
    one.steps.map(({ depth, candidates, chosen, unique }) => {
      const kept = candidates.flatMap((c, i) => (chosen.keep[i] ? [`${c.id} x${chosen.widths[i]}`] : []))
      const value = chosen.objective === undefined ? '' : `, objective ${chosen.objective.toFixed(6)}`
      return `Problem ${problem}, depth ${depth}: ${kept.length} of ${candidates.length} kept, ${unique} tokens${value}: ${kept.join(', ')}`
    }),
  )
  return { kind: 'notes', lines }
}

function columns(run: Run, points: readonly Point[]): Column<Point>[] {
  const timed = run.places !== undefined
  const some = (of: (p: Point) => boolean) => points.some(of)
  const programs = some((p) => p.settings.strategy === 'ets' || p.settings.strategy === 'ets-kv')
  const known = some((p) => p.outcome.coverage !== undefined)
  const right = { align: 'right' } as const
  const lambda = (p: Point, key: 'budget' | 'diversity') => {
    const { strategy } = p.settings
    return strategy === 'ets' || (strategy === 'ets-kv' && key === 'budget') ? p.settings[key] : null
  }
  const plain = (x: number | null) => (x === null ? '' : String(x))
  const ratio = (p: Point, of: 'kv' | 'throughput') => p.gain?.[of]?.value ?? null
  const ends = (key: string, of: (p: Point) => Interval | undefined): Column<Point>[] => [
    { key: `${key}_low`, value: (p) => of(p)?.[0] ?? null },
    { key: `${key}_high`, value: (p) => of(p)?.[1] ?? null },
  ]
  return [
    { key: 'strategy', title: 'strategy', value: (p) => p.settings.strategy },
    { key: 'width', title: 'width', value: (p) => p.settings.width, ...right },
    ...(programs
      ? ([
          {
            key: 'lambda_b',
            title: 'λb',
            value: (p) => lambda(p, 'budget'),
            text: (p) => plain(lambda(p, 'budget')),
            ...right,
          },
          {
            key: 'lambda_d',
            title: 'λd',
            value: (p) => lambda(p, 'diversity'),
            text: (p) => plain(lambda(p, 'diversity')),
            ...right,
          },
        ] satisfies Column<Point>[])
      : []),
    {
      key: 'kv_tokens_mean',
      title: 'KV',
      value: (p) => p.outcome.kv.mean,
      text: (p) => units.digits(p.outcome.kv.mean),
      ...right,
    },
    ...ends('kv_tokens', (p) => p.outcome.kvInterval),
    { key: 'kv_tokens_peak', title: 'peak', value: (p) => p.outcome.kv.peak, ...right },
    { key: 'kv_tokens_unshared', value: (p) => p.outcome.kv.unshared },
    {
      key: 'kv_reduction',
      title: 'KV less',
      value: (p) => ratio(p, 'kv'),
      text: (p) => times(p.gain?.kv),
      ...right,
    },
    ...ends('kv_reduction', (p) => p.gain?.kv?.interval),
    ...(timed ? timeColumns(ratio, ends) : []),
    {
      key: 'going',
      title: 'kept',
      value: (p) => p.outcome.going,
      text: (p) => units.percent(p.outcome.going),
      ...right,
    },
    ...(known
      ? coverageColumns(
          ends,
          some((p) => p.outcome.approaches !== undefined),
        )
      : []),
    {
      key: 'accuracy',
      ...(some((p) => p.outcome.accuracy !== undefined) && { title: 'answers' }),
      value: (p) => p.outcome.accuracy ?? null,
      text: (p) => (p.outcome.accuracy === undefined ? '' : units.percent(p.outcome.accuracy)),
      align: 'right',
      spare: 0,
    },
    ...ends('accuracy', (p) => p.outcome.accuracyInterval),
    { key: 'recomputed_tokens', value: (p) => (timed ? p.outcome.recomputed : null) },
    ...(run.timed
      ? ([
          {
            key: 'solver_measured_s',
            title: 'solver',
            value: solverSeconds,
            text: (p) => units.duration(solverSeconds(p)),
            ...right,
          },
        ] satisfies Column<Point>[])
      : []),
  ]
}

function solverSeconds(p: Point): number {
  return p.outcome.solver.seconds / p.outcome.problems
}

type Ends = (key: string, of: (p: Point) => Interval | undefined) => Column<Point>[]

function coverageColumns(ends: Ends, approaches: boolean): Column<Point>[] {
  const share = (x: number | undefined) => (x === undefined ? '' : units.percent(x))
  return [
    {
      key: 'coverage',
      title: 'right',
      value: (p) => p.outcome.coverage ?? null,
      text: (p) => share(p.outcome.coverage),
      align: 'right',
    },
    ...ends('coverage', (p) => p.outcome.coverageInterval),
    {
      key: 'approach_coverage',
      ...(approaches && { title: 'ways' }),
      value: (p) => p.outcome.approaches ?? null,
      text: (p) => share(p.outcome.approaches),
      align: 'right',
      spare: 1,
    },
  ]
}

function timeColumns(ratio: (p: Point, of: 'kv' | 'throughput') => number | null, ends: Ends): Column<Point>[] {
  const fitting = (p: Point) => (p.outcome.time?.fits ? p.outcome.time : undefined)
  return [
    {
      key: 'concurrency',
      title: 'at once',
      value: (p) => p.outcome.time?.together ?? null,
      text: (p) => units.digits(p.outcome.time?.together ?? 0),
      align: 'right',
      spare: 2,
    },
    {
      key: 'throughput',
      title: 'per min',
      value: (p) => fitting(p)?.throughput ?? null,
      text: (p) => {
        const t = fitting(p)
        return t === undefined ? 'no fit' : units.digits(60 * t.throughput)
      },
      align: 'right',
    },
    ...ends('throughput', (p) => fitting(p)?.throughputInterval),
    {
      key: 'throughput_gain',
      title: 'gain',
      value: (p) => ratio(p, 'throughput'),
      text: (p) => times(p.gain?.throughput),
      align: 'right',
    },
    ...ends('throughput_gain', (p) => p.gain?.throughput?.interval),
  ]
}
