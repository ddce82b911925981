// Where buffers lie in one memory that only grows: the first gap that is large enough, else the end.

export interface Block {
  readonly address: number
  readonly bytes: number
}

/** Buffers begin at cache lines, and not all at the same set of the cache. */
const line = 64
const skew = 17 * line

export class Heap {
  private gaps: Block[]
  private readonly grow: (end: number) => boolean

  /** `grow` makes the memory reach to `end`, or says that it cannot. */
  constructor(first: number, end: number, grow: (end: number) => boolean) {
    this.gaps = [{ address: first, bytes: end - first }]
    this.grow = grow
  }

  /** A block of at least `bytes`, or undefined where there is no room. */
  allocate(bytes: number): Block | undefined {
    const size = Math.ceil((bytes + skew) / line) * line
    const at = this.gaps.findIndex((g) => g.bytes >= size)
    const gap = this.gaps[at]
    if (gap === undefined) return undefined
    // The last gap is what no buffer has reached; only there must the memory grow.
    if (!this.grow(gap.address + size)) return undefined
    const rest = { address: gap.address + size, bytes: gap.bytes - size }
    this.gaps.splice(at, 1, ...(rest.bytes > 0 ? [rest] : []))
    return { address: gap.address, bytes: size }
  }

  release(block: Block): void {
    const sorted = [...this.gaps, block].toSorted((a, b) => a.address - b.address)
    this.gaps = []
    for (const gap of sorted) {
      const last = this.gaps.at(-1)
      if (last && last.address + last.bytes === gap.address) {
        this.gaps[this.gaps.length - 1] = { address: last.address, bytes: last.bytes + gap.bytes }
      } else this.gaps.push(gap)
    }
  }
}
