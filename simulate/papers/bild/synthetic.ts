// Synthetic texts held against the runs whose statistics they were given: how well they repeat the shares.
import { seeded } from '../../../model/random.ts'
import { simulateBild, upTo } from '../../bild/monte-carlo.ts'
import { textsOfTask } from '../../bild/tasks.ts'
import { type Row, row } from '../row.ts'
import { window } from './latency.ts'
import { sharesTable } from './published.ts'

const tokens = 100_000
/** Percentage points. */
const tolerance = 0.5

export function syntheticRows(): Row[] {
  return sharesTable.lines.flatMap(({ aligned, fallback, rollback, shares: [unsure, rejected] }) => {
    const { texts } = textsOfTask(sharesTable.task, aligned)
    const steps = { small: 1, large: 1 }
    const { shares } = simulateBild(upTo(tokens, texts(seeded(1))), { fallback, rollback, window }, steps)
    const at = `${sharesTable.task}/${aligned ? 'aligned' : 'unaligned'}/rb${rollback}-fb${fallback}`
    const why = 'half a point stated: made-up texts with the statistics of these runs'
    const common = { evidence: 'synthetic', fitted: 3, tolerance, why } as const
    return [
      row(sharesTable, {
        ...common,
        item: `synthetic/${at}/fallback-percent`,
        published: unsure,
        computed: shares.fallback * 100,
      }),
      row(sharesTable, {
        ...common,
        item: `synthetic/${at}/rollback-percent`,
        published: rejected,
        computed: shares.rollback * 100,
      }),
    ]
  })
}
