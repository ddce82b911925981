// What element-wise kernels (norms, activations, rotations, copies) take: a launch, then the slower of memory at a share
// of its datasheet bandwidth and of vector arithmetic. Those that reduce a row read it twice, which the share averages.

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
