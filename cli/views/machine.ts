// One machine: every number with where it comes from.
import { loadSources } from '../../hardware/catalog.ts'
import { type Figure, figures, type Machine } from '../../hardware/machine.ts'
import type { Answer } from '../answer.ts'
import { table } from '../table.ts'
import * as units from '../units.ts'

export async function machineAnswer(machine: Machine): Promise<Answer> {
  const works = await loadSources()
  const rows = figures(machine)
  const cited = citations(rows, works)
  const { sources: _, ...facts } = machine
  return {
    json: { ...facts, figures: rows, sources: cited },
    view: () => {
      const numbers = table<Figure>(
        [
          { key: 'path', title: 'figure', value: (f) => f.path },
          { key: 'value', title: 'value', value: (f) => f.value, text: figureText, align: 'right' },
          { key: 'source', title: 'source', value: (f) => f.source, wraps: true },
        ],
        rows,
      )
      const about = [machine.vendor, machine.kind, machine.year].filter((word) => word !== undefined).join(', ')
      return {
        table: numbers,
        sections: [
          { kind: 'title', text: `${machine.title} (${machine.name})`, under: about },
          { kind: 'table', table: numbers },
          ...links(machine),
          { kind: 'facts', rows: Object.entries(cited) },
          { kind: 'notes', lines: machine.notes ?? [] },
        ],
      }
    },
  }
}

function links({ links: { scaleUp, host } }: Machine) {
  const rows = [
    ...(scaleUp ? [['between devices', scaleUp.kind] as const] : []),
    ...(host ? [['to the host', host.kind] as const] : []),
  ]
  return rows.length === 0 ? [] : [{ kind: 'facts', rows } as const]
}

/** The works behind the codes that the figures cite, in order of first use. */
function citations(rows: readonly Figure[], works: Readonly<Record<string, string>>): Record<string, string> {
  const codes = rows.flatMap((f) => f.source.split(' ')).filter((code) => Object.hasOwn(works, code))
  return Object.fromEntries([...new Set(codes)].map((code) => [code, works[code] as string]))
}

function figureText({ path, value }: Figure): string {
  if (/capacity|cache\.bytes/.test(path)) return units.binaryBytes(value)
  if (/bandwidth/.test(path)) return units.bandwidth(value)
  if (/^(peaks|vector)\./.test(path)) return units.flopRate(value, path.split('.')[1])
  if (/clock$/i.test(path) && !/PerClock$/.test(path)) return units.frequency(value)
  if (/dataRate/.test(path)) return units.quantity(value, 'b/s')
  if (/busBits/.test(path)) return `${value} bit`
  if (path === 'power') return `${value} W`
  return String(value)
}
