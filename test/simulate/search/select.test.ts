// Allocation, clustering, the integer program and the strategies, against goldens, brute force and each other.
import fc from 'fast-check'
import { beforeAll, describe, expect, it } from 'vitest'
import { normals, seeded } from '../../../model/random.ts'
import { rebaseWidths } from '../../../simulate/search/allocation.ts'
import { averageLinkage } from '../../../simulate/search/clusters.ts'
import { exactSolver } from '../../../simulate/search/exact.ts'
import { greedyKept } from '../../../simulate/search/greedy.ts'
import { type Node, uniqueTokens } from '../../../simulate/search/node.ts'
import { objective, type Program, type Solver, treeProgram } from '../../../simulate/search/program.ts'
import {
  type Chosen,
  chooser,
  type Settings,
  settingsDefaults,
  strategyNames,
} from '../../../simulate/search/select.ts'
import { weightedMajority } from '../../../simulate/search/vote.ts'

let exact: Solver
beforeAll(async () => {
  exact = await exactSolver()
})

function node(id: string, parent: Node | undefined, reward = 1, tokens = 1): Node {
  const place = { depth: parent ? parent.depth + 1 : 0, path: parent ? parent.path + tokens : 0 }
  return { id, parent, tokens, reward, terminal: false, ...place }
}

/** Root, branches and leaves: `{ A: { A1: reward } }`. */
function leavesOf(tree: Record<string, Record<string, number>>): Node[] {
  const root = node('r', undefined)
  return Object.entries(tree).flatMap(([name, leaves]) => {
    const branch = node(name, root)
    return Object.entries(leaves).map(([leaf, reward]) => node(leaf, branch, reward))
  })
}

/** The best of all sets of candidates. */
function exhaustive(p: Program): number {
  let best = Number.NEGATIVE_INFINITY
  for (let set = 1; set < 2 ** p.shares.length; set++) {
    best = Math.max(
      best,
      objective(
        p,
        p.shares.map((_, i) => (set >> i) & 1),
      ),
    )
  }
  return best
}

function names(leaves: readonly Node[], keep: readonly boolean[]): string {
  return leaves
    .filter((_, i) => keep[i])
    .map((n) => n.id)
    .join(' ')
}

describe('REBASE', () => {
  it.each([
    [[0.9, 0.8, 0.5, 0.1], 16, [10, 5, 1, 0]],
    [[0.95, 0.95, 0.95, 0.95, 0.95], 16, [4, 3, 3, 3, 3]],
    [[0.1, 0.5, 0.8, 0.9], 16, [0, 1, 5, 10]],
    [[0.5], 1, [1]],
    [[0.5, 0.5], 1, [1, 0]],
    [[1, -1e6], 8, [8, 0]],
  ])('shares %j of width %i as %j', (rewards, width, widths) => {
    expect(rebaseWidths(rewards, width, 0.2)).toEqual(widths)
  })
  it('always gives the whole width, more to better rewards', () => {
    const rewards = fc.array(fc.double({ min: -1e3, max: 1e3, noNaN: true }), { minLength: 1, maxLength: 40 })
    fc.assert(
      fc.property(rewards, fc.integer({ min: 1, max: 300 }), (r, width) => {
        const widths = rebaseWidths(r, width, 0.2)
        expect(widths.reduce((a, b) => a + b, 0)).toBe(width)
        expect(widths.every((w) => w >= 0)).toBe(true)
      }),
      { numRuns: 200 },
    )
  })
  it.each([Number.NaN, Number.POSITIVE_INFINITY])('refuses a reward of %d', (reward) => {
    expect(() => rebaseWidths([0.5, reward], 4, 0.2)).toThrow(/rewards: expected finite numbers, got .* of candidate 1/)
  })
})

