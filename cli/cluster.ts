// What `memwall cluster` answers: Squeezed Attention on a file's tensors or on synthetic ones.
import { resolve } from 'node:path'
import type { Machine } from '../hardware/machine.ts'
import type { KvSource } from '../model/tensor/source.ts'
import { budgetFormula, denseBytes, lookupBytes, rowBytes, storedBytes } from '../model/tensor/squeezed/bytes.ts'
import { observationWindow } from '../model/tensor/squeezed/clusters.ts'
import { blockKv, splitSchedule } from '../model/tensor/squeezed/compaction.ts'
import {
  type HeadSelection,
  type Squeezed,
  type SqueezedHead,
  type SqueezeOptions,
  type SqueezeProgress,
  squeeze,
} from '../model/tensor/squeezed/squeeze.ts'
import { calibrationQueries } from '../model/tensor/squeezed/thresholds.ts'
import { selectionTotals } from '../model/tensor/squeezed/totals.ts'
import type { Structure } from '../model/tensor/synthetic.ts'
import { FileError, UsageError } from './errors.ts'
import { type Progress, progress } from './progress.ts'
import { loadMachineArgument } from './source.ts'
import { checkFinite, type Opened, openTensors, type TensorFlags } from './tensors.ts'

export interface ClusterFlags extends TensorFlags {
  readonly clusters?: number | undefined
  readonly coarse?: number | undefined
  readonly sparsity?: number | undefined
  readonly input?: number | undefined
  readonly window?: number | undefined
  readonly sink?: number | undefined
  readonly iterations?: number | undefined
  readonly calibrate?: string | undefined
  readonly channelOutliers?: true | undefined
  readonly on?: string | undefined
}

/** Rotated with the position, large channels hide the clusters that this command is about. */
const leftOut: readonly Structure[] = ['channel-outliers']

const defaults = {
  clusters: 0.05,
  sparsity: 0.9,
  input: 16,
  window: observationWindow,
  sink: 1,
  iterations: 300,
  seed: 1,
}

export type ClusterAnswer = Awaited<ReturnType<typeof clusterAnswer>>
export type HeadRow = ClusterAnswer['heads'][number]
export type TotalRow = ClusterAnswer['totals'][number]

/** Clusters and compares. Throws UsageError, RangeError, FileError. */
export async function clusterAnswer(file: string, flags: ClusterFlags) {
  const machine = flags.on === undefined ? undefined : await loadMachineArgument(flags.on)
  const options = optionsOf(flags)
  const opened = await openBoth(file, flags, options)
  const watch = progress()
  try {
    const { source, calibrate } = opened
    for (const of of [source, ...(calibrate ? [calibrate] : [])]) await checkFinite(of, watch)
    const squeezed = await run(source, { ...options, ...(calibrate && { calibrate }) }, watch)
    return answer(opened, options, squeezed, machine)
  } finally {
    watch.end()
    opened.close()
  }
}

type Options = SqueezeOptions & { readonly iterations: number; readonly sink: number }

function optionsOf({ clusters, coarse, sparsity, input, window, sink, iterations, seed }: ClusterFlags): Options {
  return {
    clusters: clusters ?? defaults.clusters,
    ...(coarse !== undefined && { coarse }),
    sparsity: sparsity ?? defaults.sparsity,
    input: input ?? defaults.input,
    window: window ?? defaults.window,
    sink: sink ?? defaults.sink,
    iterations: iterations ?? defaults.iterations,
    seed: seed ?? defaults.seed,
  }
}

interface Both extends Opened {
  /** What the synthetic source lacks. */
  readonly without: readonly Structure[]
  readonly calibrate?: KvSource
}

