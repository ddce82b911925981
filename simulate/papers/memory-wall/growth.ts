// The repository's growth factors from its own data points, by its rule.
import { growth } from '../../../hardware/trends/fit.ts'
import { paperSeries, type SeriesName, seriesNames } from '../../../hardware/trends/points.ts'
import { type Row, row } from '../row.ts'
import { growthFactors } from './published.ts'

export function growthRows(): Row[] {
  return seriesNames.flatMap((name: SeriesName) => {
    const fit = growth(paperSeries[name].points)
    const [per2, per20] = growthFactors.series[name] as readonly [string, string?]
    const why = 'the points were decoded from the figures; the fit is ours'
    return [
      row(growthFactors, { item: `${name}/per-2-years`, published: per2, computed: fit.per2, why }),
      ...(per20 === undefined
        ? []
        : [row(growthFactors, { item: `${name}/per-20-years`, published: per20, computed: fit.per20, why })]),
    ]
  })
}
