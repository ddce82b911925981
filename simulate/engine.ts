// Overheads that belong to no operator: what an engine adds to each pass and each sequence of it.

export interface Engine {
  readonly name: string
  /** Seconds per pass. */
  readonly pass: number
  /** Seconds per sequence of a pass. */
  readonly sequence: number
  /** Seconds per host synchronization; one per round. */
  readonly synchronization: number
  /** Seconds that the host needs for a pass, beside the device. */
  readonly host?: number
  /** Seconds by which a kernel starts later than it would in a graph. */
  readonly kernel?: number
}

/** A replayed graph that leaves the host out: all overheads are the kernels' own. */
export const graph: Engine = { name: 'graph', pass: 0, sequence: 0, synchronization: 0 }

/** Seconds of a pass that takes the device `device` seconds and `launches` kernels: the slower of device and host. */
export function passSeconds(engine: Engine, device: number, launches: number, sequences: number): number {
  const { pass, sequence, host = 0, kernel = 0 } = engine
  return pass + sequence * sequences + Math.max(host, device + kernel * launches)
}
