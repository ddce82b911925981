// Figures as the sources print them, misprints included; nothing here is ours. FLOPs and MOPs are in units of 1e9, as
// printed. The case study's figures are those of "Full Stack Optimization of Transformer Inference"; that the plots of
// "AI and Memory Wall" show the same data is recalled, not checked.
import type { Table } from '../row.ts'
import type { Part } from './convention.ts'
import type { Length, Model } from './models.ts'

const survey = 'arXiv 2302.14017 (Full Stack Optimization of Transformer Inference)'
const repository = 'github.com/amirgholami/ai_and_memory_wall, README.md'

function table(name: string, source = survey): Table {
  return { paper: 'memory-wall', table: name, source: `${source}, ${name}` }
}

type Line = Part | 'total'

/** Operation, FLOPs, % of FLOPs, MOPs, % of MOPs, FLOPs per MOP. */
type EncoderLine = readonly [Line, string, string, string, string, string]

export const table3 = {
  ...table('Table 3'),
  model: 'bert-base' satisfies Model,
  lengths: {
    128: [
      ['mha-projections', '7.25', '32', '0.04', '27', '192.00'],
      ['act-to-act', '0.60', '3', '0.006', '7', '63.62'],
      ['ffn', '14.50', '65', '0.07', '49', '211.86'],
      ['other', '0.08', '0.3', '0.02', '18', '3.14'],
      ['total', '22.42', '100', '0.14', '100', '159.68'],
    ],
    512: [
      ['mha-projections', '28.99', '30', '0.07', '16', '438.86'],
      ['act-to-act', '9.62', '10', '0.09', '20', '101.95'],
      ['ffn', '57.98', '60', '0.10', '25', '558.54'],
      ['other', '0.42', '0.4', '0.16', '37', '2.73'],
      ['total', '97.02', '100', '0.42', '100', '231.0'],
    ],
    4096: [
      ['mha-projections', '231.93', '18', '0.33', '3', '702.17'],
      ['act-to-act', '616.02', '46', '4.98', '44', '123.63'],
      ['ffn', '463.86', '35', '0.43', '4', '1068.52'],
      ['other', '11.85', '1', '5.47', '49', '2.16'],
      ['total', '1323.66', '100', '11.22', '100', '117.96'],
    ],
  } satisfies Partial<Record<Length, readonly EncoderLine[]>>,
} as const

/** Operation, FLOPs, MOPs, FLOPs per MOP. */
type DecoderLine = readonly [Line, string, string, string]

export const table11 = {
  ...table('Table 11'),
  model: 'gpt2' satisfies Model,
  lengths: {
    128: [
      ['mha-projections', '7.25', '3.63', '2.00'],
      ['act-to-act', '30', '.16', '1.92'],
      ['ffn', '14.50', '7.26', '2.00'],
      ['other', '.07', '.03', '2.58'],
      ['total', '22.12', '11.08', '2.0'],
    ],
    512: [
      ['mha-projections', '28.99', '14.53', '2.00'],
      ['act-to-act', '4.83', '2.45', '2.00'],
      ['ffn', '57.98', '29.04', '2.00'],
      ['other', '.35', '.14', '2.47'],
      ['total', '92.15', '46.17', '2.00'],
    ],
    4096: [
      ['mha-projections', '231.93', '116.27', '2.00'],
      ['act-to-act', '309.24', '155.98', '1.98'],
      ['ffn', '463.86', '232.31', '2.0'],
      ['other', '7.02', '3.25', '2.16'],
      ['total', '1012.04', '507.80', '1.99'],
    ],
  } satisfies Partial<Record<Length, readonly DecoderLine[]>>,
} as const

/** Intensity of BERT-Base's products and of the whole stack at each length, on a real memory hierarchy. */
export const table5 = {
  ...table('Table 5'),
  operations: {
    'wq-wk-wv': 'attention-query',
    qxk: 'attention-scores',
    'score-x-v': 'attention-values',
    wout: 'attention-out',
    w1: 'mlp-up',
    w2: 'mlp-down',
  },
  lengths: {
    128: ['170.670', '25.400', '63.750', '128.000', '130.723', '186.182'],
    512: ['341.333', '29.882', '102.300', '204.800', '211.862', '409.6'],
    4096: ['409.6', '30.788', '118.710', '227.556', '236.308', '512.000'],
  },
  totals: { 128: '106.110', 512: '111.122', 4096: '47.067' },
  /** Ideal over non-ideal intensity at 4096, "up to". */
  loss: '2.5',
} as const

/** Figures 4 to 6 plot FLOPs, MOPs and intensity over length; few of their values are known here. */
export const figures4to6 = {
  flops: table('Figure 4'),
  mops: table('Figure 5'),
  intensity: { ...table('Figure 6'), at4096: { 'bert-base': '117', 'bert-large': '131' }, peakLength: '512' },
} as const

/** Latency over that of BERT-Base at 128 tokens, by the lengths of `models.ts`. */
export const figure9 = {
  ...table('Figure 9'),
  latency: {
    'bert-base': ['1', '2', '3', '9', '25', '84'],
    'bert-large': ['3', '6', '10', '26', '72', '218'],
    gpt2: ['45', '93', '201', '427', '965', '2344'],
  },
} as const

export const figure32 = {
  ...table('Figure 32'),
  latency: {
    'bert-base': ['1', '2', '5', '11', '28', '80'],
    'bert-large': ['3', '7', '14', '33', '82', '229'],
    gpt2: ['18', '37', '75', '159', '352', '840'],
  },
} as const

