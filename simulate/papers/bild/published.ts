// Figures as the sources print them. Shares of fallbacks and rollbacks, in percent, are those of the reproduction's own
// runs at the paper's thresholds: the paper does not print them.
import type { TaskName } from '../../bild/tasks.ts'
import type { Table } from '../row.ts'

const reproduction = 'github.com/PopoDev/BiLD'

function table(name: string, source: string): Table {
  return { paper: 'bild', table: name, source }
}

/** Tokens that the large model alone generates for a text, in the mean. */
export const meanTokens = { iwslt: 29.07, wmt: 29.38, xsum: 28.23, cnndm: 74.76 } as const

interface SpeedupLine {
  readonly item: string
  readonly family: 'mt5' | 't5'
  readonly speedup: string
  /** BLEU of translations, ROUGE-L of summaries. */
  readonly score: string
  /** Percent, as the reproduction reports them. */
  readonly fallback: number
  readonly rollback: number
  /** Where the shares are not those of a T4 run at these thresholds. */
  readonly note?: string
}

const gpu = 'RTX 2080 Ti'

/** The paper's main table (arXiv 2302.07863), as the reproduction's README prints it. */
export const mainTable = {
  ...table('Main table: speedup', `arXiv 2302.07863 v4, as printed in ${reproduction}, README.md; shares: results/`),
  // biome-ignore format: columns aligned
  lines: [
    { item: 'iwslt/unaligned/rb2-fb0.6', family: 'mt5', speedup: '1.43', score: '40.33', fallback: 16.82, rollback: 1.528, note: `shares of the ${gpu}` },
    { item: 'iwslt/unaligned/rb3-fb0.5', family: 'mt5', speedup: '1.58', score: '39.44', fallback: 10.46, rollback: 1.335, note: `shares of the ${gpu}` },
    { item: 'iwslt/aligned/rb3-fb0.9',   family: 'mt5', speedup: '1.62', score: '40.24', fallback: 18.92, rollback: 0.649, note: `shares of the ${gpu}` },
    { item: 'iwslt/aligned/rb4-fb0.6',   family: 'mt5', speedup: '1.78', score: '39.13', fallback:  5.92, rollback: 0.966, note: `shares of the ${gpu}` },
    { item: 'wmt/unaligned/rb2-fb0.6',   family: 'mt5', speedup: '1.34', score: '31.28', fallback: 24.84, rollback: 0.942 },
    { item: 'wmt/unaligned/rb3-fb0.5',   family: 'mt5', speedup: '1.43', score: '30.47', fallback: 17.28, rollback: 0.827 },
    { item: 'wmt/aligned/rb2-fb0.8',     family: 'mt5', speedup: '1.47', score: '31.26', fallback: 18.15, rollback: 0.962 },
    { item: 'wmt/aligned/rb5-fb0.6',     family: 'mt5', speedup: '1.70', score: '30.33', fallback:  8.96, rollback: 0.284 },
    { item: 'xsum/unaligned/rb3-fb0.5',  family: 't5',  speedup: '1.48', score: '35.12', fallback: 28.46, rollback: 3.553, note: 'shares between those at rollback 2 and 4' },
    { item: 'xsum/unaligned/rb5-fb0.3',  family: 't5',  speedup: '1.72', score: '34.02', fallback: 12.85, rollback: 3.423 },
    { item: 'xsum/aligned/rb2-fb0.6',    family: 't5',  speedup: '1.50', score: '35.05', fallback: 21.09, rollback: 5.157 },
    { item: 'xsum/aligned/rb5-fb0.4',    family: 't5',  speedup: '1.80', score: '33.95', fallback:  8.50, rollback: 3.409 },
    { item: 'cnndm/unaligned/rb3-fb0.4', family: 't5',  speedup: '1.71', score: '41.44', fallback:  8.13, rollback: 1.667 },
    { item: 'cnndm/unaligned/rb6-fb0.2', family: 't5',  speedup: '2.05', score: '40.57', fallback:  1.44, rollback: 0.594 },
    { item: 'cnndm/aligned/rb3-fb0.3',   family: 't5',  speedup: '1.85', score: '41.52', fallback:  0.88, rollback: 4.540 },
    { item: 'cnndm/aligned/rb6-fb0.2',   family: 't5',  speedup: '2.12', score: '40.96', fallback:  0.16, rollback: 3.025 },
  ] satisfies SpeedupLine[],
} as const

/** Small models that the reproduction trained itself (100k steps), measured with their shares. */
export const selfTrained = {
  ...table('Self-trained small models: speedup', `${reproduction}, results`),
  lines: [
    { item: 'xsum/aligned', family: 't5', speedup: '1.62', score: '34.28', fallback: 10.9, rollback: 4.13 },
    { item: 'xsum/unaligned', family: 't5', speedup: '1.35', score: '34.26', fallback: 30.43, rollback: 3.01 },
    { item: 'wmt/aligned', family: 'mt5', speedup: '1.60', score: '28.71', fallback: 3.23, rollback: 2.33 },
    { item: 'wmt/unaligned', family: 'mt5', speedup: '1.41', score: '27.81', fallback: 16.36, rollback: 2.36 },
  ] satisfies SpeedupLine[],
} as const