describe('clusters', () => {
  /** Textbook agglomeration: joins the two nearest clusters until none are within the threshold. */
  function naive(vectors: number[][], threshold: number): number[] {
    const cosine = (a: number[], b: number[]) => {
      const dot = a.reduce((s, x, i) => s + x * (b[i] as number), 0)
      return 1 - dot / Math.hypot(...a) / Math.hypot(...b)
    }
    let groups = vectors.map((_, i) => [i])
    for (;;) {
      let best = { a: -1, b: -1, d: threshold }
      groups.forEach((g, a) => {
        for (let b = 0; b < a; b++) {
          const h = groups[b] as number[]
          const all = g.flatMap((i) => h.map((j) => cosine(vectors[i] as number[], vectors[j] as number[])))
          const d = all.reduce((s, x) => s + x, 0) / all.length
          if (d <= best.d) best = { a, b, d }
        }
      })
      if (best.a < 0) break
      const joined = [...(groups[best.a] as number[]), ...(groups[best.b] as number[])]
      groups = [...groups.filter((_, i) => i !== best.a && i !== best.b), joined]
    }
    const label = new Map<number[], number>()
    return vectors.map((_, i) => {
      const own = groups.find((g) => g.includes(i)) as number[]
      if (!label.has(own)) label.set(own, label.size)
      return label.get(own) as number
    })
  }
  it('are those of the textbook', () => {
    // Drawn, so that no two distances are equal: ties have more than one answer.
    const cases = fc.tuple(fc.nat(), fc.integer({ min: 1, max: 14 }), fc.double({ min: 0.01, max: 1.5, noNaN: true }))
    fc.assert(
      fc.property(cases, ([seed, count, threshold]) => {
        const normal = normals(seeded(seed))
        const vectors = Array.from({ length: count }, () => [normal(), normal(), normal()])
        expect(averageLinkage(vectors, threshold)).toEqual(naive(vectors, threshold))
      }),
      { numRuns: 150 },
    )
  })
  it('join what is equal and refuse what has no direction', () => {
    expect(
      averageLinkage(
        [
          [1, 0],
          [2, 0],
          [0, 1],
          [1, 0.01],
        ],
        0.05,
      ),
    ).toEqual([0, 0, 1, 0])
    expect(() =>
      averageLinkage(
        [
          [1, 0],
          [0, 0],
        ],
        0.05,
      ),
    ).toThrow(/embeddings: expected a direction.* candidate 1/)
  })
})

const toy = leavesOf({ A: { A1: 1, A2: 1 }, B: { B1: 1, B2: 1 }, C: { C1: 1 } })
const toyShares = [0.4, 0.2, 0.1, 0.2, 0.1]

