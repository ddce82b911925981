// Runs a sweep: chunks in order from the pool into the sink, progress on stderr, and what the user should know at the end.
import { readFileSync, statSync } from 'node:fs'
import { availableParallelism } from 'node:os'
import { Front } from '../../simulate/whatif/pareto.ts'
import { addTally, type Tally } from '../../simulate/whatif/row.ts'
import { UsageError } from '../errors.ts'
import { progress } from '../progress.ts'
import * as units from '../units.ts'
import type { Candidate, Drawn } from './chunk.ts'
import { chunks } from './pool.ts'
import { rowFormat } from './rows.ts'
import { deviceSink, fileSink, noSink, type Sink, standardOutput, wholeSink } from './sink.ts'
import type { Sweep } from './spec.ts'

export interface RunOptions {
  readonly out?: string
  readonly resume: boolean
  /** Default: as many as there are cores. */
  readonly workers?: number
  readonly secondsPerPoint: number
  /** The sweep as typed. */
  readonly asked: string
  /** Whether only a chart is wanted. */
  readonly silent: boolean
}

export interface Outcome {
  readonly tally: Tally
  /** Figures of all points, where they are drawn. */
  readonly drawn?: Drawn
  readonly front: readonly Candidate[]
}

/** Below this many seconds of work it is not worth to start workers. */
const worthwhile = 1

/** Answers all points. Throws FileError and UsageError. */
export async function runSweep(sweep: Sweep, options: RunOptions): Promise<Outcome> {
  const { plan, objectives } = sweep
  const format = rowFormat(sweep.spec.format, sweep)
  const sink = await sinkOf(sweep, options, new TextEncoder().encode(format.header))
  const cores = options.workers ?? availableParallelism()
  const small = options.workers === undefined && options.secondsPerPoint * plan.count < worthwhile
  const tally = { ...sink.tally }
  const drawn = sweep.spec.drawn ? room(plan.count) : undefined
  const front = objectives && new Front<Candidate>(objectives[0].best, objectives[1].best)
  const shown = progress(process.stderr, options.out === undefined || objectives ? '' : '; --resume goes on')
  const meter = meterOf(plan.count, sink.begun)
  let done = sink.begun
  try {
    for await (const chunk of chunks(sweep, sink.begun, small ? 0 : cores)) {
      const size = Math.min(plan.count - done, chunk.points)
      if (chunk.bytes.length > 0) await sink.write(chunk.bytes)
      if (drawn && chunk.drawn) copy(drawn, chunk.drawn, done)
      for (const c of chunk.front) front?.add(c.x, c.y, c)
      addTally(tally, chunk.tally)
      done += size
      sink.reached(done, tally)
      await shown.step(meter(done))
    }
    const kept = front?.points().map((p) => p.item) ?? []
    for (const c of kept) await sink.write(new TextEncoder().encode(c.line))
    sink.finish(done, tally)
    return { tally, front: kept, ...(drawn && { drawn }) }
  } catch (error) {
    sink.abandon()
    throw error
  } finally {
    shown.end()
  }
}

async function sinkOf(sweep: Sweep, { out, resume, asked, silent }: RunOptions, header: Uint8Array): Promise<Sink> {
  if (silent) return noSink()
  if (out === undefined) return standardOutput(header)
  const stat = statSync(out, { throwIfNoEntry: false })
  if (stat && !stat.isFile()) {
    if (resume) throw new UsageError(`--resume: expected --out to be a file, got ${out}`)
    return deviceSink(out, header)
  }
  // A front is only known at the end: there is nothing to go on with.
  if (sweep.objectives) return wholeSink(out, header)
  return fileSink({ path: out, resume, identity: identityOf(sweep), asked, header })
}

/** Everything that the rows depend on. */
function identityOf({ spec, plan }: Sweep): string {
  const { version } = JSON.parse(readFileSync(new URL('../../../package.json', import.meta.url), 'utf8')) as {
    version: string
  }
  return JSON.stringify([version, { ...spec, drawn: false, title: undefined }, plan.models, plan.machines])
}

function room(points: number): Drawn {
  return {
    first: new Float64Array(points).fill(Number.NaN),
    second: new Float64Array(points).fill(Number.NaN),
    limit: new Uint8Array(points).fill(255),
    fits: new Uint8Array(points).fill(2),
  }
}

function copy(to: Drawn, from: Drawn, at: number): void {
  to.first.set(from.first, at)
  to.second.set(from.second, at)
  to.limit.set(from.limit, at)
  to.fits.set(from.fits, at)
}

const barWidth = 20

/** `[#####....] 52 %, 520,000 of 1,000,000 points, 16,900/s, 28.4 s left`. */
function meterOf(count: number, begun: number): (done: number) => string {
  const begin = performance.now()
  return (done) => {
    const seconds = (performance.now() - begin) / 1e3
    const rate = (done - begun) / Math.max(seconds, 1e-9)
    const filled = Math.round((barWidth * done) / count)
    const bar = `[${'#'.repeat(filled)}${'.'.repeat(barWidth - filled)}]`
    const left = units.duration((count - done) / rate)
    return `${bar} ${units.percent(done / count)}, ${grouped(done)} of ${grouped(count)} points, ${grouped(Math.round(rate))}/s, ${left} left`
  }
}

/** 1,000,000. */
export function grouped(n: number): string {
  return n.toLocaleString('en-US')
}

/** What the user should know of the points that have no row, or no figure. */
export function tallyNotes(
  { rows, refused, reason, left_out, undecided, without_metric }: Tally,
  count: number,
): string[] {
  return [
    ...(refused > 0 ? [`${grouped(refused)} of ${grouped(count)} points cannot be asked: ${reason}`] : []),
    ...(left_out === count - refused && left_out > 0 ? ['--where holds at no point'] : []),
    ...(undecided > 0
      ? [`--where cannot be decided at ${grouped(undecided)} points: a figure that it needs is not known`]
      : []),
    ...(without_metric > 0
      ? [`${grouped(without_metric)} of ${grouped(rows)} rows have no value to show: null, or a division by zero`]
      : []),
  ]
}
