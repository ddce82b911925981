// `memwall simulate search` as a user runs it.
import { existsSync, statSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { memwall, scratch } from './run.ts'

const folder = scratch()
const run = (...args: string[]) => memwall(['simulate', 'search', ...args], folder)
const json = async (...args: string[]) => JSON.parse((await run(...args, '--json')).stdout)
const few = ['--problems', '3', '--width', '16']
const placed = ['--model', 'llemma-34b', '--on', 'h100-nvl']

function expectNarrow(text: string): void {
  expect(text.split('\n').filter((line) => line.length > 80)).toEqual([])
  expect(text).not.toMatch(/NaN|undefined|Infinity|\[object/)
}

function write(name: string, lines: readonly object[]): string {
  writeFileSync(join(folder, name), `${lines.map((x) => JSON.stringify(x)).join('\n')}\n`)
  return name
}

/** The toy tree: rewards whose softmax gives widths 4 2 1 2 1 of 10; C1 says something of its own. */
function toy(): string {
  const shares = { A1: 0.4, A2: 0.2, B1: 0.1, B2: 0.2, C1: 0.1 }
  return write('toy.jsonl', [
    { node: 'r', parent: null, tokens: 1 },
    ...['A', 'B', 'C'].map((node) => ({ node, parent: 'r', tokens: 1, reward: 0.5, embedding: [1, 0] })),
    ...Object.entries(shares).map(([node, share], i) => ({
      node,
      parent: node.slice(0, 1),
      tokens: 1,
      reward: 1 + 0.2 * Math.log(share / 0.4),
      embedding: node === 'C1' ? [0, 1] : [1, 0.01 * i],
    })),
  ])
}

describe('simulate search', () => {
  it('explains itself', async () => {
    const { stdout } = await run('--help')
    expectNarrow(stdout)
    expect(stdout).toMatchSnapshot()
  })

  it('answers with the keys of the design, the same for a seed', async () => {
    const args = [...few, ...placed, '--solver', 'greedy']
    const [answer, again] = [await json(...args), await json(...args)]
    expect(again).toEqual(answer)
    expect(answer).toMatchObject({ strategy: 'ets', width: 16, lambda_b: 1, lambda_d: 1.45, warnings: [] })
    const { kv_tokens: kv, throughput, throughput_bound: bound, coverage, accuracy, ci95, against, memory } = answer
    expect(kv.mean).toBeLessThan(kv.peak)
    expect(kv.mean).toBeLessThan(kv.unshared)
    expect(throughput).toBeGreaterThan(0)
    expect(throughput).toBeLessThan(bound)
    expect(coverage).toBeGreaterThan(0.5)
    expect(accuracy).toBeLessThanOrEqual(1)
    for (const key of ['kv_tokens', 'throughput', 'coverage']) {
      expect(ci95[key][0]).toBeLessThan(ci95[key][1])
    }
    expect(against.kv_reduction.value).toBeGreaterThan(1)
    expect(memory.fits).toBe(true)
    expect((await json(...few, '--strategy', 'rebase', '--seed', '2')).kv_tokens.mean).not.toBe(kv.mean)
  })

  it('solves the toy tree step by step', async () => {
    const trace = toy()
    const last = async (b: string, d: string) => {
      const { steps } = await json('--trace', trace, '--width', '10', '--lambda-b', b, '--lambda-d', d, '--events')
      return steps.at(-1)
    }
    expect(await last('1', '1')).toMatchObject({
      depth: 2,
      candidates: ['A1', 'A2', 'B1', 'B2', 'C1'],
      kept: ['A1', 'A2', 'C1'],
      widths: [6, 3, 0, 0, 1],
      clusters: 2,
      kv_tokens: 8,
      unshared: 10,
    })
    expect((await last('1', '0')).objective).toBeCloseTo(0.155556, 6)
    expect((await last('1', '0.5')).objective).toBeCloseTo(0.533333, 6)
    const { stdout } = await run('--trace', trace, '--width', '10', '--events')
    expectNarrow(stdout)
    expect(stdout).toContain('objective 1.483333')
    expect(stdout).toContain('the recording lacks 22 of the samples')
  })

  it('sweeps and draws strategies, widths and lambdas, within 80 columns', async () => {
    const all = [
      '--strategy',
      'rebase,beam,dvts,ets,ets-kv',
      '--problems',
      '2',
      '--width',
      '4,16',
      '--solver',
      'greedy',
    ]
    const { stdout, stderr } = await run(...all, ...placed, '--plot', 'strategies.png')
    expect(stderr).toBe('')
    expectNarrow(stdout)
    expect(stdout).toMatch(/--csv\s+and --json add intervals/)
    const lambdas = [
      '--strategy',
      'ets,ets-kv',
      '--width',
      '16',
      '--problems',
      '2',
      '--lambda-b',
      '0.5,1,2',
      '--solver',
      'greedy',
    ]
    const { stdout: csv } = await run(...lambdas, '--plot', 'lambda.svg', '--csv')
    const rows = csv
      .trim()
      .split('\n')
      .map((line) => line.split(','))
    expect(rows).toHaveLength(7)
    const kept = rows[0]?.indexOf('going') ?? -1
    const going = rows.slice(4).map((r) => Number(r[kept]))
    expect([...going].sort((a, b) => b - a)).toEqual(going)
    for (const file of ['strategies.png', 'lambda.svg']) {
      expect(existsSync(join(folder, file)) && statSync(join(folder, file)).size).toBeGreaterThan(5000)
    }
  })

  it('says what memory a tree needs that does not fit', async () => {
    const args = ['--strategy', 'rebase', '--width', '64', '--problems', '2', ...placed, '--memory', '77e9']
    const answer = await json(...args)
    expect([answer.throughput, answer.memory.fits, answer.ci95.throughput]).toEqual([null, false, null])
    expect(answer.warnings[0]).toMatch(/a tree does not fit: expected a device of at least 7\d\.\d GiB, got 71\.7 GiB/)
    expect((await json(...args.slice(0, -1), String(Math.ceil(answer.memory.least)))).memory.fits).toBe(true)
  })

  it('counts scores, embeddings, turns and solver seconds where asked', async () => {
    const scored = await json(...few, ...placed, '--prm', 'llemma-34b', '--embedder', 'bert-base', '--time-solver')
    expect(scored.seconds.score).toBeGreaterThan(0)
    expect(scored.seconds.embed).toBeGreaterThan(0)
    expect(scored.solver.measured_s).toBeGreaterThan(0)
    expect(scored.solver.share_of_step).toBeLessThan(1)
    const wide = ['--strategy', 'rebase', '--width', '256', '--problems', '3', ...placed]
    const turns = await json(...wide, '--admit', 'all')
    expect(turns.tokens.recomputed).toBeGreaterThan(0)
    expect((await json(...wide)).tokens.recomputed).toBe(0)
  })

  it.each([
    [['--width', '0'], '--width: expected whole numbers from 1 to 65536, separated by commas, got 0'],
    [['--strategy', 'estt'], '--strategy: expected some of rebase, beam, dvts, ets, ets-kv, got estt; nearest: ets'],
    [['--strategy', 'beam', '--lambda-b', '1'], '--lambda-b: it is for ets and ets-kv; expected that in --strategy'],
    [['--strategy', 'ets-kv', '--lambda-d', '1'], '--lambda-d: it is for ets; expected that in --strategy'],
    [['--fixed', '4'], '--fixed: it is for beam and dvts; expected that in --strategy'],
    [['--model', 'llemma-34b'], '--model: expected --on beside it, got none'],
    [['--prm', 'llemma-34b'], '--prm: expected --model beside it, got none'],
    [['--threads', '4'], '--threads: expected --model beside it, got none'],
    [['--admit', 'all'], '--admit: expected --model beside it, got none'],
    [['--width', '4,8', '--events'], '--events: expected one strategy, width and pair of lambdas'],
    [['--solver', 'greedy', '--time-limit', '1'], '--time-limit: it is for --solver exact, not for greedy'],
    [['--strategy', 'beam', '--width', '4', '--fixed', '5'], 'fixed: expected at most the width 4, got 5'],
    [['--strategy', 'beam', '--embedding-noise', '1'], '--embedding-noise: it is for ets with a lambda-d above 0'],
    [['--lambda-d', '0', '--distance', '1'], '--distance: it is for ets with a lambda-d above 0'],
    [['--model', 'llama-2-70b', '--on', 'h100-nvl'], 'got 128.5 GiB, which a device of more than 146.0 GiB would hold'],
    [['--model', 'bert-base', '--on', 'h100-nvl'], 'bert-base: expected a decoder, got an encoder model'],
    [['--trace', 'none.jsonl'], 'none.jsonl: no such file'],
    [['--plot', 'one.png'], '--plot: expected several strategies, widths or lambdas to draw, got one'],
  ])('refuses %j', async (args, message) => {
    const { code, stderr, stdout } = await run(...args)
    expect([code, stdout]).toEqual([2, ''])
    expect(stderr.trimEnd().split('\n')).toHaveLength(1)
    expect(stderr).toContain(message)
  })

  const root = { node: 0, parent: null, tokens: 1 }
  const step = { node: 1, parent: 0, tokens: 1, reward: 1, embedding: [1, 2] }
  it.each([
    ['cycle', [root, { ...step, parent: 2 }, { ...step, node: 2, parent: 1 }], 'line 2: expected a tree, got a cycle'],
    ['orphan', [root, { ...step, parent: 9 }], 'line 2: expected a parent that the file has, got 9'],
    ['reward', [root, { ...step, reward: undefined }], 'line 2: expected reward, got none'],
    [
      'mixed',
      [root, step, { ...step, node: 2, embedding: [1] }],
      'line 3: embedding: expected 2 numbers, as in line 2',
    ],
  ])('refuses a trace with a bad %s, and names its line', async (name, lines, message) => {
    const { code, stderr } = await run('--trace', write(`${name}.jsonl`, lines))
    expect(code).toBe(1)
    expect(stderr).toBe(`${stderr.split('\n')[0]}\n`)
    expect(stderr).toContain(`${name}.jsonl: ${message}`)
  })

  it('compares nothing where the first step ends every path', async () => {
    const trace = write('short.jsonl', [root, { ...step, answer: 1 }])
    const { stdout } = await run('--trace', trace)
    expect(stdout).toMatch(/against REBASE +nothing to choose among\n/)
    expect(stdout).toContain('exact: 1 solve, 1 proven')
  })

  it('refuses a trace without embeddings where coverage needs them, and goes on without', async () => {
    const trace = write('bare.jsonl', [root, { ...step, embedding: undefined }])
    const { code, stderr } = await run('--trace', trace)
    expect([code, stderr]).toEqual([2, expect.stringContaining('ets expects embeddings, got none')])
    expect((await json('--trace', trace, '--strategy', 'ets-kv')).strategy).toBe('ets-kv')
    expect((await run('--trace', trace, '--seed', '2')).stderr).toContain('--seed: it is for synthetic problems')
  })
})
