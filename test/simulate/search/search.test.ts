// Searches from the first step to the vote: where steps come from, tokens, seconds, and what differs between strategies.
import { beforeAll, describe, expect, it } from 'vitest'
import { loadMachine } from '../../../hardware/catalog.ts'
import { profileOf } from '../../../hardware/profile.ts'
import { loadModel } from '../../../model/catalog.ts'
import { deploy } from '../../../model/deployment.ts'
import { perToken } from '../../../model/memory.ts'
import { seeded } from '../../../model/random.ts'
import { type Costs, type Place, placed, stepCost } from '../../../simulate/search/cost.ts'
import { greedyKept } from '../../../simulate/search/greedy.ts'
import { type Node, pathTokens, uniqueTokens } from '../../../simulate/search/node.ts'
import { against, experiment, wilson } from '../../../simulate/search/outcome.ts'
import { recomputedTokens } from '../../../simulate/search/radix.ts'
import { type Search, search } from '../../../simulate/search/search.ts'
import { type Settings, settingsDefaults, strategyNames } from '../../../simulate/search/select.ts'
import { syntheticSource, zipf } from '../../../simulate/search/synthetic.ts'
import { parseSearchTrace } from '../../../simulate/search/trace.ts'

const settings = (s: Partial<Settings>): Settings => ({ ...settingsDefaults, strategy: 'rebase', width: 16, ...s })
const run = (s: Partial<Settings>, problem = 0): Search =>
  search<Node>(syntheticSource(problem + 1, 7), problem, settings(s), greedyKept)

describe('synthetic problems', () => {
  it('are the same for a seed, and for every strategy and width', () => {
    expect(JSON.stringify(run({}).ballots)).toBe(JSON.stringify(run({}).ballots))
    const nodes = (s: Search) => new Map(s.steps.flatMap((x) => x.samples).map((n) => [n.id, n.reward]))
    const [narrow, wide] = [nodes(run({ width: 16 })), nodes(run({ width: 64, strategy: 'beam' }))]
    const both = [...narrow.keys()].filter((id) => wide.has(id))
    expect(both.length).toBeGreaterThan(20)
    for (const id of both) expect(wide.get(id)).toBe(narrow.get(id))
    expect(JSON.stringify(run({}, 1).ballots)).not.toBe(JSON.stringify(run({}, 0).ballots))
  })

  it('draw as their laws say', () => {
    const source = syntheticSource(1, 3)
    const { root } = source.problem(0)
    const many = source.expand(root, 40_000)
    const mean = (of: (n: (typeof many)[number]) => number) => many.reduce((s, n) => s + of(n), 0) / many.length
    expect(mean((n) => n.latent)).toBeCloseTo(4.05, 1)
    expect(Math.sqrt(mean((n) => (n.latent - 4.05) ** 2))).toBeCloseTo(0.8, 1)
    // Half of a lognormal lies below its median, e^(sigma^2 / 2) medians is its mean; the cut at 256 hardly counts.
    expect(mean((n) => (n.tokens < 45 ? 1 : n.tokens === 45 ? 0.5 : 0))).toBeCloseTo(0.5, 1)
    expect(mean((n) => n.tokens) / (45 * Math.exp(0.18))).toBeCloseTo(1, 1)
    expect(mean((n) => (n.rank === 1 ? 1 : 0))).toBeCloseTo(6 / Math.PI ** 2, 2)
    expect(mean((n) => (n.rank === 2 ? 1 : 0))).toBeCloseTo(6 / Math.PI ** 2 / 4, 2)
    expect(many.every((n) => !n.terminal)).toBe(true)
    const random = seeded(5)
    const steep = Array.from({ length: 20_000 }, () => zipf(3, random)).filter((k) => k === 1).length / 20_000
    expect(steep).toBeCloseTo(1 / 1.2020569, 2)
  })

  it('end by their hazard: from depth 6, and by depth 9', () => {
    const depths = Array.from({ length: 4 }, (_, i) => run({ width: 64 }, i))
      .flatMap((s) => s.steps.flatMap((x) => x.samples))
      .filter((n) => n.terminal)
      .map((n) => n.depth)
    expect(Math.min(...depths)).toBe(6)
    expect(Math.max(...depths)).toBeLessThanOrEqual(9)
  })

  it('refuse a law that none is', () => {
    expect(() => syntheticSource(1, 1, { zipf: 1 })).toThrow('zipf: expected an exponent above 1, got 1')
    expect(() => syntheticSource(1, 1, { shortest: 9, longest: 8 })).toThrow(/step tokens: expected/)
  })
})

