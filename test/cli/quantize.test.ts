import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it, vi } from 'vitest'
import { progress } from '../../cli/progress.ts'
import { safetensors } from '../../model/tensor/safetensors.ts'
import { type SyntheticOptions, synthetic } from '../../model/tensor/synthetic.ts'
import { type Tensor, tensor } from '../../model/tensor/tensor.ts'
import { main, memwall, scratch } from './run.ts'

const folder = scratch()
const small = { tokens: 256, layers: 2, heads: 2, headDim: 32, queries: 16 }
const flags = ['--tokens', '256', '--layers', '2', '--heads', '2', '--head-dim', '32', '--queries', '16']

/** Writes the synthetic layers as a file, with changes to its tensors. */
function write(
  name: string,
  options: SyntheticOptions = {},
  change: (tensors: Record<string, Tensor>) => void = () => {},
) {
  const tensors = Object.fromEntries(
    synthetic({ ...small, ...options }).layers.flatMap((l) =>
      (['key', 'value', 'query'] as const).map((part) => {
        const x = l.read(part)
        return [`layers.${l.layer}.${part}`, tensor(x, x.data.slice())]
      }),
    ),
  )
  change(tensors)
  writeFileSync(join(folder, name), safetensors(tensors, 'F16'))
  return name
}

async function json(...args: string[]) {
  const { stdout, stderr, code } = await memwall(['quantize', ...args, '--json'], folder)
  expect({ stderr, code }).toEqual({ stderr: '', code: 0 })
  return JSON.parse(stdout)
}

describe('quantize', () => {
  it('answers with bits, errors by layer and head, and savings', async () => {
    const a = await json('synthetic', ...flags, '--bits', '3', '--on', 'h100-sxm')
    expect(a).toMatchObject({
      source: 'synthetic',
      shape: { layers: 2, tokens: 256, heads: 2, head_dim: 32 },
      method: 'kvquant',
      bits: 3,
      outliers: 0.01,
      sink: 1,
      keys: 'pre',
      calibration: { on: 'synthetic', in_sample: true, weight: 'none' },
      queries: 16,
      sweep: null,
      warnings: [],
    })
    expect(a.layers).toHaveLength(2)
    expect(a.layers[1].attention_error).toHaveLength(2)
    const parts = [...Object.values(a.bytes.parts.key), ...Object.values(a.bytes.parts.value)] as number[]
    expect(parts.reduce((x, y) => x + y)).toBe(a.bytes.total)
    expect(a.bytes.fp16).toBe(2 * 2 * 2 * 256 * 64)
    expect(a.bits_per_element.mean).toBeCloseTo((16 * a.bytes.total) / a.bytes.fp16, 12)
    expect(a.on.saved_bytes).toBe(a.bytes.fp16 - a.bytes.total)
    expect(a.on.read_s.fp16).toBeCloseTo(a.bytes.fp16 / 3.35e12, 15)
    expect(await json('synthetic', ...flags, '--bits', '3', '--on', 'h100-sxm')).toEqual(a)
  })

  it('gives of a file what it gives of the same tensors made', async () => {
    const made = await json('synthetic', ...flags)
    const { source, calibration, ...read } = await json(
      write('a.safetensors'),
      '--rope',
      'pre',
      '--rope-theta',
      '10000',
      '--queries',
      '16',
    )
    expect(source).toBe('a.safetensors')
    expect({ ...read, source: made.source, calibration: made.calibration }).toEqual(made)
    expect(calibration.in_sample).toBe(true)
  })

  it('calibrates on another file', async () => {
    const half = (from: number) => (tensors: Record<string, Tensor>) => {
      for (const [name, x] of Object.entries(tensors)) {
        if (name.endsWith('query')) continue
        const row = x.heads * x.headDim
        tensors[name] = tensor({ ...x, tokens: 128 }, x.data.slice(from * row, (from + 128) * row))
      }
    }
    const [one, other] = [write('one.safetensors', {}, half(128)), write('other.safetensors', {}, half(0))]
    const a = await json(one, '--rope', 'none', '--calibrate', other, '--bits', '3')
    expect(a.calibration).toEqual({ on: other, in_sample: false, weight: 'none' })
    const own = await json(one, '--rope', 'none', '--bits', '3')
    expect(a.mse.key).not.toBe(own.mse.key)
    const wrong = await memwall(['quantize', one, '--calibrate', write('w.safetensors', { headDim: 16 })], folder)
    expect(wrong).toMatchObject({ code: 1, stdout: '' })
    expect(wrong.stderr).toBe(
      'memwall: w.safetensors: layers.0: expected the heads and head_dim of one.safetensors, got others\n',
    )
  })

  it('fits 80 columns, and prints CSV with a row for each head', async () => {
    const { stdout } = await memwall(['quantize', 'synthetic', ...flags, '--method', 'kivi', '--on', 't4'], folder)
    expect(stdout).toMatch(/^kivi, 4 bits\n/)
    expect(stdout).not.toContain('calibrated')
    expect(stdout.split('\n').filter((line) => line.length > 80)).toEqual([])
    const { stdout: csv } = await memwall(['quantize', 'synthetic', ...flags, '--csv'], folder)
    expect(csv.trim().split('\n')).toHaveLength(1 + 2 * 2)
    expect(csv).toMatch(/^layer,head,attention_error,key_bits_per_element,key_mse,key_snr_db,value_/)
  })

  it('weighs with the Fisher information where it is known', async () => {
    const name = write('fisher.safetensors', {}, (tensors) => {
      for (const { layer, read } of synthetic({ ...small, fisher: true }).layers) {
        for (const part of ['key_fisher', 'value_fisher'] as const) tensors[`layers.${layer}.${part}`] = read(part)
      }
    })
    const a = await json(name, '--rope', 'none', '--bits', '2')
    const b = await json(name, '--rope', 'none', '--bits', '2', '--weight', 'none')
    expect([a.calibration.weight, b.calibration.weight]).toEqual(['fisher-range', 'none'])
    expect(a.mse.value).not.toBe(b.mse.value)
  })

  it('draws error against bits of all methods', async () => {
    const a = await json('synthetic', ...flags, '--plot', 'a.png')
    expect(a.sweep).toHaveLength(7 * 3)
    expect(readFileSync(join(folder, 'a.png')).length).toBeGreaterThan(30_000)
    const of = (method: string, bits: number) =>
      a.sweep.find((r: { method: string; bits: number }) => r.method === method && r.bits === bits)
    expect(of('kvquant, 1 % outliers', 3).relative_error).toBeLessThan(of('int', 3).relative_error)
  })

  it('says what it lacks', async () => {
    const name = write('bare.safetensors', {}, (tensors) => {
      for (const part of Object.keys(tensors)) if (part.endsWith('query')) delete tensors[part]
      tensors.other = tensor({ tokens: 1, heads: 1, headDim: 1 })
    })
    const a = await json(name, '--weight', 'fisher')
    expect(a).toMatchObject({ attention_error: null, queries: 0, keys: 'as they are' })
    expect(a.warnings).toEqual([
      'not used from the file: other',
      'keys and queries are taken as they stand; --rope pre or post, with --rope-theta, says how they are rotated',
      '--weight: a layer has no key_fisher or value_fisher; there every element weighs as if it were 1',
      'a layer has no queries, so there is no attention error of it',
    ])
  })
})

