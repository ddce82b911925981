// What a deployment holds on one device: weights, cache and working activations, of its fullest pipeline stage.
import type { Attention, Module, Role, Stack } from './architecture.ts'
import { choiceBytes, pieces, type Row, type Selection, type Wide } from './cache.ts'
import { type Deployment, weightBytes } from './deployment.ts'
import { attentionRow, layerSelections, rankHeads } from './modules/attention.ts'
import { indexRow, latentRow } from './modules/latent-attention.ts'
import { stateBytes, statesLeft } from './modules/recurrence.ts'
import type { Pass } from './operator.ts'
import { weights } from './parameters.ts'
import { rankGroups } from './pass.ts'
import { pastTokens, type Sequences, type Workload } from './workload.ts'

/** Tokens of a page of a paged engine (vLLM's default block size). */
const pageTokens = 16

export interface Memory {
  readonly weights: number
  /** Rows that coming tokens can need (of a window or chunk: as many as it can hold by now), and states. */
  readonly kv: number
  /** The largest kernel's operands beside the residual stream. */
  readonly activations: number
  readonly total: number
  /** What a paged engine with one block table reserves for the cache: whole pages, and all tokens in windowed layers. */
  readonly reserved: number
}

interface Held {
  kv: number
  reserved: number
}

/** Rows of one layer that are held after the pass, the newest first and a shared stretch once; `wide` of them uncoded. */
export function heldRows(
  g: Sequences,
  holds: (tokens: number) => number,
  wide?: Wide,
): { readonly rows: number; readonly wide: number } {
  const past = pastTokens(g)
  const tokens = past + g.query
  const oldest = tokens - holds(tokens)
  let rows = 0
  let whole = 0
  const hold = (begin: number, end: number, copies: number) => {
    if (!wide) {
      rows += copies * Math.max(0, end - Math.max(begin, oldest))
      return
    }
    for (const p of pieces(Math.max(begin, oldest), end, tokens, wide)) {
      rows += copies * (p.end - p.begin)
      if (p.wide) whole += copies * (p.end - p.begin)
    }
  }
  let position = 0
  for (const s of g.past) {
    hold(position, position + s.tokens, s.copies)
    position += s.tokens
  }
  hold(past, tokens, g.sequences)
  return { rows, wide: whole }
}

function pages(tokens: number): number {
  return Math.ceil(tokens / pageTokens) * pageTokens
}

/** Every sequence with a past of its own. */
function unshared(g: Sequences): Sequences {
  return { ...g, past: g.past.map((s) => ({ ...s, copies: s.copies * s.sharers, sharers: 1 })) }
}

function pagedRows(g: Sequences): number {
  const shared = g.past.filter((s) => s.sharers > 1)
  const own = g.past.filter((s) => s.sharers === 1).reduce((sum, s) => sum + s.tokens, 0) + g.query
  return shared.reduce((sum, s) => sum + pages(s.tokens) * s.copies, pages(own) * g.sequences)
}

/** What one module keeps of every sequence: rows that grow with the context, and a state that does not. */
interface Kept {
  readonly rows: readonly Row[]
  readonly state: number
  readonly holds: (tokens: number) => number
  /** Rows of an encoder's output. */
  readonly source: boolean
  /** Copies kept apart: each sequence's own, and no more pages than they fill. */
  readonly apart?: boolean
  /** Bytes beside the rows, of one group. */
  keeps?(g: Sequences): number
}

const all = (n: number) => n

function kept(m: Module, d: Deployment): Kept {
  if (m.kind === 'attention' && !m.borrowed && (m.causal || m.source)) {
    const rows = [attentionRow(m, d)]
    if (m.source) return { rows, state: 0, holds: all, source: true }
    const selections = layerSelections(m.causal, m.reach, d)
    const apart = selections.some((s) => s.apart)
    return { rows, state: 0, holds: held(selections), source: false, apart, ...choosing(m, d, selections) }
  }
  if (m.kind === 'latent-attention') {
    const index = indexRow(m)
    const rows = [latentRow(m), ...(index ? [index] : [])]
    return { rows, state: 0, holds: held(d.selections), source: false, apart: d.selections.some((s) => s.apart) }
  }
  if (m.kind === 'mamba2' || m.kind === 'delta-net') {
    const state = stateBytes(m, d.stream.bits / 8)
    return { rows: [], state: (state.recurrence + state.convolution) / d.parallel.tensor, holds: all, source: false }
  }
  return { rows: [], state: 0, holds: all, source: false }
}

