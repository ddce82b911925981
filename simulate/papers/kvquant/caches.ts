// Bits and sizes of KVQuant's cache and of the caches it is compared with, from the same stores that predictions use.

import type { Architecture } from '../../../model/architecture.ts'
import { type Row as CacheRow, denseStore, type Store, storedBits } from '../../../model/cache.ts'
import { loadModel } from '../../../model/catalog.ts'
import { deploy } from '../../../model/deployment.ts'
import { type Format, format } from '../../../model/format.ts'
import { memory } from '../../../model/memory.ts'
import { kiviStore } from '../../../model/stores/kivi.ts'
import { kvquantStore } from '../../../model/stores/kvquant.ts'
import { decode } from '../../../model/workload.ts'
import { type Row, row } from '../row.ts'
import { bitsTable, type Codes, codes, compression, ruler, rulerTable, sizes, sizeTable, table18 } from './published.ts'

type Bits = 2 | 3 | 4

/** Width of the keys of one token: of the models of the table, from Mistral's 8 heads of 128 to LLaMA-65B's 64. */
const narrowest = 1024
const widest = 8192

function rowOf(width: number): CacheRow {
  const each = { count: width / 128, length: 128 }
  return {
    kind: 'heads',
    vectors: [
      { of: 'key', ...each },
      { of: 'value', ...each },
    ],
  }
}

/** The store of a code: uniform ones keep a 16-bit scale and a zero point of the code's bits, normal floats two scales. */
function storeOf(code: Codes, bits: Bits, width: number): Store {
  const grouped = (base: Format, group: number, groupBits: number) => denseStore({ ...base, group, groupBits })
  const integer = format(`int${bits}`)
  switch (code) {
    case 'int':
      return grouped(integer, width, 16 + bits)
    case 'nf':
      return grouped({ ...format('nf4'), bits }, width, 32)
    case 'atom':
      return grouped(integer, 128, 16 + bits)
    case 'flexgen':
      return grouped(integer, 64, 16 + bits)
    case 'nuq':
      return kvquantStore({ bits, outliers: 0, sink: 0, storage: 'paper' })
    case 'nuq-1%':
      return kvquantStore({ bits, outliers: 0.01, sink: 0, storage: 'paper' })
  }
}

/** Tokens over which scales of channels are spread. */
const long = 131072

export function bitsRows(): Row[] {
  return codes.flatMap((code) =>
    table18[code].flatMap(([bits, least, most]) => {
      const at = (width: number) => storedBits(storeOf(code, bits, width), rowOf(width), long)
      return [
        row(bitsTable, { item: `${code}-${bits}/least`, published: least, computed: at(widest) }),
        row(bitsTable, { item: `${code}-${bits}/most`, published: most, computed: at(narrowest) }),
      ]
    }),
  )
}

const gib = 2 ** 30

/** GiB of the cache of one sequence of so many tokens. */
function cacheSize(model: Architecture, store: Store | undefined, tokens: number): number {
  const deployment = deploy(model, store ? { store } : {})
  return memory(deployment, decode(1, tokens - 1), []).kv / gib
}

const models = ['llama-7b', 'llama-13b', 'llama-30b', 'llama-65b'] as const
const lengths = [131072, 2 ** 20, 1e7] as const
const grid: readonly (readonly [Codes | 'fp16', Bits])[] = [
  ['fp16', 4],
  ['nuq', 4],
  ['nuq-1%', 4],
  ['nuq', 3],
  ['nuq-1%', 3],
  ['nuq', 2],
  ['nuq-1%', 2],
]

function widthOf(model: Architecture): number {
  for (const m of model.stacks.flatMap((s) => s.groups.flatMap((g) => g.modules))) {
    if (m.kind === 'attention') return m.kvHeads * m.headDim
  }
  throw new Error(`${model.name}: expected attention layers`)
}

export async function sizeRows(): Promise<Row[]> {
  const loaded = new Map(await Promise.all(models.map(async (name) => [name, await loadModel(name)] as const)))
  const size = (name: string, code: Codes | 'fp16', bits: number, tokens: number) => {
    const model = loaded.get(name as (typeof models)[number])
    if (!model) throw new Error(`Expected one of ${models.join(', ')}, got ${name}`)
    return cacheSize(model, code === 'fp16' ? undefined : storeOf(code, bits as Bits, widthOf(model)), tokens)
  }
  const published = sizes.map(([item, code, bits, figure, model = 'llama-7b', tokens = long]) =>
    row(sizeTable, { item, published: figure, computed: size(model, code, bits, tokens) }),
  )
  const ratios = compression.map(([bits, figure]) =>
    row(sizeTable, {
      item: `compression/nuq${bits}-1%`,
      published: figure,
      computed: 16 / storedBits(storeOf('nuq-1%', bits, 4096), rowOf(4096), long),
    }),
  )
  const predicted = models.flatMap((model) =>
    lengths.flatMap((tokens) =>
      grid.map(([code, bits]) =>
        row(sizeTable, {
          item: `grid/${model}/${tokens}/${code === 'fp16' ? code : `nuq${bits}${code.slice(3)}`}`,
          published: null,
          computed: size(model, code, bits, tokens),
          why: 'the table with these sizes was not found; predicted, with nothing to compare',
        }),
      ),
    ),
  )
  return [...published, ...ratios, ...predicted]
}

export function rulerRows(): Row[] {
  const stores = [
    kiviStore({ bits: 2, group: 32, residual: 128 }),
    kvquantStore({ bits: 3, outliers: 0.01, sink: 1, storage: 'paper' }),
    kvquantStore({ bits: 2, outliers: 0.01, sink: 1, storage: 'paper' }),
  ]
  return ruler.flatMap(([item, bits, score], i) => [
    row(rulerTable, {
      item: `${item}/bits`,
      published: bits,
      computed: storedBits(stores[i] as Store, rowOf(4096), 32768),
    }),
    row(rulerTable, { item: `${item}/score`, published: score, computed: null, why: 'needs the model itself' }),
  ])
}
