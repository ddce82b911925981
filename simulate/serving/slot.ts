// A server of queueing theory: one request at a time, for a time that is drawn or constant. A replica with a batch cap of
// N is N of them on one queue.
import type { Random } from '../../model/random.ts'
import type { Queue } from './queue.ts'
import type { Events, Station } from './replica.ts'
import type { Request } from './request.ts'

export class Slot implements Station {
  readonly queue: Queue
  readonly kvUse = 0
  private readonly service: Random
  private readonly events: Events
  private current: Request | undefined

  constructor(queue: Queue, service: Random, events: Events) {
    this.queue = queue
    this.service = service
    this.events = events
  }

  get running(): number {
    return this.current === undefined ? 0 : 1
  }

  get batch(): number {
    return this.running
  }

  begin(now: number): number | undefined {
    let next = this.queue.shift()
    while (next !== undefined && this.events.late(next)) {
      this.events.dropped(next)
      next = this.queue.shift()
    }
    if (next === undefined) return undefined
    this.current = next
    if (Number.isNaN(next.started)) next.started = now
    this.events.started(next)
    return this.service()
  }

  end(now: number): void {
    const done = this.current
    if (done === undefined) return
    this.current = undefined
    done.made = done.output
    done.first = now
    done.last = now
    this.events.completed(done)
  }

  fail(): Request[] {
    const lost = this.current
    this.current = undefined
    lost?.forget()
    return lost ? [lost] : []
  }
}
