// A machine is its datasheet: what it holds, what it moves, what it computes. Dense peaks, SI units, a source for every
// number. What was measured on a machine, or fitted, is a profile and not here.
import type { Unit } from '../model/format.ts'
import type { Ceilings } from './ceiling-time.ts'
import type { GemmConstants } from './gemm-time.ts'

export const machineKinds = ['gpu', 'cpu', 'tpu', 'accelerator'] as const

export interface Link {
  /** What it is, as people call it: NVLink4, PCIe 5.0 x16, Infinity Fabric. */
  readonly kind: string
  /** Bytes/s of one device, one direction, to all its peers together. */
  readonly bandwidth: number
  /** Devices that one such link domain joins; absent where not stated. */
  readonly devices?: number
}

export interface Machine {
  readonly name: string
  readonly title: string
  readonly vendor: string
  /** One of `machineKinds`. */
  readonly kind: string
  readonly year?: number
  readonly memory: {
    /** Bytes as the device has them; absent where it depends on what is plugged in. */
    readonly capacity?: number
    /** Bytes/s. */
    readonly bandwidth: number
    /** Where the datasheet gives them: bus width in bits and bits/s per pin. */
    readonly busBits?: number
    readonly dataRate?: number
  }
  /** Dense FLOP/s (OP/s for integers) of the fastest unit that takes this format, accumulating in fp32 (int32). */
  readonly peaks: Partial<Readonly<Record<Unit, number>>>
  /** FLOP/s of the vector units by format. */
  readonly vector: { readonly fp32?: number; readonly fp16?: number }
  readonly cache?: { readonly kind: string; readonly bytes: number }
  readonly units: {
    readonly kind: string
    readonly count: number
    /** Hz, vendor boost; of a cpu the base clock, since wide vector code does not hold the boost. */
    readonly clock?: number
    /** Hz, where matrix peaks are stated at another clock. */
    readonly matrixClock?: number
    /** Dense fp16 (or bf16) matrix operations per unit and clock, where stated. */
    readonly matrixOperationsPerClock?: number
    /** fp32 vector operations per unit and clock, where stated. */
    readonly vectorOperationsPerClock?: number
  }
  readonly links: { readonly scaleUp?: Link; readonly host?: Link }
  /** Watts. */
  readonly power?: number
  /** By path of the number above (`memory.bandwidth`), codes of `sources.json` or plain words; else `unverified`. */
  readonly sources: Readonly<Record<string, string>>
  readonly notes?: readonly string[]
  /**
   * In a user's file: what was measured on this very machine. Products of its libraries adjust the constants of products;
   * or kernels of its own give all ceilings. The shipped machines have none.
   */
  readonly calibrated?: {
    readonly gemm?: GemmConstants
    readonly ceilings?: Ceilings
    /** Rows that were measured, and how. */
    readonly probes: number
    readonly protocol: string
    /** What ran them, and when. */
    readonly backend?: string
    readonly driver?: string
    readonly date?: string
  }
}

/** One number of a machine. */
export interface Figure {
  /** Where it stands: `memory.bandwidth`. */
  readonly path: string
  readonly value: number
  readonly source: string
}

/** Every number of a machine with its source. */
export function figures(machine: Machine): Figure[] {
  return numbers(machine).map(([path, value]) => ({
    path,
    value,
    source: machine.sources[path] ?? (path.startsWith('calibrated.') ? 'measured' : 'unverified'),
  }))
}

function numbers(part: object): [path: string, value: number][] {
  return Object.entries(part).flatMap(([key, value]: [string, unknown]) => {
    if (typeof value === 'number') return [[key, value]]
    if (typeof value !== 'object' || value === null) return []
    return numbers(value).map(([path, figure]): [string, number] => [`${key}.${path}`, figure])
  })
}
