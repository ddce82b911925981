// The published figures of KVQuant, arXiv 2401.18079, and of its repository, github.com/SqueezeAILab/KVQuant.
import type { Table } from '../row.ts'

const paper = 'kvquant'
const arxiv = 'arXiv 2401.18079'

export const bitsTable: Table = { paper, table: 'average bits', source: `${arxiv}, table 18` }
export const sizeTable: Table = {
  paper,
  table: 'KV cache size',
  source: `${arxiv}, tables 1 and 8, its text, and its repository; in GiB`,
}
export const kernelTable: Table = {
  paper,
  table: 'kernel times',
  source: `${arxiv}, table 6; in seconds, of one layer`,
}
export const perplexityTable: Table = {
  paper,
  table: 'perplexity',
  source: `${arxiv}, table 18, LLaMA-7B on Wikitext-2`,
}
export const rulerTable: Table = { paper, table: 'RULER 32k', source: `${arxiv}, table 4, LLaMA-2-7B-32K` }

export const codes = ['int', 'nf', 'atom', 'flexgen', 'nuq', 'nuq-1%'] as const
export type Codes = (typeof codes)[number]

/** Least and most average bits over the models of the table, and LLaMA-7B's perplexity. */
export const table18: Readonly<
  Record<Codes, readonly (readonly [bits: 4 | 3 | 2, least: string, most: string, ppl: string])[]>
> = {
  int: [
    [4, '4.00', '4.02', '5.98'],
    [3, '3.00', '3.02', '10.87'],
    [2, '2.00', '2.02', '11779'],
  ],
  nf: [
    [4, '4.00', '4.03', '5.87'],
    [3, '3.00', '3.03', '7.33'],
    [2, '2.00', '2.03', '3210'],
  ],
  atom: [
    [4, '4.16', '4.16', '5.77'],
    [3, '3.15', '3.15', '6.17'],
    [2, '2.14', '2.14', '37.37'],
  ],
  flexgen: [
    [4, '4.31', '4.31', '5.73'],
    [3, '3.30', '3.30', '5.93'],
    [2, '2.28', '2.28', '11.09'],
  ],
  nuq: [
    [4, '4.00', '4.02', '5.72'],
    [3, '3.00', '3.02', '5.87'],
    [2, '2.00', '2.02', '7.23'],
  ],
  'nuq-1%': [
    [4, '4.32', '4.35', '5.69'],
    [3, '3.32', '3.35', '5.75'],
    [2, '2.32', '2.35', '6.01'],
  ],
}

/** GiB, which the paper calls GB: LLaMA-7B at 128k (131072) tokens unless it says otherwise; `4.9e2` is "~490". */
export const sizes: readonly (readonly [
  item: string,
  codes: Codes | 'fp16',
  bits: number,
  published: string,
  model?: string,
  tokens?: number,
])[] = [
  ['llama-7b/128k/fp16', 'fp16', 16, '64.0'],
  ['llama-7b/128k/int4', 'int', 4, '16.0'],
  ['llama-7b/128k/flexgen-4', 'flexgen', 4, '17.3'],
  ['llama-7b/128k/nuq4', 'nuq', 4, '16.0'],
  ['llama-7b/128k/nuq4-1%', 'nuq-1%', 4, '17.3'],
  ['llama-7b/128k/int3', 'int', 3, '12.0'],
  ['llama-7b/128k/nuq3', 'nuq', 3, '12.0'],
  ['llama-7b/128k/atom-3', 'atom', 3, '12.6'],
  ['llama-7b/128k/flexgen-3', 'flexgen', 3, '13.2'],
  ['llama-7b/128k/nuq3-1%', 'nuq-1%', 3, '13.3'],
  ['llama-7b/128k/nuq2', 'nuq', 2, '8.0'],
  ['llama-7b/128k/nuq2-1%', 'nuq-1%', 2, '9.3'],
  ['llama-65b/128k/nuq2-1%', 'nuq-1%', 2, '46.5', 'llama-65b'],
  ['llama-7b/1M (2^20)/nuq2', 'nuq', 2, '64', 'llama-7b', 2 ** 20],
  ['llama-7b/1,000,000/fp16', 'fp16', 16, '4.9e2', 'llama-7b', 1e6],
  ['llama-7b/10,000,000/nuq2', 'nuq', 2, '611.5', 'llama-7b', 1e7],
]

export const compression: readonly (readonly [bits: 4 | 3 | 2, published: string])[] = [
  [4, '3.7'],
  [3, '4.8'],
  [2, '6.9'],
]

/** Seconds of one layer of LLaMA-7B on an RTX A6000, batch 1, at 2048 and 16384 tokens. */
export const table6 = {
  'K fp16': ['33.3e-6', '219.4e-6'],
  'K nuq4-1%': ['25.6e-6', '126.3e-6'],
  'V fp16': ['26.0e-6', '203.7e-6'],
  'V nuq4-1%': ['22.1e-6', '124.5e-6'],
} as const
export const table6Tokens = [2048, 16384] as const

/** LLaMA-7B at 3 bits, one step after the other; and others of the text. */
export const ablation: readonly (readonly [item: string, published: string])[] = [
  ['int3, keys and values per token', '10.87'],
  ['keys per channel', '7.05'],
  ['keys before their rotation', '6.23'],
  ['non-uniform codes', '5.94'],
  ['1 % outliers per vector', '5.75'],
  ['1 % outliers per matrix', '5.85'],
]

/** Bits of the caches compared at 32k tokens, and RULER's average score. */
export const ruler: readonly (readonly [item: string, bits: string, score: string])[] = [
  ['kivi-2-gs32-r128', '3.05', '39.78'],
  ['nuq3-1%', '3.33', '53.65'],
  ['nuq2-1%', '2.33', '36.54'],
]
