// A what-if question, checked: one pass (a decode step, a prefill, an encode) or one round of a strategy, of one model,
// on one machine.

import type { Machine } from '../hardware/machine.ts'
import type { Calibration } from '../hardware/profile.ts'
import { peak } from '../hardware/time.ts'
import type { Architecture } from '../model/architecture.ts'
import type { Deployment, DeploymentOptions } from '../model/deployment.ts'
import { deploy } from '../model/deployment.ts'
import { type FormatName, format } from '../model/format.ts'
import { decode, encode, prefill, type Workload } from '../model/workload.ts'
import type { AppliedMethod } from './method.ts'

export const phases = ['decode', 'prefill', 'encode'] as const
export type Phase = (typeof phases)[number]

export interface Query {
  readonly architecture: Architecture
  readonly machine: Machine
  /** Default: decode, or encode for an encoder. */
  readonly phase?: Phase
  /** Sequences of the whole pass. Default 1. */
  readonly batch?: number
  /** Cached tokens that a decode step reads; tokens of a prefill or an encode. Default 2048 (encoders: 512). */
  readonly context?: number
  /** Tokens cached before a prefill. */
  readonly past?: number
  /** The encoder's tokens. */
  readonly source?: number
  /** Seconds of audio, in place of `source`. */
  readonly audio?: number
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
  const source = sourceTokens(query, phase, warnings)
  const context = phase === 'encode' ? (source ?? 512) : (query.context ?? 2048)
  if (phase !== 'encode') checkPositions(architecture, context + past + (query.newTokens ?? 0), warnings)
  if (phase === 'encode' && architecture.kind === 'encoder') checkPositions(architecture, context, warnings)
  const deployment = deploy(architecture, withFormats(query, warnings))
  const cross = architecture.kind === 'encoder-decoder' && phase !== 'encode' ? source : undefined
  const workload =
    phase === 'encode'
      ? encode(batch, context)
      : phase === 'prefill'
        ? prefill(batch, context, past, cross)
        : decode(batch, context, cross)
  return { query, phase, batch, context, past, source, deployment, workload, warnings }
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
  if (query.audio !== undefined && a.tokensPerSecond === undefined) {
    throw new RangeError(`audio: ${a.name} does not take audio; expected --source or --context in tokens`)
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
function sourceTokens(query: Query, phase: Phase, warnings: string[]): number | undefined {
  const { architecture: a } = query
  if (a.kind === 'decoder') return undefined
  if (query.audio !== undefined) return audioTokens(a, query.audio, warnings)
  const given = query.source ?? (phase === 'encode' ? query.context : undefined)
  if (given !== undefined) {
    if (a.sourceTokens !== undefined && given !== a.sourceTokens) {
      warnings.push(`${a.name} as released encodes ${a.sourceTokens} tokens; this is ${given}`)
    }
    return given
  }
  if (a.sourceTokens !== undefined) return a.sourceTokens
  if (a.kind === 'encoder-decoder') warnings.push('no --source given: 512 encoder tokens assumed')
  return Math.min(512, a.positions ?? 512)
}

function audioTokens(a: Architecture, seconds: number, warnings: string[]): number {
  if (!(seconds > 0) || !Number.isFinite(seconds)) {
    throw new RangeError(`audio: expected seconds above 0, got ${seconds}`)
  }
  const tokens = Math.ceil(seconds * (a.tokensPerSecond ?? 0))
  if (a.sourceTokens !== undefined && tokens > a.sourceTokens) {
    const most = a.sourceTokens / (a.tokensPerSecond ?? 1)
    throw new RangeError(
      `audio: ${a.name} encodes at most ${most} s at once, got ${seconds}; use --batch for more windows`,
    )
  }
  if (a.sourceTokens !== undefined && tokens < a.sourceTokens) {
    warnings.push(`${a.name} as released pads audio to ${a.sourceTokens} tokens; this is ${tokens}`)
  }
  return tokens
}

function checkPositions(a: Architecture, tokens: number, warnings: string[]): void {
  if (a.positions !== undefined && tokens > a.positions) {
    warnings.push(`${a.name} was made for ${a.positions} positions; this needs ${tokens}`)
  }
}

/** The activations' format: as asked, which must exist there; else as released, or the nearest that exists. */
function withFormats(query: Query, warnings: string[]): DeploymentOptions {
  const { architecture: a, machine, deployment: options = {} } = query
  const asked = options.activations
  const methods = (query.methods ?? []).reduce((o, m) => m.apply(o), options)
  if (asked) {
    if (peak(machine, asked.unit) === undefined) {
      const has = Object.keys(machine.peaks).join(', ')
      throw new RangeError(`activations: ${machine.name} has no unit for ${asked.name}; expected one of ${has}`)
    }
    return methods
  }
  const wanted = a.activations ?? a.dtype
  const order: FormatName[] = [wanted, a.dtype, 'bf16', 'fp16', 'fp32', 'tf32']
  const usable = order.find((name) => peak(machine, format(name).unit) !== undefined)
  if (usable === undefined)
    throw new RangeError(`${machine.name}: no peak FLOP/s is known, so nothing can be predicted`)
  if (usable !== wanted) {
    warnings.push(`${machine.name} has no unit for ${wanted}: arithmetic runs in ${usable}`)
  }
  return { ...methods, activations: format(usable) }
}
