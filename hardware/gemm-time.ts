// The time of a matrix product on a machine that computes it in tiles: every unit (SM, CU, core) takes tiles of the
// output, streams their operands and multiplies. Kernels are tried as a library's heuristic would (a few tile shapes,
// k split among several units where tiles are few) and the fastest stands. Each cost is a machine fact times a
// dimensionless constant of one global set; nothing here knows a machine's name.
import type { Unit } from '../model/format.ts'
import type { Machine } from './machine.ts'

/** What the model needs of a machine, for one format of arithmetic. */
export interface GemmFacts {
  /** Compute units, each of at most `widest` 16-bit operations per clock (systolic arrays count as several). */
  readonly units: number
  /** Hz at which the matrix peaks are stated. */
  readonly clock: number
  /** Matrix operations per unit and clock in this format, and in 16 bits: what the unit is built around. */
  readonly operations: number
  readonly operations16: number
  /** Bytes/s of memory. */
  readonly bandwidth: number
  /** Watts, infinite where not stated. */
  readonly power: number
  /** Energy of an operation over that of a 7 nm process at the same clock. */
  readonly process: number
  /** Rate over what the same unit does where sums are narrower: consumer cards halve it, and fetch operands half as often. */
  readonly pace: number
  /** Whether the peak is that of the vector units. */
  readonly vector: boolean
}

export interface GemmConstants {
  /** Clocks from one kernel's end to the next one's first tile, within one replayed graph. */
  readonly launch: number
  /** Matrix time lost to feeding operands: a tile of a × b takes 1 + feed·(1/a + 1/b) of its ideal time. */
  readonly feed: number
  /** Clocks in which a tile fills its pipeline and nothing multiplies. */
  readonly fill: number
  /** Bytes per clock that a unit of 2048 operations draws from the cache. */
  readonly cache: number
  /** Bytes per clock that one unit draws from memory, limited by its outstanding loads. */
  readonly stream: number
  /** Share of the datasheet bandwidth that a long stream reaches. */
  readonly memory: number
  /** Clocks to start and join the split parts of k. */
  readonly join: number
  /** Bytes moved per byte of fp32 partial results, at 64 bytes per clock and unit. */
  readonly reduce: number
  /** Share of a last, partial wave's idle units that stays idle. */
  readonly tail: number
  /** Share of a tile's write to memory that no later work hides. */
  readonly write: number
  /** Joule per matrix operation at 1 GHz; grows with the square of the clock, as voltage follows it. */
  readonly energy: number
  /** Seconds that full clocks outlast before the power limit holds. */
  readonly heat: number
  /** What asynchronous engines (more than 3000 operations per clock) leave of feed, write, tail, and of cache time. */
  readonly asynchronous: number
}

/** Fitted apart, on products of 8-bit floats. */
export interface NarrowProducts {
  /** Matrix time of floats under 16 bits over that at their datasheet's rate: their sums are carried on elsewhere. */
  readonly slow: number
}

/** Physical ranges that a fit may not leave. */
export const gemmBounds: Readonly<Record<keyof GemmConstants, readonly [low: number, high: number]>> = {
  launch: [500, 20_000],
  feed: [0.5, 100],
  fill: [50, 20_000],
  cache: [8, 128],
  stream: [8, 200],
  memory: [0.5, 0.95],
  join: [100, 20_000],
  reduce: [0.25, 20],
  tail: [0.02, 1],
  write: [0.005, 2],
  energy: [5e-14, 2e-12],
  heat: [1e-5, 1e-1],
  asynchronous: [0.2, 2],
}

/** Seconds by cause; they add up to `total`. */
export interface GemmTime {
  total: number
  launch: number
  /** Multiplying, and what memory time does not hide of it. */
  compute: number
  /** Operands arriving from the cache more slowly than they are multiplied. */
  cache: number
  memory: number
  /** Units idle in the last wave; tiles starting and ending. */
  waves: number
  /** Split parts of k joined. */
  reduction: number
  /** Clocks lowered by the power limit. */
  power: number
}

export function noGemmTime(): GemmTime {
  return { total: 0, launch: 0, compute: 0, cache: 0, memory: 0, waves: 0, reduction: 0, power: 0 }
}