async function openBoth(file: string, flags: ClusterFlags, { input, seed }: Options): Promise<Both> {
  if (flags.calibrate === 'synthetic') throw new UsageError('--calibrate: expected a file, got synthetic')
  if (flags.calibrate !== undefined && resolve(flags.calibrate) === resolve(file)) {
    throw new UsageError(`--calibrate: expected other tensors, got ${file} again`)
  }
  const made = file === 'synthetic'
  if (flags.channelOutliers && !made) {
    throw new UsageError(`--channel-outliers: expected \`synthetic\` in place of ${file}`)
  }
  const without = made ? [...new Set([...(flags.channelOutliers ? [] : leftOut), ...(flags.without ?? [])])] : []
  // A file has no seed, but its clusters do.
  const own = made ? { ...flags, seed, without } : { ...flags, seed: undefined }
  const first = await openTensors(file, own, { queries: input + calibrationQueries })
  if (flags.calibrate === undefined) return { ...first, without }
  try {
    const second = await openTensors(flags.calibrate, { rope: flags.rope, ropeTheta: flags.ropeTheta })
    return {
      without,
      source: first.source,
      calibrate: second.source,
      warnings: [...first.warnings, ...second.warnings, ...lengthWarnings(first.source, second.source)],
      close: () => {
        first.close()
        second.close()
      },
    }
  } catch (error) {
    first.close()
    throw error
  }
}

/** Importance is shared among all keys, so that a threshold belongs to a length. */
function lengthWarnings(a: KvSource, b: KvSource): string[] {
  const tokens = ({ layers }: KvSource) => layers[0]?.key.tokens ?? 0
  if (tokens(a) === tokens(b)) return []
  return [
    `the threshold was set on ${tokens(b)} tokens and is used on ${tokens(a)}: a key's importance shrinks as their number grows`,
  ]
}

async function run(source: KvSource, options: SqueezeOptions, watch: Progress): Promise<Squeezed> {
  try {
    return await squeeze(source, { ...options, progress: (at) => watch.step(told(at)) })
  } catch (error) {
    if (error instanceof RangeError || error instanceof FileError || error instanceof TypeError) throw error
    throw new FileError(`${source.name}: ${(error as Error).message}`)
  }
}

const stages = { cluster: 'clustering', calibrate: 'setting the threshold', compare: 'comparing' } as const

function told({ stage, layer, head, at, of, iteration }: SqueezeProgress): string {
  const inner = iteration === undefined ? '' : iteration === 0 ? ', choosing seeds' : `, iteration ${iteration}`
  return `${stages[stage]}: layer ${layer}, head ${head} (${at} of ${of})${inner}`
}

function answer(
  { source, calibrate, warnings, without }: Both,
  options: Options,
  squeezed: Squeezed,
  machine: Machine | undefined,
) {
  const { clusters, coarse, sparsity, input, window, sink, iterations, seed } = options
  const main = coarse === undefined ? ('clusters' as const) : ('hierarchy' as const)
  const mine = squeezed.heads.map(({ selections }) => selections.find((s) => s.selection === main) as HeadSelection)
  const surviving = main === 'hierarchy' ? survivingShare(squeezed.heads, mine) : null
  return {
    input: {
      name: source.name,
      without,
      layers: source.layers.length,
      heads: squeezed.heads.length,
      keys: source.rope?.keys === 'pre' ? ('rotated here' as const) : ('as they are' as const),
      tokens: source.layers[0]?.key.tokens ?? 0,
    },
    options: { clusters, coarse: coarse ?? null, sparsity, input, window, sink, iterations, seed },
    selection: main,
    calibration: {
      source: calibrate?.name ?? null,
      in_sample: calibrate === undefined,
      queries: calibrationQueries,
      thresholds: {
        clusters: finite(squeezed.thresholds.clusters),
        hierarchy: finite(squeezed.thresholds.hierarchy),
        coarse: finite(squeezed.thresholds.coarse),
      },
    },
    k_means: {
      iterations: mean(squeezed.heads.map((h) => h.iterations)),
      inertia: mean(squeezed.heads.map((h) => h.inertia)),
      not_converged: squeezed.heads.filter((h) => !h.converged).length,
      empty_clusters: squeezed.heads.reduce((sum, h) => sum + h.empty, 0),
    },
    budget: {
      formula: budgetFormula(sparsity, clusters, coarse, surviving ?? 1),
      counted: total(mine, rowBytes) / total(mine, denseBytes),
      with_lookup: (total(mine, rowBytes) + total(mine, lookupBytes)) / total(mine, denseBytes),
      surviving_centroids: surviving,
    },
    totals: selectionTotals(squeezed).map((t) => ({
      selection: t.selection,
      kept: t.keptShare,
      budget: t.budget,
      budget_with_lookup: t.budgetWithLookup ?? null,
      attention_mass: t.attentionMass,
      output_error: t.outputError,
      worst_output_error: t.worstOutputError,
    })),
    heads: squeezed.heads.flatMap(headRows),
    curve: squeezed.curve.map(({ selection, sparsity: at, budget, lostMass }) => ({
      selection,
      sparsity: at,
      budget,
      lost_mass: lostMass,
    })),
    schedule: scheduleOf(mine),
    saves: machine === undefined ? null : saves(mine, machine),
    warnings: [...warnings, ...warningsOf(squeezed.heads, main)],
  }
}

