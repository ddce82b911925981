import { createHash } from 'node:crypto'
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { describe, expect, it } from 'vitest'
import { casesOf } from '../../cli/fit/cases.ts'
import { coverageOf, intervalsOf, type Outcome } from '../../cli/fit/coverage.ts'
import { files, readData } from '../../cli/fit/data.ts'
import { cacheRate } from '../../hardware/attention-time.ts'
import constantsFile from '../../hardware/constants.json' with { type: 'json' }
import { attentionRatios, scored } from '../../hardware/fit/attention.ts'
import { collectiveRatios } from '../../hardware/fit/collective.ts'
import { errorsOf } from '../../hardware/fit/errors.ts'
import { gemmRatios } from '../../hardware/fit/gemm.ts'
import { globalConstants } from '../../hardware/profile.ts'

const folder = resolve(import.meta.dirname, '../../../shared/data/measured')
const absent = !existsSync(folder)

describe.skipIf(absent)(`the measurements${absent ? `: skipped, since ${folder} is not here` : ''}`, () => {
  it.each(Object.entries(constantsFile.fit.data))('%s is what the constants were fitted on', (file, sum) => {
    const path = join(folder, file)
    expect(existsSync(path), path).toBe(true)
    expect(createHash('sha256').update(readFileSync(path)).digest('hex')).toBe(sum)
  })

  it('are as far from the constants that ship as those say', async () => {
    const data = await readData(folder)
    expect(data.hashes).toEqual(constantsFile.fit.data)
    expect(errorsOf(gemmRatios(data.gemm, globalConstants.gemm)).mape).toBeLessThan(0.06)
    const ratios = attentionRatios(data.attention, data.machines, globalConstants.attention)
    const decode = ratios.filter((_, i) => data.attention[i]?.kind === 'decode' && scored(data.attention[i]))
    expect(errorsOf(decode).mape).toBeLessThan(0.09)
    expect(errorsOf(collectiveRatios(data.collectives, globalConstants.collective)).mape).toBeLessThan(0.25)
  })
})

it('names the files that a folder lacks', async () => {
  await expect(readData(import.meta.dirname)).rejects.toThrow(/expected gemm_bf16\.csv, gemm_lowp\.csv,/)
})

describe('broken data', () => {
  const header = 'hardware,op,dtype,m,n,k,latency_us'
  const good = 'l40s,gemm,bf16,64,1024,1024,9.5'

  /** A folder whose products are these lines; its other files are products too, since nothing reads on. */
  function withFolder<T>(lines: readonly string[], use: (folder: string) => Promise<T>): Promise<T> {
    const folder = mkdtempSync(join(tmpdir(), 'memwall-fit-'))
    for (const [name, need] of Object.entries(files)) {
      if (need === 'fitted') writeFileSync(join(folder, `${name}.csv`), [header, good, ''].join('\n'))
    }
    writeFileSync(join(folder, 'gemm_bf16.csv'), [header, good, ...lines, ''].join('\n'))
    return use(folder).finally(() => rmSync(folder, { recursive: true }))
  }

  it.each([
    ['', /gemm_bf16\.csv:3: latency_us: expected a number above 0.*, got nothing$/],
    ['0', /gemm_bf16\.csv:3: latency_us: expected a number above 0.*, got '0'$/],
    ['-3', /gemm_bf16\.csv:3: latency_us: expected a number above 0.*, got '-3'$/],
    ['Infinity', /gemm_bf16\.csv:3: latency_us: expected a number above 0.*, got 'Infinity'$/],
    ['NaN', /gemm_bf16\.csv:3: latency_us: expected a number above 0.*, got 'NaN'$/],
  ])("a latency of '%s' is an error with its line", async (latency, message) => {
    await withFolder([`l40s,gemm,bf16,64,1024,1024,${latency}`], async (folder) => {
      await expect(readData(folder)).rejects.toThrow(message)
    })
  })

  it('a size that is no number is an error with its line', async () => {
    await withFolder(['l40s,gemm,bf16,64,many,1024,9'], async (folder) => {
      await expect(readData(folder)).rejects.toThrow(/gemm_bf16\.csv:3: n: expected a number, got 'many'$/)
    })
  })

  const row = (at: string, value: Readonly<Record<string, string>>) => ({
    at,
    fields: { hardware: 'l40s', op: 'gemm', dtype: 'bf16', m: '64', n: '1024', k: '1024', latency_us: '9', ...value },
  })

  it('of a file that is only scored is an error with its line too', async () => {
    await expect(casesOf([row('x.csv:2', { latency_us: '0' })], globalConstants)).rejects.toThrow(
      /^x\.csv:2: latency_us: expected a number above 0.*, got '0'$/,
    )
  })

  it('is not what cannot be predicted: that is counted with its reason', async () => {
    const rows = [row('x.csv:2', {}), row('x.csv:3', { hardware: 'abacus' })]
    const { measured, dropped } = await casesOf(rows, globalConstants)
    expect(measured.length).toBe(1)
    expect(dropped).toEqual(["machine: 'abacus' is not known"])
  })
})

describe('coverage', () => {
  const outcome = (machine: string, i: number, ratio: number): Outcome => ({
    ratio,
    regime: 'decode',
    machine,
    half: String(i % 2),
    shipped: ratio,
    shippedRegime: 'decode',
    kind: 'attention-decode',
    engine: '',
  })
  const rows = (machine: string, centre: number) =>
    Array.from({ length: 120 }, (_, i) => outcome(machine, i, centre * (1 + (i - 60) / 600)))

  it('by what ships holds a shifted machine, held out does not', () => {
    const all = [...rows('a', 1), ...rows('b', 1), ...rows('shifted', 5)]
    const coverage = coverageOf(all, [], intervalsOf(all, []))
    const of = (group: string) => coverage.find((c) => c.group === `attention-decode ${group}`) ?? expect.fail(group)
    expect(of('shifted').shipped.inside).toBeGreaterThan(0.88)
    expect(of('shifted').unseen.inside).toBe(0)
    expect(of('shifted').unseen.width).toBeLessThan(of('shifted').shipped.width)
    expect(of('a').unseen.inside).toBe(1)
    expect(of('a').foreign).toBe(1)
  })
})

it('has one rate of the last-level cache, in products and in attention', () => {
  expect(Math.abs(cacheRate / globalConstants.gemm.cache - 1)).toBeLessThan(0.02)
})

describe('docs/accuracy.md', () => {
  const page = readFileSync(resolve(import.meta.dirname, '../../docs/accuracy.md'), 'utf8')

  it('is of the constants that ship', () => {
    for (const [file, sum] of Object.entries(constantsFile.fit.data)) expect(page).toContain(`| ${file} | \`${sum}\` |`)
    for (const { name, scheme, rows, mape } of constantsFile.fit.errors) {
      const line = `| ${name} | ${scheme} |  | ${rows} | ${(100 * mape).toFixed(1)} % |`
      expect(page).toContain(line)
    }
    for (const [name, value] of Object.entries(constantsFile.constants.gemm)) {
      expect(page).toContain(`| graph | gemm.${name} | ${value} |`)
    }
  })
})
