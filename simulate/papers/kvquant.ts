// KVQuant: bits and bytes of its cache and of others, its kernels' times; its perplexities, which need the models.
import { loadMachine } from '../../hardware/catalog.ts'
import { loadModel } from '../../model/catalog.ts'
import { bitsRows, rulerRows, sizeRows } from './kvquant/caches.ts'
import { kernelRows } from './kvquant/kernels.ts'
import { orderingRows } from './kvquant/orderings.ts'
import { ablation, codes, perplexityTable, table18 } from './kvquant/published.ts'
import type { Paper } from './paper.ts'
import { type Row, row } from './row.ts'

function perplexityRows(): Row[] {
  const why = 'a perplexity needs the model itself and its text; `memwall quantize` measures the error of the cache'
  const quoted = (item: string, published: string) => row(perplexityTable, { item, published, computed: null, why })
  return [
    quoted('fp16', '5.68'),
    ...codes.flatMap((code) => table18[code].map(([bits, , , perplexity]) => quoted(`${code}-${bits}`, perplexity))),
    ...ablation.map(([item, perplexity]) => quoted(`3 bits/${item}`, perplexity)),
  ]
}

/** Loads the paper, with the model and the machine that its kernels ran on. */
export async function load(): Promise<Paper> {
  const [model, machine, sized] = await Promise.all([loadModel('llama-7b'), loadMachine('rtx-a6000'), sizeRows()])
  return {
    rows: () => [
      ...bitsRows(),
      ...sized,
      ...kernelRows(model, machine),
      ...orderingRows(),
      ...rulerRows(),
      ...perplexityRows(),
    ],
  }
}
