// What `memwall report` answers: measurements of files, or of this machine calibrated first, beside what was predicted.
import { profileOf } from '../hardware/profile.ts'
import { kernelNames, loadKernel } from '../kernels/catalog.ts'
import type { Protocol } from '../kernels/protocol.ts'
import { reached } from '../kernels/reach.ts'
import { type MeasuredRun, type Report, reportOf } from '../kernels/report.ts'
import { measureSuite, reportCases } from '../kernels/suite.ts'
import type { Answer } from './answer.ts'
import { calibrateDevice, type DeviceFlags, keep, openDevice } from './ceilings.ts'
import { FileError } from './errors.ts'
import { described } from './measure.ts'
import { disturbance, spent } from './others.ts'
import { progress } from './progress.ts'

export interface ReportFlags extends DeviceFlags {
  readonly from?: readonly string[] | undefined
  readonly html?: string | undefined
  readonly png?: string | undefined
}

/** A third of a second for each row: some fifty rows are measured in less than a minute. */
const protocol: Protocol = {
  warmup: 0.03,
  sample: 2e-3,
  least: 9,
  most: 51,
  budget: 0.3,
  settled: 0.01,
  repeats: 256,
}
/** Seconds after which no row is begun; a GPU's shapes are large, and their references take a processor minutes. */
const longest = { small: 75, large: 420 } as const

/** Makes the report, writes what the flags ask for, and answers. */
export async function reportAnswer(flags: ReportFlags): Promise<Answer> {
  const runs = flags.from === undefined ? [await measuredHere(flags)] : await runsOf(flags.from)
  const report = await reported(runs, flags.from)
  if (flags.png !== undefined) await (await import('./chart/report.ts')).plotReport(flags.png, report)
  if (flags.html !== undefined) {
    const { writeWhole } = await import('./output.ts')
    writeWhole(flags.html, (await import('./report-page.ts')).reportPage(report))
  }
  return { json: report, view: async () => (await import('./views/report.ts')).reportView(report) }
}

/** Calibrates this machine as `local`, then measures the short suite. */
async function measuredHere(flags: DeviceFlags): Promise<MeasuredRun> {
  const before = spent()
  const backend = await openDevice(flags)
  const line = progress()
  try {
    const { machine, calibrated } = await calibrateDevice(backend)
    keep(machine, undefined)
    const extent = backend.name === 'webgpu' && !backend.facts.software ? 'large' : 'small'
    const kernels = await Promise.all(kernelNames.map(loadKernel))
    const suite = await measureSuite(backend, await reportCases(kernels, extent, backend), {
      extent,
      protocol,
      profile: profileOf(reached(machine, backend.name)),
      seconds: longest[extent],
      progress: (done, all, at) => line.step(`measuring ${done + 1}/${all}: ${at}`),
    })
    const { bandwidth, fp32 } = calibrated.roofs
    const run = described(suite, backend, machine.name)
    const warnings = [...run.warnings, ...disturbance(before, spent())]
    return { ...run, warnings, roofs: { bytes_per_s: bandwidth, flops_per_s: fp32 } }
  } finally {
    line.end()
    await backend.close()
  }
}

async function runsOf(files: readonly string[]): Promise<MeasuredRun[]> {
  const { readMeasured } = await import('./measured-file.ts')
  return Promise.all(files.map(readMeasured))
}

async function reported(runs: readonly MeasuredRun[], files: readonly string[] | undefined): Promise<Report> {
  try {
    return await reportOf(runs)
  } catch (error) {
    if (files === undefined || !(error instanceof RangeError)) throw error
    throw new FileError(`${files.join(', ')}: ${error.message}`)
  }
}
