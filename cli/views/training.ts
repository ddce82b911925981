// A training step as people read it: memory by part, FLOPs and time.
import type { TrainingStep } from '../../simulate/train/train.ts'
import type { View } from '../answer.ts'
import { type Column, table } from '../table.ts'
import * as units from '../units.ts'

interface Part {
  readonly part: string
  readonly bytes: number
}

export function trainingView(s: TrainingStep): View {
  const { total, ...parts } = s.memory
  const rows = Object.entries(parts).map(([part, bytes]): Part => ({ part, bytes }))
  const memory = table(columns(total), rows, { sums: [{ part: 'all', bytes: units.binaryBytes(total) }] })
  return {
    table: memory,
    sections: [
      {
        kind: 'title',
        text: `Training ${s.model}${s.machine === null ? '' : ` on ${s.machine}`}`,
        under: underLine(s),
      },
      { kind: 'facts', rows: facts(s) },
      { kind: 'table', title: `Memory of ${s.devices > 1 ? 'each device' : 'the device'}`, table: memory },
      { kind: 'warnings', lines: s.warnings },
    ],
  }
}

function underLine(s: TrainingStep): string {
  return [
    `batch ${s.batch}`,
    `sequence ${s.sequence}`,
    s.optimizer,
    s.precision,
    ...(s.recompute === 'none' ? [] : [`recompute ${s.recompute}`]),
    ...(s.fusion === 'flash' ? [] : [s.fusion]),
    ...(s.zero > 0 ? [`zero ${s.zero}`] : []),
    ...(s.tp > 1 ? [`tp ${s.tp}`] : []),
    ...(s.dp > 1 ? [`dp ${s.dp}`] : []),
  ].join(', ')
}

function facts(s: TrainingStep): (readonly [string, string])[] {
  const { duration } = units
  const again = s.recompute_flops > 0 ? `, and ${units.flop(s.recompute_flops)} computed again` : ''
  return [
    ['step', `${units.quantity(s.tokens)} tokens, ${units.flop(s.flops)}${again}`],
    ...(s.step_s === null || s.parts === null
      ? []
      : [
          [
            'expected',
            `${duration(s.step_s)} (bound ${duration(s.bound_s ?? 0)}), ${units.digits(s.tokens / s.step_s)} tokens/s`,
          ] as const,
          ['of which', partsLine(s.parts)] as const,
        ]),
    ...(s.total === null ? [] : [['budget', budgetLine(s.total)] as const]),
    ...(s.capacity === null
      ? []
      : [
          [
            'fits',
            `${s.fits ? 'yes' : 'NO'}: ${units.binaryBytes(s.memory.total)} of ${units.binaryBytes(s.capacity)}; largest batch ${s.largest_batch}`,
          ] as const,
        ]),
    ['assumed', s.assumed.join('; ')],
  ]
}

function partsLine(parts: NonNullable<TrainingStep['parts']>): string {
  return Object.entries(parts)
    .filter(([, seconds]) => seconds > 0)
    .map(([name, seconds]) => `${name.replace('_s', '')} ${units.duration(seconds)}`)
    .join(', ')
}

function budgetLine(t: NonNullable<TrainingStep['total']>): string {
  const time = t.seconds === null ? '' : `, ${units.duration(t.seconds)}`
  return `${units.quantity(t.tokens)} tokens: ${units.plain(Math.ceil(t.steps))} steps, ${units.flop(t.flops)}${time}`
}

function columns(total: number): Column<Part>[] {
  return [
    { key: 'part', title: 'part', value: (p) => p.part },
    { key: 'bytes', title: 'bytes', value: (p) => p.bytes, text: (p) => units.binaryBytes(p.bytes), align: 'right' },
    { key: 'share', title: '%', text: (p) => units.percent(p.bytes / total).replace(' %', ''), align: 'right' },
  ]
}
