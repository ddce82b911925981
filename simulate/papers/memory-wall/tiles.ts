// Table 5: intensity where operands do not fit the last on-chip memory and are read tile by tile.
import { type Row, row } from '../row.ts'
import { costOf, costs, intensity, tiledConvention, total } from './convention.ts'
import { runOf } from './models.ts'
import { table5 } from './published.ts'
import { linesOf } from './stacks.ts'

/** The byte coefficients of the rest, 5, 36 and 16: three on three totals. Its 4 and 58 are those of Tables 3 and 10. */
const fittedTotals = 3

const unlike: Readonly<Record<string, string>> = {
  'bert-base/128/wq-wk-wv/non-ideal-intensity':
    'rounded to two decimals, then printed with three: 512/3 is 170.667, as the other cells would print it',
}

export function table5Rows(convention = tiledConvention): Row[] {
  return ([128, 512, 4096] as const).flatMap((length) => {
    const run = runOf('bert-base', length)
    const cells = Object.entries(table5.operations).map(([operation, name], column) => {
      const item = `bert-base/${length}/${operation}/non-ideal-intensity`
      const why = unlike[item]
      return row(table5, {
        item,
        published: table5.lengths[length][column] ?? null,
        computed: intensity(costOf(run.pass, name, convention)),
        why: why ?? 'tile edge and bias byte are readings of the text that these cells decided; no constant is fitted',
      })
    })
    const whole = row(table5, {
      item: `bert-base/${length}/total/non-ideal-intensity`,
      published: table5.totals[length],
      computed: intensity(total(costs(run, convention))),
      fitted: fittedTotals,
    })
    return [...cells, whole]
  })
}

/** How much lower than ideal the intensity gets. */
export function lossRow(): Row {
  const ideal = intensity(linesOf('bert-base', 4096).total)
  const tiled = intensity(total(costs(runOf('bert-base', 4096), tiledConvention)))
  return row(table5, {
    item: 'bert-base/4096/total/ideal-over-non-ideal',
    published: table5.loss,
    computed: ideal / tiled,
    fitted: fittedTotals,
  })
}
