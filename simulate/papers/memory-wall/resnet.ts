// ResNet50 in the survey's convention: a convolution reads its input and weights and writes its output once, at one byte
// per element, and costs two FLOPs per multiply and add. Input channels and counts are those of the published network.
import { type Row, row } from '../row.ts'
import { type Cost, intensity, plus, times } from './convention.ts'
import { table4, table12 } from './published.ts'

interface Convolution {
  readonly kernel: number
  readonly input: number
  readonly output: number
  /** Output rows and columns. */
  readonly size: number
  /** Input positions per output position, along each side. */
  readonly stride?: number
  readonly count: number
}

/** What a row of Table 12 takes that the network does not have: its own figures decided that it does. */
const readings = {
  count: 'the network has two of these and one that reads 64 channels; the figure takes three of 256',
  input: 'the figure takes the first of these, which has stride 2, for one that reads an input of its output size',
} as const

interface Listed extends Convolution {
  readonly reading?: keyof typeof readings
}

/** All convolutions of the kind. */
export function convolution({ kernel, input, output, size, stride = 1, count }: Convolution): Cost {
  const positions = size * size
  const weights = kernel * kernel * input * output
  const moved = positions * stride * stride * input + weights + positions * output
  return times({ flops: 2 * positions * weights, mops: moved }, count)
}

/** The rows of Table 12 in its order: the like convolutions of the bottlenecks of each stage. */
const listed: readonly Listed[] = [
  { kernel: 1, input: 256, output: 64, size: 56, count: 3, reading: 'count' },
  { kernel: 3, input: 64, output: 64, size: 56, count: 3 },
  { kernel: 1, input: 64, output: 256, size: 56, count: 3 },
  { kernel: 1, input: 512, output: 128, size: 28, count: 3 },
  { kernel: 3, input: 128, output: 128, size: 28, count: 4, reading: 'input' },
  { kernel: 1, input: 128, output: 512, size: 28, count: 4 },
  { kernel: 1, input: 1024, output: 256, size: 14, count: 5 },
  { kernel: 3, input: 256, output: 256, size: 14, count: 6, reading: 'input' },
  { kernel: 1, input: 256, output: 1024, size: 14, count: 6 },
  { kernel: 1, input: 2048, output: 512, size: 7, count: 2 },
  { kernel: 3, input: 512, output: 512, size: 7, count: 3, reading: 'input' },
  { kernel: 1, input: 512, output: 2048, size: 7, count: 3 },
]

/** Figures that a reading decides: a count scales both costs, an input moves bytes only. */
const decides = { count: ['flops', 'mops'], input: ['mops', 'intensity'] } as const

export function table12Rows(): Row[] {
  return listed.flatMap((layer, i) => {
    const [kernel, output, size, flops, mops, ratio] = table12.rows[i] as (typeof table12.rows)[number]
    const ours = convolution(layer)
    const cell = (figure: 'flops' | 'mops' | 'intensity', published: string, computed: number) => {
      const { reading } = layer
      const decided = reading !== undefined && (decides[reading] as readonly string[]).includes(figure)
      const item = `resnet50/${kernel}x${kernel}-${output}-${size}/${figure}`
      return row(table12, { item, published, computed, ...(decided && { fitted: 1, why: readings[reading] }) })
    }
    return [
      cell('flops', `${flops}e9`, ours.flops),
      cell('mops', `${mops}e9`, ours.mops),
      cell('intensity', ratio, intensity(ours)),
    ]
  })
}

/** What Table 12 leaves out: the stem, the first reduction of each stage and the shortcuts (He et al., arXiv 1512.03385). */
const rest: readonly Convolution[] = [
  { kernel: 7, input: 3, output: 64, size: 112, stride: 2, count: 1 },
  { kernel: 1, input: 64, output: 64, size: 56, count: 1 },
  { kernel: 1, input: 256, output: 128, size: 28, count: 1 },
  { kernel: 1, input: 512, output: 256, size: 14, count: 1 },
  { kernel: 1, input: 1024, output: 512, size: 7, count: 1 },
  { kernel: 1, input: 64, output: 256, size: 56, count: 1 },
  { kernel: 1, input: 256, output: 512, size: 28, count: 1 },
  { kernel: 1, input: 512, output: 1024, size: 14, count: 1 },
  { kernel: 1, input: 1024, output: 2048, size: 7, count: 1 },
]

/** All 53 convolutions of ResNet50. */
export function allConvolutions(): Cost {
  const real = listed.map((layer) => (layer.reading === 'count' ? { ...layer, count: 2 } : layer))
  return [...real, ...rest].map(convolution).reduce(plus)
}

const leftOut = 'the 53 convolutions of the network sum to more; which of them the figure leaves out is not stated'
const needsAll =
  'needs the convolutions as the figure above counts them, and an accounting of the rest that is not given'

/** FLOPs and bytes per element. */
const elementwise = {
  'batch-norm': { cost: { flops: 2, mops: 2 }, why: 'scale and shift, one byte read and one written' },
  relu: { cost: { flops: 1, mops: 2 }, why: 'one comparison, one byte read and one written' },
} as const

export function table4Rows(): Row[] {
  const ours = allConvolutions()
  const [flops, mops, ratio] = table4.lines.convolution
  const absent = { published: null, computed: null, why: needsAll } as const
  return [
    row(table4, {
      item: 'resnet50/convolution/flops',
      published: `${flops}e9`,
      computed: ours.flops,
      why: leftOut,
    }),
    row(table4, { item: 'resnet50/convolution/mops', published: `${mops}e9`, computed: ours.mops }),
    row(table4, {
      item: 'resnet50/convolution/intensity',
      published: ratio,
      computed: intensity(ours),
      why: leftOut,
    }),
    ...(['batch-norm', 'relu'] as const).map((line) =>
      row(table4, {
        item: `resnet50/${line}/intensity`,
        published: table4.lines[line][2],
        computed: intensity(elementwise[line].cost),
        why: elementwise[line].why,
      }),
    ),
    ...(['other', 'total', 'total-fused'] as const).map((line) =>
      row(table4, { ...absent, item: `resnet50/${line}/intensity`, published: table4.lines[line][2] }),
    ),
    ...(['flops', 'mops'] as const).map((figure) =>
      row(table4, { ...absent, item: `bert-base/128/over-resnet50/${figure}`, published: table4.ratios[figure] }),
    ),
    row(table4.nonIdeal, { ...absent, item: 'resnet50/non-ideal-intensity', published: table4.nonIdeal.intensity }),
  ]
}
