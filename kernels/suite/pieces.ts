// How work is cut for threads: into enough pieces that none waits long for the last, each large enough to be worth taking.
import type { Facts } from '../backend.ts'

/** Pieces of each thread. */
const perThread = 16

/** Units of a piece, a multiple of `step`, at least `least`, of `count` in all. */
export function pieceOf(count: number, { threads = 1 }: Facts, least: number, step = 1): number {
  return Math.ceil(Math.max(least, count / (threads * perThread)) / step) * step
}