describe("ETS's program", () => {
  it.each([
    [1, 0, 'A1 A2', 0.155556],
    [1, 0.5, 'A1 A2 C1', 0.533333],
    [1, 1, 'A1 A2 C1', 1.033333],
    [1.5, 0, 'A1 A2', -0.066667],
  ])('of the toy tree, λ_b %d and λ_d %d, keeps %s', (budget, diversity, kept, value) => {
    const clusters = diversity > 0 ? [0, 0, 0, 0, 1] : []
    const p = treeProgram(toy, toyShares, { budget, diversity }, clusters)
    expect([p.parents.length, p.shares.length]).toEqual([4, 5])
    for (const solve of [exact, greedyKept]) {
      const answer = solve(p)
      expect(names(toy, answer.keep)).toBe(kept)
      expect(answer.objective).toBeCloseTo(value, 6)
    }
    expect(exact(p).optimal).toBe(true)
  })

  it("has the thumbnail's budgets: 7 for all, 3 for cache alone, 4 with coverage", () => {
    const leaves = leavesOf({ A: { A1: 1, A2: 1 }, B: { B1: 1 }, C: { C1: 1 } })
    const shares = [0.5, 0.25, 0.125, 0.125]
    const budget = (keep: readonly boolean[]) => uniqueTokens(leaves.filter((_, i) => keep[i]))
    expect(budget([true, true, true, true])).toBe(7)
    const cache = exact(treeProgram(leaves, shares, { budget: 1.5, diversity: 0 }))
    expect([names(leaves, cache.keep), budget(cache.keep)]).toEqual(['A1 A2', 3])
    const covered = exact(treeProgram(leaves, shares, { budget: 2.5, diversity: 1.5 }, [0, 0, 0, 1]))
    expect([names(leaves, covered.keep), budget(covered.keep)]).toEqual(['A1 C1', 4])
  })

  it('scores 1 - λ_b + λ_d where all is kept', () => {
    const p = treeProgram(toy, toyShares, { budget: 0.7, diversity: 1.3 }, [0, 0, 0, 0, 1])
    expect(objective(p, [1, 1, 1, 1, 1])).toBeCloseTo(1 - 0.7 + 1.3, 12)
  })

  it('turns at λ_b = 1: below all equal leaves stay, above one', () => {
    const names = ['A', 'B', 'C', 'D', 'E', 'F', 'G', 'H']
    const leaves = leavesOf(Object.fromEntries(names.map((n) => [n, { [`${n}1`]: 1 }])))
    const kept = (budget: number) =>
      exact(
        treeProgram(
          leaves,
          leaves.map(() => 1 / 8),
          { budget, diversity: 0 },
        ),
      ).keep.filter(Boolean).length
    // Every branch brings 1/8 and costs 2 of M + N = 17 nodes; the root is held anyway.
    expect([0, 0.5, 1, 17 / 16 - 1e-3, 17 / 16 + 1e-3, 2].map(kept)).toEqual([8, 8, 8, 8, 1, 1])
  })

  /** Random trees of one depth: each leaf under one of the nodes before it. */
  const trees = fc.record({
    parents: fc.array(fc.nat(), { minLength: 0, maxLength: 8 }),
    leaves: fc.array(
      fc.record({ at: fc.nat(), weight: fc.integer({ min: 0, max: 16 }), cluster: fc.nat({ max: 4 }) }),
      {
        minLength: 1,
        maxLength: 12,
      },
    ),
    budget: fc.constantFrom(0, 0.5, 1, 1.45, 1.5, 3),
    diversity: fc.constantFrom(0, 0.3, 1, 1.45),
  })

  function programOf(t: typeof trees extends fc.Arbitrary<infer T> ? T : never): Program {
    const inner: Node[] = [node('0', undefined)]
    for (const [i, p] of t.parents.entries()) inner.push(node(`${i + 1}`, inner[p % inner.length]))
    const leaves = t.leaves.map(({ at }, i) => node(`leaf ${i}`, inner[at % inner.length]))
    const sum = t.leaves.reduce((s, l) => s + l.weight, 0) || 1
    const order = new Map<number, number>()
    const clusters = t.leaves.map(({ cluster }) => {
      if (!order.has(cluster)) order.set(cluster, order.size)
      return order.get(cluster) as number
    })
    const weights = { budget: t.budget, diversity: t.diversity }
    return treeProgram(
      leaves,
      t.leaves.map((l) => l.weight / sum),
      weights,
      t.diversity > 0 ? clusters : [],
    )
  }

  it('is solved to the best of all sets, on trees of up to 12 leaves', () => {
    fc.assert(
      fc.property(trees, (t) => {
        const p = programOf(t)
        const best = exhaustive(p)
        const answer = exact(p)
        expect(answer.optimal).toBe(true)
        expect(answer.objective).toBeGreaterThanOrEqual(best - 1e-9)
        expect(answer.objective).toBeCloseTo(objective(p, answer.keep), 12)
        const quick = greedyKept(p)
        expect(quick.keep.includes(true)).toBe(true)
        expect(quick.objective).toBeLessThanOrEqual(best + 1e-9)
        expect(quick.objective).toBeCloseTo(objective(p, quick.keep), 12)
      }),
      { numRuns: 200 },
    )
  })

  it('answers in time, with the better of what it has and greedy', async () => {
    const hurried = await exactSolver(1e-9)
    const root = node('r', undefined)
    const branches = Array.from({ length: 40 }, (_, i) => node(`b${i}`, root))
    const leaves = Array.from({ length: 200 }, (_, i) => node(`l${i}`, branches[(i * 7) % 40]))
    const shares = leaves.map((_, i) => (1 + ((i * 13) % 17)) / 1800)
    const p = treeProgram(
      leaves,
      shares,
      { budget: 1.5, diversity: 1 },
      leaves.map((_, i) => (i * 11) % 60),
    )
    const answer = hurried(p)
    expect(answer.objective).toBeGreaterThanOrEqual(greedyKept(p).objective - 1e-12)
    expect(answer.objective).toBeLessThanOrEqual(exact(p).objective + 1e-9)
  })
})

