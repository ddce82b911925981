// Seconds of a step from its moments. `referenceTime` asks the estimator for every step; `compiledTime` keeps what does
// not depend on the past by the numbers of tokens and gives the same answer several times faster.
import type { Profile } from '../../hardware/profile.ts'
import { operatorTime } from '../../hardware/time.ts'
import type { Architecture, Module } from '../../model/architecture.ts'
import type { Deployment } from '../../model/deployment.ts'
import { attendCache } from '../../model/modules/attention.ts'
import type { Operator } from '../../model/operator.ts'
import { pass, rankGroups } from '../../model/pass.ts'
import type { Random } from '../../model/random.ts'
import { tokens as newTokens, type Workload } from '../../model/workload.ts'
import { type Engine, graph, passSeconds } from '../engine.ts'
import { estimate } from '../estimate.ts'
import { autoregressive, type Strategy } from '../round.ts'
import type { Batch } from './batch.ts'

/** The time of steps, and what they give. */
export interface StepTime {
  /** Seconds of the step. */
  seconds(batch: Batch): number
  /** Tokens that one decoding sequence gains in the step last timed; 1 where absent. */
  gain?(random: Random): number
  /** Cached tokens that a decoding sequence may need more room for. Default 1. */
  readonly ahead?: number
}

/** The estimator itself, step by step; any strategy. */
export function referenceTime(
  deployment: Deployment,
  profile: Profile,
  strategy: Strategy = autoregressive,
  engine: Engine = graph,
): StepTime {
  let gain: (random: Random) => number = () => 1
  const ahead = strategy === autoregressive ? 1 : aheadOf(strategy, deployment)
  return {
    ahead,
    gain: (random) => gain(random),
    seconds: (batch) => {
      const round = strategy(deployment, batch.workload())
      gain = (random) => round.sample(random)
      return estimate(round.steps, profile, engine).expected
    },
  }
}

/** New tokens that a round may bring to each sequence. */
function aheadOf(strategy: Strategy, deployment: Deployment): number {
  const probe: Workload = {
    stack: 'decoder',
    groups: [{ sequences: 1, query: 1, past: [{ tokens: 1024, copies: 1, sharers: 1 }], logits: 1 }],
  }
  const { steps } = strategy(deployment, probe)
  return steps.reduce((most, s) => s.workload.groups.reduce((n, g) => Math.max(n, g.query), most), 1)
}

/** Modules whose operators depend on nothing but the numbers of tokens, sequences and heads' rows of a pass. */
const pastless: ReadonlySet<Module['kind']> = new Set<Module['kind']>([
  'norm',
  'add',
  'ffn',
  'moe',
  'linear',
  'embedding',
  'head',
  'scale',
])

interface Sums {
  device: number
  launches: number
  /** Of the device's seconds, those of collectives. */
  network: number
}

/** Steps kept by their numbers of tokens; beyond, all are forgotten: some MiB. */
const mostKept = 100_000

/** Token by token, compiled for a deployment on a profile. Equal to `referenceTime` but for the order of sums. */
export function compiledTime(deployment: Deployment, profile: Profile, engine: Engine = graph): StepTime {
  const modules = deployment.architecture.stacks.flatMap((s) => s.groups.flatMap((g) => g.modules))
  const dependent = modules.filter((m) => !pastless.has(m.kind))
  // One fused kernel reads rows as they are kept: all else of attention depends on the tokens alone.
  const plain =
    deployment.fusion === 'flash' &&
    deployment.store.wide === undefined &&
    deployment.store.name === 'dense' &&
    deployment.selections.every((s) => s.choose === undefined) &&
    dependent.every((m) => m.kind === 'attention')
  const past = plain ? kernelsOf(deployment) : pastOnly(deployment)
  const kept = new Map<number, Map<number, Sums>>()
  let size = 0
  const add = (sum: Sums, operators: readonly Operator[], counts: (o: Operator) => boolean) => {
    for (const o of operators) {
      if (!counts(o)) continue
      const seconds = operatorTime(o, profile).expected * o.count
      sum.device += seconds
      if (o.shape.kind === 'collective') sum.network += seconds
      sum.launches += o.launches * o.count
    }
  }
  const rest = plain ? (o: Operator) => o.shape.kind !== 'attention' : () => true
  const beside = plain ? deployment : pastLess(deployment)
  const constant = (workload: Workload): Sums => {
    const [first, second] = keys(deployment, workload)
    let row = kept.get(first)
    let sums = row?.get(second)
    if (sums) return sums
    if (size++ > mostKept) {
      kept.clear()
      size = 0
      row = undefined
    }
    if (!row) {
      row = new Map()
      kept.set(first, row)
    }
    sums = { device: 0, launches: 0, network: 0 }
    add(sums, pass(beside, workload), rest)
    row.set(second, sums)
    return sums
  }
  return {
    seconds: (batch) => {
      const workload = batch.workload()
      const { device, launches, network } = constant(workload)
      const sums = { device, launches, network }
      add(sums, past(workload), () => true)
      return engine.synchronization + passSeconds(engine, sums.device, sums.launches, batch.size, sums.network)
    },
  }
}

/** The numbers that pastless modules depend on, as two keys: a rank's tokens and sequences; rows of the head and all tokens. */
function keys(deployment: Deployment, workload: Workload): [number, number] {
  let tokens = 0
  let sequences = 0
  let logits = 0
  for (const g of rankGroups(deployment, workload.groups)) {
    tokens += g.sequences * g.query
    sequences += g.sequences
    logits += g.sequences * g.logits
  }
  return [tokens * 2 ** 24 + sequences, logits * 2 ** 28 + newTokens(workload)]
}

/** The layers' modules that depend on the past, and nothing else. */
function pastOnly(deployment: Deployment): Operators {
  const past = filtered(deployment, (m) => !pastless.has(m.kind), false)
  return (workload) => pass(past, workload)
}

type Operators = (workload: Workload) => readonly Operator[]

/** The attention kernels of a decoder whose other operators all depend on the tokens alone. */
function kernelsOf(deployment: Deployment): Operators {
  const groups = deployment.architecture.stacks.flatMap((s) => s.groups)
  return (workload) => {
    const of = rankGroups(deployment, workload.groups)
    const out: Operator[] = []
    const allTokens = newTokens(workload)
    let tokens = 0
    let sequences = 0
    let logits = 0
    for (const g of of) {
      tokens += g.sequences * g.query
      sequences += g.sequences
      logits += g.sequences * g.logits
    }
    for (const { modules, layers } of groups) {
      const c = { deployment, groups: of, tokens, sequences, logits, allTokens, out, layers: '', count: layers.length }
      for (const m of modules) if (m.kind === 'attention') attendCache(m, c)
    }
    return out
  }
}

function pastLess(deployment: Deployment): Deployment {
  return filtered(deployment, (m) => pastless.has(m.kind), true)
}

function filtered(deployment: Deployment, keep: (m: Module) => boolean, ends: boolean): Deployment {
  const { architecture } = deployment
  const stacks = architecture.stacks.map((s) => ({
    ...s,
    input: ends ? s.input : [],
    output: ends ? s.output : [],
    groups: s.groups
      .map((g) => ({ ...g, modules: g.modules.filter(keep) }))
      .filter((g) => g.modules.length > 0 || ends),
  }))
  const part: Architecture = { ...architecture, stacks }
  // A pipeline's boundaries are counted with what has no past.
  const parallel = ends ? deployment.parallel : { ...deployment.parallel, pipeline: 1 }
  return { ...deployment, architecture: part, parallel }
}