const widest = 8192
/** Operations per clock that the fetching and moving of operands costs in energy, beside those computed. */
const issue = 512
/** Of the board's power, what memory and leakage leave to arithmetic. */
const arithmetic = 0.8
/**
 * Energy of an operation before 2020's processes, over after: from datasheets, a V100's 300 W for 125 TFLOP/s at
 * 1.53 GHz over an A100's 400 W for 312 at 1.41, with energy growing as the clock squared. Not fitted.
 */
const older = 1.6
/** Bytes of an output element. */
const output = 2

/** Bytes of a kernel that quantizes so many 16-bit elements: read for their largest, read again, written in 8 bits. */
export function quantizedBytes(elements: number): number {
  return 5 * elements
}

/** Facts of a machine for one format; undefined where it has no such unit. */
export function gemmFacts(machine: Machine, unit: Unit): GemmFacts | undefined {
  const peak = machine.peaks[unit]
  if (peak === undefined) return undefined
  const peak16 = machine.peaks.bf16 ?? machine.peaks.fp16 ?? peak
  const clock = machine.units.matrixClock ?? machine.units.clock ?? 1.5e9
  const units = Math.max(machine.units.count, peak16 / (widest * clock))
  return {
    units,
    clock,
    operations: peak / units / clock,
    operations16: peak16 / units / clock,
    bandwidth: machine.memory.bandwidth,
    power: machine.power ?? Number.POSITIVE_INFINITY,
    process: (machine.year ?? 2020) < 2020 ? older : 1,
    pace: paceOf(machine, unit, peak),
    vector: onVectorUnits(machine, unit, peak),
  }
}

/** Whether the peak is that of the vector units: no matrix unit prescribes the rows of a tile. */
function onVectorUnits({ kind, vector }: Machine, unit: Unit, peak: number): boolean {
  const own = unit === 'fp16' ? (vector.fp16 ?? vector.fp32) : vector.fp32
  if (own === undefined) return false
  // A processor's vector units take two halves in the place of a single.
  return peak <= (kind === 'cpu' ? 2.1 : 1.05) * own
}

/** Bits of an operand of the matrix units. */
const operandBits: Partial<Readonly<Record<Unit, number>>> = { tf32: 32, bf16: 16, fp16: 16, fp8: 8 }

/** Halved floating point shows beside the integers, which are not. */
function paceOf({ kind, peaks }: Machine, unit: Unit, peak: number): number {
  const bits = operandBits[unit]
  if (kind !== 'gpu' || bits === undefined || peaks.int8 === undefined) return 1
  const share = (peak * bits) / (8 * peaks.int8)
  return share < 0.75 ? share : 1
}

/** Rows and columns of the tiles tried, few rows first. */
const tiles = [
  [16, 64],
  [16, 128],
  [32, 64],
  [32, 128],
  [64, 32],
  [64, 64],
  [64, 128],
  [128, 64],
  [128, 128],
  [128, 256],
  [256, 128],
] as const
const splits = [1, 2, 3, 4, 6, 8, 12, 16] as const

interface Tile {
  readonly rows: number
  readonly columns: number
  /** Seconds of one unit per element of k. */
  readonly multiply: number
}

/** A machine's facts and constants, multiplied out once. */
export interface GemmModel {
  readonly facts: GemmFacts
  readonly asynchronous: boolean
  readonly tiles: readonly Tile[]
  readonly launch: number
  readonly fill: number
  /** Seconds per byte of one unit from the cache, of all units from memory, and of one unit from memory. */
  readonly cache: number
  readonly memory: number
  readonly stream: number
  readonly join: number
  readonly reduce: number
  readonly tail: number
  readonly write: number
  /** Watts of arithmetic at full rate over those allowed. */
  readonly load: number
  readonly heat: number
}

export function gemmModel(facts: GemmFacts, c: GemmConstants & Partial<NarrowProducts>): GemmModel {
  const { units, clock, operations16, bandwidth } = facts
  const operations = facts.operations / (c.slow ?? 1)
  const asynchronous = operations16 > 3000
  const left = asynchronous ? c.asynchronous : 1
  const perClock = (c.cache * Math.min(1, operations16 / 2048)) / Math.min(1, left)
  const watts = units * (operations16 + issue * facts.pace) * clock * facts.process * c.energy * (clock / 1e9) ** 2
  return {
    facts: { ...facts, operations },
    asynchronous,
    tiles: tiles.map(([rows, columns]) => ({
      rows,
      columns,
      multiply:
        ((2 * rows * columns) / (operations * clock)) * (1 + c.feed * facts.pace * left * (1 / rows + 1 / columns)),
    })),
    launch: c.launch / clock,
    fill: c.fill / clock,
    cache: 1 / (perClock * clock),
    memory: 1 / (bandwidth * c.memory),
    stream: 1 / (c.stream * clock),
    join: c.join / clock,
    reduce: (c.reduce * 4) / (64 * units * clock),
    tail: Math.min(1, c.tail * left),
    write: (c.write * left * output) / bandwidth,
    load: watts / (arithmetic * facts.power),
    heat: c.heat,
  }
}

