// A what-if question, checked: one pass (a decode step, a prefill, an encode) or one round of a strategy, of one model,
// on one machine.

import type { Machine } from '../hardware/machine.ts'
import type { Calibration } from '../hardware/profile.ts'
import { peak } from '../hardware/time.ts'
import { type Architecture, layerLabel, type Module } from '../model/architecture.ts'
import type { Row } from '../model/cache.ts'
import type { Deployment, DeploymentOptions } from '../model/deployment.ts'
import { deploy, releasedActivations } from '../model/deployment.ts'
import { type FormatName, format, formatNames } from '../model/format.ts'
import { type Document, decode, prefill, type Workload } from '../model/workload.ts'
import { checkLength, encodeHeard, type Heard, hear } from './audio.ts'
import type { AppliedMethod } from './method.ts'

export const phases = ['decode', 'prefill', 'encode'] as const
export type Phase = (typeof phases)[number]

export interface Query {
  readonly architecture: Architecture
  readonly machine: Machine
  /** Default: decode, or encode for an encoder. */
  readonly phase?: Phase
  /** Sequences of the whole pass; of each length of audio, where there are several. Default 1. */
  readonly batch?: number
  /** Cached tokens that a decode step reads; tokens of a prefill or an encode. Default 2048 (encoders: 512). */
  readonly context?: number
  /** Tokens cached before a prefill. */
  readonly past?: number
  /** The first so many cached tokens are one document that the whole batch shares. */
  readonly shared?: number
  /** The first so many cached tokens are a document known beforehand, each sequence's own. */
  readonly fixed?: number
  /** The encoder's tokens. */
  readonly source?: number
  /** Seconds of audio, in place of `source`; of several lengths, each is encoded `batch` times. */
  readonly audio?: number | readonly number[]
  /** Tokens to generate: adds the whole generation's total. */
  readonly newTokens?: number
  readonly deployment?: DeploymentOptions
  readonly methods?: readonly AppliedMethod[]
  readonly calibration?: Calibration
}

/** A query with every default made explicit, and what had to be assumed for it. */
export interface Resolved {
  readonly query: Query
  readonly phase: Phase
  readonly batch: number
  readonly context: number
  readonly past: number
  readonly source: number | undefined
  readonly document: Document | undefined
  readonly deployment: Deployment
  readonly workload: Workload
  readonly warnings: readonly string[]
}

const longest = 1e9

function checkCount(name: string, value: number | undefined, least: number, most = longest): void {
  if (value === undefined) return
  if (!Number.isInteger(value) || value < least || value > most) {
    throw new RangeError(`${name}: expected a whole number from ${least} to ${most}, got ${value}`)
  }
}

/** Fills in defaults and checks every number against the architecture and the machine. Throws RangeError. */
export function resolve(query: Query): Resolved {
  const { architecture, batch = 1, past = 0 } = query
  const warnings: string[] = []
  checkCount('batch', query.batch, 1)
  checkCount('context', query.context, 1)
  checkCount('past', query.past, 0)
  checkCount('source', query.source, 1)
  checkCount('new-tokens', query.newTokens, 1, 1e7)
  checkMethods(query)
  const phase = query.phase ?? (architecture.kind === 'encoder' ? 'encode' : 'decode')
  checkPhase(architecture, phase, query)
  const heard = hear(architecture, query.audio, warnings)
  const source = sourceTokens(query, phase, heard, warnings)
  const usual = Math.min(2048, architecture.positions ?? 2048)
  const context = phase === 'encode' ? (source ?? 512) : (query.context ?? usual)
  if (phase !== 'encode') checkPositions(architecture, context + past + (query.newTokens ?? 0), warnings)
  if (phase === 'encode' && architecture.kind === 'encoder') checkPositions(architecture, context, warnings)
  const document = documentOf(query, phase, phase === 'prefill' ? past : context, warnings)
  const deployment = deploy(architecture, withFormats(query, warnings))
  checkCache(deployment, query)
  warnings.push(...untouched(deployment, query))
  const cross = architecture.kind === 'encoder-decoder' && phase !== 'encode' ? source : undefined
  if (phase === 'encode') {
    const shortest = heard.reduce((least, h) => Math.min(least, h.tokens), context)
    checkLength(architecture, shortest, warnings)
  }
  const workload =
    phase === 'encode'
      ? encodeHeard(batch, context, heard)
      : phase === 'prefill'
        ? prefill(batch, context, past, cross, document)
        : decode(batch, context, cross, document)
  const sequences = batch * Math.max(1, heard.length)
  const resolved = { query, phase, batch: sequences, context, past, source, document, deployment, workload, warnings }
  for (const m of query.methods ?? []) warnings.push(...m.warnings(resolved))
  checkStrategies(resolved)
  return resolved
}

