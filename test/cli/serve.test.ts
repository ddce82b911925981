// `memwall simulate serve` as a user runs it.
import { execFile } from 'node:child_process'
import { existsSync, readFileSync, statSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { main, memwall, scratch } from './run.ts'

const folder = scratch()
const run = (...args: string[]) => memwall(['simulate', 'serve', ...args], folder)
const fleet = ['opt-1.3b', '--on', 'a100-80gb-sxm']
const short = ['--requests', '300', '--output', '8']

describe('simulate serve', () => {
  it('explains itself, TTFT and TPOT exactly', async () => {
    const { stdout } = await run('--help')
    expect(stdout.split('\n').filter((line) => line.length > 80)).toEqual([])
    expect(stdout).toMatchSnapshot()
  })

  it('answers with stable keys, repeatably, and a line for each request', async () => {
    const args = [
      ...fleet,
      '--replicas',
      '2',
      '--rate',
      '40',
      '--deadline',
      '1s',
      ...short,
      '--rows',
      'rows.jsonl',
      '--json',
    ]
    const first = await run(...args)
    const answer = JSON.parse(first.stdout)
    expect((await run(...args)).stdout).toBe(first.stdout)
    expect(Object.keys(answer)).toMatchSnapshot()
    expect(Object.keys(answer.ttft_s)).toEqual(['mean', 'p50', 'p90', 'p99', 'ci95'])
    expect(answer).toMatchObject({ saturated: false, availability: 1, replicas: 2, rate: 40, warnings: [] })
    expect(answer.ttft_s.mean).toBeCloseTo(answer.wait_s.mean + answer.prefill_s.mean, 12)
    expect(answer.littles_law.in_system).toBeCloseTo(answer.littles_law.rate_times_time, 9)
    const rows = readFileSync(join(folder, 'rows.jsonl'), 'utf8')
      .trim()
      .split('\n')
      .map((l) => JSON.parse(l))
    expect(rows).toHaveLength(300)
    expect(rows.reduce((sum, r) => sum + r.e2e_s, 0) / 300).toBeCloseTo(answer.e2e_s.mean, 12)
  })

  it('takes servers of queueing theory for the model', async () => {
    const args = [
      '--service',
      'exponential:0.1',
      '--rate',
      '32',
      '--replicas',
      '4',
      '--queue',
      'shared',
      '--requests',
      '50k',
    ]
    const { wait_s, ttft_s, warnings } = JSON.parse((await run(...args, '--json')).stdout)
    // M/M/4 at load 0.8.
    expect(wait_s.ci95[0]).toBeLessThan(0.0746)
    expect(wait_s.ci95[1]).toBeGreaterThan(0.0746)
    expect(ttft_s).toBeNull()
    expect(warnings).toEqual([])
    const ignored = await run(...fleet, ...args, '--json')
    expect(JSON.parse(ignored.stdout).warnings[0]).toMatch(
      /takes the place of the model: opt-1.3b, --on changes nothing/,
    )
  })

  it('gives no latency of a queue that explodes', async () => {
    const { code, stdout } = await run(...fleet, '--rate', '1e9', '--duration', '10m', '--json')
    expect(code).toBe(0)
    const answer = JSON.parse(stdout)
    expect(answer).toMatchObject({ saturated: true, ttft_s: null, e2e_s: null, wait_s: null })
    expect(answer.warnings[0]).toMatch(/^saturated: given up/)
  })

  it('draws and tabulates several rates', async () => {
    const { code, stdout } = await run(...fleet, '--load', '0.3,0.6', ...short, '--plot', 'load.png', '--csv')
    expect(code).toBe(0)
    expect(stdout.trim().split('\n')).toHaveLength(3)
    expect(readFileSync(join(folder, 'load.png')).subarray(1, 4).toString()).toBe('PNG')
  })

  it('rejects what never fits and goes on', async () => {
    const lines = [
      [0, 2000, 100],
      [0, 100, 5],
    ].map(([time, prompt, output]) => JSON.stringify({ time, prompt, output }))
    writeFileSync(join(folder, 'long.jsonl'), lines.join('\n'))
    const { code, stdout } = await run(...fleet, '--trace', 'long.jsonl', '--json')
    expect(code).toBe(0)
    expect(JSON.parse(stdout)).toMatchObject({
      requests: { offered: 2, completed: 1, rejected: 1 },
      rejected: [{ why: 'longer than the 2048 positions of opt-1.3b', count: 1, first: 0 }],
    })
  })

  it('leaves whole lines where it is killed while it writes them', { timeout: 60_000 }, async () => {
    const file = join(folder, 'cut.jsonl')
    const load = ['--load', '0.7', '--requests', '1M', '--rows', 'cut.jsonl']
    await new Promise<void>((done) => {
      const child = execFile(process.execPath, [main, 'simulate', 'serve', ...fleet, ...load], { cwd: folder }, () => {
        clearInterval(watch)
        done()
      })
      const written = () => existsSync(file) && statSync(file).size > 0
      const watch = setInterval(() => written() && child.kill('SIGKILL'), 5)
    })
    const lines = readFileSync(file, 'utf8').split('\n')
    // The last may be cut where the kill met the write itself.
    const ids = new Set(lines.slice(0, -1).map((line) => JSON.parse(line).id))
    expect(ids.size).toBe(lines.length - 1)
    expect(ids.size).toBeGreaterThan(100)
    expect(ids.size).toBeLessThan(1e6)
  })

  it('drops who is late, within the deadline of all others, at twice what it can serve', async () => {
    const args = [...fleet, '--load', '2', '--requests', '4000', '--output', '8', '--deadline', '1s', '--json']
    const dropping = JSON.parse((await run(...args, '--drop-late')).stdout)
    const { offered, completed, dropped, rejected, unfinished } = dropping.requests
    expect(dropped).toBeGreaterThan(500)
    expect(completed + dropped + rejected + unfinished).toBe(offered)
    expect(dropping.wait_s.p99).toBeLessThanOrEqual(1)
    const keeping = JSON.parse((await run(...args)).stdout)
    expect(keeping.requests.dropped).toBe(0)
    // Who is started at the last moment is late nevertheless: dropping bounds the wait, and saves nobody in a line.
    expect(dropping.availability).toBeGreaterThanOrEqual(keeping.availability)
    expect(keeping.wait_s).toBeNull()
  })

  it('prices the time of all devices and counts the energy of those at work', async () => {
    const args = [...fleet, '--replicas', '3', '--rate', '30', ...short, '--json']
    const priced = JSON.parse((await run(...args, '--price', '2.5')).stdout)
    expect(priced.cost).toBeCloseTo((3 * 2.5 * priced.duration_s) / 3600, 12)
    // An A100 has 400 W.
    expect(priced.energy_j).toBeCloseTo(400 * 3 * priced.utilization * priced.duration_s, 6)
    expect(JSON.parse((await run(...args)).stdout).cost).toBeNull()
  })

  it('gives the percentiles of latencies over time, of the same requests as the whole', async () => {
    const { stdout } = await run(...fleet, '--load', '0.6', '--requests', '3000', '--output', '8', '--json')
    const answer = JSON.parse(stdout)
    const { rows } = answer.timeline
    expect(rows.reduce((sum: number, r: { completed: number }) => sum + r.completed, 0)).toBe(3000)
    for (const key of ['ttft_s', 'tpot_s', 'e2e_s']) {
      const some = rows.filter((r: { completed: number }) => r.completed > 0)
      expect(
        some.every((r: Record<string, { p50: number; p99: number }>) => (r[key]?.p50 ?? 1) <= (r[key]?.p99 ?? 0)),
      ).toBe(true)
      const largest = Math.max(...some.map((r: Record<string, { p99: number }>) => r[key]?.p99 ?? 0))
      expect(largest).toBeGreaterThanOrEqual(answer[key].p99)
    }
    expect(rows.find((r: { completed: number }) => r.completed === 0)?.e2e_s ?? null).toBeNull()
  })

  writeFileSync(join(folder, 'disorder.csv'), 'time,prompt,output\n3,1,1\n2,1,1\n')
  writeFileSync(join(folder, 'negative.csv'), 'time,prompt,output\n-3,1,1\n')
  writeFileSync(join(folder, 'columns.csv'), 'time,tokens\n1,1\n')
  writeFileSync(
    join(folder, 'other.json'),
    '{"format": "memwall-router", "version": 1, "tasks": ["a"], "models": ["b"]}',
  )

  it.each([
    [2, ['--rate', '5'], /expected a model, or --service/],
    [2, [...fleet], /expected one of --rate, --load, --concurrency and --trace, got none/],
    [2, [...fleet, '--rate', '0'], /--rate: expected numbers from 1e-9/],
    [2, [...fleet, '--rate', '5', '--concurrency', '3'], /got --rate and --concurrency/],
    [2, [...fleet, '--rate', '5', '--replicas', '0'], /--replicas: expected a whole number from 1/],
    [2, ['opt-1.3b=0', '--on', 'h200', '--rate', '5'], /opt-1.3b: expected at least one replica/],
    [2, ['opt-1.3b,opt-125m', '--on', 'h200', '--rate', '5'], /expected how many replicas each has/],
    [2, ['bert-base', '--on', 'h200', '--rate', '5'], /bert-base: expected a decoder to serve/],
    [2, ['llama-3.1-70b', '--on', 'a100-80gb-sxm', '--rate', '5'], /leaves no room for a cache/],
    [2, [...fleet, '--rate', '5', '--drop-late'], /--drop-late: expected --deadline/],
    [2, [...fleet, '--rate', '5', '--router', 'lest-loaded'], /expected one of .* got lest-loaded.*least-loaded/],
    [2, [...fleet, '--rate', '5', '--router', 'deadline-capped'], /expected --deadline, got none/],
    [2, [...fleet, '--rate', '5', '--router', 'dqn:none.json'], /none.json: no such file/],
    [1, [...fleet, '--rate', '5', '--router', 'dqn:other.json'], /other.json: expected a scale for each of 1 models/],
    [2, [...fleet, '--rate', '5', '--arrivals', 'gamma'], /--arrivals: expected gamma:cv=N/],
    [2, [...fleet, '--rate', '5', '--prompt', '-3'], /--prompt: expected whole tokens/],
    [2, [...fleet, '--rate', '5', '--fail', '7@1:2'], /fail: expected a replica from 0 to 0, got 7/],
    [2, [...fleet, '--rate', '5', '--chunk', '64'], /--chunk: expected --prefill chunked/],
    [2, [...fleet, '--trace', 'nothing.csv'], /nothing.csv: no such file/],
    [1, [...fleet, '--trace', 'disorder.csv'], /disorder.csv: line 3: time: expected times in order, got 2 after 3/],
    [1, [...fleet, '--trace', 'negative.csv'], /line 2: time: expected seconds from 0, got -3/],
    [1, [...fleet, '--trace', 'columns.csv'], /expected columns time, prompt, output/],
    [1, [...fleet, '--rate', '5', '--rows', 'no/such/rows.jsonl'], /cannot write no\/such\/rows.jsonl/],
  ] as const)('refuses, with exit %i: %j', async (code, args, message) => {
    const result = await run(...args)
    expect(result.stderr).toMatch(message)
    expect(result.stderr.trim().split('\n')).toHaveLength(1)
    expect(result).toMatchObject({ code, stdout: '' })
  })
})