/** Memory and tile time overlap but for the start and end of each: a steep norm, steeper where copies are asynchronous. */
function overlapped(longer: number, shorter: number, asynchronous: boolean): number {
  const x = shorter / longer
  const cube = x * x * x
  return longer * (asynchronous ? Math.sqrt(Math.cbrt(1 + cube * cube)) : Math.cbrt(1 + cube))
}

/**
 * Seconds of `matrices` products (m × k)·(k × n) in one launch, written to `time` by cause and returned; m may be
 * fractional (mean tokens of an expert). `weights` is all bytes of the (k × n) operands, metadata included;
 * `activation` the bytes of one (m × k) element; `bytes` all that moves between memory and the units.
 */
export function gemmTime(
  model: GemmModel,
  m: number,
  n: number,
  k: number,
  matrices: number,
  weights: number,
  activation: number,
  bytes: number,
  time: GemmTime,
): number {
  const { units } = model.facts
  const perWeight = weights / (matrices * n * k)
  const parts = matrices * m * n * model.reduce
  // Kernels that unpack stored weights, or run on vector units, have tiles of few rows; libraries' dense kernels on matrix
  // units measure as if they had none.
  const packed = perWeight < activation || model.facts.vector
  const first = packed && m <= 16 ? 0 : packed && m <= 32 ? 2 : m <= 64 ? 4 : 5
  const last = packed && m <= 16 ? 2 : packed && m <= 32 ? 4 : m <= 64 ? 7 : m <= 128 ? 10 : 11
  let best = Number.POSITIVE_INFINITY
  for (let i = first; i < last; i++) {
    const tile = model.tiles[i] as Tile
    const rows = Math.min(m, tile.rows)
    const whole = Math.ceil(m / tile.rows) * Math.ceil(n / tile.columns) * matrices
    const perK = Math.max(tile.multiply, (rows * activation + tile.columns * perWeight) * model.cache)
    const written = rows * tile.columns * model.write
    for (let j = 0; j < splits.length; j++) {
      const split = splits[j] as number
      const depth = Math.ceil(k / split / 64) * 64
      if (split > 1 && (depth < 256 || whole * (split - 1) >= 4 * units)) break
      const count = whole * split
      const waves = count / units
      const idle = model.tail * (Math.ceil(waves) - waves)
      const ends = model.fill + written * Math.min(count, units)
      const work = (waves + idle) * (perK * depth + ends)
      const alone = model.stream / Math.min(count, 2 * units)
      const moved = bytes * Math.sqrt(model.memory * model.memory + alone * alone)
      const reduction = split > 1 ? model.join + split * parts : 0
      const longer = Math.max(work, moved)
      if (longer + reduction >= best) continue
      const both = overlapped(longer, Math.min(work, moved), model.asynchronous)
      if (both + reduction >= best) continue
      best = both + reduction
      time.reduction = reduction
      time.memory = moved > work ? moved : both - work
      time.compute = moved > work ? both - moved : waves * tile.multiply * depth
      time.cache = moved > work ? 0 : waves * (perK - tile.multiply) * depth
      time.waves = moved > work ? 0 : work - waves * perK * depth
    }
  }
  time.launch = model.launch
  time.power = throttled(model, m * n * k * matrices, best)
  time.total = time.launch + best + time.power
  return time.total
}

/** Seconds that a kernel of `seconds` gains when the power limit, reached with time, lowers the clock. */
function throttled(model: GemmModel, products: number, seconds: number): number {
  const { units, operations, clock } = model.facts
  const load = (model.load * 2 * products) / (units * operations * clock * seconds)
  if (!(load > 1)) return 0
  return ((Math.cbrt(load) - 1) * seconds * seconds) / (seconds + model.heat)
}