describe('a search', () => {
  it.each(strategyNames)('by %s never asks for more than its width, and counts its tokens', (strategy) => {
    const s = run({ strategy, width: 20 })
    for (const step of s.steps) {
      expect(step.samples.length).toBeLessThanOrEqual(strategy === 'beam' ? 25 : 20)
      expect(step.unique).toBeLessThanOrEqual(step.unshared)
      expect(step.unshared).toBe(pathTokens(step.candidates))
      const held = uniqueTokens(step.samples)
      expect(step.held).toBe(held)
    }
    expect(s.right).toBe(s.answer === 'right')
  })

  it('gives up width to paths that end', () => {
    const s = run({ width: 32 })
    let remaining = 32
    let last: readonly Node[] = []
    for (const step of s.steps) {
      remaining -= last.filter((n) => n.terminal || n.path >= 1024).length
      expect(step.chosen.widths.reduce((a, b) => a + b, 0)).toBe(remaining)
      last = step.samples
    }
  })

  it('ends at its depth and at its tokens', () => {
    expect(run({ depth: 3 }).steps).toHaveLength(3)
    for (const step of run({ tokens: 100 }).steps) for (const c of step.candidates) expect(c.path).toBeLessThan(100)
  })
})

describe('a trace', () => {
  const lines = (...all: object[]) => all.map((x) => JSON.stringify(x)).join('\n')
  const root = { node: 'r', parent: null, tokens: 7, truth: 42 }
  const step = (node: string, parent: string, more: object = {}) => ({ node, parent, tokens: 3, reward: 0.5, ...more })

  it('is replayed: first children first, answers voted on', () => {
    const source = parseSearchTrace(
      lines(
        step('a', 'r', { reward: 0.9 }),
        root,
        step('b', 'r'),
        step('a1', 'a', { answer: 42, reward: 0.6 }),
        step('a2', 'a', { answer: '41', reward: 0.5 }),
        step('b1', 'b', { answer: '41', reward: 0.3 }),
      ),
    )
    const s = search(source, 0, settings({ width: 4 }), greedyKept)
    expect(s.steps.map((x) => x.samples.map((n) => n.id))).toEqual([
      ['a', 'b'],
      ['a1', 'a2'],
    ])
    expect(s.steps.map((x) => x.missing)).toEqual([2, 2])
    expect([s.prompt, s.answer, s.right]).toEqual([7, '42', true])
    expect(s.steps[1]?.candidates.map((c) => c.correct)).toEqual([true, false])
  })

  it('may hold several problems, without a truth', () => {
    const one = (problem: number) => [
      { problem, node: 0, parent: null, tokens: 1, ...(problem === 1 && { truth: null }) },
      { problem, node: 1, parent: 0, tokens: 2, reward: 1, answer: 'x' },
    ]
    const source = parseSearchTrace(lines(...one(1), ...one(2)))
    const o = experiment({ source, settings: settings({ width: 1 }), solve: greedyKept })
    expect([o.problems, o.accuracy, o.coverage]).toEqual([2, undefined, undefined])
  })

  it.each([
    ['a cycle', [root, step('a', 'b'), step('b', 'a')], 'line 2: expected a tree, got a cycle through node a'],
    ['a node that is its own parent', [root, step('a', 'a')], 'line 2: expected a tree, got a cycle through node a'],
    ['an orphan', [root, step('a', 'x')], 'line 2: expected a parent that the file has, got x of node a'],
    ['a missing reward', [root, { node: 'a', parent: 'r', tokens: 3 }], 'line 2: expected reward, got none'],
    ['a reward in words', [root, step('a', 'r', { reward: 'good' })], 'line 2: reward: expected a number, got "good"'],
    [
      'embeddings of mixed length',
      [root, step('a', 'r', { embedding: [1, 2] }), step('b', 'r', { embedding: [1] })],
      'line 3: embedding: expected 2 numbers, as in line 2, got 1 number',
    ],
    [
      'an embedding too few',
      [root, step('a', 'r', { embedding: [1, 2] }), step('b', 'r')],
      'line 3: embedding: expected 2 numbers, as in line 2, got none',
    ],
    ['an embedding of zeros', [root, step('a', 'r', { embedding: [0, 0] })], 'line 2: embedding: expected a direction'],
    [
      'a node twice',
      [root, step('a', 'r'), step('a', 'r')],
      'line 3: expected a node once, got a again (first in line 2)',
    ],
    ['two roots', [root, { ...root, node: 'q' }], 'line 2: expected a parent, or another problem than that of line 1'],
    [
      'a step after the answer',
      [root, step('a', 'r', { answer: 1 }), step('b', 'a')],
      'line 3: expected a path to end',
    ],
    ['a step of no tokens', [root, step('a', 'r', { tokens: 0 })], 'line 2: tokens: expected a step of one token'],
    ['an answer before any step', [{ ...root, answer: 1 }], 'line 1: expected truth'],
    [
      'no root',
      [step('a', 'b'), step('b', 'c'), step('c', 'b')],
      'line 2: expected a tree, got a cycle through node b',
    ],
    ['nothing', [], 'expected a line of JSON for each node, got none'],
  ])('with %s is refused', (_, all, message) => {
    expect(() => parseSearchTrace(lines(...all))).toThrow(message)
  })
  it.each([
    ['NaN', 'line 2: expected numbers, got NaN'],
    ['1e999', 'line 2: reward: expected a number, got Infinity'],
    ['null', 'line 2: reward: expected a number, got null'],
  ])('with a reward of %s is refused', (reward, message) => {
    const step = `{"node":1,"parent":0,"tokens":1,"reward":${reward}}`
    expect(() => parseSearchTrace(`{"node":0,"tokens":1}\n${step}`)).toThrow(message)
  })
})

