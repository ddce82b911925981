// AI and Memory Wall: the case study's FLOPs, MOPs, intensities and latencies, and the repository's inference and
// training FLOPs, training memory and growth factors, beside ours. Its model is that of the survey it rests on; `convention.ts` says how it counts and what was fitted.
import { loadMachine } from '../../hardware/catalog.ts'
import { loadModel } from '../../model/catalog.ts'
import { growthRows } from './memory-wall/growth.ts'
import { latencyCurves, latencyRows } from './memory-wall/latency.ts'
import { caseStudyClaims } from './memory-wall/published.ts'
import { readmeRows } from './memory-wall/readme.ts'
import { table4Rows, table12Rows } from './memory-wall/resnet.ts'
import { figures4to6Rows, table3Rows, table11Rows } from './memory-wall/stacks.ts'
import { lossRow, table5Rows } from './memory-wall/tiles.ts'
import { trainingFlopsRows, trainingMemoryRows } from './memory-wall/training.ts'
import type { Paper } from './paper.ts'
import { type Row, row } from './row.ts'

function claimRows(): Row[] {
  return caseStudyClaims.claims.map(([item, published, why]) =>
    row(caseStudyClaims, { item, published, computed: null, why }),
  )
}

/** Loads the paper, with the machine that it measured on and the models that it trained. */
export async function load(): Promise<Paper> {
  const [cpu, bert, gpt2] = await Promise.all([
    loadMachine('xeon-gold-6242'),
    loadModel('bert-large'),
    loadModel('gpt-2-xl'),
  ])
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
      ...trainingFlopsRows(),
      ...trainingMemoryRows({ 'bert-large': bert, 'gpt-2-xl': gpt2 }),
      ...growthRows(),
      ...latencyRows(cpu),
      ...claimRows(),
    ],
    curves: () => latencyCurves(cpu),
  }
}