function checkMethods({ methods = [] }: Query): void {
  const names = methods.map((m) => m.name)
  const twice = names.find((name, i) => names.indexOf(name) !== i)
  if (twice !== undefined) throw new RangeError(`with: expected ${twice} once, got it twice`)
}

/** The method that decodes in rounds of its own, if one does. */
export function strategist(query: Query): AppliedMethod | undefined {
  return query.methods?.find((m) => m.strategy !== undefined)
}

function checkStrategies({ query, phase }: Resolved): void {
  const [first, second] = (query.methods ?? []).filter((m) => m.strategy !== undefined)
  if (first && second) {
    throw new RangeError(`with: ${first.name} and ${second.name} are both ways to decode; expected one of them`)
  }
  if (first && phase === 'encode') {
    throw new RangeError(`with ${first.name}: it is a way to decode; expected --phase decode or prefill, got encode`)
  }
}

/** Another model on the query's machine, in formats that it has units for; what had to be replaced goes to `warnings`. */
export function deployBeside(
  query: Query,
  architecture: Architecture,
  options: DeploymentOptions,
  warnings: string[],
): Deployment {
  return deploy(architecture, withFormats({ architecture, machine: query.machine, deployment: options }, warnings))
}

/** The part of the past that is a document: as asked, or all of it where a method works on one. */
function documentOf(query: Query, phase: Phase, past: number, warnings: string[]): Document | undefined {
  const { shared, fixed, methods = [] } = query
  const asked = shared ?? fixed
  const name = shared === undefined ? 'fixed' : 'shared'
  const users = methods.filter((m) => m.document)
  if (asked === undefined) return users.length > 0 && phase !== 'encode' ? { tokens: past, shared: false } : undefined
  if (shared !== undefined && fixed !== undefined) {
    throw new RangeError('shared: expected either --shared or --fixed for the document, got both')
  }
  checkCount(name, asked, 0)
  if (phase === 'encode') throw new RangeError(`${name}: an encode has no past; expected none, got ${asked}`)
  if (asked > past) {
    const flag = phase === 'prefill' ? '--past' : '--context'
    throw new RangeError(`${name}: expected at most the ${past} cached tokens of ${flag}, got ${asked}`)
  }
  if (fixed !== undefined && users.length === 0) {
    warnings.push('--fixed: no method of this query treats a document apart, so it changes nothing')
  }
  return { tokens: asked, shared: shared !== undefined }
}

function checkPhase(a: Architecture, phase: Phase, query: Query): void {
  if (phase === 'encode' && a.kind === 'decoder') {
    throw new RangeError(`phase: ${a.name} has no encoder; expected decode or prefill, got encode`)
  }
  if (phase !== 'encode' && a.kind === 'encoder') {
    throw new RangeError(`phase: ${a.name} is an encoder; expected encode, got ${phase}`)
  }
  if (query.past !== undefined && query.past > 0 && phase !== 'prefill') {
    throw new RangeError(
      `past: it is what a prefill finds cached; ${phase} takes ${phase === 'decode' ? '--context' : 'none'}`,
    )
  }
  if (query.source !== undefined && a.kind === 'decoder') {
    throw new RangeError(`source: ${a.name} has no encoder; expected no --source, got ${query.source}`)
  }
  if (query.audio !== undefined && a.audio === undefined) {
    throw new RangeError(`audio: ${a.name} does not take audio; expected --source or --context in tokens`)
  }
  if (typeof query.audio === 'object' && query.audio.length !== 1 && phase !== 'encode') {
    throw new RangeError(
      `audio: expected one length for a ${phase}, got ${query.audio.length}; an encode takes several`,
    )
  }
  if (query.audio !== undefined && query.source !== undefined) {
    throw new RangeError('audio: expected either --audio or --source, got both')
  }
  if (query.newTokens !== undefined && phase === 'encode') {
    throw new RangeError('new-tokens: an encode generates none; expected --phase decode or prefill')
  }
  const twice = phase === 'encode' && query.context !== undefined
  if (twice && (query.source !== undefined || query.audio !== undefined)) {
    throw new RangeError('context: an encode takes its length from one of --context, --source and --audio; got two')
  }
}

