import { spawn } from 'node:child_process'
import { describe, expect, it } from 'vitest'
import { loadMachine } from '../../hardware/catalog.ts'
import { loadModel } from '../../model/catalog.ts'
import { type Prediction, predict } from '../../simulate/predict.ts'
import { main, memwall } from './run.ts'

const run = async (...args: string[]) => (await memwall(['predict', ...args])).stdout
const json = async (...args: string[]) => JSON.parse(await run(...args, '--json')) as Prediction

/** Every path of an object's keys; lists by their first item. */
function paths(value: unknown, prefix = ''): string[] {
  if (Array.isArray(value)) return value.length > 0 ? paths(value[0], `${prefix}[]`) : [prefix]
  if (typeof value !== 'object' || value === null) return [prefix]
  return Object.entries(value).flatMap(([key, inner]) => paths(inner, prefix === '' ? key : `${prefix}.${key}`))
}

// DESIGN.md, "The command line": extended, never renamed.
const bytes = ['weights', 'activations', 'kv_read', 'kv_written', 'metadata', 'total']
const keys = [
  ...['model', 'machine', 'methods', 'bound_s', 'floor_s', 'expected_s', 'interval_s[]', 'calibration'],
  ...['phase', 'batch', 'context', 'past', 'source', 'audio', 'new_tokens', 'tp', 'pp', 'ep'].map(
    (k) => `workload.${k}`,
  ),
  ...['weights', 'activations', 'kv'].map((k) => `workload.formats.${k}`),
  ...['tokens_per_round', 'tokens_per_s', 'time_per_output_token_s', 'time_to_first_token_s', 'real_time_factor'],
  ...['flops', 'arithmetic_intensity', 'limit', 'total', 'baseline', 'speedup', 'warnings'],
  ...bytes.map((k) => `bytes.${k}`),
  ...['weights', 'kv', 'activations', 'total', 'reserved', 'capacity', 'fits'].map((k) => `memory.${k}`),
  ...['name', 'kind', 'step', 'layers', 'count', 'times', 'flops'].map((k) => `operators[].${k}`),
  ...['bound_s', 'expected_s', 'limit', 'term'].map((k) => `operators[].${k}`),
  ...bytes.map((k) => `operators[].bytes.${k}`),
]

describe('predict --json', () => {
  it('has the keys of the design', async () => {
    const got = paths(await json('llama-2-7b', '--on', 'a100-80gb-sxm'))
    expect(keys.filter((k) => !got.includes(k))).toEqual([])
  })

  it('is the answer of the library, to the last digit', async () => {
    const [architecture, machine] = await Promise.all([loadModel('mixtral-8x7b'), loadMachine('h100-sxm')])
    const expected = predict({
      architecture,
      machine,
      batch: 8,
      context: 4096,
      deployment: { parallel: { tensor: 2 } },
    })
    const got = await json('mixtral-8x7b', '--on', 'h100', '--batch', '8', '--context', '4k', '--tp', '2')
    expect(got).toEqual(expected)
  })

  it.each([
    ['llama-2-7b', 'a100-80gb-sxm', '--phase', 'prefill'],
    ['deepseek-v3', 'h200', '--tp', '8', '--batch', '64'],
    ['t5-large', 't4', '--source', '100', '--new-tokens', '20'],
  ])('sums its rows to the top for %s on %s', async (model, machine, ...flags) => {
    const p = await json(model, '--on', machine, ...flags)
    const sum = (of: (o: Prediction['operators'][number]) => number) => p.operators.reduce((n, o) => n + of(o), 0)
    const near = (got: number, want: number) => expect(Math.abs(got - want)).toBeLessThanOrEqual(1e-9 * want)
    near(
      sum((o) => o.bound_s),
      p.bound_s,
    )
    near(
      sum((o) => o.expected_s),
      p.expected_s,
    )
    near(
      sum((o) => o.flops),
      p.flops,
    )
    near(
      sum((o) => o.bytes.total),
      p.bytes.total,
    )
    expect(p.floor_s).toBeLessThanOrEqual(p.bound_s)
    expect(p.bound_s).toBeLessThanOrEqual(p.expected_s)
  })

  it('has a baseline and a speedup with a method', async () => {
    const p = await json('llama-2-7b', '--on', 'h200', '--context', '32k', '--with', 'window:tokens=1k')
    expect(p.methods).toEqual([{ name: 'window', options: { tokens: 1024 } }])
    expect(p.speedup?.bound).toBeCloseTo((p.baseline?.bound_s ?? 0) / p.bound_s, 12)
    expect(p.speedup?.expected).toBeGreaterThan(1)
  })
})

