// The published figures of QuantSpec, arXiv 2502.10424, of a trace in its repository, github.com/rishabh-16/QuantSpec, and
// of MagicDec, arXiv 2408.11049, whose drafts it is compared with.
import type { Table } from '../row.ts'

const paper = 'quantspec'
const arxiv = 'arXiv 2502.10424'

export const bitsTable: Table = { paper, table: 'cache', source: `${arxiv}, section 4` }
export const kernelTable: Table = {
  paper,
  table: 'kernels',
  source: `${arxiv}, table 5, and a trace in its repository; RTX A6000`,
}
export const speedTable: Table = { paper, table: 'end to end', source: `${arxiv}, table 4; one RTX A6000, two at 128k` }
export const memoryTable: Table = { paper, table: 'memory', source: `${arxiv}, table 4` }
export const perplexityTable: Table = { paper, table: 'perplexity', source: `${arxiv}; Llama-2-7B` }
export const magicTable: Table = {
  paper,
  table: 'MagicDec',
  source: 'arXiv 2408.11049 and github.com/Infini-AI-Lab/MagicDec; eight GPUs',
}

/** Times of 16 bits over those of the kernel, at the longest contexts. */
export const ratios = { 'INT4 over fp16': '2.88', 'INT8 over fp16': '1.51' } as const
export const ratioTokens = 262144

/** Seconds a call, at 32000 drafted tokens of which 31800 or so are coded. */
export const trace = {
  'INT4 attention, first stage': '284.1e-6',
  'INT4 attention, merge': '29.25e-6',
  'FFN product, 4096 x 11008 in 4 bits': '35.36e-6',
  'QKV product, 12288 x 4096 in 16 bits': '135.4e-6',
  'weights and KV of a draft step': '18.84e-3',
  'draft step, all kernels': '23.11e-3',
} as const
/** 250 blocks of 128 tokens. */
export const traceTokens = 32000

/** Acceptance is accepted over drafted tokens. */
export const endToEnd = [
  { model: 'llama-2-7b-32k', tokens: 4096, devices: 1, accepted: 0.9246, speedup: '1.35' },
  { model: 'llama-2-7b-32k', tokens: 32768, devices: 1, accepted: 0.9116, speedup: '2.08' },
  { model: 'lwm-text-chat-128k', tokens: 131072, devices: 2, accepted: 0.9431, speedup: '2.49' },
] as const

/** Self-speculation with a short cache of a quarter of the context, as QuantSpec's paper quotes it. */
export const sparse = [
  { name: 'streaming', tokens: 4096, accepted: 0.8887, speedup: '1.13' },
  { name: 'snapkv', tokens: 4096, accepted: 0.9359, speedup: '1.17' },
  { name: 'streaming', tokens: 32768, accepted: 0.9119, speedup: '1.84' },
  { name: 'snapkv', tokens: 32768, accepted: 0.7254, speedup: '1.63' },
] as const

/** 16 bits, and the two planes together. */
export const perplexities = [
  ['wikitext-2/fp16', '6.4595'],
  ['wikitext-2/int8', '6.4696'],
  ['c4/fp16', '7.2617'],
  ['c4/int8', '7.2620'],
] as const

/** Throughput of LWM-Text-Chat-128k over plain decoding: more than this at all lengths (figure 1 of version 1). */
export const leastSpeedup = '1.78'

/** alpha by context of StreamingLLM with 512 rows, of Llama-3.1-8B on PG-19. */
export const magicAlpha: Readonly<Record<number, number>> = { 8192: 0.83, 32768: 0.81 }

export const magic = [
  { machine: 'a100-80gb-sxm', model: 'llama-3.1-8b', tokens: 32768, batch: 32, gamma: 3, speedup: '1.22' },
  { machine: 'a100-80gb-sxm', model: 'llama-3.1-8b', tokens: 32768, batch: 64, gamma: 3, speedup: '1.38' },
  { machine: 'a100-80gb-sxm', model: 'llama-3.1-8b', tokens: 32768, batch: 128, gamma: 4, speedup: '1.47' },
  { machine: 'a100-80gb-sxm', model: 'llama-2-7b-32k', tokens: 8192, batch: 32, gamma: 3, speedup: '1.18' },
  { machine: 'a100-80gb-sxm', model: 'llama-2-7b-32k', tokens: 8192, batch: 64, gamma: 3, speedup: '1.48' },
  { machine: 'a100-80gb-sxm', model: 'llama-2-7b-32k', tokens: 8192, batch: 128, gamma: 4, speedup: '1.63' },
  { machine: 'a100-80gb-sxm', model: 'llama-2-7b-32k', tokens: 32768, batch: 32, gamma: 4, speedup: '2.0' },
  { machine: 'h100-sxm', model: 'llama-3.1-8b', tokens: 32768, batch: 32, gamma: 3, speedup: '1.23' },
  { machine: 'h100-sxm', model: 'llama-3.1-8b', tokens: 32768, batch: 64, gamma: 3, speedup: '1.43' },
  { machine: 'h100-sxm', model: 'llama-2-7b-32k', tokens: 8192, batch: 32, gamma: 3, speedup: '1.19' },
  { machine: 'h100-sxm', model: 'llama-2-7b-32k', tokens: 8192, batch: 64, gamma: 4, speedup: '1.42' },
  { machine: 'h100-sxm', model: 'llama-2-7b-32k', tokens: 8192, batch: 128, gamma: 4, speedup: '1.65' },
] as const

/** MagicDec with TinyLlama, and a short cache for it, as the draft of Llama-2-7B: its acceptance is not in print. */
export const magicDrafted = [
  { machine: 'a100-80gb-sxm', tokens: 8192, batch: 32, speedup: '1.29' },
  { machine: 'a100-80gb-sxm', tokens: 8192, batch: 64, speedup: '1.57' },
  { machine: 'a100-80gb-sxm', tokens: 8192, batch: 128, speedup: '1.66' },
  { machine: 'a100-80gb-sxm', tokens: 32768, batch: 32, speedup: '1.91' },
  { machine: 'h100-sxm', tokens: 8192, batch: 32, speedup: '1.32' },
  { machine: 'h100-sxm', tokens: 8192, batch: 64, speedup: '1.48' },
  { machine: 'h100-sxm', tokens: 8192, batch: 128, speedup: '1.64' },
] as const
