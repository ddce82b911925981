// The time of one operator on a profile, in one place. `bound` is the roofline with operands cold in memory; `expected`
// is what the models of products, attention, collectives and plain kernels say that real ones take.
import type { Unit } from '../model/format.ts'
import type { Operator } from '../model/operator.ts'
import { operatorBytes } from '../model/operator.ts'
import { type AttentionFacts, attentionFacts, attentionTime } from './attention-time.ts'
import { ceilingTime } from './ceiling-time.ts'
import { codecTime } from './codec-time.ts'
import {
  type GemmModel,
  type GemmTime,
  gemmFacts,
  gemmModel,
  gemmTime,
  noGemmTime,
  quantizedBytes,
} from './gemm-time.ts'
import type { Link, Machine } from './machine.ts'
import { collectiveSeconds, plainSeconds } from './plain-time.ts'
import type { Constants, Profile } from './profile.ts'

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
  /** The parts of the bound, for floors. */
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

/** Bytes per clock of a unit's port to the last-level cache. */
const cachePort = 64

/** Bytes/s of the last-level cache: no datasheet states it, but each unit has one port. */
function cachePeak({ units, memory }: Machine): number {
  return units.clock === undefined
    ? Number.POSITIVE_INFINITY
    : Math.max(memory.bandwidth, cachePort * units.count * units.clock)
}

type Collective = Extract<Operator['shape'], { kind: 'collective' }>