describe('the radix cache', () => {
  const searches = Array.from({ length: 3 }, (_, i) => run({ width: 16 }, i))
  const total = (lost: readonly number[][]) => lost.flat().reduce((a, b) => a + b, 0)
  it('loses nothing while all fits, or one problem runs at a time', () => {
    expect(total(recomputedTokens(searches, 3, 1e9))).toBe(0)
    const peak = Math.max(...searches.flatMap((s) => s.steps.map((x) => x.held)))
    expect(total(recomputedTokens(searches, 1, peak))).toBe(0)
  })
  it('loses every path where it holds one step of one problem', () => {
    const lost = recomputedTokens(searches, 3, 0)
    for (const [i, s] of searches.entries()) {
      // The first step finds nothing but the prompt, which is read for the first time.
      expect(lost[i]).toEqual(s.steps.map((x) => uniqueTokens(x.samples.map((n) => n.parent as Node))))
    }
  })
  it('loses less where it holds more', () => {
    const losses = [1000, 3000, 5000, 7000, 20000].map((c) => total(recomputedTokens(searches, 3, c)))
    expect([...losses].sort((a, b) => b - a)).toEqual(losses)
    expect(losses[0]).toBeGreaterThan(losses[3] as number)
  })
})

describe('seconds', () => {
  let place: (capacity: number, share?: number) => Place
  let generator: Place
  let embedder: Place
  beforeAll(async () => {
    const [model, bert, machine] = await Promise.all([
      loadModel('llemma-34b'),
      loadModel('bert-base'),
      loadMachine('h100-nvl'),
    ])
    embedder = placed(deploy(bert), profileOf(machine), 1)
    place = (capacity, share = 0.88) =>
      placed(deploy(model), profileOf({ ...machine, memory: { ...machine.memory, capacity } }), share)
    generator = place(94e9)
  })
  const costs = (more: Partial<Costs> = {}): Costs => ({ generator, reading: 'paths', threads: 8, ...more })

  it('of llemma-34b on an H100 NVL: 196,608 bytes a token, 77.5k tokens of 94 GB', () => {
    const { kvBytesPerToken } = perToken(generator.deployment)
    expect(kvBytesPerToken).toBe(196608)
    expect(Math.abs((generator.budget - generator.weights) / kvBytesPerToken / 77.5e3 - 1)).toBeLessThan(0.01)
  })

  it('in pieces are those of every token, to half a percent', () => {
    const { steps } = run({ width: 64 })
    for (const step of steps.slice(0, 4)) {
      const [pieces, all] = [stepCost(step, 50, costs()), stepCost(step, 50, costs(), 0, 1000)]
      expect(Math.abs(pieces.generate.expected / all.generate.expected - 1)).toBeLessThan(0.005)
      expect(Math.abs(pieces.generate.bound / all.generate.bound - 1)).toBeLessThan(0.005)
    }
  })

  it('are bounded by the weights and the cache that every token reads', () => {
    const { steps } = run({ width: 64 })
    const step = steps[4] as (typeof steps)[number]
    const { together, generate } = stepCost(step, 0, costs({ threads: 1 }))
    const longest = Math.max(...step.samples.map((s) => s.tokens))
    const { bandwidth } = generator.profile.machine.memory
    let bytes = longest * generator.weights
    for (const s of step.samples) {
      const before = (s.parent as Node).path
      for (let k = 0; k < s.tokens; k++) bytes += together * (before + k) * 196608
    }
    expect(Math.abs(generate.bound / (bytes / bandwidth) - 1)).toBeLessThan(0.05)
    expect(generate.expected).toBeGreaterThan(generate.bound)
  })

  it('run as many problems at once as fit, up to the threads', () => {
    const { steps } = run({ width: 256 })
    for (const step of steps) {
      const { together } = stepCost(step, 0, costs())
      expect(together).toBeCloseTo(Math.min(8, (generator.budget - generator.weights) / 196608 / step.held), 6)
    }
  })

  it('fall little where attention reads the shared tree once', () => {
    const { steps } = run({ width: 64 })
    const sum = (reading: Costs['reading']) =>
      steps.reduce((s, x) => s + stepCost(x, 0, costs({ reading })).generate.expected, 0)
    const [paths, tree] = [sum('paths'), sum('tree')]
    expect(tree).toBeLessThanOrEqual(paths)
    expect(tree / paths).toBeGreaterThan(0.9)
  })

  it('grow by the prompt, the scores, the embeddings and what is computed again', () => {
    const { steps } = run({ width: 16 })
    const all = (c: Costs, prompt = 0, lost = 0) => stepCost(steps[1] as (typeof steps)[number], prompt, c, lost)
    const scorer = { ...generator, keeps: 'tree' as const }
    expect(all(costs()).score.expected).toBe(0)
    expect(all(costs({ scorer })).score.expected).toBeGreaterThan(0)
    expect(all(costs({ scorer: { ...scorer, keeps: 'prompt' } })).score.bound).toBeGreaterThan(
      all(costs({ scorer })).score.bound,
    )
    expect(all(costs({ embedder })).embed.expected).toBeGreaterThan(0)
    expect(all(costs(), 2000).generate.bound).toBeGreaterThan(all(costs()).generate.bound)
    expect(all(costs(), 0, 5000).generate.bound).toBeGreaterThan(all(costs()).generate.bound)
    const first = stepCost(steps[0] as (typeof steps)[number], 1000, costs({ scorer }))
    expect(first.score.bound).toBeGreaterThan(
      stepCost(steps[0] as (typeof steps)[number], 0, costs({ scorer })).score.bound,
    )
  })

  it('are not given where a tree does not fit: the least memory is', () => {
    const source = syntheticSource(2, 1)
    const small = experiment({
      source,
      settings: settings({ width: 256 }),
      solve: greedyKept,
      costs: costs({ generator: place(78e9) }),
    })
    expect(small.time?.fits).toBe(false)
    const least = small.time?.least ?? 0
    const fits = (capacity: number) =>
      experiment({
        source,
        settings: settings({ width: 256 }),
        solve: greedyKept,
        costs: costs({ generator: place(capacity) }),
      }).time?.fits
    expect([fits(least * 0.999), fits(least * 1.001)]).toEqual([false, true])
  })

  it('gain where concurrency is short, and nowhere else', () => {
    const source = syntheticSource(3, 1)
    const of = (strategy: Settings['strategy'], capacity: number) =>
      experiment({
        source,
        settings: settings({ strategy, width: 256 }),
        solve: greedyKept,
        costs: costs({ generator: place(capacity) }),
      })
    const gain = (capacity: number) => against(of('rebase', capacity), of('beam', capacity))
    const [short, ample] = [gain(94e9), gain(500e9)]
    expect(short.kv?.value).toBe(ample.kv?.value)
    expect(short.throughput?.value).toBeGreaterThan(1.3)
    expect(ample.throughput?.value).toBeLessThan(1.15)
  })

  it('count what turns cost', () => {
    const source = syntheticSource(4, 1)
    const of = (admission: 'all' | 'fitting') =>
      experiment({ source, settings: settings({ width: 256 }), solve: greedyKept, costs: costs(), admission })
    const [turns, whole] = [of('all'), of('fitting')]
    expect([whole.recomputed, turns.recomputed > 10_000]).toEqual([0, true])
    expect(turns.time?.throughput).toBeLessThan(whole.time?.throughput ?? 0)
    expect(turns.kv).toEqual(whole.kv)
  })
})