describe('predict as text', () => {
  it.each([
    ['llama-2-7b', 'a100-80gb-sxm'],
    ['deepseek-v3', 'gb200', '--tp', '8', '--batch', '64', '--weights', 'int4', '--weights', 'head=int8'],
    ['gemma-3-27b', 'rtx-4090', '--phase', 'prefill', '--new-tokens', '1k', '--with', 'window:tokens=100'],
    ['nemotron-3-nano', 'raspberry-pi-5', '--context', '1e9'],
    ['whisper-large-v3', 'm1', '--audio', '20'],
    ['squeezeformer-l', 't4', '--audio', '0.5,600', '--fusion', 'unfused'],
    ['conformer-ctc-m', 'epyc-9654', '--audio', '12.5'],
  ])('fits 80 columns for %s on %s', async (model, machine, ...flags) => {
    const text = await run(model, '--on', machine, ...flags)
    expect(text.split('\n').filter((line) => line.length > 80)).toEqual([])
    expect(text).not.toContain('\u001b')
    expect(text).not.toMatch(/NaN|undefined|Infinity|\[object/)
    expect(text).toContain(model)
  })

  it.each([
    [['30'], 'audio 30 s', /real time +[\d.]+ s per second of audio\n/],
    [['30', '--batch', '2'], 'batch 2, context 750, audio 30 s', / s per second of a recording; in all \d+ s of audio/],
    [['5,30'], 'batch 2, context 750, audio 5, 30 s', / s per second of the longest recording; in all \d+ s/],
  ])('says what %j of audio is', async (audio, line, pace) => {
    const text = await run('squeezeformer-sm', '--on', 't4', '--audio', ...audio)
    expect(text).toContain(line)
    expect(text).toMatch(pace)
  })

  it('is what was agreed on', async () => {
    expect(await run('llama-2-7b', '--on', 'a100-80gb-sxm', '--calibration', 'none')).toMatchInlineSnapshot(`
      "llama-2-7b on NVIDIA A100 80GB SXM4 (a100-80gb-sxm)
      decode, batch 1, context 2048; fits in 80.0 GiB

      expected    7.01 ms, the bound itself: no overheads
      bound       7.01 ms, each operator at its roof; floor 7.01 ms, all overlapped
      throughput  143 tokens/s, 7.01 ms per token
      limit       memory: 1.00 FLOP/byte, the ridge of fp16 is at 153
      arithmetic  14.3 GFLOP on fp16 units of 312 TFLOP/s (dense)
      traffic     14.3 GB: weights 13.2 GB, activations 11.2 MB, KV read 1.07 GB,
                  written 524 kB
      memory      13.6 of 80.0 GiB: weights 12.6, KV 1.00, activations <0.01
      formats     weights fp16; KV fp16; arithmetic fp16
      assumed     head_dim = 128 (hidden_size / num_attention_heads)

      operator                 FLOP    bytes    bound  expected     %  limit
      embedding                   0  16.4 kB  8.04 ns   8.04 ns  <0.1  memory
      layers 0-31 (x 32)
        input-norm            655 k  1.31 MB   643 ns    643 ns  <0.1  memory
        attention-qkv        3.22 G  3.22 GB  1.58 ms   1.58 ms    23  memory
        attention-rotary      786 k  1.05 MB   514 ns    514 ns  <0.1  memory
        attention-kv-write        0  1.05 MB   514 ns    514 ns  <0.1  memory
        attention            1.08 G  1.07 GB   527 us    527 us   7.5  memory
        attention-out        1.07 G  1.07 GB   527 us    527 us   7.5  memory
        post-attention-norm   655 k  1.31 MB   643 ns    643 ns  <0.1  memory
        mlp-up               5.77 G  5.77 GB  2.83 ms   2.83 ms    40  memory
        mlp-activation       1.76 M  2.11 MB  1.04 us   1.04 us  <0.1  memory
        mlp-down             2.89 G  2.89 GB  1.42 ms   1.42 ms    20  memory
      final-norm             20.5 k  41.0 kB  20.1 ns   20.1 ns  <0.1  memory
      lm-head                 262 M   262 MB   129 us    129 us   1.8  memory
      all                    14.3 G  14.3 GB  7.01 ms   7.01 ms        memory
      "
    `)
  })

  it('ends with warnings', async () => {
    const text = await run('llama-3.1-70b', '--on', 't4')
    expect(text).toMatch(/DOES NOT FIT/)
    expect(text.trimEnd().split('\n\n').at(-1)).toMatch(
      /^! t4 has no unit for bf16: arithmetic runs in fp16\n! does not fit/,
    )
  })
})

describe('predict in other formats', () => {
  it('as CSV is the ledger in SI units', async () => {
    const p = await json('llama-2-7b', '--on', 'h200')
    const [header = '', ...rows] = (await run('llama-2-7b', '--on', 'h200', '--csv')).trimEnd().split('\n')
    const columns = header.split(',')
    const at = (row: string, key: string) => row.split(',')[columns.indexOf(key)]
    expect(rows.map((r) => at(r, 'name'))).toEqual(p.operators.map((o) => o.name))
    expect(rows.map((r) => Number(at(r, 'bound_s')))).toEqual(p.operators.map((o) => o.bound_s))
    expect(rows.map((r) => Number(at(r, 'bytes_total')))).toEqual(p.operators.map((o) => o.bytes.total))
  })

  it('as Markdown has a heading and tables', async () => {
    const text = await run('llama-2-7b', '--on', 'h200', '--markdown')
    expect(text).toMatch(/^## llama-2-7b on NVIDIA H200/)
    expect(text).toMatch(/\| operator \| layers \| x \| FLOP \|/)
  })
})

describe('a reader that stops early', () => {
  it.each([['--json'], ['--csv']])('is no failure (%s)', async (flag) => {
    const child = spawn(process.execPath, [main, 'predict', 'deepseek-v3', '--on', 'h200', '--tp', '8', flag])
    child.stdout.destroy()
    let stderr = ''
    child.stderr.on('data', (chunk) => {
      stderr += chunk
    })
    const code = await new Promise((done) => child.on('close', done))
    expect({ code, stderr }).toEqual({ code: 0, stderr: '' })
  })
})

describe('a prediction', () => {
  it('loads nothing that it does not need', async () => {
    // A loader that writes the address of every module to stderr.
    const hook = `import { writeSync } from 'node:fs'
export async function load(url, context, next) { writeSync(2, url + '\\n'); return next(url, context) }`
    const url = (code: string) => `data:text/javascript,${encodeURIComponent(code)}`
    const register = url(`import { register } from 'node:module'; register(${JSON.stringify(url(hook))})`)
    const { stderr } = await memwall(['predict', 'llama-2-7b', '--on', 'a100-80gb-sxm', '--json'], undefined, [
      '--import',
      register,
    ])
    const loaded = stderr.split('\n')
    expect(loaded.filter((m) => m.includes('/simulate/predict.js'))).toHaveLength(1)
    expect(loaded.filter((m) => /chart|canvas|cli-table3|valibot|mathjs|views|papers/.test(m))).toEqual([])
    expect(loaded.filter((m) => /\/presets\/(?!llama|sizes)|\/machines\/(?!a100-80gb-sxm)/.test(m))).toEqual([])
  })
})
