import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { describeError, exitCode, FileError, UsageError } from '../../cli/errors.ts'
import { memwall, scratch } from './run.ts'

const folder = scratch()
const file = (name: string, content: string) => writeFileSync(join(folder, name), content)
file('trailing.json', '{\n  "model_type": "llama",\n}\n')
file('empty.json', '')
file('utf16.json', '\u0000{')
writeFileSync(join(folder, 'binary.json'), new Uint8Array([0xff, 0xfe, 0x7b]))
file('incomplete.json', '{"model_type": "llama", "hidden_size": 64}')
file('machine.json', '{"name": "x", "vendor": "y"}')
mkdirSync(join(folder, 'nothing'))

const on = ['--on', 'a100-80gb-sxm']
const predict = (...args: string[]) => ['predict', 'llama-2-7b', ...on, ...args]

// Exit 2: what was typed. Exit 1: what a file holds, or a place that cannot be written.
const cases: [code: 1 | 2, args: string[], message: RegExp][] = [
  [2, [], /expected a command: predict, compare/],
  [2, ['predct'], /unknown command 'predct' \(Did you mean predict\?\)/],
  [2, ['nonsense'], /unknown command 'nonsense'; expected one of predict/],
  [2, ['predict', 'llama-2-7b'], /required option '--on <machine>' not specified/],
  [2, ['predict', ...on], /missing required argument 'model'/],
  [2, ['predict', 'llama-2-7b', 'bert-base', ...on], /too many arguments/],
  [2, ['predict', 'lama-2-7b', ...on], /got 'lama-2-7b'\. Did you mean llama-2-7b/],
  [2, ['predict', 'llama-2-7b', '--on', 'h10'], /Did you mean .*h100/],
  [2, ['predict', 'llama-2-7b', '--on', 'local'], /local: nothing was calibrated/],
  [2, ['predict', 'llama-2-7b', '--on', 'a100,h100'], /memwall compare/],
  [2, ['predict', './absent.json', ...on], /^memwall: \.\/absent\.json: no such file$/],
  [2, ['predict', 'absent/config.json', ...on], /absent\/config\.json: no such file/],
  [2, ['predict', './nothing', ...on], /no config\.json in this folder/],
  [2, predict('--bath', '2'), /unknown option '--bath' \(Did you mean --batch\?\)/],
  [2, predict('--colour', '1'), /unknown option '--colour'; --help lists/],
  [2, predict('--batch'), /option '--batch <n>' argument missing/],
  [2, predict('--batch', '-1'), /--batch: expected a whole number from 1.*got -1/],
  [2, predict('--context', '1e10'), /context: expected a whole number/],
  [2, predict('--batch', '1', '--batch', '2'), /--batch: expected one value/],
  [2, predict('--past', '5'), /past: it is what a prefill finds cached/],
  [2, predict('--tp', '3'), /tp: expected a divisor of the 32 heads/],
  [2, predict('--weights', 'experts=int4'), /llama-2-7b has no experts weights/],
  [2, predict('--activations', 'fp8'), /a100-80gb-sxm has no unit for fp8/],
  [2, predict('--with', 'window'), /expected tokens=N/],
  [2, predict('--calibration', 'measured'), /nothing was measured on a100-80gb-sxm/],
  [2, predict('--json', '--csv'), /got --json and --csv/],
  [2, predict('--plot', 'x.gif'), /expected a file ending in \.png or \.svg/],
  [2, predict('--plot', 'x.svg', '--out', 'x.svg'), /expected two files/],
  [1, predict('--plot', 'absent/x.png'), /cannot write absent\/x\.png: no such folder/],
  [1, predict('--out', 'absent/x.json'), /cannot write absent\/x\.json: no such folder/],
  [1, predict('--out', 'nothing'), /cannot write nothing: it is a folder/],
  [1, ['predict', 'trailing.json', ...on], /^memwall: trailing\.json:3:1: expected a key, got }/],
  [1, ['predict', 'empty.json', ...on], /empty\.json:1:1: expected a JSON value, got an empty file/],
  [1, ['predict', 'binary.json', ...on], /binary\.json: expected UTF-8 text/],
  [1, ['show', 'model', 'incomplete.json'], /incomplete\.json: .*num_hidden_layers/],
  [1, ['predict', 'llama-2-7b', '--on', 'machine.json'], /^memwall: machine\.json: kind: expected this key/],
  [2, ['compare', 'llama-2-7b', '--on', 'a100,a100-80gb-sxm'], /got a100-80gb-sxm twice/],
  [2, ['list', 'model'], /nearest: models/],
  [2, ['show', 'method', 'windw'], /nearest: window/],
  [2, ['reproduce', 'memory-wal'], /nearest: memory-wall/],
]

describe('an error', () => {
  it.concurrent.each(cases)('exits with %i after %j', async (code, args, message) => {
    const result = await memwall(args, folder)
    expect(result.stderr.trimEnd()).toMatch(message)
    expect(result.stderr.split('\n').filter((line) => line !== '' && !line.startsWith('memwall: '))).toEqual([])
    expect(result).toMatchObject({ code, stdout: '' })
  })
})

describe('the message of an error', () => {
  it('is one line, or one for each fault of a file', () => {
    expect(describeError(new TypeError('a\n  b'), false)).toBe('memwall: a b')
    expect(describeError(new FileError('x: a\nx: b'), false)).toBe('memwall: x: a\nmemwall: x: b')
    expect(describeError(new Error(''), false)).toBe('memwall: failed without a message')
    expect(describeError('thrown', false)).toBe('memwall: thrown')
  })
  it('has the stack where it is asked for', () => {
    expect(describeError(new TypeError('a'), true)).toContain('errors.test.ts')
  })
  it('goes with a code', () => {
    expect([new UsageError(''), new RangeError(''), new FileError(''), new TypeError(''), 1].map(exitCode)).toEqual([
      2, 2, 1, 1, 1,
    ])
  })
})