/** What the selections that choose among a layer's rows keep for it. */
function choosing(a: Attention, d: Deployment, selections: readonly Selection[]): Pick<Kept, 'keeps'> {
  if (!selections.some((s) => s.keeps)) return {}
  const sizes = { headDim: a.headDim, valueDim: a.valueDim ?? a.headDim, width: d.stream.bits / 8 }
  const heads = rankHeads(a, d)
  return { keeps: (group) => choiceBytes({ ...sizes, ...heads, group }, selections, d.store.wide) }
}

/** What must be held while tokens may be taken back: as many more of what a window would forget. */
function revocable(g: Sequences, holds: Kept['holds']): Kept['holds'] {
  if (!g.revocable) return holds
  return (tokens) => Math.min(tokens, holds(tokens) + g.query - 1)
}

function held(selections: readonly Selection[]): (tokens: number) => number {
  return (tokens) => selections.reduce((rows, s) => Math.min(rows, s.holds(tokens)), tokens)
}

function heldBy(modules: readonly Module[], d: Deployment, groups: readonly Sequences[]): Held {
  const held = { kv: 0, reserved: 0 }
  for (const m of modules) {
    const { rows, state, holds, source, apart = false, keeps } = kept(m, d)
    if (rows.length === 0 && state === 0) continue
    let coded = 0
    let whole = 0
    for (const r of rows) {
      coded += d.store.row(r).bytes
      whole += (r.vectors.reduce((sum, v) => sum + v.count * v.length, 0) * d.stream.bits) / 8
      const tables = d.store.tables?.(r) ?? 0
      held.kv += tables
      held.reserved += tables
    }
    const { wide, buffer } = d.store
    for (const group of groups) {
      const g = apart ? unshared(group) : group
      const needed = source ? { rows: g.sequences * (g.source ?? 0), wide: 0 } : heldRows(g, revocable(g, holds), wide)
      const paged = source ? needed.rows : apart ? pages(needed.rows / g.sequences) * g.sequences : pagedRows(g)
      const room = buffer === undefined || source ? needed.wide : buffer * g.sequences
      const beside = statesLeft(g) * state + (keeps?.(g) ?? 0) + room * whole - needed.wide * coded
      held.kv += needed.rows * coded + beside
      held.reserved += paged * coded + beside
    }
  }
  return held
}

type Roles = (role: Role) => boolean

function weightsOf(modules: readonly Module[], d: Deployment, of: Roles): number {
  return modules.flatMap(weights).reduce((sum, w) => sum + (of(w.role) ? weightBytes(w, d) : 0), 0)
}

/** Bytes of weights by pipeline stage, per device. */
function stageWeights(stack: Stack, d: Deployment, stages: number[], of: Roles): void {
  const layers = stack.groups.reduce((n, g) => n + g.layers.length, 0)
  const last = stages.length - 1
  stages[0] = (stages[0] ?? 0) + weightsOf(stack.input, d, of)
  stages[last] = (stages[last] ?? 0) + weightsOf(stack.output, d, of)
  // A tied head on another device than the table needs a copy of it.
  if (last > 0) stages[last] += tiedTable(stack, d, of)
  for (const group of stack.groups) {
    const bytes = weightsOf(group.modules, d, of)
    for (const layer of group.layers) {
      const stage = Math.floor((layer * stages.length) / layers)
      stages[stage] = (stages[stage] ?? 0) + bytes
    }
  }
}

function tiedTable(stack: Stack, d: Deployment, of: Roles): number {
  const head = stack.output.find((m) => m.kind === 'head' && m.tied)
  if (head?.kind !== 'head') return 0
  return weightsOf([{ ...head, tied: false, bias: false }], d, of)
}

const stagesKnown = new WeakMap<Deployment, readonly number[]>()

function weightsByStage(d: Deployment): readonly number[] {
  let known = stagesKnown.get(d)
  if (!known) {
    known = stagesOf(d, () => true)
    stagesKnown.set(d, known)
  }
  return known
}

function stagesOf(d: Deployment, of: Roles): number[] {
  const stages = new Array<number>(d.parallel.pipeline).fill(0)
  for (const stack of d.architecture.stacks) stageWeights(stack, d, stages, of)
  return stages
}

