// AI and Memory Wall: the case study's FLOPs, MOPs, intensities and latencies, and the repository's inference FLOPs,
// beside ours. Its model is that of the survey it rests on; `convention.ts` says how it counts and what was fitted.
import { loadMachine } from '../../hardware/catalog.ts'
import { latencyCurves, latencyRows } from './memory-wall/latency.ts'
import { caseStudyClaims } from './memory-wall/published.ts'
import { readmeRows } from './memory-wall/readme.ts'
import { table4Rows, table12Rows } from './memory-wall/resnet.ts'
import { figures4to6Rows, table3Rows, table11Rows } from './memory-wall/stacks.ts'
import { lossRow, table5Rows } from './memory-wall/tiles.ts'
import type { Paper } from './paper.ts'
import { type Row, row } from './row.ts'

function claimRows(): Row[] {
  return caseStudyClaims.claims.map(([item, published, why]) =>
    row(caseStudyClaims, { item, published, computed: null, why }),
  )
}

/** Loads the paper, with the machine that it measured on. */
export async function load(): Promise<Paper> {
  const cpu = await loadMachine('xeon-gold-6242')
  return {
    rows: () => [
      ...table3Rows(),
      ...table11Rows(),
      ...figures4to6Rows(),
      ...table5Rows(),
      lossRow(),
      ...table4Rows(),
      ...table12Rows(),
      ...readmeRows(),
      ...latencyRows(cpu),
      ...claimRows(),
    ],
    curves: () => latencyCurves(cpu),
  }
}
