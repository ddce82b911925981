import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { safetensors } from '../../model/tensor/safetensors.ts'
import { synthetic } from '../../model/tensor/synthetic.ts'
import type { Tensor } from '../../model/tensor/tensor.ts'
import { memwall, scratch } from './run.ts'

const folder = scratch()
const small = ['synthetic', '--layers', '1', '--heads', '2', '--tokens', '700']
const json = async (...args: string[]) => JSON.parse((await memwall(['cluster', ...args, '--json'], folder)).stdout)

/** A file with the tensors of a source's layers. */
function save(name: string, seed: number, change: (tensors: Record<string, Tensor>) => void = () => {}): string {
  const { layers } = synthetic({ seed, layers: 1, heads: 2, tokens: 700, queries: 116, without: ['channel-outliers'] })
  const tensors: Record<string, Tensor> = {}
  for (const layer of layers) {
    for (const part of ['key', 'value', 'query'] as const) tensors[`layers.${layer.layer}.${part}`] = layer.read(part)
  }
  change(tensors)
  writeFileSync(join(folder, name), safetensors(tensors, 'F16'))
  return name
}

describe('cluster', () => {
  it('answers with errors by head, budgets, the curve and what is saved', async () => {
    const answer = await json(...small, '--coarse', '0.01', '--sparsity', '0.8', '--on', 'h100-sxm')
    expect(answer).toMatchObject({
      input: {
        name: 'synthetic',
        without: ['channel-outliers'],
        layers: 1,
        heads: 2,
        tokens: 700,
        keys: 'rotated here',
      },
      options: {
        clusters: 0.05,
        coarse: 0.01,
        sparsity: 0.8,
        input: 16,
        window: 100,
        sink: 1,
        iterations: 300,
        seed: 1,
      },
      selection: 'hierarchy',
      calibration: { source: null, in_sample: true, queries: 100 },
    })
    const { budget, totals, heads, curve, saves } = answer
    expect(budget.formula).toBeCloseTo(0.2 + 0.005 + (budget.surviving_centroids * 0.05) / 2, 12)
    expect(totals.map((t: { selection: string }) => t.selection)).toEqual([
      'clusters',
      'hierarchy',
      'random',
      'recency',
    ])
    expect(totals[1].budget).toBe(budget.counted)
    expect(heads).toHaveLength(2 * 4)
    for (const h of heads) {
      expect(h.attention_mass).toBeGreaterThan(0)
      expect(h.attention_mass).toBeLessThanOrEqual(1)
      expect(h.output_error).toBeGreaterThan(0)
    }
    expect(curve).toHaveLength(4 * 6)
    expect(answer.schedule).toEqual({ block_rows: 2048, blocks: 2, longest_head_blocks: 1 })
    expect(saves.dense).toEqual({
      bytes: 2 * 684 * 2 * 64 * 2,
      seconds: saves.dense.bytes / saves.bandwidth,
      times_less: 1,
    })
    expect(saves.rows_and_centroids.bytes).toBeCloseTo(budget.counted * saves.dense.bytes, 3)
    expect(saves.with_lookup.bytes).toBeGreaterThan(saves.rows_and_centroids.bytes)
  })
  it('is exact with sparsity 0, and has no threshold then', async () => {
    const { totals, calibration } = await json(...small, '--sparsity', '0')
    expect(totals[0]).toMatchObject({ kept: 1, attention_mass: 1, output_error: 0 })
    expect(calibration.thresholds.clusters).toBe(null)
  })
  it('answers for a file what it does for the tensors in it, at any seed of k-means', async () => {
    const file = save('a.safetensors', 1)
    const own = await json(file, '--rope', 'pre', '--rope-theta', '10000')
    const made = await json(...small)
    expect(own.totals).toEqual(made.totals)
    expect((await json(file, '--rope', 'pre', '--rope-theta', '10000', '--seed', '2')).heads).not.toEqual(own.heads)
    expect((await json(file)).input.keys).toBe('as they are')
  })
  it('sets the threshold by another file', async () => {
    const answer = await json(save('a.safetensors', 1), '--calibrate', save('b.safetensors', 2))
    expect(answer.calibration).toMatchObject({ source: 'b.safetensors', in_sample: false })
  })
  it('warns of a first token that is left out', async () => {
    const { warnings } = await json(...small, '--sink', '0', '--sparsity', '0.9', '--seed', '3')
    const { warnings: none } = await json(...small, '--sink', '1', '--sparsity', '0.9', '--seed', '3')
    expect(warnings.join()).toMatch(
      /the first token is left out, which has \d+ % of the attention there: --sink 1 keeps it/,
    )
    expect(none).toEqual([])
  })
  it('fits 80 columns, prints CSV by head, and draws', async () => {
    const { stdout, stderr } = await memwall(['cluster', ...small, '--on', 't4', '--plot', 'budget.svg'], folder)
    expect(stdout.split('\n').filter((line) => line.length > 80)).toEqual([])
    expect(stdout).not.toMatch(/NaN|undefined|Infinity|\[object/)
    expect(stderr).toBe('')
    expect(readFileSync(join(folder, 'budget.svg'), 'utf8')).toMatch(/^<\?xml|^<svg/)
    const csv = (await memwall(['cluster', ...small, '--csv'], folder)).stdout.trim().split('\n')
    expect(csv).toHaveLength(1 + 2 * 3)
    expect(csv[0]).toBe(
      'layer,head,selection,clusters,iterations,inertia,empty_clusters,coarse_clusters,converged,kept,attention_mass,output_error,budget',
    )
  })
  it('refuses in one line, with the exit code', async () => {
    const nan = save('nan.safetensors', 1, (tensors) => {
      ;(tensors['layers.0.value'] as Tensor).data[5] = Number.NaN
    })
    const bare = save('bare.safetensors', 1, (tensors) => {
      delete tensors['layers.0.query']
    })
    const cases: [string[], number, string][] = [
      [[...small, '--sparsity', '1'], 2, '--sparsity: expected a number from 0 and below 1, got 1'],
      [[...small, '--sparsity', '-0.5'], 2, '--sparsity: expected'],
      [[...small, '--clusters', '1.2'], 2, '--clusters: expected a number above 0 and up to 1, got 1.2'],
      [[...small, '--coarse', '0.05'], 2, 'coarse: expected a smaller share than the 0.05 of the clusters, got 0.05'],
      [[...small, '--window', '700'], 2, 'context: expected more tokens than the sink of 1 and the window of 700'],
      [[...small, '--calibrate', 'synthetic'], 2, '--calibrate: expected a file, got synthetic'],
      [[...small, '--seed', '99999999999'], 2, 'seed: expected a whole number from 0 to below 2^32'],
      [
        ['a.safetensors', '--channel-outliers'],
        2,
        '--channel-outliers: expected `synthetic` in place of a.safetensors',
      ],
      [['a.safetensors', '--tokens', '8'], 2, '--tokens: expected `synthetic` in place of a.safetensors'],
      [
        ['a.safetensors', '--input', '20'],
        1,
        'a.safetensors: layers.0.query: expected queries of the last 120 tokens, got',
      ],
      [[nan], 1, 'nan.safetensors: layers.0.value: expected finite numbers, got 1 NaN'],
      [[bare], 1, 'bare.safetensors: layers.0.query: expected queries of the last 116 tokens, got none'],
      [['missing.safetensors'], 2, 'missing.safetensors: no such file'],
    ]
    for (const [args, expected, message] of cases) {
      const { code, stdout, stderr } = await memwall(['cluster', ...args], folder)
      expect({ args, code, stdout }).toEqual({ args, code: expected, stdout: '' })
      expect(stderr).toMatch(/^memwall: [^\n]*\n$/)
      expect(stderr).toContain(message)
    }
  })
})