function headRows(h: SqueezedHead) {
  return h.selections.map((s) => ({
    layer: h.layer,
    head: h.head,
    selection: s.selection,
    clusters: h.clusters,
    empty_clusters: h.empty,
    coarse_clusters: h.coarse ?? null,
    iterations: h.iterations,
    converged: h.converged,
    inertia: h.inertia,
    kept: s.kept / s.tokens,
    budget: rowBytes(s) / denseBytes(s),
    attention_mass: 1 - s.lostMass,
    output_error: s.outputError,
  }))
}

/** How the kept rows of all heads are cut into blocks of equal work, and what a block of threads per head would wait for. */
function scheduleOf(mine: readonly HeadSelection[]) {
  const { blocks, blocksPerHead } = splitSchedule(mine.map(({ kept }) => kept))
  return { block_rows: blockKv, blocks, longest_head_blocks: Math.max(...blocksPerHead) }
}

/** JSON has no infinity: a threshold that drops nothing is null. */
function finite(value: number | undefined): number | null {
  return value === undefined || !Number.isFinite(value) ? null : value
}

function mean(values: readonly number[]): number {
  return values.reduce((sum, value) => sum + value, 0) / values.length
}

function total(of: readonly HeadSelection[], bytes: (s: HeadSelection) => number): number {
  return of.reduce((sum, s) => sum + bytes(s), 0)
}

/** Fine centroids that the coarse level leaves to look at, as a share of those that stand for keys. */
function survivingShare(heads: readonly SqueezedHead[], mine: readonly HeadSelection[]): number {
  const looked = mine.reduce((sum, { centroids }, i) => sum + centroids - (heads[i]?.coarse ?? 0), 0)
  return looked / heads.reduce((sum, { clusters, empty }) => sum + clusters - empty, 0)
}

/** The reading of one decode step of one user, as 16-bit numbers, at the datasheet's bandwidth. */
function saves(mine: readonly HeadSelection[], { name, memory }: Machine) {
  const dense = total(mine, denseBytes)
  const rows = total(mine, rowBytes)
  const read = (bytes: number) => ({ bytes, seconds: bytes / memory.bandwidth, times_less: dense / bytes })
  return {
    machine: name,
    bandwidth: memory.bandwidth,
    dense: read(dense),
    rows_and_centroids: read(rows),
    with_lookup: read(rows + total(mine, lookupBytes)),
    stored_besides: total(mine, storedBytes),
  }
}

/** Attention on the first token from which it counts as a sink. */
const sinkMass = 0.1

function warningsOf(heads: readonly SqueezedHead[], main: string): string[] {
  const dropped = heads.filter(
    ({ firstMass, selections }) => firstMass > sinkMass && !selections.find((s) => s.selection === main)?.keepsFirst,
  )
  const open = heads.filter((h) => !h.converged)
  const empty = heads.reduce((sum, h) => sum + h.empty, 0)
  return [
    ...(dropped.length === 0
      ? []
      : [
          `in ${dropped.length} of ${heads.length} heads the first token is left out, which has ${(100 * mean(dropped.map((h) => h.firstMass))).toFixed(0)} % of the attention there: --sink 1 keeps it`,
        ]),
    ...(open.length === 0
      ? []
      : [`in ${open.length} of ${heads.length} heads k-means ran out of iterations: --iterations allows more`]),
    ...(empty === 0 ? [] : [`${empty} clusters are empty: there are fewer different keys than clusters`]),
  ]
}
