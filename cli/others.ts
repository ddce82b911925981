// What other processes took of the processors while something was timed. The system counts in ticks of 10 ms, so it says
// something of seconds, nothing of single samples.
import { cpus } from 'node:os'
import { cpuUsage } from 'node:process'

/** Processor seconds since some moment: of all processes, of this one, and there to be had. */
export interface Spent {
  readonly all: number
  readonly own: number
  readonly had: number
}

export function spent(): Spent {
  const own = cpuUsage()
  let [busy, idle] = [0, 0]
  for (const { times } of cpus()) {
    busy += times.user + times.nice + times.sys + times.irq
    idle += times.idle
  }
  return { all: busy / 1e3, own: (own.user + own.system) / 1e6, had: (busy + idle) / 1e3 }
}

/** Share of the processors from which times are those of two programs. */
const disturbing = 0.05

/** What to say of the time between the two, if other work was in it. */
export function disturbance(before: Spent, after: Spent): readonly string[] {
  const had = after.had - before.had
  const others = after.all - before.all - (after.own - before.own)
  if (!(had > 0 && others / had > disturbing)) return []
  const share = Math.round((100 * others) / had)
  return [
    `other programs took ${share} % of the processors meanwhile: these times are not the machine's; run again alone`,
  ]
}