describe('strategies', () => {
  const settings = (s: Partial<Settings>): Settings => ({ ...settingsDefaults, strategy: 'rebase', width: 16, ...s })
  const choose = (s: Settings, candidates: Node[], remaining = s.width): Chosen =>
    chooser<Node>(s).choose({ candidates, remaining, embedding: () => [1, 0], solve: exact })
  const root = node('r', undefined)
  const rewards = [0.2, 0.9, 0.4, 0.8, 0.1, 0.7]
  const children = rewards.map((r, i) => node(`c${i}`, root, r))

  it('beam search keeps the best √W, each with its share rounded up', () => {
    expect(choose(settings({ strategy: 'beam' }), [root]).widths).toEqual([16])
    expect(choose(settings({ strategy: 'beam' }), children).widths).toEqual([0, 4, 4, 4, 0, 4])
    expect(choose(settings({ strategy: 'beam' }), children, 10).widths).toEqual([0, 3, 3, 3, 0, 3])
    expect(choose(settings({ strategy: 'beam', fixed: 2 }), children).widths).toEqual([0, 8, 0, 8, 0, 0])
  })

  it('DVTS follows the best child of each subtree, to what is left of its width', () => {
    const own = chooser<Node>(settings({ strategy: 'dvts', width: 9 }))
    const ask = (candidates: Node[]) => ({ candidates, remaining: 9, embedding: () => [1, 0], solve: exact })
    expect(own.choose(ask([root])).widths).toEqual([9])
    // Three subtrees of width 3: runs of 3, 2 and 2 candidates.
    const first = [0.1, 0.5, 0.3, 0.9, 0.8, 0.2, 0.6].map((r, i) => node(`c${i}`, root, r))
    expect(own.choose(ask(first)).widths).toEqual([0, 3, 0, 3, 0, 0, 3])
    const ended = node('e', first[1])
    own.ended(ended)
    const next = [
      node('x', first[1], 0.2),
      node('y', first[1], 0.7),
      node('z', first[3], 0.4),
      node('w', first[6], 0.1),
    ]
    expect(own.choose(ask(next)).widths).toEqual([0, 2, 3, 3])
  })

  it('ETS shares the width of what it drops among what it keeps', () => {
    const leaves = leavesOf({ A: { A1: 1, A2: 1 + 0.2 * Math.log(0.5) }, B: { B1: 1 + 0.2 * Math.log(0.25) } })
    const answer = choose(settings({ strategy: 'ets-kv', width: 14, budget: 1.5 }), leaves)
    expect([answer.keep, answer.widths]).toEqual([
      [true, true, false],
      [10, 4, 0],
    ])
    expect(answer.objective).toBeCloseTo(12 / 14 - (1.5 * 4) / 6, 12)
  })

  it.each(strategyNames)('%s takes a width of 1, equal rewards and one candidate', (strategy) => {
    const s = settings({ strategy, width: 1 })
    expect(choose(s, [root]).widths).toEqual([1])
    const equal = choose(settings({ strategy }), [root]).widths
    expect(equal.reduce((a, b) => a + b, 0)).toBe(16)
  })

  it.each([
    [{ width: 0 }, 'width: expected a whole number from 1, got 0'],
    [{ width: 2.5 }, 'width: expected a whole number from 1, got 2.5'],
    [{ width: 4, fixed: 5 }, 'fixed: expected at most the width 4, got 5'],
    [{ width: 5000, strategy: 'ets' as const }, 'width: expected at most 4096 for ets with coverage, got 5000'],
    [{ temperature: 0 }, 'temperature: expected a number above 0, got 0'],
    [{ budget: -1 }, 'lambda-b: expected a number from 0, got -1'],
  ])('refuse %j', (given, message) => {
    expect(() => chooser(settings(given))).toThrow(message)
  })

  it('refuse rewards that are no numbers', () => {
    for (const strategy of strategyNames) {
      expect(() => choose(settings({ strategy }), [...children, node('n', root, Number.NaN)])).toThrow(
        /rewards: expected/,
      )
    }
  })
})

describe('the vote', () => {
  it('weighs answers by their rewards', () => {
    const ballots = [
      { answer: 'a', reward: 0.9 },
      { answer: 'b', reward: 0.5 },
      { answer: 'b', reward: 0.45 },
    ]
    expect(weightedMajority(ballots)).toBe('b')
    expect(weightedMajority([])).toBeUndefined()
  })
})
