// BiLD (Speculative Decoding with Big Little Decoder): the paper's speedups by its renewal form, its windows and steps,
// and the tables of the speculative decoding that it is compared with.
import { mainRows, scoreRows, selfTrainedRows, stepRows, textRows, windowRows } from './bild/latency.ts'
import { chenRows, leviathanRows } from './bild/speculative.ts'
import { syntheticRows } from './bild/synthetic.ts'
import type { Paper } from './paper.ts'

/** Loads the paper. */
export async function load(): Promise<Paper> {
  return {
    rows: () => [
      ...mainRows(),
      ...selfTrainedRows(),
      ...scoreRows(),
      ...windowRows(),
      ...stepRows(),
      ...textRows(),
      ...syntheticRows(),
      ...chenRows(),
      ...leviathanRows(),
    ],
  }
}
