// A trained router: where it is, how its training ended, and what it does on other traffic.
import type { Evaluation } from '../../simulate/serving/dqn/evaluation.ts'
import type { Episode } from '../../simulate/serving/dqn/training.ts'
import type { View } from '../answer.ts'
import { type Column, table } from '../table.ts'
import * as units from '../units.ts'

export interface RouterAnswer {
  readonly file: string
  readonly backend: string
  readonly seed: number
  readonly episodes: number
  readonly steps_per_episode: number
  readonly models: readonly string[]
  readonly tasks: readonly string[]
  readonly last: Episode | null
  readonly evaluation: readonly Evaluation[]
  readonly warnings: readonly string[]
}

export function routerView(a: RouterAnswer): View {
  const facts: [string, string][] = [
    ['file', a.file],
    ['models', a.models.join(', ')],
    ['tasks', a.tasks.join(', ')],
    [
      'training',
      `${a.episodes} episodes of ${a.steps_per_episode} steps, seed ${a.seed}, TensorFlow.js on ${a.backend}`,
    ],
    ...(a.last === null
      ? []
      : ([
          [
            'last episode',
            `${units.digits(a.last.rate)} requests/s, ${units.percent(a.last.availability)} in time, ${units.percent(a.last.performance)} of the largest model's worth`,
          ],
        ] as [string, string][])),
  ]
  const shown = table(columns, a.evaluation)
  return {
    table: shown,
    sections: [
      { kind: 'title', text: 'Router trained' },
      { kind: 'facts', rows: facts },
      { kind: 'table', title: 'On other traffic than that of its training', table: shown },
      { kind: 'notes', lines: [`Use it: memwall simulate serve … --router dqn:${a.file}`] },
      { kind: 'warnings', lines: a.warnings },
    ],
  }
}

const columns: readonly Column<Evaluation>[] = [
  { key: 'arrivals', title: 'arrivals', value: (e) => e.arrivals },
  { key: 'tasks', title: 'tasks', value: (e) => e.tasks },
  { key: 'router', title: 'router', value: (e) => e.router },
  { key: 'rate', title: 'requests/s', value: (e) => e.rate, text: (e) => units.digits(e.rate) },
  { key: 'availability', title: 'in time', value: (e) => e.availability, text: (e) => units.percent(e.availability) },
  { key: 'performance', title: 'worth', value: (e) => e.performance, text: (e) => units.percent(e.performance) },
]