/** Bytes that the busiest direction of one device's link carries: the ring algorithms' counts. */
export function wireBytes({ type, devices: n, message }: Collective): number {
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

/**
 * Bound and expected time of one instance with operands cold in memory; `warm` where they are in the last-level cache,
 * which bounds them then. Throws RangeError where the machine lacks the unit or the link.
 */
export function operatorTime(o: Operator, profile: Profile, warm = false): Time {
  const { machine } = profile
  const { shape } = o
  if (shape.kind === 'collective') return collectiveTime(shape, profile)
  const matrix = matrixSeconds(o, machine)
  const vector = o.vector === 0 ? 0 : o.vector / (vectorPeak(machine) ?? Number.POSITIVE_INFINITY)
  const bytes = operatorBytes(o)
  const memory = bytes / (warm ? cachePeak(machine) : machine.memory.bandwidth)
  const compute = Math.max(matrix, vector)
  const bound = Math.max(compute, memory)
  const limit = compute > memory ? 'compute' : 'memory'
  const kernels = kernelsOf(profile)
  if (!kernels) return { bound, expected: bound, limit, term: limit, matrix, vector, memory, network: 0 }
  const { ceilings } = kernels.constants
  if (ceilings) {
    const { expected, term } = ceilingTime(o, ceilings, warm)
    return { bound, expected, limit, term, matrix, vector, memory, network: 0 }
  }
  const plain = real(o, kernels, bytes, bound, vector, memory, warm)
  const { expected, term } = compressed(o) ? withCodes(o, plain, kernels, bytes) : plain
  return { bound, expected, limit, term, matrix, vector, memory, network: 0 }
}

interface Expected {
  readonly expected: number
  readonly term: Term
}

/** The units that fused attention kernels were measured on; in other formats attention is a plain kernel. */
const halves: ReadonlySet<Unit> = new Set<Unit>(['fp16', 'bf16'])

/** Whether the model of fused attention, of tiles for matrix units, is of this arithmetic. */
function fusesAttention(unit: Unit, kernels: Kernels): boolean {
  return halves.has(unit) && !productModel(kernels, unit).facts.vector
}

/** Whether the cache is read in codes or in pieces, or outliers are added. */
function compressed({ streams }: Operator): boolean {
  for (const s of streams) {
    if (s.run !== undefined || s.scattered !== undefined || (s.codes !== undefined && s.owner === 'kv')) return true
  }
  return false
}

/** The slower of the kernel as it would be and the unpacking of its codes; gathers and outliers come on top. */
function withCodes(
  o: Operator,
  plain: Expected,
  { machine, clock, constants: { codec } }: Kernels,
  bytes: number,
): Expected {
  const { count } = machine.units
  const { bandwidth } = machine.memory
  const t = codecTime(o.streams, { units: count, clock, bandwidth }, codec)
  const launch = (o.launches * codec.launch) / clock
  // Few queries against codes are no tiles of a product: each unit walks its share of the rows.
  const walks = t.decode > 0 && o.shape.kind === 'gemm' && o.shape.m <= fewRows
  const moved = t.gather + (walks ? launch + bytes / (bandwidth * codec.memory) : plain.expected)
  const unpacked = t.decode === 0 ? 0 : t.decode + launch
  const expected = Math.max(moved, unpacked) + t.scatter
  if (t.scatter > Math.max(moved, unpacked)) return { expected, term: 'scatter' }
  if (unpacked > moved) return { expected, term: t.decode > unpacked / 2 ? 'decode' : 'launch' }
  return { expected, term: t.gather > moved / 2 ? 'gather' : walks ? 'memory' : plain.term }
}

/** What real kernels take, by the shape of the work. */
function real(
  o: Operator,
  kernels: Kernels,
  bytes: number,
  bound: number,
  vector: number,
  memory: number,
  warm: boolean,
): Expected {
  const { shape } = o
  if (shape.kind === 'gemm') {
    const product = productTime(o, shape, kernels, bytes)
    // What a product does beside multiplying (softmax, outliers) runs meanwhile on the vector units.
    return vector > product.expected ? { expected: vector, term: 'compute' } : product
  }
  if (shape.kind === 'attention' && kernels.attention && fusesAttention(o.unit, kernels)) {
    const fused = attentionKernel(o, shape, kernels, kernels.attention, warm)
    // Below the roof the model is asked about what it was not made for: rows gathered one by one, latents in few bits.
    if (fused.expected >= bound) return fused
  }
  if (shape.kind === 'convolution' && o.matrix > 0) {
    const { outputs: m, channels: n, taps: k } = shape
    return productTime(o, { kind: 'gemm', m, n, k, matrices: 1 }, kernels, bytes)
  }
  return plainTime(o, kernels, vector, memory)
}

/** A profile's constants multiplied out with its machine's facts, once. */
interface Kernels {
  readonly machine: Machine
  readonly constants: Constants
  readonly attention: AttentionFacts | undefined
  /** By unit of arithmetic. */
  readonly products: Map<Unit, GemmModel>
  /** Hz that latencies are counted in. */
  readonly clock: number
}

const compiled = new WeakMap<Profile, Kernels>()

function kernelsOf(profile: Profile): Kernels | undefined {
  const { machine, constants } = profile
  if (!constants) return undefined
  let kernels = compiled.get(profile)
  if (!kernels) {
    kernels = {
      machine,
      constants,
      attention: attentionFacts(machine),
      products: new Map(),
      clock: machine.units.clock ?? machine.units.matrixClock ?? 1.5e9,
    }
    compiled.set(profile, kernels)
  }
  return kernels
}

/** Their activations are quantized before each product, by the largest of what there is. */
const narrowFloats: ReadonlySet<Unit> = new Set<Unit>(['fp8', 'fp6', 'fp4'])

/** Seconds of the kernel that quantizes so many activations. */
function quantizing(elements: number, { machine, clock, constants }: Kernels): number {
  return plainSeconds(1, quantizedBytes(elements) / machine.memory.bandwidth, 0, clock, constants.plain)
}

function productModel(kernels: Kernels, unit: Unit): GemmModel {
  let model = kernels.products.get(unit)
  if (!model) {
    const facts = gemmFacts(kernels.machine, unit)
    if (!facts) throw new RangeError(noUnit(kernels.machine, unit))
    const { gemm, narrow } = kernels.constants
    model = gemmModel(facts, narrowFloats.has(unit) ? { ...gemm, ...narrow } : gemm)
    kernels.products.set(unit, model)
  }
  return model
}

const parts: GemmTime = noGemmTime()

function productTime(
  o: Operator,
  shape: Extract<Operator['shape'], { kind: 'gemm' }>,
  kernels: Kernels,
  bytes: number,
): Expected {
  const { m, n, k, matrices } = shape
  let weights = 0
  let activations = 0
  let codes = 0
  for (const s of o.streams) {
    if (s.owner === 'weights') {
      weights += s.bytes
      codes += s.codes ?? 0
    } else if (s.way === 'read' && activations === 0) activations = s.bytes
  }
  // Products of two activations (scores, values) read their second operand as the weights.
  const operand = weights > 0 ? weights : bytes / 3
  const element = Math.max(0.5, Math.min(4, activations / (matrices * m * k)))
  const model = productModel(kernels, o.unit)
  const product = gemmTime(model, m, n, k, matrices, operand, element, bytes, parts)
  if (model.facts.vector ? m <= rowsOfVectors : codes > 0 && m <= fewRows) {
    const rows = unpackedSeconds(model, m * n * k * matrices, codes, bytes, kernels.machine)
    if (rows < product) return { expected: rows, term: parts.launch > rows / 2 ? 'launch' : 'memory' }
  }
  const expected = narrowFloats.has(o.unit) ? product + quantizing(activations / element, kernels) : product
  return { expected, term: productTerm(parts) }
}

/** Rows up to which kernels that unpack codes do so, and multiply, on the vector units, and leave tiles alone. */
const fewRows = 4
/** The same where there are only vector units: the rows of the smallest tile. */
const rowsOfVectors = 16
/** Vector operations that unpack a code. */
const unpacking = 2

/** Seconds of such a kernel (`codes` may be 0): its launch, and memory and vector units overlapping as in a product. */
function unpackedSeconds(model: GemmModel, products: number, codes: number, bytes: number, machine: Machine): number {
  const vector = (2 * products + unpacking * codes) / (vectorPeak(machine) ?? Number.POSITIVE_INFINITY)
  const memory = bytes * model.memory
  return model.launch + Math.cbrt(vector ** 3 + memory ** 3)
}

function productTerm(t: GemmTime): Term {
  const compute = t.compute + t.power
  const waves = t.waves + t.reduction
  const most = Math.max(t.launch, compute, t.cache, t.memory, waves)
  if (most === t.memory) return 'memory'
  if (most === compute) return 'compute'
  if (most === t.launch) return 'launch'
  return most === waves ? 'waves' : 'cache'
}

const causes = { launch: 0, compute: 0, memory: 0 }

function attentionKernel(
  o: Operator,
  shape: Extract<Operator['shape'], { kind: 'attention' }>,
  kernels: Kernels,
  facts: AttentionFacts,
  warm: boolean,
): Expected {
  let rows = 0
  for (const r of shape.rows) rows += r.sequences * r.kv
  let cached = 0
  for (const s of o.streams) if (s.owner === 'kv') cached += s.bytes
  const element = (shape.stored ?? 16) / 8
  // What the ledger reads per attended row and key head: shared and gathered rows count as often as they are read.
  const row = cached > 0 ? cached / (rows * shape.kvHeads) : element * (shape.headDim + shape.valueDim)
  // The ledger has the cache write as an operator of its own.
  const stored = { element, row, warm, apart: true }
  const expected = attentionTime(shape, stored, facts, kernels.constants.attention, causes)
  const { launch, compute, memory } = causes
  const most = Math.max(launch, compute, memory)
  return { expected, term: most === memory ? 'memory' : most === compute ? 'compute' : 'launch' }
}

/** Kernels without a model of their own: element-wise ones, and small matrix work inside them. */
function plainTime(o: Operator, kernels: Kernels, vector: number, memory: number): Expected {
  const { gemm, plain } = kernels.constants
  // Small tiles: what a product's 64 × 64 tile takes over its ideal time.
  const matrix = o.matrix === 0 ? 0 : (o.matrix / (peak(kernels.machine, o.unit) ?? 1)) * (1 + gemm.feed / 32)
  const compute = Math.max(vector, matrix)
  const expected = plainSeconds(o.launches, memory, compute, kernels.clock, plain)
  const launch = (o.launches * plain.launch) / kernels.clock
  const longest = expected - launch
  return { expected, term: launch > longest ? 'launch' : compute >= longest ? 'compute' : 'memory' }
}

function collectiveTime(shape: Collective, profile: Profile): Time {
  const link = linkFor(profile.machine, shape.devices)
  const wire = wireBytes(shape)
  const network = wire / link.bandwidth
  const roofs = { bound: network, limit: 'network', network, matrix: 0, vector: 0, memory: 0 } as const
  const k = profile.constants?.collective
  if (!k) return { ...roofs, expected: network, term: 'network' }
  const devices = shape.type === 'send' ? 2 : shape.devices
  const expected = collectiveSeconds(wire, devices, link.bandwidth, link === profile.machine.links.host, k)
  return { ...roofs, expected, term: expected > 2 * network ? 'launch' : 'network' }
}