/** Kernel edge, output channels, output rows, FLOPs (1e9), MOPs (1e9), FLOPs per MOP. */
export const table12 = {
  ...table('Table 12'),
  rows: [
    [1, 64, 56, '.31', '.0031', '100.76'],
    [3, 64, 56, '.69', '.0013', '527.55'],
    [1, 256, 56, '.31', '.0031', '100.76'],
    [1, 128, 28, '.31', '.0017', '181.14'],
    [3, 128, 28, '.92', '.0014', '664.09'],
    [1, 512, 28, '.41', '.0023', '181.14'],
    [1, 256, 14, '.51', '.0026', '200.30'],
    [3, 256, 14, '1.39', '.0041', '335.00'],
    [1, 1024, 14, '.62', '.0031', '200.30'],
    [1, 512, 7, '.21', '.0023', '87.53'],
    [3, 512, 7, '.69', '.0072', '95.96'],
    [1, 2048, 7, '.31', '.0035', '87.53'],
  ],
} as const

/** ResNet50: FLOPs (1e9), MOPs (1e9), FLOPs per MOP. */
export const table4 = {
  ...table('Table 4'),
  lines: {
    convolution: ['7.26', '.04', '183.36'],
    'batch-norm': ['.03', '.03', '1.00'],
    relu: ['.008', '.02', '.50'],
    other: ['.01', '.02', '.53'],
    total: ['7.31', '.11', '66.94'],
    'total-fused': ['7.28', '.06', '121.36'],
  },
  /** BERT-Base at 128 tokens over ResNet50. */
  ratios: { flops: '3.07', mops: '1.28' },
  nonIdeal: { ...table('Section 3.3'), intensity: '121.312' },
} as const

/** Inference GFLOPs of one pass over this many tokens. */
export const readme = {
  ...table('inference GFLOPs', repository),
  models: {
    'bert-large': { length: 512, gflops: '340' },
    'gpt-1': { length: 512, gflops: '96' },
    'gpt-2-xl': { length: 1024, gflops: '3400' },
    'megatron-8.3b': { length: 1024, gflops: '18000' },
    'albert-xxlarge': { length: 512, gflops: '2500' },
    't-nlg': { length: 1024, gflops: '36000' },
    'electra-large': { length: 128, gflops: '79' },
    'gpt-3': { length: 2048, gflops: '740000' },
    transformer: { length: 512, gflops: '54' },
    'roberta-large': { length: 512, gflops: '3400' },
  },
} as const

/** GB of parameters, optimizer, activations and in all, of a training batch of sequences of a length. */
export const trainingMemory = {
  ...table('training memory', repository),
  transformers: {
    'bert-large': { batch: 16, length: 512, gb: ['1.32', '2.64', '14.38', '18.34'] },
    // The table prints a length of 2014.
    'gpt-2-xl': { batch: 1, length: 1024, gb: ['5.86', '11.62', '8.63', '26.21'] },
    'transformer-big': { batch: 6, length: 512, gb: ['1.02', '2.04', '11.78', '14.84'] },
  },
  /** Networks of convolutions, of a batch of images. */
  images: {
    alexnet: { batch: 128, gb: ['.23', '.23', '.71', '1.71'] },
    'vgg-19': { batch: 64, gb: ['.54', '.54', '4.64', '5.72'] },
    'resnet-152': { batch: 32, gb: ['.22', '.22', '5.14', '5.58'] },
    'densenet-201': { batch: 32, gb: ['.07', '.07', '6.04', '6.18'] },
    'resnext-101': { batch: 32, gb: ['.31', '.31', '7.34', '7.96'] },
  },
} as const

/** PFLOPs of a whole training, as the README's table or its figure gives them. */
export const trainingFlops = {
  ...table('training PFLOPs', repository),
  models: {
    'bert-large': '250000',
    'bert-large-plotted': '5.33e5',
    megatron: '8.12e6',
    'gpt-3': '3.14e8',
    transformer: '2.3e4',
    'gpt-1': '5.66e4',
    xlnet: '3.9e6',
    't-nlg': '2.77e7',
  },
} as const

/** Growth in two years and, where printed, in twenty. */
export const growthFactors = {
  ...table('growth', repository),
  series: {
    compute: ['3.0', '6e4'],
    'dram-bandwidth': ['1.6', '1e2'],
    interconnect: ['1.4', '3e1'],
    parameters: ['4.1e2'],
    memory: ['2'],
    'training-compute': ['7.5e2'],
  },
} as const

const built =
  "it is a property of the authors' accelerator as built and changed; what its nonlinear and quantizing operators cost is not given"
const scheduled = 'it compares tilings and fusions on that accelerator; a roofline has neither'

/** The co-design of an accelerator: what it says of its baseline and of each change. */
export const caseStudyClaims = {
  ...table('case study'),
  claims: [
    ['gemmini/non-matmul-time-percent', '96', built],
    ['gemmini/softmax-time-percent', '19', built],
    ['gemmini/quantization-time-percent', '49', built],
    ['scratchpad-64k-accumulator-256k/matmul-latency-percent', '-36', built],
    ['integer-nonlinear-units/speedup', '39.6', built],
    ['integer-nonlinear-units/area-percent', '14', 'nothing here has an area'],
    ['fused-softmax/512/latency-percent', '-78', scheduled],
    ['fused-softmax/4096/latency-percent', '-22', scheduled],
    ['fused-w2-layer-norm/latency-percent', '27', scheduled],
    ['all/speedup', '88.7', built],
  ],
} as const
