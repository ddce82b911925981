// Rows of requests as JSON Lines, written while the simulation runs: whole lines at a time, so that what is in the file
// can be read whenever the run ends.
import { closeSync, openSync, writeSync } from 'node:fs'
import type { Fate, Request } from '../../simulate/serving/request.ts'
import { FileError, fileReason } from '../errors.ts'

const flushAt = 1 << 16

export class Rows {
  private readonly path: string
  private readonly file: number
  private pending: string[] = []
  private size = 0
  private readonly models: readonly string[]
  private readonly tasks: readonly string[]

  constructor(path: string, models: readonly string[], tasks: readonly string[]) {
    this.path = path
    this.models = models
    this.tasks = tasks
    this.file = this.attempt(() => openSync(path, 'w'))
  }

  add(r: Request, fate: Fate, model: number, reason?: string): void {
    const line = `${JSON.stringify(this.row(r, fate, model, reason))}\n`
    this.pending.push(line)
    this.size += line.length
    if (this.size >= flushAt) this.flush()
  }

  private row(r: Request, fate: Fate, model: number, reason?: string) {
    const done = fate === 'completed'
    const later = (time: number) => (Number.isNaN(time) ? null : time - r.time)
    return {
      id: r.id,
      time_s: r.time,
      class: this.tasks[r.task] ?? null,
      model: this.models[model] ?? null,
      replica: r.replica < 0 ? null : r.replica,
      prompt: r.prompt,
      output: r.output,
      fate,
      wait_s: later(r.started),
      ttft_s: later(r.first),
      tpot_s: done && r.output > 1 ? (r.last - r.first) / (r.output - 1) : null,
      e2e_s: later(r.last),
      preemptions: r.preemptions,
      ...(reason !== undefined && { reason }),
    }
  }

  private flush(): void {
    const text = Buffer.from(this.pending.join(''))
    this.attempt(() => {
      for (let at = 0; at < text.length; ) at += writeSync(this.file, text, at)
    })
    this.pending = []
    this.size = 0
  }

  end(): void {
    this.flush()
    this.attempt(() => closeSync(this.file))
  }

  private attempt<T>(act: () => T): T {
    try {
      return act()
    } catch (error) {
      throw new FileError(`cannot write ${this.path}: ${fileReason(error)}`)
    }
  }
}
