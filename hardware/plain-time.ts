// What element-wise kernels (norms, activations, rotations, copies) take: a launch, then the slower of memory at a share
// of its datasheet bandwidth and of vector arithmetic. Those that reduce a row read it twice, which the share averages.
//
// And what a collective takes beyond its bytes over the link: a start, a step per further device, and the pipeline that a
// ring fills. The best pipeline of latency a and transfer time w takes a + w + 2·√(a·w); real ones a share of the root.
// Not here: in-switch reduction and engines' own one-shot kernels, which are faster.

export interface PlainConstants {
  /** Clocks from the kernel before to this kernel's end, were there nothing to move. */
  readonly launch: number
  /** Share of the datasheet bandwidth. */
  readonly memory: number
}

/** Where a constant is physical: a fit must end inside. */
export const plainBounds = {
  launch: [500, 20_000],
  memory: [0.2, 0.95],
} as const satisfies { readonly [K in keyof PlainConstants]: readonly [low: number, high: number] }

/** Seconds, from those that the bytes take at the datasheet's bandwidth and the arithmetic at its peak. */
export function plainSeconds(
  launches: number,
  moved: number,
  computed: number,
  clock: number,
  k: PlainConstants,
): number {
  return (launches * k.launch) / clock + Math.max(moved / k.memory, computed)
}

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
