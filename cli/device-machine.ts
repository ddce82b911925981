// The machine `local`, as kernels on it measured it: a processor is known by nothing else; of a GPU that is shipped by its
// datasheet, with the units that the backend reaches.
import { readdirSync, readFileSync } from 'node:fs'
import { totalmem } from 'node:os'
import { loadMachine, machineName } from '../hardware/catalog.ts'
import type { Machine } from '../hardware/machine.ts'
import type { Backend } from '../kernels/backend.ts'
import type { Calibrated } from '../kernels/calibrate.ts'
import { reached } from '../kernels/reach.ts'

export const calibrationProtocol =
  'the median of each probe, warmed up and repeated for 0.2 s; peaks and bandwidth are the best samples'

const measured = 'measured: memwall calibrate'

/** The calibrated machine of a device. */
export async function deviceMachine({ name, facts }: Backend, c: Calibrated, date: string): Promise<Machine> {
  const calibrated = {
    ceilings: c.ceilings,
    probes: c.probes.length,
    protocol: `${facts.clock}; ${calibrationProtocol}`,
    backend: name,
    driver: facts.driver,
    date,
  }
  const known = machineName(facts.device) === undefined ? undefined : await loadMachine(facts.device)
  if (known) {
    const note = `As kernels of ${name} reach it: on the vector units alone.`
    return { ...reached(known, name), name: 'local', calibrated, notes: [...(known.notes ?? []), note] }
  }
  const { bandwidth, fp32, fp16 = fp32 } = c.roofs
  const processor = name === 'wasm' || name === 'tfjs'
  const figures = ['memory.bandwidth', 'peaks.fp32', 'peaks.fp16', 'peaks.bf16', 'vector.fp32', 'cache.bytes']
  return {
    name: 'local',
    title: facts.device,
    vendor: vendorOf(facts.device),
    kind: processor ? 'cpu' : 'gpu',
    memory: { bandwidth, ...(processor && { capacity: totalmem() }) },
    peaks: { fp32, fp16, bf16: fp32 },
    vector: { fp32, ...(c.roofs.fp16 && { fp16 }) },
    cache: { kind: 'last level', bytes: c.cache },
    units: { kind: processor ? 'thread' : 'unit', count: facts.threads ?? 1 },
    links: {},
    sources: {
      ...Object.fromEntries(figures.map((path) => [path, measured])),
      ...(processor && { 'memory.capacity': 'the operating system', 'units.count': 'the operating system' }),
      'peaks.bf16': 'fp32 arithmetic on what is stored in 16 bits',
      ...(c.roofs.fp16 === undefined && { 'peaks.fp16': 'fp32 arithmetic on what is stored in 16 bits' }),
    },
    calibrated,
    notes: [`Rates are those of ${name} (${facts.driver}), not of the fastest library there is.`],
  }
}

function vendorOf(device: string): string {
  return ['AMD', 'Intel', 'Apple', 'NVIDIA', 'Qualcomm', 'ARM'].find((v) => device.includes(v)) ?? 'unknown'
}

const caches = '/sys/devices/system/cpu/cpu0/cache'

/** Bytes of the last-level cache of this processor, where Linux says; else undefined, and the probes tell. */
export function lastCacheBytes(folder = caches): number | undefined {
  try {
    const levels = readdirSync(folder)
      .filter((entry) => /^index\d+$/.test(entry))
      .map((entry) => ({
        level: Number(readFileSync(`${folder}/${entry}/level`, 'utf8')),
        bytes: sizeOf(readFileSync(`${folder}/${entry}/size`, 'utf8').trim()),
      }))
    return levels.toSorted((a, b) => a.level - b.level).at(-1)?.bytes
  } catch {
    return undefined
  }
}

/** `32768K` as bytes. */
function sizeOf(text: string): number | undefined {
  const [, number, prefix] = /^(\d+)([KM]?)$/.exec(text) ?? []
  return number === undefined ? undefined : Number(number) * (prefix === 'M' ? 2 ** 20 : prefix === 'K' ? 2 ** 10 : 1)
}
