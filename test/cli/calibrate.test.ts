import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, describe, expect, it } from 'vitest'
import { calibrationAnswer } from '../../cli/calibration.ts'
import { localPath } from '../../cli/local.ts'
import { loadMachineArgument } from '../../cli/source.ts'
import { gemmBounds } from '../../hardware/gemm-time.ts'
import { loadModel } from '../../model/catalog.ts'
import { predict } from '../../simulate/predict.ts'

const folder = mkdtempSync(join(tmpdir(), 'memwall-calibrate-'))
afterAll(() => rmSync(folder, { recursive: true }))

const measured = readFileSync(join(import.meta.dirname, '../data/gemm-h200.csv'), 'utf8').split('\n')

function csv(name: string, lines: readonly string[]): string {
  const path = join(folder, name)
  writeFileSync(path, lines.join('\n'))
  return path
}

interface Json {
  readonly machine: string
  readonly error: { readonly before: { readonly mape: number }; readonly after: { readonly mape: number } }
  readonly constants: readonly { readonly constant: keyof typeof gemmBounds; readonly measured: number }[]
}

describe('calibrate --from', () => {
  const probes = csv('probes.csv', measured.slice(0, 9))
  const to = join(folder, 'mine.json')

  it('writes a machine that predictions are then measured on', async () => {
    const { json } = await calibrationAnswer(probes, to)
    const { machine, error, constants } = json as Json
    expect(machine).toBe('h200')
    expect(error.after.mape).toBeLessThan(error.before.mape)
    for (const { constant, measured: value } of constants) {
      const [low, high] = gemmBounds[constant]
      expect(value).toBeGreaterThanOrEqual(low)
      expect(value).toBeLessThanOrEqual(high)
    }
    const mine = await loadMachineArgument(to)
    const architecture = await loadModel('llama-3.1-8b')
    const query = { architecture, machine: mine, batch: 64 }
    expect(predict(query).calibration).toBe('measured')
    const global = predict({ ...query, calibration: 'global' })
    expect(global.calibration).toBe('global')
    expect(global.bound_s).toBe(predict(query).bound_s)
    expect(global.expected_s).not.toBe(predict(query).expected_s)
  })

  it('gives the same constants for the same rows', async () => {
    const again = join(folder, 'again.json')
    await calibrationAnswer(probes, again)
    expect(readFileSync(again, 'utf8')).toBe(readFileSync(to, 'utf8'))
    expect(readdirSync(folder).filter((f) => f.includes('.tmp'))).toEqual([])
  })

  it.each([
    [
      'rows of two machines',
      [...measured.slice(0, 6), 'a100_sxm,gemm,bf16,1,4096,8192,40,40,40'],
      /one machine, got h200 and a100-80gb-sxm/,
    ],
    ['three rows', measured.slice(0, 4), /at least 4 shapes of products, got 3/],
    [
      'a machine that is not known',
      [...measured.slice(0, 6), 'nonsense,gemm,bf16,1,4096,8192,40,40,40'],
      /:7: machine: 'nonsense' is not known/,
    ],
    [
      'milliseconds',
      measured.slice(0, 9).map((line, i) => (i === 0 ? line : line.split(',').with(6, '0.05').join())),
      /are the times microseconds/,
    ],
    ['no row', measured.slice(0, 1), /got none/],
  ])('refuses %s and writes nothing', async (name, lines, message) => {
    const target = join(folder, 'never.json')
    await expect(calibrationAnswer(csv(`${name}.csv`, lines), target)).rejects.toThrow(message)
    expect(existsSync(target)).toBe(false)
  })
})

describe('local', () => {
  it('is kept where the platform keeps configuration', () => {
    expect(localPath({ XDG_CONFIG_HOME: '/x' }, 'linux')).toBe('/x/memwall/local.json')
    expect(localPath({}, 'linux')).toMatch(/\.config\/memwall\/local\.json$/)
    expect(localPath({}, 'darwin')).toContain('Application Support')
    expect(localPath({ APPDATA: '/roaming' }, 'win32')).toContain('roaming')
  })
})
