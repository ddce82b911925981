// Overheads that belong to no operator: what an engine adds to each pass and each sequence of it.

export interface Engine {
  readonly name: string
  /** Seconds per pass. */
  readonly pass: number
  /** Seconds per sequence of a pass. */
  readonly sequence: number
  /** Seconds per host synchronization; one per round. */
  readonly synchronization: number
}

/** A replayed graph that leaves the host out: all overheads are the kernels' own. */
export const graph: Engine = { name: 'graph', pass: 0, sequence: 0, synchronization: 0 }