/** Seconds of a sentence, the mean of ten of IWSLT; thresholds (2, 0.6). */
export const windowSweep = {
  ...table('Window sweep', `${reproduction}, results of the ${gpu}, ten sentences`),
  unsure: 0.124,
  rejected: 0.024,
  seconds: {
    1: '1.349',
    2: '1.186',
    3: '1.137',
    4: '1.107',
    5: '1.072',
    7: '1.042',
    10: '1.020',
    15: '1.052',
    20: '1.056',
  },
} as const

/** Seconds of a step of a model alone. */
export const steps = {
  ...table('Steps of a model alone', `${reproduction}, results of the ${gpu}; seconds over tokens of a text`),
  lines: [
    { model: 'mt5-small', seconds: '16.6e-3' },
    { model: 'mt5-large', seconds: '45.9e-3' },
    { model: 't5-small', seconds: '11.4e-3' },
    { model: 't5-large', seconds: '40.0e-3' },
  ],
} as const

/**
 * Seconds of a text of a model alone, and its tokens: on a T4 (the cloud's), and the small models that the steps above are
 * not of.
 */
export const texts = {
  ...table('Texts of a model alone', `${reproduction}, results of a T4 and of the ${gpu}`),
  lines: [
    { item: 't4/iwslt/mt5-large', tokens: 29.07, seconds: '1.2035', tolerance: 0.15 },
    { item: 't4/wmt/mt5-large', tokens: 29.38, seconds: '1.2280', tolerance: 0.15 },
    { item: 't4/xsum/t5-large', tokens: 28.23, seconds: '1.1943', tolerance: 0.15 },
    { item: 't4/cnndm/t5-large', tokens: 74.76, seconds: '2.8331', tolerance: 0.15 },
    { item: 'rtx-2080-ti/wmt/mt5-small', tokens: 29.05, seconds: '0.4961', tolerance: 0.05 },
    { item: 'rtx-2080-ti/cnndm/t5-small', tokens: 73.8, seconds: '0.8171', tolerance: 0.05 },
  ],
} as const

/** IWSLT's large model alone on the same GPU. */
export const alone = { tokens: meanTokens.iwslt, seconds: 1.3356 } as const

/** Shares of fallbacks and rollbacks, percent, that synthetic texts are held against (IWSLT on the RTX 2080 Ti). */
export const sharesTable = {
  ...table('Shares of synthetic texts, percent', `${reproduction}, results of the ${gpu}`),
  task: 'iwslt' satisfies TaskName,
  lines: [
    { aligned: false, fallback: 0.6, rollback: 2, shares: ['16.8', '1.53'] },
    { aligned: false, fallback: 0.5, rollback: 3, shares: ['10.5', '1.34'] },
    { aligned: true, fallback: 0.6, rollback: 4, shares: ['5.92', '0.97'] },
    { aligned: true, fallback: 0.9, rollback: 3, shares: ['18.9', '0.65'] },
  ],
} as const

/** Gamma, alpha, cost, speedup. */
type LeviathanLine = readonly [item: string, gamma: number, alpha: number, cost: number, speedup: string]

export const leviathan = {
  ...table('Leviathan et al. 2023, Table 2', 'arXiv 2211.17192, Table 2 (T5-XXL on a TPU v4)'),
  lines: [
    ['ende/t0/t5-small', 7, 0.75, 0.02, '3.4'],
    ['ende/t0/t5-base', 7, 0.8, 0.04, '2.8'],
    ['ende/t0/t5-large', 7, 0.82, 0.11, '1.7'],
    ['ende/t1/t5-small', 7, 0.62, 0.02, '2.6'],
    ['ende/t1/t5-base', 5, 0.68, 0.04, '2.4'],
    ['ende/t1/t5-large', 3, 0.71, 0.11, '1.4'],
    ['cnndm/t0/t5-small', 5, 0.65, 0.02, '3.1'],
    ['cnndm/t0/t5-base', 5, 0.73, 0.04, '3.0'],
    ['cnndm/t0/t5-large', 3, 0.74, 0.11, '2.2'],
    ['cnndm/t1/t5-small', 5, 0.53, 0.02, '2.3'],
    ['cnndm/t1/t5-base', 3, 0.55, 0.04, '2.2'],
    ['cnndm/t1/t5-large', 3, 0.56, 0.11, '1.7'],
  ] satisfies LeviathanLine[],
} as const

export const lenience = {
  ...table('Leviathan et al. 2023, Table 5', 'arXiv 2211.17192, Table 5 (lenience)'),
  cost: 0.015,
  lines: [
    [0.62, '2.5'],
    [0.71, '3.1'],
    [0.76, '3.6'],
    [0.84, '5.0'],
  ] satisfies (readonly [number, string])[],
} as const

export const bigram = {
  ...table('Leviathan et al. 2023, bigram draft', 'arXiv 2211.17192'),
  gamma: 3,
  alpha: 0.2,
  speedup: '1.25',
} as const

export const chen = {
  ...table('Chen et al. 2023: Chinchilla 70B', 'arXiv 2302.01318 (Chinchilla 70B, 4B draft, 16 TPU v4, batch 1)'),
  gamma: 4,
  target: 14.1e-3,
  draft: 1.8e-3,
  lines: [
    { item: 'xsum-nucleus', seconds: '7.52e-3', speedup: '1.92' },
    { item: 'xsum-greedy', seconds: '7.00e-3', speedup: '2.01' },
    { item: 'humaneval', seconds: '5.73e-3', speedup: '2.46' },
  ],
} as const
