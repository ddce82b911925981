// A simulation of speculative decoding: one row for each gamma.
import type { View } from '../answer.ts'
import type { Steps } from '../commands/simulate/source.ts'
import type { Point } from '../commands/simulate/speculate.ts'
import { type Column, table } from '../table.ts'
import * as units from '../units.ts'
import { stepLine } from './bild.ts'

export function speculationView(
  title: string,
  steps: Steps,
  points: readonly Point[],
  chosen: boolean,
  warnings: readonly string[],
): View {
  const rows = table(columns, points)
  return {
    table: rows,
    sections: [
      { kind: 'title', text: 'Speculative decoding', under: title },
      { kind: 'table', table: rows },
      {
        kind: 'notes',
        lines: [
          ...(chosen ? ['No gamma was given: this is the best.'] : []),
          stepLine(steps),
          'Decoder steps at batch 1 alone: prompts, encoders and sampling are left out. The closed form knows no end of a text.',
        ],
      },
      { kind: 'warnings', lines: warnings },
    ],
  }
}

const share = (value: number | undefined) => (value === undefined ? '-' : units.digits(value))

const columns: readonly Column<Point>[] = [
  { key: 'gamma', title: 'gamma', value: (p) => p.gamma, align: 'right' },
  {
    key: 'alpha',
    title: 'alpha',
    value: (p) => p.acceptance.alpha ?? null,
    text: (p) => share(p.acceptance.alpha),
    align: 'right',
  },
  {
    key: 'accepted',
    title: 'accepted',
    value: (p) => p.acceptance.accepted ?? null,
    text: (p) => share(p.acceptance.accepted),
    align: 'right',
  },
  {
    key: 'tokens_per_round',
    title: 'tokens/round',
    value: (p) => p.outcome.counts.tokens / p.outcome.counts.rounds,
    text: (p) => units.digits(p.outcome.counts.tokens / p.outcome.counts.rounds),
    align: 'right',
    spare: 1,
  },
  {
    key: 'time_per_token_s',
    title: 'per token',
    value: (p) => (p.outcome.latency * p.outcome.texts) / p.outcome.counts.tokens,
    text: (p) => units.duration((p.outcome.latency * p.outcome.texts) / p.outcome.counts.tokens),
    align: 'right',
  },
  { key: 'latency_s', value: (p) => p.outcome.latency },
  {
    key: 'speedup',
    title: 'speedup',
    value: (p) => p.outcome.speedup,
    text: (p) => units.times(p.outcome.speedup),
    align: 'right',
  },
  {
    key: 'interval',
    title: '95 % within',
    text: ({ outcome: { interval } }) =>
      interval === undefined ? '-' : `${interval.speedup[0].toFixed(3)} to ${interval.speedup[1].toFixed(3)}`,
    align: 'right',
  },
  { key: 'speedup_low', value: (p) => p.outcome.interval?.speedup[0] ?? null },
  { key: 'speedup_high', value: (p) => p.outcome.interval?.speedup[1] ?? null },
  {
    key: 'closed_form_speedup',
    title: 'closed form',
    value: (p) => p.closed.speedup,
    text: (p) => units.times(p.closed.speedup),
    align: 'right',
  },
  { key: 'operations', value: (p) => p.closed.operations },
  { key: 'tokens', value: (p) => p.outcome.counts.tokens },
  { key: 'rounds', value: (p) => p.outcome.counts.rounds },
  { key: 'drafted', value: (p) => p.outcome.counts.drafted },
]
