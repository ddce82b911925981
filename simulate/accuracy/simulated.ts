// A measured concurrency simulated: the time per output token of the clients' closed loop in steady state.
import type { Profile } from '../../hardware/profile.ts'
import type { Engine } from '../engine.ts'
import { closedLoop, type Steady } from '../serving/closed-loop.ts'
import { compiledTime } from '../serving/step-time.ts'
import { type Case, mapped, type Served, Unmappable } from './case.ts'
import { outcomeOf } from './outcome.ts'
import { type Errors, errors, type Outcome } from './score.ts'

/** `expected` and `bound` of the outcome are the simulation's and the roofline's; the interval is not known. */
export interface Simulated extends Outcome {
  /** Of one decode step, without prompts between. Seconds. */
  readonly stepAlone: number
  /** Measured and simulated; NaN where the row states none. */
  readonly ttft: readonly [measured: number, simulated: number]
}

/** Seconds of a row's loop. Throws Unmappable where no time per token is defined. */
export function steadyOf({ deployment, loop }: Served, profile: Profile, engine: Engine): Steady {
  if (loop.output < 2) throw new Unmappable('osl: a time per output token needs two tokens')
  return mapped(() => closedLoop(compiledTime(deployment, profile, engine), loop))
}

/** Throws Unmappable where the row's machine cannot run it. */
export function simulatedOutcome(row: Case, served: Served, profile: Profile, engine: Engine): Simulated {
  const { interval: _, ...alone } = outcomeOf(row, profile)
  const { tpot, ttft } = steadyOf(served, profile, engine)
  return {
    ...alone,
    expected: tpot,
    stepAlone: alone.expected,
    ttft: [served.ttft ?? Number.NaN, ttft],
  }
}

export interface Simulation {
  readonly engine: string
  /** Of the same rows by one decode step. */
  readonly static: Errors
  /** Of the rows that state it; null where none does. */
  readonly ttft: Errors | null
}

/** The other figures of simulated rows, of which there must be one. */
export function simulationOf(rows: readonly Simulated[], engine: Engine): Simulation {
  const started = rows.filter((r) => !Number.isNaN(r.ttft[0])).map((r) => ({ ...r, measured: r.ttft[0] }))
  return {
    engine: engine.name,
    static: errors(rows, (r) => r.stepAlone),
    ttft: started.length === 0 ? null : errors(started, (r) => r.ttft[1]),
  }
}
