// The machines that memwall knows, by what they hold, move and compute.
import { loadMachine, machineAliases, machineNames } from '../../hardware/catalog.ts'
import type { Machine } from '../../hardware/machine.ts'
import type { Answer } from '../answer.ts'
import { table } from '../table.ts'
import * as units from '../units.ts'

function machineRow(m: Machine) {
  return {
    name: m.name,
    title: m.title,
    vendor: m.vendor,
    kind: m.kind,
    year: m.year ?? null,
    capacity: m.memory.capacity ?? null,
    bandwidth: m.memory.bandwidth,
    fp16_peak: m.peaks.fp16 ?? m.peaks.bf16 ?? null,
    aliases: Object.entries(machineAliases).flatMap(([alias, name]) => (name === m.name ? [alias] : [])),
  }
}

type MachineRow = ReturnType<typeof machineRow>

export async function machinesAnswer(): Promise<Answer> {
  const rows = (await Promise.all(machineNames.map((name) => loadMachine(name)))).map(machineRow)
  return {
    json: rows,
    view: () => {
      const or = (value: number | null, text: (value: number) => string) => (value === null ? '?' : text(value))
      const machines = table<MachineRow>(
        [
          { key: 'name', title: 'machine', value: (m) => m.name, wraps: true },
          { key: 'title', value: (m) => m.title },
          { key: 'vendor', value: (m) => m.vendor },
          { key: 'kind', title: 'kind', value: (m) => m.kind },
          { key: 'year', title: 'year', value: (m) => m.year, text: (m) => or(m.year, String), align: 'right' },
          {
            key: 'capacity',
            title: 'capacity',
            value: (m) => m.capacity,
            text: (m) => or(m.capacity, units.binaryBytes),
            align: 'right',
          },
          {
            key: 'bandwidth',
            title: 'bandwidth',
            value: (m) => m.bandwidth,
            text: (m) => units.bandwidth(m.bandwidth),
            align: 'right',
          },
          {
            key: 'fp16_peak',
            title: 'fp16 (dense)',
            value: (m) => m.fp16_peak,
            text: (m) => or(m.fp16_peak, units.flopRate),
            align: 'right',
          },
        ],
        rows,
      )
      return { table: machines, sections: [{ kind: 'table', table: machines }] }
    },
  }
}
