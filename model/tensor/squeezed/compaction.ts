// Kept keys as a list of rows, and the list cut into blocks of equal work: heads keep different numbers of keys under one
// threshold, so one block of threads per head would wait for the longest (Squeezed Attention's released kernels).

/** Kept keys that one block of threads works on. */
export const blockKv = 2048

/** The places of the ones in a mask, in order. */
export function compactIndices(mask: Uint8Array): Int32Array {
  let count = 0
  for (let i = 0; i < mask.length; i++) count += mask[i] as number
  const rows = new Int32Array(count)
  let at = 0
  for (let i = 0; i < mask.length; i++) if (mask[i] === 1) rows[at++] = i
  return rows
}

export interface SplitSchedule {
  /** Blocks of each head. */
  readonly blocksPerHead: readonly number[]
  /** The first block of each head in the flat list. */
  readonly headStart: readonly number[]
  readonly blocks: number
}

/** The flat list of blocks of `block` kept keys, for heads that keep `lengths`. */
export function splitSchedule(lengths: readonly number[], block = blockKv): SplitSchedule {
  const blocksPerHead = lengths.map((length) => Math.ceil(length / block))
  let blocks = 0
  const headStart = blocksPerHead.map((own) => {
    const start = blocks
    blocks += own
    return start
  })
  return { blocksPerHead, headStart, blocks }
}
