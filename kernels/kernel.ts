// A runnable operator: from a shape alone come its tensors, the Operator that the model emits for the same work, the f64
// reference of its outputs, and for each backend the sources and launches that compute it. Only the interface.
import type { Operator } from '../model/operator.ts'
import type { Random } from '../model/random.ts'
import type { BackendName, Facts, Groups } from './backend.ts'
import type { ElementType, Fill } from './input.ts'

/** A shape: whole numbers by name. */
export type Sizes = Readonly<Record<string, number>>

export interface Size {
  readonly means: string
  readonly default: number
  /** The least it may be, or all that it may be. */
  readonly least?: number
  readonly of?: readonly number[]
}

export interface Tensor {
  readonly name: string
  readonly elements: number
  readonly type: ElementType
  /** Inputs are filled; outputs and scratch are poisoned before every check. */
  readonly use: 'input' | 'output' | 'scratch'
  readonly fill?: Fill
  /** May be cut into equal parts along its outermost dimension, where one binding cannot hold it. */
  readonly cut?: true
  /** An output of which a kernel may leave elements unwritten: those that are not compared. */
  readonly partial?: true
}

/** What a stretch of an output must be, each value within its tolerance. */
export interface Expectation {
  readonly tensor: string
  readonly offset: number
  readonly values: Float64Array
  readonly tolerances: Float64Array
}

export interface Problem {
  readonly tensors: readonly Tensor[]
  /** In order; a kernel is one, a layer is many. */
  readonly operators: readonly Operator[]
  /** Where the tolerances come from, in words. */
  readonly tolerance: string
  /**
   * Reference values in f64: of all outputs where they are few, else of stretches that `random` picks (of at least two
   * heads, where there are heads).
   */
  expectations(random: Random): Iterable<Expectation>
  /**
   * Values that follow from what the device itself left in other outputs: each stage of a sequence is held against what
   * the stage before gave it, so that no error of one hides in the tolerance of the next.
   */
  readonly following?: (outputs: Readonly<Record<string, Uint32Array>>, random: Random) => Iterable<Expectation>
  /** Outputs whose values are not compared one by one: checks them itself and returns what is wrong, if anything. */
  readonly verify?: (outputs: Readonly<Record<string, Uint32Array>>) => string | undefined
}

export interface Launch {
  /** A backend's program: WGSL, or the name of an exported function. */
  readonly source: string
  /** Tensors by name, in the order of the bindings. */
  readonly buffers: readonly string[]
  readonly groups: Groups
  readonly args?: readonly number[]
  /** Which part of the tensors that are cut it binds. */
  readonly part?: number
}

/** One way to run a problem on one backend. */
export interface Plan {
  /** What tells this way from the others: `wide=4 rows=8`; empty where there is one. */
  readonly variant: string
  readonly scratch?: readonly Tensor[]
  /** Pieces that the tensors marked `cut` are kept in. */
  readonly parts?: number
  readonly launches: readonly Launch[]
}

/** The ways to run a shape on a device, the usual one first. Empty where there is none. */
export type Planner<S extends Sizes = Sizes> = (sizes: S, facts: Facts) => readonly Plan[]

export interface Kernel<S extends Sizes = Sizes> {
  readonly name: string
  readonly means: string
  readonly sizes: { readonly [K in keyof S]: Size }
  /** Shapes that are measured where none is asked for: on a processor, and on a GPU. */
  readonly shapes: { readonly small: readonly Partial<S>[]; readonly large: readonly Partial<S>[] }
  /** The shape of the kernel that it is compared with, where it is a method's. */
  readonly baseline?: (sizes: S) => { readonly kernel: string; readonly sizes: Sizes }
  problem(sizes: S): Problem
  readonly plans: Readonly<Partial<Record<BackendName, Planner<S>>>>
}

/** A kernel of any sizes, as tables hold it. */
export type AnyKernel = Kernel<Sizes>

/** Keeps the sizes' names while a kernel is written, and forgets them for the table. */
export function kernel<S extends Record<string, number>>(k: Kernel<S>): AnyKernel {
  return k as unknown as AnyKernel
}