describe('over problems', () => {
  const of = (s: Partial<Settings>) =>
    experiment({ source: syntheticSource(6, 1), settings: settings(s), solve: greedyKept })
  it('coverage keeps approaches that the cache alone would drop', () => {
    const [ets, cache] = [
      of({ strategy: 'ets', width: 64, budget: 1.5, diversity: 1 }),
      of({ strategy: 'ets-kv', width: 64, budget: 1.5 }),
    ]
    expect(ets.approaches).toBeGreaterThan(0.85)
    expect(cache.approaches).toBeLessThan(0.4)
    expect(cache.kv.mean).toBeLessThan(ets.kv.mean)
  })
  it('a strategy against itself is 1', () => {
    const one = of({})
    const { kv } = against(one, one)
    expect([kv?.value, kv?.interval]).toEqual([1, [1, 1]])
    expect(of({ strategy: 'ets-kv', budget: 0 }).kv).toEqual(of({ strategy: 'ets', budget: 0, diversity: 0 }).kv)
  })
  it('no interval leaves what can be, however few the problems', () => {
    const few = (strategy: Settings['strategy']) =>
      experiment({ source: syntheticSource(2, 1), settings: settings({ strategy, width: 4 }), solve: greedyKept })
    const [base, other] = [few('rebase'), few('ets-kv')]
    expect(against(base, other).kv?.interval?.[0]).toBe(0)
    for (const o of [base, other]) expect(o.coverageInterval?.[1]).toBeLessThanOrEqual(1)
  })
  it('a search that ends with its first step is compared with nothing', () => {
    const one = '{"node": 0, "tokens": 5}\n{"node": 1, "parent": 0, "tokens": 2, "reward": 1, "answer": 3}'
    const o = experiment({ source: parseSearchTrace(one), settings: settings({ width: 1 }), solve: greedyKept })
    expect(against(o, o)).toEqual({ kv: undefined, throughput: undefined })
  })
  it('a proportion has an interval at its ends too', () => {
    const [low, high] = wilson(20, 20)
    expect([low.toFixed(3), high]).toEqual(['0.839', 1])
    expect(wilson(0, 20)[0]).toBe(0)
  })
})
