// What a collective takes beyond its bytes over the link: a start, a step per further device, and the pipeline that a
// ring fills. The best pipeline of latency a and transfer time w takes a + w + 2·√(a·w); real ones a share of the root.
// Not here: in-switch reduction and engines' own one-shot kernels, which are faster.

export interface CollectiveConstants {
  /** Seconds of the launch and the first exchange. */
  readonly start: number
  /** Seconds per further device of the ring. */
  readonly hop: number
  /** Share of the link's bandwidth that a long message reaches. */
  readonly network: number
  /** Filling the pipeline, over the square root of latency times transfer time. */
  readonly fill: number
  /** Power of half the devices by which rings through a shared host link slow down. */
  readonly crowd: number
}

/** Where a constant is physical: a fit must end inside. */
export const collectiveBounds = {
  start: [0.5e-6, 50e-6],
  hop: [0.1e-6, 20e-6],
  network: [0.3, 1.1],
  fill: [0.01, 4],
  crowd: [0.01, 3],
} as const satisfies { readonly [K in keyof CollectiveConstants]: readonly [low: number, high: number] }

/** Seconds of a collective: `wire` bytes of the busiest direction, `bandwidth` bytes/s of one device's link. */
export function collectiveSeconds(
  wire: number,
  devices: number,
  bandwidth: number,
  shared: boolean,
  k: CollectiveConstants,
): number {
  const latency = k.start + k.hop * (devices - 1)
  const crowding = shared ? (devices / 2) ** k.crowd : 1
  const transfer = (wire * crowding) / (bandwidth * k.network)
  return latency + transfer + k.fill * Math.sqrt(latency * transfer)
}