describe('bad input', async () => {
  const { run } = (await import(join(main, '../program.js'))) as typeof import('../../cli/program.ts')
  const whole = readFileSync(join(folder, write('whole.safetensors')))
  const cut = join(folder, 'cut.safetensors')
  writeFileSync(cut, whole.subarray(0, whole.length - 7))
  write('nan.safetensors', {}, (tensors) => {
    const data = tensors['layers.1.value']?.data as Float32Array
    data[3 * 64 + 32 + 5] = Number.NaN
    data[3 * 64 + 32 + 6] = Number.NaN
    data[9 * 64] = Number.POSITIVE_INFINITY
  })
  write('equal.safetensors', {}, (tensors) => {
    for (const x of Object.values(tensors)) x.data.fill(0.3)
  })
  write('negative.safetensors', {}, (tensors) => {
    const fisher = tensor(tensors['layers.0.key'] as Tensor)
    fisher.data[3] = -1
    tensors['layers.0.key_fisher'] = fisher
  })
  writeFileSync(
    join(folder, 'large.safetensors'),
    safetensors(
      {
        'layers.0.key': tensor({ tokens: 2, heads: 1, headDim: 2 }, Float32Array.of(1e6, 1, 1, 1)),
        'layers.0.value': tensor({ tokens: 2, heads: 1, headDim: 2 }),
      },
      'BF16',
    ),
  )
  writeFileSync(join(folder, 'text.safetensors'), 'some words, but no tensors at all')

  it.each<[string, string[], number, RegExp]>([
    [
      'a file cut short',
      ['cut.safetensors'],
      1,
      /layers.1.query: expected a file of at least \d+ bytes, got \d+: it is cut short/,
    ],
    ['text', ['text.safetensors'], 1, /text.safetensors: expected a safetensors header of at most/],
    [
      'NaN and infinities',
      ['nan.safetensors'],
      1,
      /layers.1.value: expected finite numbers, got 2 NaN and 1 infinite; the first at token 3, head 1, channel 5$/m,
    ],
    ['weights below 0', ['negative.safetensors'], 1, /layers.0.key_fisher: expected weights from 0, got 1 below/],
    [
      'numbers beyond fp16',
      ['large.safetensors'],
      1,
      /layers.0: expected numbers that 16 bits hold \(up to 65504\), got/,
    ],
    ['no number', ['synthetic', '--bits', 'four'], 2, /--bits: expected a number, got four/],
    ['no file', ['absent.safetensors'], 2, /absent.safetensors: no such file/],
    ['a folder', ['.'], 2, /expected a safetensors file, got something else/],
    ['5 bits', ['synthetic', '--bits', '5'], 2, /bits: expected 2, 3, 4 for kvquant, got 5/],
    ['all outliers', ['synthetic', '--outliers', '1'], 2, /outliers: expected a share from 0 to below 0.5, got 1/],
    [
      'fewer than none',
      ['synthetic', '--outliers=-0.1'],
      2,
      /outliers: expected a share from 0 to below 0.5, got -0.1/,
    ],
    [
      'outliers of int',
      ['synthetic', '--method', 'int', '--outliers', '0.01'],
      2,
      /--outliers: --method int has no such option; it takes --bits/,
    ],
    [
      'synthetic options of a file',
      ['whole.safetensors', '--seed', '2'],
      2,
      /--seed: expected `synthetic` in place of .*whole/,
    ],
    [
      'rotation without a base',
      ['whole.safetensors', '--rope', 'pre'],
      2,
      /--rope pre: expected --rope-theta beside it/,
    ],
    ['a base without rotation', ['whole.safetensors', '--rope-theta', '1e4'], 2, /--rope-theta: expected --rope pre/],
    [
      'keys of unknown rotation',
      ['whole.safetensors', '--keys', 'post'],
      2,
      /--keys post: expected to know the rotation/,
    ],
    [
      'an unknown structure',
      ['synthetic', '--without', 'rop'],
      2,
      /--without: expected some of .*, got rop; nearest: rope/,
    ],
    ['an unknown machine', ['synthetic', '--on', 'h1000'], 2, /h1000/],
    [
      '--calibrate of synthetic',
      ['synthetic', '--calibrate', 'whole.safetensors'],
      2,
      /--calibrate: expected a file in place/,
    ],
  ])('%s is one clear line', async (_, args, code, message) => {
    const write = vi.spyOn(process.stderr, 'write').mockReturnValue(true)
    const [file = '', ...rest] = args
    const path = file === 'synthetic' ? file : join(folder, file)
    const exit = await run(['quantize', path, ...rest])
    const text = write.mock.calls.join('')
    write.mockRestore()
    expect(text).toMatch(message)
    expect(text.trim().split('\n')).toHaveLength(1)
    expect(exit).toBe(code)
  })

  it('is not: fewer tokens than are kept', async () => {
    const a = await json('synthetic', '--tokens', '2', '--layers', '1', '--sink', '5', '--queries', '1')
    expect(a).toMatchObject({ bytes: { parts: { key: { codes: 0, kept: 2 * 256 * 2 } } }, mse: { key: 0, value: 0 } })
    expect(a.warnings).toEqual(['kvquant keeps all tokens of a layer in 16 bits: there are too few'])
  })

  it('is not: no outliers, and numbers that are all equal', async () => {
    expect((await json('synthetic', ...flags, '--outliers', '0')).bytes.parts.key).toMatchObject({
      sparse: 0,
      pointers: 0,
    })
    const a = await json('equal.safetensors', '--rope', 'none')
    expect(a).toMatchObject({
      mse: { key: 0, value: 0 },
      snr_db: { key: null, value: null },
      attention_error: { max: 0 },
    })
  })
})

describe('progress', () => {
  const stream = (isTTY: boolean) => {
    const written: string[] = []
    return { written, isTTY, write: (text: string) => written.push(text) > 0 }
  }
  it('is silent where nobody looks, and takes its line away', async () => {
    vi.spyOn(performance, 'now').mockImplementation(() => (clock += 1000))
    let clock = 0
    for (const tty of [true, false]) {
      const s = stream(tty)
      const p = progress(s as never)
      await p.step('layer 1')
      p.end()
      expect(s.written.join('')).toBe(tty ? '\r\u001b[Klayer 1\r\u001b[K' : '')
    }
    vi.restoreAllMocks()
  })
  it('ends the program between steps when it is interrupted', () => {
    const exit = vi.spyOn(process, 'exit').mockImplementation((() => {}) as never)
    const before = process.listenerCount('SIGINT')
    const s = stream(false)
    const p = progress(s as never)
    process.emit('SIGINT')
    expect(exit).toHaveBeenCalledWith(130)
    expect(s.written).toEqual(['memwall: interrupted\n'])
    p.end()
    expect(process.listenerCount('SIGINT')).toBe(before)
    exit.mockRestore()
  })
})
