// Sweeps as a user runs them: the same rows from any number of workers, none lost or doubled by a kill, and nonsense refused.
import { spawn } from 'node:child_process'
import { existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { main, memwall, scratch } from './run.ts'

const folder = scratch()
const at = (name: string) => join(folder, name)
const run = (...args: string[]) => memwall(['sweep', ...args], folder)
const on = ['llama-3.1-8b', '--on', 'h100-sxm']

describe('sweep', () => {
  it('prints a line of JSON for each point, as predict would', async () => {
    const { stdout, stderr } = await run(...on, '--batch', '1,8', '--kv', 'fp8|bf16', '--json', '--price', '3')
    expect(stderr).toBe('')
    const rows = stdout
      .trimEnd()
      .split('\n')
      .map((line) => JSON.parse(line))
    expect(rows.map((r) => r.point)).toEqual([
      { kv: 'fp8', batch: 1 },
      { kv: 'fp8', batch: 8 },
      { kv: 'bf16', batch: 1 },
      { kv: 'bf16', batch: 8 },
    ])
    const one = JSON.parse((await memwall(['predict', ...on, '--batch', '8', '--kv', 'fp8', '--json'])).stdout)
    const { operators: _, ...rest } = one
    expect(rows[1]).toMatchObject(rest)
    expect(rows[1].cost_per_million_tokens).toBeCloseTo((3 / 3600 / one.tokens_per_s) * 1e6, 9)
    expect(rows[1].operators).toBeUndefined()
  })

  it('is a table in 80 columns, and CSV with a header', async () => {
    const { stdout } = await run(...on, '--batch', '1:8:x2', '--context', '1k,128k')
    expect(stdout.split('\n').filter((line) => line.length > 80)).toEqual([])
    expect(stdout.split('\n')).toHaveLength(10)
    const csv = (await run(...on, '--batch', '1:8:x2', '--tp', '1,3', '--csv')).stdout.trimEnd().split('\n')
    expect(csv[0]).toMatch(/^tp,model,machine,phase,batch,.*,metric,warnings,error$/)
    expect(csv).toHaveLength(9)
    expect(csv[8]).toMatch(/"?tp: expected a divisor of the 32 heads/)
  })

  it('leaves the front of two figures, and rows that fit', async () => {
    const { stdout } = await run(
      ...on,
      '--batch',
      '1:256:x2',
      '--pareto',
      'time_per_output_token_s,tokens_per_s',
      '--where',
      'memory.fits',
      '--context',
      '8k',
      '--json',
    )
    const rows = stdout
      .trimEnd()
      .split('\n')
      .map((line) => JSON.parse(line))
    expect(rows.map((r) => r.point.batch)).toEqual([1, 2, 4, 8, 16, 32, 64])
    await run(...on, '--batch', '1:8:x2', '--pareto', 'bound_s,tokens_per_s', '--out', 'front.csv')
    expect(readFileSync(at('front.csv'), 'utf8').trimEnd().split('\n')).toHaveLength(5)
    expect(existsSync(at('front.csv.partial'))).toBe(false)
  })

  it('gives the same bytes from one worker, from two and from none', async () => {
    const grid = [...on, '--batch', '1:40', '--context', '1k:8k:1k', '--csv']
    const outs = await Promise.all([[], ['--workers', '1'], ['--workers', '2']].map((more) => run(...grid, ...more)))
    expect(new Set(outs.map((o) => o.stdout)).size).toBe(1)
    expect(outs[0]?.stdout.split('\n')).toHaveLength(40 * 8 + 2)
  })

  it('loses and doubles no row when it is killed', async () => {
    const grid = [...on, '--batch', '1:3000', '--context', '1k,2k', '--json', '--workers', '1']
    const whole = run(...grid, '--out', 'whole.jsonl')
    await killed([...grid, '--out', 'killed.jsonl'], at('killed.jsonl.partial.json'))
    // As if more had been written than the journal knows of.
    const journal = JSON.parse(readFileSync(at('killed.jsonl.partial.json'), 'utf8'))
    expect(journal.points).toBeGreaterThan(0)
    expect(journal.points).toBeLessThan(6000)
    writeFileSync(at('killed.jsonl.partial'), '{"half a ro', { flag: 'a' })

    expect((await run(...grid, '--out', 'killed.jsonl')).stderr).toMatch(/unfinished sweep is there; expected --resume/)
    const other = await run(
      ...on,
      '--batch',
      '1:3001',
      '--context',
      '1k,2k',
      '--json',
      '--out',
      'killed.jsonl',
      '--resume',
    )
    expect(other).toMatchObject({ code: 1, stdout: '' })
    expect(other.stderr).toMatch(
      /expected the journal of this sweep, got that of another: sweep llama-3.1-8b .*--batch 1:3000/,
    )

    expect(await run(...grid, '--out', 'killed.jsonl', '--resume')).toMatchObject({ code: 0, stderr: '' })
    expect((await whole).code).toBe(0)
    expect(readFileSync(at('killed.jsonl')).equals(readFileSync(at('whole.jsonl')))).toBe(true)
    expect(existsSync(at('killed.jsonl.partial')) || existsSync(at('killed.jsonl.partial.json'))).toBe(false)
  }, 120_000)

  it('goes on where it was killed between its last two steps', async () => {
    const grid = [...on, '--batch', '1:4', '--json', '--out', 'late.jsonl']
    expect((await run(...grid)).code).toBe(0)
    const rows = readFileSync(at('late.jsonl'))
    writeFileSync(at('late.jsonl.partial.json'), '{"half')
    expect((await run(...grid, '--resume')).stderr).toMatch(/expected the journal of a sweep, got something else/)
    rmSync(at('late.jsonl.partial.json'))
    const finished = await run(...on, '--batch', '9', '--json', '--out', 'late.jsonl', '--resume')
    expect(finished).toMatchObject({ code: 1, stdout: '' })
    expect(finished.stderr).toMatch(/late\.jsonl: no unfinished sweep is beside it/)
    expect(readFileSync(at('late.jsonl')).equals(rows)).toBe(true)
  })

  it('says what became of points without an answer', async () => {
    const { code, stdout, stderr } = await run(...on, '--tp', '1:4', '--metric', 'speedup.expected')
    expect(code).toBe(0)
    expect(stdout).toMatch(/^ 3 +tp: expected a divisor/m)
    expect(stderr).toMatch(/1 of 4 points cannot be asked: tp: expected a divisor/)
    expect(stderr).toMatch(/3 of 4 rows have no value to show/)
  })

  it.skipIf(!existsSync('/dev/full'))('reports a full disk in one line', async () => {
    const result = await run(...on, '--batch', '1:9', '--json', '--out', '/dev/full')
    expect(result).toMatchObject({ code: 1, stdout: '', stderr: 'memwall: cannot write /dev/full: no space is left\n' })
  })
})

/** Runs a sweep and kills it, as nothing can catch, once its journal is there. */
function killed(args: readonly string[], journal: string): Promise<void> {
  return new Promise((done) => {
    const child = spawn(process.execPath, [main, 'sweep', ...args], { cwd: folder, stdio: 'ignore' })
    const watch = setInterval(() => {
      if (existsSync(journal)) child.kill('SIGKILL')
    }, 2)
    child.on('exit', () => {
      clearInterval(watch)
      done()
    })
  })
}

mkdirSync(at('folder'))
const cases: [code: 1 | 2, args: string[], message: RegExp][] = [
  [2, ['--batch', '8:1'], /batch: expected a range that rises/],
  [
    2,
    ['--batch', '1:1000000', '--context', '1:1000'],
    /expected --yes for 1,000,000,000 points, which take about \S+ \S+/,
  ],
  [2, ['--metric', 'speed'], /--metric: expected a key of the answer, got speed/],
  [2, ['--metric', 'import({})'], /got the function import/],
  [2, ['--where', 'tokens_per_s'], /--where: expected true or false/],
  [2, ['--metric', 'cost_per_million_tokens'], /needs the price of the machines/],
  [2, ['--price', 't4=1'], /price: expected a machine of --on \(h100-sxm\), got t4/],
  [2, ['--resume'], /--resume: expected --out FILE/],
  [2, ['--tp', '3,5'], /none of 2 points can be asked; the first: tp/],
  [2, ['--versus', 'kvquant:bit=3'], /with kvquant: expected bits/],
  [2, ['--plot', 'x.png'], /--plot: expected two swept numbers/],
  [1, ['--out', 'folder'], /cannot write folder: it is a folder/],
]

describe('nonsense', () => {
  it.concurrent.each(cases)('exits with %i after %j', async (code, args, message) => {
    const result = await run(...on, ...args)
    expect(result.stderr).toMatch(message)
    expect(result.stderr.trimEnd().split('\n')).toHaveLength(1)
    expect(result).toMatchObject({ code, stdout: '' })
  })
})
