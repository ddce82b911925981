// What `memwall calibrate` does without --from: this machine's ceilings, measured and kept as `local`.
import { mkdirSync } from 'node:fs'
import { dirname } from 'node:path'
import type { Machine } from '../hardware/machine.ts'
import type { Backend } from '../kernels/backend.ts'
import { type Calibrated, calibrate, type Probe } from '../kernels/calibrate.ts'
import { type OpenBackend, openBackend } from '../kernels/open.ts'
import type { Answer } from './answer.ts'
import { deviceMachine, lastCacheBytes } from './device-machine.ts'
import { localPath } from './local.ts'
import { disturbance, spent } from './others.ts'
import { writeWhole } from './output.ts'
import { progress } from './progress.ts'
import { type Column, table } from './table.ts'
import * as units from './units.ts'

export interface DeviceFlags {
  readonly backend?: OpenBackend | undefined
  readonly adapter?: string | undefined
}

/** Opens what the flags ask for, else the first that there is. */
export function openDevice({ backend, adapter }: DeviceFlags): Promise<Backend> {
  return openBackend(backend, adapter === undefined ? {} : { adapter })
}

/** Measures the ceilings of an open device. */
export async function calibrateDevice(backend: Backend): Promise<{ machine: Machine; calibrated: Calibrated }> {
  const cache = backend.name === 'wasm' ? lastCacheBytes() : undefined
  const line = progress()
  try {
    const calibrated = await calibrate(backend, {
      ...(cache !== undefined && { cache }),
      progress: (done, all, at) => line.step(`calibrating ${done + 1}/${all}: ${at}`),
    })
    return { machine: await deviceMachine(backend, calibrated, new Date().toISOString()), calibrated }
  } finally {
    line.end()
  }
}

/** Calibrates this machine and writes it to `to`, or keeps it as `local`. Throws DeviceError, MeasureError, FileError. */
export async function ceilingsAnswer(flags: DeviceFlags, to: string | undefined): Promise<Answer> {
  const begin = performance.now()
  const before = spent()
  const backend = await openDevice(flags)
  try {
    const { machine, calibrated } = await calibrateDevice(backend)
    const path = keep(machine, to)
    const seconds = (performance.now() - begin) / 1000
    const { probes, ceilings, roofs } = calibrated
    const rows = table(columns, probes)
    const { facts } = backend
    const warnings = facts.software ? [`${facts.device} is emulated in software: its times mean nothing`] : []
    warnings.push(...disturbance(before, spent()))
    if (probes.filter((p) => spreadOf(p) > disturbed).length > probes.length / 4) {
      warnings.push('many probes varied by more than 20 %: calibrate again when nothing else runs')
    }
    return {
      json: {
        machine: machine.name,
        file: path,
        probes: probes.length,
        backend: backend.name,
        device: facts.device,
        driver: facts.driver,
        date: machine.calibrated?.date,
        protocol: machine.calibrated?.protocol,
        seconds,
        ceilings,
        roofs,
        cache_bytes: calibrated.cache,
        measured: probes.map((p) => ({ name: p.name, value: p.value, unit: p.of, spread: spreadOf(p) })),
        warnings,
      },
      view: () => ({
        table: rows,
        sections: [
          {
            kind: 'title',
            text: `${machine.title}, calibrated by ${probes.length} probes in ${units.duration(seconds)}`,
            under: `written to ${path}; --on ${to ?? 'local'} predicts with it`,
          },
          {
            kind: 'facts',
            rows: [
              ['backend', `${backend.name}: ${facts.driver}`],
              ['bandwidth', units.bandwidth(roofs.bandwidth)],
              ['peak', units.flopRate(roofs.fp32, 'fp32')],
              ['cache', units.binaryBytes(calibrated.cache)],
            ],
          },
          { kind: 'table', table: rows },
          { kind: 'warnings', lines: warnings },
        ],
      }),
    }
  } finally {
    await backend.close()
  }
}

/** Spread of a probe from which it was not alone. */
const disturbed = 0.2

/** Writes the machine whole; `local` where no file is named. */
export function keep(machine: Machine, to: string | undefined): string {
  const path = to ?? localPath()
  if (to === undefined) mkdirSync(dirname(path), { recursive: true })
  writeWhole(path, `${JSON.stringify(machine, null, 2)}\n`)
  return path
}

/** Between the quartiles, over the median. */
function spreadOf({ row }: Probe): number {
  return (row.spread_s as number) / (row.median_s as number)
}

function valueText({ value, of }: Probe): string {
  if (of === 's') return units.duration(value)
  if (of === 'bytes/s') return units.bandwidth(value)
  if (of === 'FLOP/s') return units.flopRate(value)
  return units.quantity(value, '/s')
}

const columns: readonly Column<Probe>[] = [
  { key: 'probe', title: 'probe', value: (p) => p.name },
  { key: 'value', title: 'reached', value: (p) => p.value, text: valueText, align: 'right' },
  { key: 'unit', value: (p) => p.of },
  { key: 'spread', title: 'spread', value: spreadOf, text: (p) => units.percent(spreadOf(p)), align: 'right' },
]
