// The answer of `memwall measure`: which kernels on which device, and what to predict for it.
import { loadMachine, machineName } from '../hardware/catalog.ts'
import { type Profile, profileOf } from '../hardware/profile.ts'
import type { Backend } from '../kernels/backend.ts'
import { kernelNames, loadKernel } from '../kernels/catalog.ts'
import type { Sizes } from '../kernels/kernel.ts'
import { type OpenBackend, openBackend } from '../kernels/open.ts'
import { reached } from '../kernels/reach.ts'
import { casesOf, type Extent, measureSuite, type Suite } from '../kernels/suite.ts'
import type { Answer } from './answer.ts'
import { hasLocal, loadMachineArgument } from './source.ts'

export interface MeasureFlags {
  readonly shape?: readonly Partial<Sizes>[] | undefined
  readonly backend?: OpenBackend | undefined
  readonly adapter?: string | undefined
  readonly on?: string | undefined
  readonly variants?: true | undefined
  readonly suite?: Extent | undefined
  readonly seconds?: number | undefined
}

export interface Measured extends Suite {
  /** The machine that is predicted for; the device's own name where none is known. */
  readonly machine: string
  readonly backend: string
  readonly device: string
  readonly driver: string
  readonly date: string
  readonly protocol: string
  readonly warnings: readonly string[]
}

/** Opens the device, measures, and closes it. */
export async function measureAnswer(
  names: readonly string[],
  flags: MeasureFlags,
): Promise<{ answer: Answer; failed: boolean }> {
  const kernels = await Promise.all((names.length === 0 ? kernelNames : names).map(loadKernel))
  const profile = flags.on === undefined ? undefined : await loadMachineArgument(flags.on)
  const backend = await openBackend(flags.backend, flags.adapter === undefined ? {} : { adapter: flags.adapter })
  try {
    const extent = flags.suite ?? (backend.name === 'webgpu' && !backend.facts.software ? 'large' : 'small')
    const machine = profile ?? (await machineAtHand(backend))
    const seen: Profile | undefined = machine && profileOf(reached(machine, backend.name))
    const cases = casesOf(kernels, flags.shape ?? [], extent, backend, flags.variants === true)
    const suite = await measureSuite(backend, cases, {
      extent,
      ...(seen && { profile: seen }),
      ...(flags.seconds !== undefined && { seconds: flags.seconds }),
      ...(process.stderr.isTTY && { progress }),
    })
    const measured = described(suite, backend, machine?.name)
    return {
      answer: {
        json: measured,
        view: async () => (await import('./views/measurement.ts')).measurementView(measured),
      },
      failed: suite.failed.length > 0 || suite.rows.some((r) => !r.checked),
    }
  } finally {
    await backend.close()
  }
}

/** The machine as calibrated, else the shipped one of the device's name; undefined where it is neither. */
async function machineAtHand({ facts }: Backend) {
  if (facts.software) return undefined
  if (hasLocal()) return loadMachineArgument('local')
  return machineName(facts.device) === undefined ? undefined : loadMachine(facts.device)
}

function progress(done: number, all: number, at: string): void {
  process.stderr.write(`\r\u001b[K${done + 1}/${all} ${at}${done + 1 === all ? '\r\u001b[K' : ''}`)
}

export function described(suite: Suite, { name, facts }: Backend, machine: string | undefined): Measured {
  const warnings: string[] = []
  if (facts.software) warnings.push(`${facts.device} is emulated in software: its times mean nothing`)
  else if (machine === undefined) {
    warnings.push(`${facts.device} is no machine that is known: nothing is predicted; --on names one`)
  }
  const beaten = suite.rows.filter((r) => r.beats_bound)
  if (beaten.length > 0) {
    const which = [...new Set(beaten.map((r) => r.kernel))].join(', ')
    warnings.push(`faster than their bound, an error of the model or of the measurement: ${which}`)
  }
  return {
    machine: machine ?? facts.device,
    backend: name,
    device: facts.device,
    driver: facts.driver,
    date: new Date().toISOString(),
    protocol: `${facts.clock}; checked in double precision before; warmed up, then repeated until the median's 95 % interval is within 0.5 %, or for a second; inputs used in turn, four times the last-level cache together`,
    ...suite,
    warnings,
  }
}
