// Solving, ranking, trends and training as a user asks for them.
import { describe, expect, it } from 'vitest'
import { seriesNames } from '../../hardware/trends/points.ts'
import { memwall, scratch } from './run.ts'

const folder = scratch()
const run = async (...args: string[]) => (await memwall(args, folder)).stdout
const json = async (...args: string[]) => JSON.parse(await run(...args, '--json'))

function expectNarrow(text: string): void {
  expect(text.split('\n').filter((line) => line.length > 80)).toEqual([])
  expect(text).not.toMatch(/NaN|undefined|Infinity|\[object/)
}

describe('help', () => {
  it.each(['sweep', 'solve', 'trends', 'train'])('of %s', async (name) => {
    const text = await run(name, '--help')
    expectNarrow(text)
    expect(text).toMatchSnapshot()
  })
})

describe('solve', () => {
  it('states no value of what it looks for, but where sensitivities are taken at it', async () => {
    const asked = ['solve', 'llama-2-7b', '--on', 'a100-80gb-sxm', '--for', 'batch', '--until', 'tokens_per_s >= 500']
    expect(await run(...asked)).toContain('llama-2-7b on a100-80gb-sxm: decode, context 2048\n')
    expect(await run(...asked, '--sensitivity')).toContain(': decode, batch 1, context 2048\n')
  })

  const batch = [
    'solve',
    'llama-3.1-8b',
    '--on',
    'h100-sxm',
    '--context',
    '8k',
    '--for',
    'batch',
    '--until',
    'memory.fits',
  ]
  it('answers with a root and its certificate', async () => {
    const text = await run(...batch)
    expectNarrow(text)
    expect(text).toMatch(/^memory\.fits: up to batch 64$/m)
    expect(await json(...batch)).toMatchObject({
      variable: 'batch',
      answer: 'value',
      roots: [
        {
          value: 64,
          below: 64,
          above: 65,
          holds: 'below',
          certificate: { below: { holds: true }, above: { holds: false } },
        },
      ],
      method: 'bisection',
      resolution: 1,
    })
    expect(await run(...batch, '--csv')).toMatch(/^value,holds,below,below_holds,/)
  })
  it('answers with the sensitivities alone', async () => {
    const text = await run('solve', 'llama-3.1-8b', '--on', 'h100-sxm', '--sensitivity')
    expectNarrow(text)
    expect(text).toMatch(/^bandwidth +3\.35 TB\/s +-1\.00/m)
  })
  it.each([
    [['--for', 'batch'], /expected --until with a condition/],
    [['--until', 'memory.fits'], /--until: expected --for/],
    [[], /expected --for with a parameter, or --sensitivity/],
    [['--for', 'batch', '--until', 'memory.fits', '--metric', 'bound_s'], /--metric: .* expected --versus/],
    [['--for', 'batch', '--until', 'memory.fits', '--context', '1k,2k'], /2 of context.*sweep/],
    [['--for', 'batch', '--until', 'memory.fits', '--batch', '4'], /expected no --batch with a value of batch/],
    [['--for', 'peak', '--until', 'memory.fits', '--set', 'peak=1e12'], /expected no --set with a value of peak/],
    [['--for', 'bits', '--until', 'memory.fits', '--weights', 'int4:group=64'], /expected no --weights with a value/],
    [['--sensitivity', '--batch', '1:4'], /expected one value of every option/],
  ])('refuses %j', async (flags, message) => {
    const { code, stdout, stderr } = await memwall(['solve', 'llama-3.1-8b', '--on', 'h100-sxm', ...flags], folder)
    expect(stderr).toMatch(message)
    expect({ code, stdout }).toEqual({ code: 2, stdout: '' })
  })
})

describe('compare', () => {
  it('ranks machines that fit, by cost where a price is known', async () => {
    const flags = [
      'compare',
      'llama-3.1-70b',
      '--on',
      'h100-sxm,h200,b200',
      '--weights',
      'fp8',
      '--batch',
      '32',
      '--price',
      '3,b200=6',
    ]
    const { ranking } = await json(...flags)
    expect(ranking).toMatchObject({
      by: 'cost',
      machines: [
        { rank: 1, machine: 'h200', price_per_hour: 3 },
        { rank: 2, machine: 'b200', price_per_hour: 6 },
        { rank: null, machine: 'h100-sxm', fits: false },
      ],
    })
    const [{ tokens_per_s, cost_per_million_tokens, joules_per_token }] = ranking.machines
    expect(cost_per_million_tokens).toBeCloseTo(((3 / 3600) * 1e6) / tokens_per_s, 9)
    expect(joules_per_token).toBeCloseTo(700 / tokens_per_s, 9)
    expectNarrow(await run(...flags))
    expect((await json(...flags.slice(0, 4), '--rank', 'energy')).ranking.by).toBe('energy')
  })
  it('refuses a price of another machine, and cost without one', async () => {
    const flags = ['compare', 'llama-3.1-8b', '--on', 'h200,t4']
    expect((await memwall([...flags, '--price', 'l4=1'])).stderr).toMatch(
      /expected a machine of --on \(h200, t4\), got l4/,
    )
    expect((await memwall([...flags, '--rank', 'cost'])).stderr).toMatch(/expected --price/)
  })
})

describe('trends', () => {
  it('has the six series and the ridge point', async () => {
    const { series, ridge } = await json('trends', '--workload', 'llama-3.1-8b:batch=64', '--workload', '60')
    expect(series.map((s: { name: string }) => s.name)).toEqual(seriesNames)
    expect(ridge.per_2_years).toBeCloseTo(1.901, 3)
    expect(ridge.workloads[1]).toMatchObject({ workload: '60', intensity: 60 })
    expectNarrow(await run('trends', '--workload', 'llama-3.1-8b:batch=64,context=2k'))
  })
  it.each([
    [['--workload', '-3'], /above 0 FLOP\/byte/],
    [['--workload', 'llama-3.1-8b:tokens=3'], /got tokens/],
    [['--ridge'], /--ridge: expected --plot/],
    [['--on', 'h200'], /--on: expected --workload/],
  ])('refuses %j', async (flags, message) => {
    expect((await memwall(['trends', ...flags])).stderr).toMatch(message)
  })
})

describe('train', () => {
  it('has memory by part, FLOPs and time', async () => {
    const flags = [
      'train',
      'gpt-2-xl',
      '--batch',
      '4',
      '--sequence',
      '1k',
      '--on',
      'a100',
      '--dp',
      '4',
      '--zero',
      '1',
      '--tokens',
      '10e9',
    ]
    const step = await json(...flags)
    const { parameters, gradients, optimizer, activations, total } = step.memory
    expect(parameters + gradients + optimizer + activations).toBe(total)
    expect(step).toMatchObject({
      devices: 4,
      tokens: 16384,
      fits: true,
      flops: expect.any(Number),
      step_s: expect.any(Number),
    })
    expectNarrow(await run(...flags))
  })
  it.each([
    [['--sequence', '1k'], /required option '--batch/],
    [['--batch', '1', '--sequence', '1k', '--zero', '4'], /--zero: expected one of 0, 1, 2, 3/],
    [['--batch', '1', '--sequence', '1k', '--tokens', '-1'], /--tokens: expected a number above 0/],
    [['--batch', '1', '--sequence', '1k', '--calibration', 'none'], /expected --on/],
  ])('refuses %j', async (flags, message) => {
    expect((await memwall(['train', 'gpt-2-xl', ...flags])).stderr).toMatch(message)
  })
})
