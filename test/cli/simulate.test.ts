// `memwall simulate` as a user runs it.
import { existsSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { memwall, scratch } from './run.ts'

const folder = scratch()
const run = (...args: string[]) => memwall(['simulate', ...args], folder)
const json = async (...args: string[]) => JSON.parse((await run(...args, '--json')).stdout)
const seconds = ['--small-s', '0.02', '--large-s', '0.05']

/** The deterministic trace: 24 tokens, unsure at 5, 9 and 17, wrong at 7. */
function goldenTrace(): string {
  const confidence: Readonly<Record<number, number>> = { 5: 0.3, 9: 0.45, 17: 0.2 }
  const lines = Array.from({ length: 24 }, (_, i) =>
    JSON.stringify({ confidence: confidence[i] ?? 0.9, small: i, large: i === 7 ? 99 : i, nll: i === 7 ? 3.1 : 0 }),
  )
  writeFileSync(join(folder, 'golden.jsonl'), `${lines.join('\n')}\n`)
  return 'golden.jsonl'
}

function expectNarrow(text: string): void {
  expect(text.split('\n').filter((line) => line.length > 80)).toEqual([])
  expect(text).not.toMatch(/NaN|undefined|Infinity|\[object/)
}

describe('help', () => {
  it.each([[[]], [['bild']], [['speculate']]])('of simulate %j', async (names) => {
    const { stdout } = await run(...names, '--help')
    expectNarrow(stdout)
    expect(stdout).toMatchSnapshot()
  })
})

describe('simulate bild', () => {
  it('says which thresholds never or always fire', async () => {
    const args = ['bild', '--trace', goldenTrace(), ...seconds]
    const { warnings: never } = await json(...args, '--fallback', '0', '--rollback', '1000')
    expect(never).toEqual(['fallback 0: never fires on these texts', 'rollback 1000: never fires on these texts'])
    const { warnings: always } = await json(...args, '--fallback', '1')
    expect(always).toEqual(['fallback 1: always fires on these texts, so every small step is wasted'])
  })
  it('replays a trace, event by event', async () => {
    const trace = goldenTrace()
    const args = ['bild', '--trace', trace, '--fallback', '0.5', '--rollback', '2', '--window', '10', ...seconds]
    const answer = await json(...args, '--events')
    expect(answer).toMatchObject({
      counts: {
        tokens: 24,
        small_steps: 24,
        large_steps: 6,
        fallbacks: 4,
        rollbacks: 1,
        capped: 0,
        deleted: 2,
      },
      ci95: null,
      mode: 'given',
      models: null,
    })
    expect(answer.latency_s).toBeCloseTo(24 * 0.02 + 6 * 0.05, 12)
    expect(answer.speedup).toBeCloseTo((24 * 0.05) / (24 * 0.02 + 6 * 0.05), 12)
    expect(answer.events).toContainEqual({ event: 'rollback', position: 7, deleted: 2, text: 0 })
    const { stdout } = await run(...args, '--events')
    expectNarrow(stdout)
    expect(stdout).toContain('L0 s1-s4 FB@5 L5 s6-s8 FB@9 RB@7(-2) L8 FB@9 L9 s10-s16 FB@17 L17 s18-s23')
  })

  it('sweeps a grid of synthetic texts, the same bytes for the same seed', async () => {
    const args = ['bild', '--task', 'iwslt', '--fallback', '0.4,0.6', '--rollback', '2,5', '--tokens', '5k', ...seconds]
    const first = await run(...args, '--json', '--seed', '7')
    expect((await run(...args, '--json', '--seed', '7')).stdout).toBe(first.stdout)
    expect((await run(...args, '--json', '--seed', '8')).stdout).not.toBe(first.stdout)
    const { rows } = JSON.parse(first.stdout)
    expect(rows.map((r: { fallback: number; rollback: number }) => [r.fallback, r.rollback])).toEqual([
      [0.4, 2],
      [0.4, 5],
      [0.6, 2],
      [0.6, 5],
    ])
    for (const r of rows) {
      expect(r.ci95.speedup[0]).toBeLessThan(r.speedup)
      expect(r.ci95.latency_s[1]).toBeGreaterThan(r.latency_s)
    }
    expectNarrow((await run(...args)).stdout)
    const { stdout: csv } = await run(...args, '--csv')
    expect(csv.split('\n')).toHaveLength(6)
    await run(...args, '--plot', 'bild.svg')
    expect(existsSync(join(folder, 'bild.svg'))).toBe(true)
  })

  it('takes the steps of models on a machine, in the mode that it names', async () => {
    const models = ['--model', 't5-large', '--small', 't5-small', '--on', 't4', '--source', '512']
    const at = ['bild', '--task', 'xsum', '--aligned', '--fallback', '0.4', '--tokens', '5k', ...models]
    const [bound, eager] = [await json(...at), await json(...at, '--mode', 'eager')]
    expect([bound.mode, eager.mode]).toEqual(['bound', 'eager'])
    expect(bound.models).toEqual({ small: 't5-small', large: 't5-large', machine: 't4' })
    expect(eager.large_s).toBeCloseTo(0.03987, 4)
    expect(bound.large_s).toBeLessThan(0.01)
    expect(bound.speedup).toBeGreaterThan(eager.speedup)
    expect((await run(...at, '--mode', 'eager')).stdout).toContain('t5-small and t5-large on t4, eager')
  })
})

describe('simulate speculate', () => {
  it('compares Monte Carlo with the closed form over gamma', async () => {
    const { rows } = await json('speculate', '--alpha', '0.9', '--gamma', '0,6,1000', '--seed', '3', ...seconds)
    expect(rows[0]).toMatchObject({ speedup: 1, alpha: null, closed_form: { speedup: 1, tokens_per_round: 1 } })
    expect(rows[1].closed_form.tokens_per_round).toBeCloseTo(5.217031, 6)
    expect(rows[1].closed_form.speedup).toBeGreaterThan(rows[1].ci95.speedup[0])
    expect(rows[1].closed_form.speedup).toBeLessThan(rows[1].ci95.speedup[1])
    expect(rows[2].closed_form.tokens_per_round).toBeCloseTo(10, 9)
    const accepted = await json('speculate', '--accepted', '0.9', '--gamma', '6', ...seconds)
    expect(accepted.closed_form.tokens_per_round).toBeCloseTo(6.4, 9)
    expect(accepted.alpha).toBeCloseTo(0.97, 3)
  })

  it('chooses the best gamma and says so', async () => {
    const answer = await json('speculate', '--alpha', '0.8', ...seconds)
    expect(answer).toMatchObject({ gamma_chosen: true, gamma: 2 })
    const { stdout } = await run('speculate', '--alpha', '0.8', ...seconds, '--plot', 'gamma.png')
    expectNarrow(stdout)
    expect(stdout).toContain('No gamma was given: this is the best.')
    expect(existsSync(join(folder, 'gamma.png'))).toBe(true)
  })

  it('replays tokens, and counts rounds', async () => {
    const tokens = await json('speculate', '--trace', goldenTrace(), '--gamma', '3', ...seconds)
    expect(tokens.counts).toEqual({
      tokens: 24,
      rounds: 6,
      drafted: 18,
      accepted: 18,
      small_steps: 18,
      large_steps: 6,
    })
    writeFileSync(join(folder, 'rounds.jsonl'), '{"drafted": 4, "accepted": 4}\n{"drafted": 4, "accepted": 1}\n')
    const rounds = await json('speculate', '--trace', 'rounds.jsonl', '--gamma', '4', ...seconds)
    expect(rounds.closed_form.tokens_per_round).toBeCloseTo(3.5, 12)
  })

  it('reads a table over contexts', async () => {
    const answer = await json(
      ...['speculate', '--alpha', '4k:0.84/64k:0.8', '--context', '16k', '--gamma', '3'],
      ...['--model', 'llama-2-7b', '--small', 'tinyllama-1.1b', '--on', 'h100-sxm'],
    )
    expect(answer.alpha).toBeCloseTo(0.82, 9)
    expect(answer.closed_form.operations).toBeGreaterThan(1)
  })
})

describe('bad input', () => {
  const task = ['bild', '--task', 'iwslt']
  it.each<[number, string[], RegExp]>([
    [2, [], /^memwall: simulate: expected one of bild, speculate, search, serve, got none\n$/],
    [2, ['bidl'], /got bidl.*bild/],
    [2, ['bild', ...seconds], /expected --task or --trace/],
    [2, task, /expected --small-s and --large-s, or --model, --small and --on/],
    [2, [...task, '--small-s', '1'], /expected both --small-s and --large-s/],
    [
      2,
      [...task, ...seconds, '--model', 't5-large'],
      /--model: expected seconds of steps or models on a machine, got both/,
    ],
    [2, [...task, ...seconds, '--fallback', '1.5'], /--fallback: expected numbers from 0 to 1, .* got 1.5/],
    [2, [...task, ...seconds, '--fallback', 'NaN'], /--fallback: .* got NaN/],
    [2, [...task, ...seconds, '--rollback', '-1'], /--rollback: expected numbers from 0/],
    [2, [...task, ...seconds, '--window', '0'], /--window: expected whole numbers from 1 to 10000/],
    [2, [...task, ...seconds, '--fallback', '0.3,0.3'], /expected different values, got 0.3 twice/],
    [2, [...task, ...seconds, '--fallback', '0.3,0.4', '--events'], /--events: expected one value of each threshold/],
    [2, [...task, ...seconds, '--events', '--csv'], /--events: CSV has no place/],
    [2, [...task, ...seconds, '--plot', 'a.png'], /--plot: expected several thresholds/],
    [2, [...task, ...seconds, '--windw', '3'], /unknown option '--windw'/],
    [2, [...task, '--model', 'mt5-large', '--small', 't5-small', '--on', 't4'], /expected the vocabulary of mt5-large/],
    [
      2,
      [...task, '--model', 't5-large', '--small', 't5-small', '--on', 't4', '--pass-s', '1'],
      /--pass-s: expected --mode eager/,
    ],
    [2, ['bild', '--trace', 'none.jsonl', ...seconds], /none.jsonl: no such file/],
    [2, ['bild', '--trace', 'golden.jsonl', '--aligned', ...seconds], /--aligned: it is for synthetic texts/],
    [2, ['speculate', ...seconds], /expected one of --alpha, --accepted, --trace and --task, got none/],
    [2, ['speculate', '--alpha', '0.8', '--accepted', '0.8', ...seconds], /got --alpha and --accepted/],
    [2, ['speculate', '--alpha', '1.2', ...seconds], /alpha: expected a probability from 0 to 1, got 1.2/],
    [
      2,
      ['speculate', '--alpha', '0.8', '--gamma', '1.5', ...seconds],
      /--gamma: expected whole numbers from 0 to 10000/,
    ],
    [2, ['speculate', '--alpha', '0.8', '--aligned', ...seconds], /--aligned: expected --task/],
    [2, ['speculate', '--alpha', '4k:0.8/8k:0.7', ...seconds], /expected --context beside a table/],
  ])('%d for %j', async (code, args, message) => {
    goldenTrace()
    const { code: got, stderr, stdout } = await run(...args)
    expect(stderr).toMatch(message)
    expect(stderr.trimEnd().split('\n')).toHaveLength(1)
    expect([got, stdout]).toEqual([code, ''])
  })

  it.each([
    ['{"confidence": 0.5, "small": 1, "large": 1}', 'line 2: expected nll, got none'],
    ['{"confidence": NaN, "small": 1, "large": 1, "nll": 0}', 'line 2: expected numbers, got NaN'],
    ['{"confidence": 1.5, "small": 1, "large": 1, "nll": 0}', 'line 2: confidence: expected a probability'],
    ['{"confidence": 0.5, "small": 1, "large": 2, "nll": 0.1}', 'do both models use one vocabulary?'],
  ])('a trace with %s fails with its line', async (line, message) => {
    writeFileSync(join(folder, 'bad.jsonl'), `{"confidence": 0.5, "small": 1, "large": 1, "nll": 0}\n${line}\n`)
    const { code, stderr } = await run('bild', '--trace', 'bad.jsonl', ...seconds)
    expect(stderr).toContain('memwall: bad.jsonl: line 2: ')
    expect(stderr).toContain(message)
    expect(code).toBe(1)
  })

  it('a draft larger than its target is warned of', async () => {
    const { stdout, code } = await run(...task, '--model', 't5-small', '--small', 't5-large', '--on', 't4')
    expect(stdout.replace(/\s+/g, ' ')).toContain('! the draft t5-large is not smaller than its target t5-small')
    expect(code).toBe(0)
  })
})
