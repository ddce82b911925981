// Whether arrivals exceed service: then what is in the system grows for as long as they last, and no latency is a
// property of the system but of the length of the run.
import type { Timeline } from './measure.ts'

/** Standard deviations of chance beyond which growth is no chance. */
const sure = 3
const leastArrivals = 64
const leastWindows = 8
/** Share of requests given up beyond which dropping is what keeps the queue short. */
const muchDropped = 0.05
/** Share of all requests that wait when the last one comes, beyond which hardly any was served: arrivals in one burst. */
const hardlyServed = 0.25

export interface Load {
  readonly timeline: Timeline
  /** Time of the last arrival. */
  readonly lastArrival: number
  readonly arrivals: number
  readonly dropped: number
  /** Requests that waited when the last one came. */
  readonly backlog: number
  /** The simulation gave up because too many requests were in the system. */
  readonly overflowed: boolean
}

/** Says whether what is in the system grew in the second half of the arrivals by more than chance explains. */
export function saturated({ timeline, lastArrival, arrivals, dropped, backlog, overflowed }: Load): boolean {
  if (overflowed) return true
  if (arrivals < leastArrivals) return false
  if (dropped > muchDropped * arrivals) return true
  if (backlog > hardlyServed * arrivals) return true
  const windows = timeline.windows.slice(0, Math.floor(lastArrival / timeline.width))
  if (windows.length < leastWindows) return false
  const half = Math.floor(windows.length / 2)
  const inSystem = (i: number) => (windows[i]?.waiting ?? 0) + (windows[i]?.running ?? 0)
  const second = windows.slice(half)
  const came = second.reduce((sum, w) => sum + w.arrivals, 0)
  const grown = inSystem(windows.length - 1) - inSystem(half - 1)
  // Arrivals and service both vary; bursts vary more than chance.
  const deviation = Math.sqrt(2 * came * Math.max(1, dispersion(second.map((w) => w.arrivals))))
  // What grows to the end, not what a burst left behind.
  const quarter = inSystem(Math.floor((half + windows.length) / 2))
  return grown > Math.max(sure * deviation, 0.01 * came) && inSystem(windows.length - 1) > quarter
}

/** Variance over mean of counts. */
function dispersion(counts: readonly number[]): number {
  const mean = counts.reduce((sum, c) => sum + c, 0) / counts.length
  const variance = counts.reduce((sum, c) => sum + (c - mean) ** 2, 0) / (counts.length - 1)
  return mean > 0 ? variance / mean : 1
}
