// The answer of `memwall measure`: which kernels on which device, and what to predict for it.
import { loadMachine, machineName } from '../hardware/catalog.ts'
import type { Machine } from '../hardware/machine.ts'
import { type Profile, profileOf } from '../hardware/profile.ts'
import type { Backend, BackendName, Facts } from '../kernels/backend.ts'
import { kernelNames, loadKernel } from '../kernels/catalog.ts'
import { type Comparison, compared } from '../kernels/comparison.ts'
import type { AnyKernel, Sizes } from '../kernels/kernel.ts'
import { type OpenOptions, openBackend } from '../kernels/open.ts'
import { reached } from '../kernels/reach.ts'
import { casesOf, type Extent, fits, measureSuite, type Suite, type SuiteOptions } from '../kernels/suite.ts'
import type { Answer } from './answer.ts'
import { UsageError } from './errors.ts'
import { hasLocal, loadMachineArgument } from './source.ts'

export interface MeasureFlags {
  readonly shape?: readonly Partial<Sizes>[] | undefined
  readonly backend?: BackendName | undefined
  readonly against?: BackendName | undefined
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
  /** What computed, where that is not this project. */
  readonly library: Facts['library'] | null
  /** The same shapes on another backend in the same run. */
  readonly against: Comparison | null
  readonly date: string
  readonly protocol: string
  readonly warnings: readonly string[]
}

/** Opens the device, measures, and closes it; then the one to compare with, if any. */
export async function measureAnswer(
  names: readonly string[],
  flags: MeasureFlags,
): Promise<{ answer: Answer; failed: boolean }> {
  if (flags.against !== undefined && flags.against === flags.backend) {
    throw new UsageError(`--against: expected another backend than --backend, got ${flags.against}`)
  }
  const kernels = await Promise.all((names.length === 0 ? kernelNames : names).map(loadKernel))
  const machine = flags.on === undefined ? undefined : await loadMachineArgument(flags.on)
  const { measured: own, ...same } = await measuredOn(kernels, machine, flags, names.length === 0)
  const against = flags.against === undefined ? null : await measuredAgainst(flags.against, own, same, flags)
  const measured = { ...own, against }
  return {
    answer: {
      json: measured,
      view: async () => (await import('./views/measurement.ts')).measurementView(measured),
    },
    failed:
      own.failed.length > 0 ||
      own.rows.some((r) => !r.checked) ||
      (against !== null && (against.failed.length > 0 || against.rows.length === 0)),
  }
}

/** What both sides of a comparison have: the profile says how large the cache is that inputs must not stay in. */
type Same = Pick<SuiteOptions, 'extent' | 'profile'>

const like = (name: BackendName | undefined): Pick<OpenOptions, 'like'> =>
  name === 'webgpu' || name === 'wasm' ? { like: name } : {}

async function measuredOn(
  asked: readonly AnyKernel[],
  asMachine: Machine | undefined,
  flags: MeasureFlags,
  all: boolean,
): Promise<{ measured: Measured } & Same> {
  const backend = await openBackend(flags.backend, { ...adapterOf(flags), ...like(flags.against) })
  try {
    if (backend.name === flags.against) {
      throw new UsageError(`--against: expected another backend than ${backend.name}, which is the first there is`)
    }
    const { facts, name } = backend
    // What the library has not is left out where no kernel is named.
    const kernels = all && name === 'tfjs' ? asked.filter((k) => k.plans.tfjs) : asked
    const onDevice = name === 'webgpu' || facts.library?.backend === 'webgpu'
    const extent = flags.suite ?? (onDevice && !facts.software ? 'large' : 'small')
    const machine = asMachine ?? (await machineAtHand(backend))
    const seen: Profile | undefined = machine && profileOf(reached(machine, onDevice ? 'webgpu' : name))
    const cases = casesOf(kernels, flags.shape ?? [], extent, backend, flags.variants === true)
    const suite = await measureSuite(backend, cases, {
      extent,
      ...(seen && { profile: seen }),
      ...(flags.seconds !== undefined && { seconds: flags.seconds }),
      ...(process.stderr.isTTY && { progress }),
    })
    return {
      measured: described(suite, backend, machine?.name, leftOut(asked, kernels, flags, all, name)),
      extent,
      ...(seen && { profile: seen }),
    }
  } finally {
    await backend.close()
  }
}

/** What was named and is not measured, or what there is and the library has not. */
function leftOut(
  asked: readonly AnyKernel[],
  kernels: readonly AnyKernel[],
  { shape = [] }: MeasureFlags,
  all: boolean,
  backend: BackendName,
): string[] {
  const missing = asked.filter((k) => !kernels.includes(k)).map((k) => k.name)
  const warnings = missing.length === 0 ? [] : [`not measured, since ${backend} has none: ${missing.join(', ')}`]
  if (all || shape.length === 0) return warnings
  const unfit = kernels.filter((kernel) => !shape.some((sizes) => fits(kernel, sizes)))
  return [
    ...warnings,
    ...unfit.map(({ name, sizes }) => {
      const has = Object.keys(sizes).join(', ') || 'no sizes'
      return `${name} was not measured: no --shape fits it, which has ${has}`
    }),
  ]
}

const adapterOf = ({ adapter }: MeasureFlags) => (adapter === undefined ? {} : { adapter })

async function measuredAgainst(name: BackendName, own: Measured, same: Same, flags: MeasureFlags): Promise<Comparison> {
  const backend = await openBackend(name, {
    ...(own.backend === 'wasm' ? {} : adapterOf(flags)),
    ...like(own.backend as BackendName),
  })
  try {
    return await compared(backend, own.rows, { ...same, ...(process.stderr.isTTY && { progress }) })
  } finally {
    await backend.close()
  }
}

/** The machine as calibrated, else the shipped one of the device's name; undefined where it is neither. */
async function machineAtHand({ facts }: Backend) {
  if (facts.software) return undefined
  if (await hasLocal()) return loadMachineArgument('local')
  return machineName(facts.device) === undefined ? undefined : loadMachine(facts.device)
}

function progress(done: number, all: number, at: string): void {
  process.stderr.write(`\r\u001b[K${done + 1}/${all} ${at}${done + 1 === all ? '\r\u001b[K' : ''}`)
}

export function described(
  suite: Suite,
  { name, facts }: Backend,
  machine: string | undefined,
  noted: readonly string[] = [],
): Measured {
  const warnings = [...noted]
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
    library: facts.library ?? null,
    against: null,
    date: new Date().toISOString(),
    protocol: `${facts.clock}; checked in double precision before; warmed up, then repeated until the median's 95 % interval is within 0.5 %, or for a second; inputs used in turn, four times the last-level cache together`,
    ...suite,
    warnings,
  }
}
