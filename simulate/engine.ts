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
  /** Share of the kernels' time that a step takes, where they overlap or are fused; of collectives on their own. Default 1. */
  readonly kernels?: number
  readonly network?: number
}

/** A replayed graph that leaves the host out: all overheads are the kernels' own. */
export const graph: Engine = { name: 'graph', pass: 0, sequence: 0, synchronization: 0 }

/**
 * Seconds of a pass that takes the device `device` seconds, `network` of them in collectives, and `launches` kernels: the
 * slower of device and host.
 */
export function passSeconds(
  engine: Engine,
  device: number,
  launches: number,
  sequences: number,
  network: number,
): number {
  const { pass, sequence, host = 0, kernel = 0, kernels = 1 } = engine
  const own = kernels === 1 && engine.network === undefined
  const taken = own ? device : kernels * (device - network) + (engine.network ?? 1) * network
  return pass + sequence * sequences + Math.max(host, taken + kernel * launches)
}
