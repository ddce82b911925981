import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { machineNames } from '../../hardware/catalog.ts'
import { modelNames } from '../../model/catalog.ts'
import { methodNames } from '../../simulate/method.ts'
import { loadPaper } from '../../simulate/reproduce.ts'
import { memwall, scratch } from './run.ts'

const folder = scratch()
const run = async (...args: string[]) => (await memwall(args, folder)).stdout
const json = async (...args: string[]) => JSON.parse(await run(...args, '--json'))

function expectNarrow(text: string): void {
  expect(text.split('\n').filter((line) => line.length > 80)).toEqual([])
  expect(text).not.toMatch(/NaN|undefined|Infinity|\[object/)
}

describe('help', () => {
  it.each(['memwall', 'predict', 'compare', 'list', 'show', 'accuracy', 'quantize', 'cluster', 'reproduce'])(
    'of %s',
    async (name) => {
      const text = await run(...(name === 'memwall' ? [] : [name]), '--help')
      expectNarrow(text.replace(/\n(Examples|Papers):.*/s, ''))
      expect(text).toMatchSnapshot()
    },
  )
  it('is the same through `help`', async () => {
    expect(await run('help', 'compare')).toBe(await run('compare', '--help'))
  })
})

describe('compare', () => {
  it('heads its rows with the options that all machines have alike', async () => {
    const method = 'draft:model=llama-3.2-1b,alpha=0.8'
    const text = await run('compare', 'llama-3.1-8b', '--on', 'h100-sxm,h200', '--with', method)
    expect(text).toContain('draft:model=llama-3.2-1b,alpha=0.8\n')
    expect(text).toMatch(/h100-sxm: draft: gamma 4 was chosen[\s\S]*h200: draft: gamma 3 was chosen/)
  })
  it('answers for each machine what predict does', async () => {
    const flags = ['--batch', '4', '--phase', 'prefill']
    const { rows } = await json('compare', 'llama-3.1-8b', '--on', 'h200,t4', ...flags)
    expect(rows[0]).toEqual(await json('predict', 'llama-3.1-8b', '--on', 'h200', ...flags))
    expect(rows[1].machine).toBe('t4')
  })
  it('fits 80 columns', async () => {
    const text = await run(
      'compare',
      'llama-3.1-70b',
      '--on',
      'rtx-pro-6000-server,jetson-agx-orin-64gb,raspberry-pi-5,h100-nvl',
    )
    expectNarrow(text)
    expect(text).toMatch(/^rtx-pro-6000/m)
  })
})

describe('list', () => {
  it('models', async () => {
    const rows = await json('list', 'models')
    expect(rows.map((m: { name: string }) => m.name)).toEqual(modelNames)
    expect(rows[0]).toMatchObject({
      name: expect.any(String),
      kind: expect.any(String),
      parameters: { total: expect.any(Number) },
    })
    expectNarrow(await run('list', 'models'))
  })
  it('machines', async () => {
    const rows = await json('list', 'machines')
    expect(rows.map((m: { name: string }) => m.name)).toEqual(machineNames)
    expectNarrow(await run('list', 'machines'))
  })
  it('methods and kernels', async () => {
    expect((await json('list', 'methods')).map((m: { name: string }) => m.name)).toEqual(methodNames)
    const kernels = (await json('list', 'kernels')) as { name: string; sizes: { name: string }[] }[]
    expect(kernels.find((k) => k.name === 'gemv')?.sizes.map((s) => s.name)).toEqual(['m', 'n', 'k', 'bits'])
    expect(await run('list', 'kernels')).toContain('stream-read')
  })
})

describe('show', () => {
  it('a model', async () => {
    const card = await json('show', 'model', 'llama-2-7b')
    expect(card).toMatchObject({
      name: 'llama-2-7b',
      type: 'llama',
      kind: 'decoder',
      parameters: { total: 6738415616, embedding: 131072000, head: 131072000 },
      kv_bytes_per_token: 524288,
      state_bytes: 0,
      layers: 32,
      positions: 4096,
      formats: { ffn: 'fp16' },
      used: expect.arrayContaining(['hidden_size']),
      ignored: [],
    })
    expect(card.parameters.active).toBe(6738415616 - 2 * 131072000 - 4096)
    expect(card.stacks[0].groups[0]).toMatchObject({ layers: '0-31', count: 32 })
    expect(card.stacks[0].parameters).toBe(card.parameters.total)
    for (const name of ['gemma-3-27b', 'nemotron-3-nano']) expectNarrow(await run('show', 'model', name))
  })

  it('a config of the user, with what was read and what was not', async () => {
    mkdirSync(join(folder, 'my-model'))
    const config = {
      model_type: 'llama',
      hidden_size: 64,
      num_hidden_layers: 2,
      num_attention_heads: 4,
      intermediate_size: 128,
      vocab_size: 100,
      torch_dtype: 'bfloat16',
      my_own_field: 1,
    }
    writeFileSync(join(folder, 'my-model', 'config.json'), `\uFEFF${JSON.stringify(config)}`)
    const card = await json('show', 'model', 'my-model')
    expect(card).toMatchObject({ name: 'my-model', layers: 2, ignored: ['my_own_field'] })
    expect(card.assumed.length).toBeGreaterThan(0)
    const p = await json('predict', 'my-model/config.json', '--on', 'h200')
    expect(p.model).toBe('my-model')
  })

  it('a machine with a source for every number', async () => {
    const card = await json('show', 'machine', 'NVIDIA H200')
    expect(card.name).toBe('h200')
    expect(card.figures.find((f: { path: string }) => f.path === 'memory.bandwidth')).toMatchObject({ value: 4.8e12 })
    expect(card.figures.every((f: { source: string }) => f.source !== '')).toBe(true)
    const text = await run('show', 'machine', 'a100')
    expectNarrow(text)
    expect(text).toMatch(/year +2020 +unverified/)
    expect(text).toMatch(/^THUN /m)
    expect(text).toContain('Some systems raise the power limit to 500 W.')
  })

  it('a method', async () => {
    expect(await json('show', 'method', 'window')).toMatchObject({ name: 'window', options: [{ name: 'tokens' }] })
    expect(await run('show', 'method', 'window')).toMatch(/--with window:tokens=…/)
  })
})

describe('reproduce', () => {
  it('prints the rows of the paper', async () => {
    const rows = (await loadPaper('memory-wall')).rows()
    expect(await json('reproduce', 'memory-wall')).toEqual(JSON.parse(JSON.stringify(rows)))
    const csv = await run('reproduce', 'memory-wall', '--csv')
    expect(csv.split('\n')[0]).toBe(
      'paper,table,item,published,computed,relative_error,tolerance,status,evidence,fitted_parameters,why,source',
    )
  })
  it('counts at the end what became of them, within 80 columns', async () => {
    const text = await run('reproduce', 'memory-wall')
    expectNarrow(text)
    const rows = (await loadPaper('memory-wall')).rows()
    const reproduced = rows.filter((r) => r.status === 'reproduced').length
    expect(text.replace(/\s+/g, ' ')).toContain(`${rows.length} figures: ${reproduced} reproduced, `)
  })
})
