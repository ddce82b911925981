// How REBASE (arXiv 2408.00724) shares a width among candidates: by the softmax of their rewards, the best first, each
// share rounded up and taken from what is left.

/** Above the error of the doubles below it, below any share that counts: whole shares stay whole. */
const slack = 1e-9

/** Samples for each candidate, in their order; they add up to `width`. Throws RangeError where a reward is no number. */
export function rebaseWidths(rewards: ArrayLike<number>, width: number, temperature: number): number[] {
  const order = byReward(rewards)
  const best = order.length === 0 ? 0 : (rewards[order[0] as number] as number)
  const shares = order.map((i) => Math.exp(((rewards[i] as number) - best) / temperature))
  // Summed from the smallest, so that what is left never falls below the next share.
  const left = new Float64Array(shares.length + 1)
  for (let i = shares.length - 1; i >= 0; i--) left[i] = (left[i + 1] as number) + (shares[i] as number)
  const widths = new Array<number>(rewards.length).fill(0)
  let remaining = width
  for (const [rank, i] of order.entries()) {
    if (remaining <= 0) break
    const share = (remaining * (shares[rank] as number)) / (left[rank] as number)
    // Shares that vanish in doubles leave a whole width to no one: the last that counts takes it.
    const n = Number.isNaN(share) ? 0 : Math.min(remaining, Math.ceil(share - slack))
    widths[i] = n
    remaining -= n
  }
  return widths
}

/** Indices, the best reward first; equal rewards keep their order. */
export function byReward(rewards: ArrayLike<number>): number[] {
  for (let i = 0; i < rewards.length; i++) {
    if (!Number.isFinite(rewards[i])) {
      throw new RangeError(`rewards: expected finite numbers, got ${rewards[i]} of candidate ${i}`)
    }
  }
  return Array.from(rewards, (_, i) => i).sort((a, b) => (rewards[b] as number) - (rewards[a] as number))
}
