// A radix cache that problems share in turns: whose tree was not used for longest loses tokens first, its leaves before
// what they hang on. What a later step needs of them is read again.
import type { Node } from './node.ts'
import type { Search } from './search.ts'

/** Tokens that each step of each search reads again, where `together` problems take turns in `capacity` tokens. */
export function recomputedTokens(searches: readonly Search[], together: number, capacity: number): number[][] {
  const cache = new RadixCache(capacity)
  const lost = searches.map((): number[] => [])
  const waiting = searches.map((_, i) => i)
  const running = waiting.splice(0, together)
  while (running.length > 0) {
    for (const i of [...running]) {
      const search = searches[i] as Search
      const own = lost[i] as number[]
      const step = search.steps[own.length]
      if (step !== undefined) own.push(cache.step(step.samples, search.prompt))
      if (own.length < search.steps.length) continue
      running.splice(running.indexOf(i), 1)
      const next = waiting.shift()
      if (next !== undefined) running.push(next)
    }
  }
  return lost
}

class RadixCache {
  private readonly capacity: number
  /** Nodes held, with the turn of their last use. */
  private readonly used = new Map<Node, number>()
  /** Nodes that were ever held: what is missing of them was lost. */
  private readonly known = new WeakSet<Node>()
  /** In the order of use, leaves before what they hang on; old entries are passed over. */
  private queue: { readonly node: Node; readonly turn: number; readonly tokens: number }[] = []
  private head = 0
  private held = 0
  private turn = 0

  constructor(capacity: number) {
    this.capacity = capacity
  }

  /** One step with these samples; returns the tokens before them that had been lost. */
  step(samples: readonly Node[], prompt: number): number {
    this.turn++
    let lost = 0
    const touched = new Set<Node>()
    for (const s of samples) {
      for (let node: Node | undefined = s; node !== undefined && !touched.has(node); node = node.parent) {
        touched.add(node)
      }
    }
    const inOrder = [...touched].sort((a, b) => b.depth - a.depth)
    for (const node of inOrder) {
      const tokens = node.parent === undefined ? prompt : node.tokens
      if (!this.used.has(node)) {
        if (this.known.has(node)) lost += tokens
        this.known.add(node)
        this.held += tokens
      }
      this.used.set(node, this.turn)
      this.queue.push({ node, turn: this.turn, tokens })
    }
    this.evict()
    return lost
  }

  /** What this turn uses stays, even where it is more than fits. */
  private evict(): void {
    while (this.held > this.capacity) {
      const oldest = this.queue[this.head]
      if (oldest === undefined || oldest.turn === this.turn) break
      this.head++
      if (this.used.get(oldest.node) !== oldest.turn) continue
      this.used.delete(oldest.node)
      this.held -= oldest.tokens
    }
    if (this.head > 65536) {
      this.queue = this.queue.slice(this.head)
      this.head = 0
    }
  }
}
