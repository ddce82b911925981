// The fleet that the command line asks for: kinds of replicas, the largest model first, and how many there are of each.
import type { Machine } from '../../hardware/machine.ts'
import type { Calibration } from '../../hardware/profile.ts'
import type { Architecture } from '../../model/architecture.ts'
import type { Fusion } from '../../model/deployment.ts'
import type { Format } from '../../model/format.ts'
import { parameters } from '../../model/parameters.ts'
import { type EngineName, servingEngine } from '../../simulate/serving/engines.ts'
import { type ReplicaKind, replicaKind } from '../../simulate/serving/fleet.ts'
import type { Prefill } from '../../simulate/serving/replica.ts'
import { UsageError } from '../errors.ts'
import type { WeightFormats } from '../options.ts'
import { type QueryFlags, queryOf } from '../query.ts'
import { loadMachineArgument, loadModelArgument } from '../source.ts'

export interface FleetFlags {
  readonly on?: string | undefined
  readonly replicas?: number | undefined
  readonly weights?: WeightFormats | undefined
  readonly activations?: Format | undefined
  readonly kv?: Format | undefined
  readonly tp?: number | undefined
  readonly pp?: number | undefined
  readonly ep?: number | undefined
  readonly fusion?: Fusion | undefined
  readonly with?: readonly string[] | undefined
  readonly calibration?: Calibration | undefined
  readonly batchCap?: number | undefined
  readonly tokenCap?: number | undefined
  readonly prefill?: Prefill | undefined
  readonly chunk?: number | undefined
  readonly prefix?: number | undefined
  readonly block?: number | undefined
  readonly memoryShare?: number | undefined
  readonly engine?: EngineName | undefined
  readonly engineS?: number | undefined
}

export interface FleetMember {
  readonly kind: ReplicaKind
  readonly count: number
}

export interface FleetOf {
  readonly machine: Machine
  /** The largest model first. */
  readonly members: readonly FleetMember[]
  readonly warnings: readonly string[]
}

/** Replicas beyond these are a slip of the hand. */
export const mostReplicas = 4096

/** `opt-6.7b` with --replicas, or `opt-6.7b=1,opt-1.3b=3`. */
function counted(text: string, replicas: number | undefined): { name: string; count: number }[] {
  const parts = text.split(',').map((part) => {
    const [, name = part, number] = /^(.*?)(?:=([0-9]+))?$/.exec(part.trim()) ?? []
    return { name, number }
  })
  if (parts.some((p) => p.name === '')) throw new UsageError(`model: expected names separated by commas, got ${text}`)
  const numbered = parts.some((p) => p.number !== undefined)
  if (numbered && replicas !== undefined) {
    throw new UsageError(`--replicas: expected it here or behind the models, got both (${text})`)
  }
  if (parts.length > 1 && !numbered) {
    throw new UsageError(
      `model: expected how many replicas each has, such as ${parts.map((p) => `${p.name}=1`).join()}`,
    )
  }
  const all = parts.map(({ name, number }) => ({
    name,
    count: number === undefined ? (replicas ?? 1) : Number(number),
  }))
  const none = all.find((a) => a.count < 1)
  if (none) throw new UsageError(`${none.name}: expected at least one replica, got ${none.count}`)
  const sum = all.reduce((n, a) => n + a.count, 0)
  if (sum > mostReplicas) throw new UsageError(`replicas: expected at most ${mostReplicas}, got ${sum}`)
  return all
}

/** Throws UsageError and RangeError where the fleet cannot be. `usualContext`: tokens cached half way through a request. */
export async function fleetOf(models: string, flags: FleetFlags, usualContext: number): Promise<FleetOf> {
  if (flags.on === undefined) throw new UsageError('--on: expected the machine of the replicas, got none')
  if (flags.on.includes(',')) throw new UsageError('--on: expected one machine, got several')
  if (flags.chunk !== undefined && flags.prefill !== 'chunked') {
    throw new UsageError(`--chunk: expected --prefill chunked, got ${flags.prefill ?? 'whole'}`)
  }
  const asked = counted(models, flags.replicas)
  const machine = await loadMachineArgument(flags.on)
  const loaded: { architecture: Architecture; count: number }[] = []
  for (const { name, count } of asked) loaded.push({ architecture: await loadModelArgument(name), count })
  const twice = loaded.find((l, i) => loaded.findIndex((m) => m.architecture.name === l.architecture.name) !== i)
  if (twice) throw new UsageError(`model: expected different models, got ${twice.architecture.name} twice`)
  loaded.sort((a, b) => parameters(b.architecture).total - parameters(a.architecture).total)
  const members: FleetMember[] = []
  for (const { architecture, count } of loaded) {
    members.push({ kind: await kindOf(architecture, machine, flags, usualContext), count })
  }
  return { machine, members, warnings: [...new Set(members.flatMap((m) => m.kind.warnings))] }
}

async function kindOf(
  architecture: Architecture,
  machine: Machine,
  flags: FleetFlags,
  usualContext: number,
): Promise<ReplicaKind> {
  const query = await queryOf(architecture, machine, flags as QueryFlags)
  const { batchCap = 256, tokenCap = 16384, prefill = 'whole', chunk = 512, prefix = 0 } = flags
  const engine = servingEngine(flags.engine ?? 'graph')
  return replicaKind({
    query,
    caps: { batch: batchCap, tokens: tokenCap, prefill, chunk, prefix },
    block: flags.block ?? 16,
    memoryShare: flags.memoryShare ?? 0.9,
    usualContext,
    engine: { ...engine, pass: engine.pass + (flags.engineS ?? 0) },
  })
}