/** Encoder tokens of the query; undefined for decoders. */
function sourceTokens(query: Query, phase: Phase, heard: readonly Heard[], warnings: string[]): number | undefined {
  const { architecture: a } = query
  if (a.kind === 'decoder') return undefined
  if (heard.length > 0) return Math.max(...heard.map((h) => h.tokens))
  const given = query.source ?? (phase === 'encode' ? query.context : undefined)
  if (given !== undefined) {
    if (a.sourceTokens !== undefined && given !== a.sourceTokens) {
      warnings.push(`${a.name} as released encodes ${a.sourceTokens} tokens; this is ${given}`)
    }
    return given
  }
  if (a.sourceTokens !== undefined) return a.sourceTokens
  const usual = Math.min(512, a.positions ?? 512)
  if (a.kind === 'encoder-decoder') warnings.push(`no --source given: ${usual} encoder tokens assumed`)
  if (a.tokensPerSecond !== undefined) {
    warnings.push(`no --audio given: ${usual} tokens assumed, ${usual / a.tokensPerSecond} s`)
  }
  return usual
}

function checkPositions(a: Architecture, tokens: number, warnings: string[]): void {
  if (a.positions !== undefined && tokens > a.positions) {
    warnings.push(`${a.name} was made for ${a.positions} positions; this needs ${tokens}`)
  }
}

/** Formats that are codes of a table, or narrower than any unit's operands. */
const storageOnly: ReadonlySet<string> = new Set<FormatName>(['int3', 'int2', 'nf4', 'nuq4', 'nuq3', 'nuq2'])
const arithmeticNames = formatNames.filter((name) => !storageOnly.has(name)).join(', ')

/** The first of these formats that the machine has a unit for. */
function usableFormat(machine: Machine, order: readonly FormatName[]): FormatName | undefined {
  return order.find((name) => peak(machine, format(name).unit) !== undefined)
}

/** The activations' format: as asked, which must exist there; else as released, or the nearest that exists. */
function withFormats(query: Query, warnings: string[]): DeploymentOptions {
  const { architecture: a, machine, deployment: options = {} } = query
  const asked = options.activations
  if (options.kv?.name.startsWith('nuq')) {
    throw new RangeError(
      `kv: ${options.kv.name} has a table for every row of a weight matrix; expected --with kvquant:bits=${options.kv.bits} for a cache`,
    )
  }
  const methods = (query.methods ?? []).reduce((o, m) => m.apply(o), options)
  const order: FormatName[] = [a.dtype, 'bf16', 'fp16', 'fp32', 'tf32']
  const wide = usableFormat(machine, format(a.dtype).bits === 16 ? order : order.slice(1))
  const stream = wide === undefined ? {} : { stream: format(wide) }
  if (asked) {
    if (storageOnly.has(asked.name)) {
      throw new RangeError(
        `activations: ${asked.name} is for storage, no unit takes it; expected one of ${arithmeticNames}`,
      )
    }
    if (peak(machine, asked.unit) === undefined) {
      const has = Object.keys(machine.peaks).join(', ')
      throw new RangeError(`activations: ${machine.name} has no unit for ${asked.name}; expected one of ${has}`)
    }
    return { ...methods, ...stream }
  }
  const wanted = releasedActivations(a, methods)
  const usable = usableFormat(machine, [wanted, ...order])
  if (usable === undefined) {
    throw new RangeError(`${machine.name}: no peak FLOP/s is known, so nothing can be predicted`)
  }
  if (usable !== wanted) {
    warnings.push(`${machine.name} has no unit for ${wanted}: arithmetic runs in ${usable}`)
  }
  return { ...methods, ...stream, activations: format(usable) }
}

