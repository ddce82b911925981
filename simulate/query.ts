// A what-if question, checked: one pass (a decode step, a prefill, an encode) or one round of a strategy, of one model,
// on one machine.

import type { Machine } from '../hardware/machine.ts'
import type { Calibration } from '../hardware/profile.ts'
import { peak } from '../hardware/time.ts'
import { type Architecture, layerLabel, type Module } from '../model/architecture.ts'
import type { Deployment, DeploymentOptions } from '../model/deployment.ts'
import { deploy, releasedActivations } from '../model/deployment.ts'
import { type FormatName, format, formatNames } from '../model/format.ts'
import { decode, prefill, type Workload } from '../model/workload.ts'
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
  const phase = query.phase ?? (architecture.kind === 'encoder' ? 'encode' : 'decode')
  checkPhase(architecture, phase, query)
  const heard = hear(architecture, query.audio, warnings)
  const source = sourceTokens(query, phase, heard, warnings)
  const usual = Math.min(2048, architecture.positions ?? 2048)
  const context = phase === 'encode' ? (source ?? 512) : (query.context ?? usual)
  if (phase !== 'encode') checkPositions(architecture, context + past + (query.newTokens ?? 0), warnings)
  if (phase === 'encode' && architecture.kind === 'encoder') checkPositions(architecture, context, warnings)
  const deployment = deploy(architecture, withFormats(query, warnings))
  checkSelections(deployment, query)
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
        ? prefill(batch, context, past, cross)
        : decode(batch, context, cross)
  const sequences = batch * Math.max(1, heard.length)
  return { query, phase, batch: sequences, context, past, source, deployment, workload, warnings }
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
  if (a.kind === 'encoder-decoder') warnings.push('no --source given: 512 encoder tokens assumed')
  if (a.tokensPerSecond !== undefined) {
    warnings.push(`no --audio given: 512 tokens assumed, ${512 / a.tokensPerSecond} s`)
  }
  return Math.min(512, a.positions ?? 512)
}

function checkPositions(a: Architecture, tokens: number, warnings: string[]): void {
  if (a.positions !== undefined && tokens > a.positions) {
    warnings.push(`${a.name} was made for ${a.positions} positions; this needs ${tokens}`)
  }
}

/** Formats that are codes of a table, or narrower than any unit's operands. */
const storageOnly: ReadonlySet<string> = new Set<FormatName>(['int3', 'int2', 'nf4'])
const arithmeticNames = formatNames.filter((name) => !storageOnly.has(name)).join(', ')

/** The first of these formats that the machine has a unit for. */
function usableFormat(machine: Machine, order: readonly FormatName[]): FormatName | undefined {
  return order.find((name) => peak(machine, format(name).unit) !== undefined)
}

/** The activations' format: as asked, which must exist there; else as released, or the nearest that exists. */
function withFormats(query: Query, warnings: string[]): DeploymentOptions {
  const { architecture: a, machine, deployment: options = {} } = query
  const asked = options.activations
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

/** What an option asked for cannot reach: states under `--kv`, layers without a causal past under selections. */
function untouched(d: Deployment, query: Query): string[] {
  if (!query.deployment?.kv && d.selections.length === 0) return []
  const layers = (touches: (m: Module) => boolean) =>
    d.architecture.stacks.flatMap((s) =>
      s.groups.filter((g) => g.modules.some(touches)).map((g) => `${s.name} layers ${layerLabel(g.layers)}`),
    )
  const recurrent = layers((m) => m.kind === 'mamba2' || m.kind === 'delta-net')
  const twoSided = layers((m) => m.kind === 'attention' && !m.causal && m.source === undefined)
  const crossing = layers((m) => m.kind === 'attention' && m.source !== undefined)
  const warnings: string[] = []
  if (query.deployment?.kv && recurrent.length > 0) {
    warnings.push(`--kv is for rows of keys and values: the states of ${recurrent.join(', ')} stay as they are`)
  }
  if (d.selections.length === 0) return warnings
  const names = (query.methods ?? []).map((m) => m.name).join(', ') || 'the selections'
  if (recurrent.length > 0) warnings.push(`${names}: ${recurrent.join(', ')} keep a state and no rows`)
  if (twoSided.length > 0) warnings.push(`${names}: ${twoSided.join(', ')} see both ways and keep nothing`)
  if (crossing.length > 0) warnings.push(`${names}: cross attention of ${crossing.join(', ')} reads its whole source`)
  return warnings
}

/** A selection that no layer can take is a mistake. */
function checkSelections(d: Deployment, query: Query): void {
  if (d.selections.length === 0) return
  const takes = (m: Module) => (m.kind === 'attention' && m.causal) || m.kind === 'latent-attention'
  if (d.architecture.stacks.some((s) => s.groups.some((g) => g.modules.some(takes)))) return
  const names = (query.methods ?? []).map((m) => m.name).join(', ') || 'selections'
  throw new RangeError(`${names}: expected layers that read rows of a causal past; ${d.architecture.name} has none`)
}
