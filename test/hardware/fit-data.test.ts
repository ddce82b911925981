import { createHash } from 'node:crypto'
import { existsSync, readFileSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { describe, expect, it } from 'vitest'
import { readData } from '../../cli/fit/data.ts'
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
