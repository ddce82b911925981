// A first-in, first-out queue of requests; those whose work was interrupted go back to its head.
import type { Request } from './request.ts'

export class Queue {
  private items: Request[] = []
  private head = 0
  /** Interrupted ones, the first to go on last. */
  private returned: Request[] = []

  get length(): number {
    return this.items.length - this.head + this.returned.length
  }

  push(request: Request): void {
    this.items.push(request)
  }

  putBack(request: Request): void {
    this.returned.push(request)
  }

  peek(): Request | undefined {
    return this.returned.at(-1) ?? this.items[this.head]
  }

  shift(): Request | undefined {
    if (this.returned.length > 0) return this.returned.pop()
    const first = this.items[this.head]
    if (first === undefined) return undefined
    this.head++
    // Cut rarely enough that it costs each request a constant.
    if (this.head > 1024 && this.head * 2 > this.items.length) {
      this.items = this.items.slice(this.head)
      this.head = 0
    }
    return first
  }
}
