// The time of one operator on a profile, in one place. `bound` is the roofline with operands cold in memory; `expected`
// adds what real kernels pay, each term named by the constant that it comes from.
import type { Unit } from '../model/format.ts'
import type { Operator } from '../model/operator.ts'
import { operatorBytes } from '../model/operator.ts'
import type { Link, Machine } from './machine.ts'
import type { Profile } from './profile.ts'

export const limits = ['memory', 'compute', 'network'] as const
export type Limit = (typeof limits)[number]

/** Expected's largest term. */
export const terms = [
  'memory',
  'compute',
  'network',
  'cache',
  'launch',
  'decode',
  'scatter',
  'gather',
  'waves',
] as const
export type Term = (typeof terms)[number]

/** Seconds of one instance. */
export interface Time {
  readonly bound: number
  readonly expected: number
  readonly limit: Limit
  readonly term: Term
  /** The parts of the bound, for floors: matrix, vector, memory, network. */
  readonly matrix: number
  readonly vector: number
  readonly memory: number
  readonly network: number
}

/** Dense FLOP/s of a unit, or undefined where the machine has none: then nothing computes in this format there. */
export function peak(machine: Machine, unit: Unit): number | undefined {
  return machine.peaks[unit]
}

/** FLOP/s of element-wise work, which runs in fp32; undefined where no source states it. */
export function vectorPeak(machine: Machine): number | undefined {
  return machine.vector.fp32 ?? machine.peaks.fp32
}

/** The link that joins `devices` of these machines: the fast domain where it is wide enough, else the host's. */
export function linkFor(machine: Machine, devices: number): Link {
  const { scaleUp, host } = machine.links
  if (scaleUp && devices <= (scaleUp.devices ?? devices)) return scaleUp
  if (host) return host
  throw new RangeError(
    `${machine.name} has no known link that joins ${devices} devices: expected tp, pp and ep that fit one device`,
  )
}

/** Bytes that the busiest direction of one device's link carries: the ring algorithms' counts. */
export function wireBytes(shape: Extract<Operator['shape'], { kind: 'collective' }>): number {
  const { type, devices: n, message } = shape
  switch (type) {
    case 'all-reduce':
      return (2 * (n - 1) * message) / n
    case 'all-gather':
      return (n - 1) * message
    case 'all-to-all':
      return ((n - 1) * message) / n
    case 'send':
      return message
  }
}

function matrixSeconds(o: Operator, machine: Machine): number {
  if (o.matrix === 0) return 0
  const rate = peak(machine, o.unit)
  if (rate === undefined) throw new RangeError(noUnit(machine, o.unit))
  return o.matrix / rate
}

/** The error for arithmetic that a machine cannot do. */
export function noUnit(machine: Machine, unit: Unit): string {
  const has = Object.keys(machine.peaks).join(', ')
  return `activations: ${machine.name} has no unit for ${unit}; expected one of ${has}`
}

export function operatorTime(o: Operator, profile: Profile): Time {
  const { machine, constants: k } = profile
  const { shape } = o
  if (shape.kind === 'collective') return collectiveTime(shape, o, profile)
  const matrix = matrixSeconds(o, machine)
  const vector = o.vector === 0 ? 0 : o.vector / (vectorPeak(machine) ?? Number.POSITIVE_INFINITY)
  const memory = operatorBytes(o) / machine.memory.bandwidth
  const compute = Math.max(matrix, vector)
  const launch = o.launches * k.launch
  const slowCompute = Math.max(matrix / k.matrix, vector / k.vector)
  // Bandwidth saturates with bytes in flight: bytes/(BW·η) · (1 + half/bytes).
  const slowMemory = memory === 0 ? 0 : (memory + k.saturation) / k.memory
  const longest = Math.max(slowCompute, slowMemory)
  return {
    bound: Math.max(compute, memory),
    expected: launch + longest,
    limit: compute > memory ? 'compute' : 'memory',
    term: launch > longest ? 'launch' : slowCompute > slowMemory ? 'compute' : 'memory',
    matrix,
    vector,
    memory,
    network: 0,
  }
}

function collectiveTime(
  shape: Extract<Operator['shape'], { kind: 'collective' }>,
  o: Operator,
  { machine, constants: k }: Profile,
): Time {
  const network = wireBytes(shape) / linkFor(machine, shape.devices).bandwidth
  const hops = shape.type === 'send' ? 0 : shape.devices - 2
  const launch = o.launches * (k.launch + k.link + k.hop * hops)
  const slow = network / k.network
  const none = { matrix: 0, vector: 0, memory: 0 }
  const term = launch > slow ? 'launch' : 'network'
  return { bound: network, expected: launch + slow, limit: 'network', term, network, ...none }
}