/** Rows that a module reads of a causal past, and whether all of that past. */
function causalRows(m: Module): { readonly kind: Row['kind']; readonly full: boolean } | undefined {
  if (m.kind === 'latent-attention') return { kind: 'latent', full: true }
  if (m.kind === 'attention' && m.causal && !m.source) return { kind: 'heads', full: m.reach.kind === 'full' }
  return undefined
}

/** `decoder layers 0-31` of each group of layers that has such a module. */
function layersWith({ architecture }: Deployment, has: (m: Module) => boolean): string[] {
  return architecture.stacks.flatMap((s) =>
    s.groups.filter((g) => g.modules.some(has)).map((g) => `${s.name} layers ${layerLabel(g.layers)}`),
  )
}

/** What an option asked for cannot reach: states under a store, layers without a causal past under selections. */
function untouched(d: Deployment, query: Query): string[] {
  const stores = query.deployment?.kv ? '--kv' : d.store.name === 'dense' ? undefined : d.store.name
  if (stores === undefined && d.selections.length === 0) return []
  const recurrent = layersWith(d, (m) => m.kind === 'mamba2' || m.kind === 'delta-net').join(', ')
  const twoSided = layersWith(d, (m) => m.kind === 'attention' && !m.causal && m.source === undefined).join(', ')
  const crossing = layersWith(d, (m) => m.kind === 'attention' && m.source !== undefined).join(', ')
  const warnings: string[] = []
  if (stores === '--kv' && d.architecture.kind === 'encoder') {
    warnings.push(`--kv: ${d.architecture.name} is an encoder and keeps no keys and values, so it changes nothing`)
  }
  if (stores !== undefined && recurrent !== '') {
    warnings.push(`${stores} is for rows of keys and values: the states of ${recurrent} stay as they are`)
  }
  if (d.selections.length === 0) return warnings
  const names = d.selections.map((s) => s.name).join(', ')
  if (recurrent !== '') warnings.push(`${names}: ${recurrent} keep a state and no rows`)
  if (twoSided !== '') warnings.push(`${names}: ${twoSided} see both ways and keep nothing`)
  if (crossing !== '') warnings.push(`${names}: cross attention of ${crossing} reads its whole source`)
  const masked = layersWith(d, (m) => causalRows(m)?.full === false).join(', ')
  for (const s of d.selections) {
    if (s.choose && masked !== '') warnings.push(`${s.name}: ${masked} forget by themselves and stay as they are`)
  }
  return warnings
}

/** A store or a selection that no layer can take is a mistake. */
function checkCache(d: Deployment, query: Query): void {
  // A plain cache that is read whole suits every model: most predictions end here.
  if (d.selections.length === 0 && d.store.name === 'dense') return
  const { stacks, name } = d.architecture
  const modules = stacks.flatMap((s) => s.groups.flatMap((g) => g.modules))
  const rows = modules.map(causalRows).filter((r) => r !== undefined)
  const keeps = [...new Set(modules.map(keptKind).filter((kind) => kind !== undefined))].join(' and ')
  const none = (what: string, needs: string) =>
    new RangeError(
      `${what}: expected layers that ${needs}; ${name} has none${keeps === '' ? '' : ` (it keeps ${keeps})`}`,
    )
  const stored = [
    ...rows.map((r) => r.kind),
    ...modules.filter((m) => m.kind === 'attention' && m.source).map(() => 'heads'),
  ]
  if (query.methods?.length && !stored.some((kind) => d.store.accepts.some((k) => k === kind))) {
    if (d.store.name !== 'dense') throw none(d.store.name, `keep rows of ${d.store.accepts.join(' or ')}`)
  }
  for (const s of d.selections) {
    const takes = (r: (typeof rows)[number]) => s.accepts.includes(r.kind) && (!s.choose || r.full)
    if (rows.some(takes)) continue
    throw none(
      s.name,
      s.choose ? `read keys of all of a causal past by ${s.accepts.join(' or ')}` : 'read rows of a causal past',
    )
  }
}

/** What a module keeps of the past, in words. */
function keptKind(m: Module): string | undefined {
  if (m.kind === 'latent-attention') return 'latents'
  if (m.kind === 'attention') return m.causal || m.source ? 'keys and values of heads' : undefined
  return m.kind === 'mamba2' || m.kind === 'delta-net' ? 'recurrent states' : undefined
}
