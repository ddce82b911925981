// What KVQuant found of real caches, on synthetic tensors with the structure that it reports, and in a control without that
// structure, where it must vanish. Errors of made-up tensors: an ordering is shown with its margin, no figure is compared.
import { assessLayer, finished } from '../../../model/tensor/assess.ts'
import { calibrate } from '../../../model/tensor/calibrate.ts'
import { dequantize, quantize } from '../../../model/tensor/quantize.ts'
import { kvMethod, type Method } from '../../../model/tensor/scheme.ts'
import { type Structure, structures, synthetic } from '../../../model/tensor/synthetic.ts'
import { type Row, row, type Table } from '../row.ts'

const table: Table = {
  paper: 'kvquant',
  table: 'orderings on synthetic tensors',
  source: 'arXiv 2401.18079, sections 3.1 to 3.5: which choice has the smaller error',
}

const seeds = [1, 2, 3] as const
const shape = { layers: 1, tokens: 256, heads: 2, headDim: 64, queries: 32 }

/** How many times the squared error of the keys grows by the worse choice. */
type Ratio = (seed: number, without: readonly Structure[]) => number

interface Ordering {
  readonly name: string
  readonly ratio: Ratio
  readonly control: string
  readonly without: readonly Structure[]
}

const perChannel = kvMethod('int-channel', { bits: 3, preRope: true })
const perToken: Method = { ...perChannel, key: perChannel.value }
const kvquant = (options: Partial<Parameters<typeof kvMethod>[1]>) => kvMethod('kvquant', { bits: 3, ...options })

const orderings: readonly Ordering[] = [
  {
    name: 'per-channel keys',
    ratio: ofMethods(perChannel, perToken),
    control: 'no such channels',
    without: structures.filter((s) => s !== 'bell'),
  },
  {
    name: 'pre-RoPE keys',
    ratio: ofMethods(kvquant({ outliers: 0.01, sink: 1 }), kvquant({ outliers: 0.01, sink: 1, preRope: false })),
    control: 'no rotation',
    without: ['rope'],
  },
  { name: 'non-uniform codes', ratio: ofLevels, control: 'even data', without: structures },
  {
    name: '1 % outliers apart',
    ratio: ofMethods(kvquant({ outliers: 0.01 }), kvquant({})),
    control: 'even data',
    without: structures,
  },
  {
    name: 'first token kept, 2 bits',
    ratio: ofMethods(kvquant({ bits: 2, sink: 1 }), kvquant({ bits: 2 })),
    control: 'no sink',
    without: ['sink'],
  },
]

function ofMethods(better: Method, worse: Method): Ratio {
  return (seed, without) => {
    const { layers, rope } = synthetic({ ...shape, seed, without })
    const [layer] = layers
    if (layer === undefined) throw new Error('Expected a layer')
    const error = (method: Method) => finished(assessLayer(layer, method, { rope })).key.squaredError
    return error(worse) / error(better)
  }
}

/** Even levels half a step inside the range: the best there are for even data. */
const centred = Float64Array.from({ length: 8 }, (_, i) => (2 * i - 7) / 8)

function ofLevels(seed: number, without: readonly Structure[]): number {
  const keys = synthetic({ ...shape, seed, without }).layers[0]?.read('key')
  if (keys === undefined) throw new Error('Expected a layer')
  const learned = calibrate(kvquant({ sink: 1 }).key, keys)
  const error = (by: typeof learned) => {
    const { data } = dequantize(by, quantize(by, keys))
    return keys.data.reduce((sum, x, i) => sum + (x - (data[i] as number)) ** 2, 0)
  }
  return error({ ...learned, levels: centred, restored: centred }) / error(learned)
}

export function orderingRows(): Row[] {
  const computed = (item: string, value: number) =>
    row(table, {
      item,
      published: null,
      computed: value,
      evidence: 'synthetic',
      why: `squared error of the keys without this choice over that with it, on ${shape.tokens} synthetic tokens; of ${seeds.length} seeds the least, in the control the most`,
    })
  return orderings.flatMap(({ name, ratio, control, without }) => [
    computed(`${name}/margin`, Math.min(...seeds.map((seed) => ratio(seed, [])))),
    computed(`${name}/control: ${control}`, Math.max(...seeds.map((seed) => ratio(seed, without)))),
  ])
}