/** What a second deployment holds on the device beside the first: the weights of some roles, and a cache of its own. */
export interface Beside {
  readonly deployment: Deployment
  readonly workload: Workload
  /** Roles whose weights are not the first's. */
  readonly roles: readonly Role[]
  /** Its own rows and states, or states alone where it reads the first's rows. */
  readonly cache: 'rows' | 'states'
}

/** Bytes on its fullest stage. */
export function besideMemory({
  deployment,
  workload,
  roles,
  cache,
}: Beside): Pick<Memory, 'weights' | 'kv' | 'reserved'> {
  const rowless = { ...deployment.store, row: () => ({ bytes: 0, metadata: 0, codes: 0, scattered: 0 }), buffer: 0 }
  const statesAlone = { ...deployment, store: { ...rowless, tables: () => 0 }, selections: [] }
  const held = memory(cache === 'rows' ? deployment : statesAlone, workload, [])
  const own = Math.max(...stagesOf(deployment, (role) => roles.includes(role)))
  return { weights: own, kv: held.kv, reserved: held.reserved }
}

/** Bytes held on one device (the fullest) while the pass runs. */
export function memory(d: Deployment, workload: Workload, pass: Pass): Memory {
  const byStage = weightsByStage(d)
  const groups = rankGroups(d, workload.groups)
  const kv = new Array<Held>(byStage.length)
  for (let i = 0; i < kv.length; i++) kv[i] = { kv: 0, reserved: 0 }
  const stack = d.architecture.stacks.find((s) => s.name === workload.stack)
  const layers = stack?.groups.reduce((n, g) => n + g.layers.length, 0) ?? 0
  for (const group of stack?.groups ?? []) {
    const held = heldBy(group.modules, d, groups)
    if (held.reserved === 0) continue
    for (const [stage, at] of kv.entries()) {
      const here = kv.length === 1 ? group.layers.length : onStage(group.layers, stage, kv.length, layers)
      at.kv += held.kv * here
      at.reserved += held.reserved * here
    }
  }
  let fullest = 0
  byStage.forEach((bytes, stage) => {
    const sum = (i: number) => (byStage[i] ?? 0) + (kv[i]?.kv ?? 0)
    if (bytes + (kv[stage]?.kv ?? 0) > sum(fullest)) fullest = stage
  })
  const weightsHeld = byStage[fullest] ?? 0
  const { kv: kvHeld, reserved } = kv[fullest] ?? { kv: 0, reserved: 0 }
  const tokens = groups.reduce((sum, g) => sum + g.sequences * g.query, 0)
  const residual = (tokens * (stack?.width ?? 0) * d.stream.bits) / 8
  const activations = residual + largestKernel(pass)
  return { weights: weightsHeld, kv: kvHeld, activations, total: weightsHeld + kvHeld + activations, reserved }
}

function onStage(layers: readonly number[], stage: number, stages: number, total: number): number {
  return layers.filter((l) => Math.floor((l * stages) / total) === stage).length
}

function largestKernel(pass: Pass): number {
  let largest = 0
  for (const o of pass) {
    let bytes = 0
    for (const s of o.streams) if (s.owner === 'activations') bytes += s.bytes
    if (bytes > largest) largest = bytes
  }
  return largest
}

/** Bytes of cache that one token takes in all layers that keep rows, of which in layers that forget; and of states. */
export function perToken(d: Deployment): {
  kvBytesPerToken: number
  forgettingKvBytesPerToken: number
  stateBytes: number
  layersOf: Record<string, number>
} {
  let kvBytesPerToken = 0
  let forgettingKvBytesPerToken = 0
  let state = 0
  const layersOf: Record<string, number> = {}
  for (const group of d.architecture.stacks.flatMap((s) => s.groups)) {
    for (const m of group.modules) {
      const k = kept(m, d)
      layersOf[m.kind] = (layersOf[m.kind] ?? 0) + group.layers.length
      if (k.source) continue
      const bytes = k.rows.reduce((sum, r) => sum + d.store.row(r).bytes, 0) * group.layers.length
      kvBytesPerToken += bytes
      if (k.holds(Number.MAX_SAFE_INTEGER) < Number.MAX_SAFE_INTEGER) forgettingKvBytesPerToken += bytes
      state += k.state * group.layers.length
    }
  }
  return { kvBytesPerToken, forgettingKvBytesPerToken, stateBytes: state, layersOf }
}
