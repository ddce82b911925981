// Figures as the sources print them; nothing here is ours. The paper's own FLOPs, its ablation and what it says of
// Conformer-CTC were recalled, not read. What Zipformer (arXiv 2310.11230) prints of the six Squeezeformers was read.
import type { Table } from '../row.ts'

const paper = 'arXiv 2206.00888'

function table(name: string, source: string): Table {
  return { paper: 'squeezeformer', table: name, source }
}

const zipformer = 'arXiv 2310.11230 (Zipformer), Table 2'
const repository = 'github.com/kssteven418/Squeezeformer, README.md'
const recalled = `${paper}, recalled`
const notes = `notes of readers of ${paper}`

export const names = [
  'conformer-ctc-s',
  'conformer-ctc-m',
  'conformer-ctc-l',
  'squeezeformer-xs',
  'squeezeformer-s',
  'squeezeformer-sm',
  'squeezeformer-m',
  'squeezeformer-ml',
  'squeezeformer-l',
] as const
export type Name = (typeof names)[number]

export function isSqueezeformer(name: Name): boolean {
  return name.startsWith('squeezeformer')
}

interface Figures {
  /** Millions. */
  readonly parameters: string
  /** 30 s of audio, in units of 1e9: as the paper counts, and as DeepSpeed's profiler did for Zipformer's authors. */
  readonly flops: string
  readonly profiled?: string
  /** LibriSpeech test-clean and test-other, %. */
  readonly wer: readonly [clean: string, other: string]
}

// biome-ignore format: one model per row, columns aligned
export const published = {
  'conformer-ctc-s':  { parameters: '8.7',   flops: '26.2',                     wer: ['4.21', '10.54'] },
  'conformer-ctc-m':  { parameters: '27.4',  flops: '71.7',                     wer: ['3.20', '7.90'] },
  'conformer-ctc-l':  { parameters: '121.5', flops: '280.6',                    wer: ['2.80', '6.55'] },
  'squeezeformer-xs': { parameters: '9.0',   flops: '15.8',  profiled: '18.2',  wer: ['3.74', '9.09'] },
  'squeezeformer-s':  { parameters: '18.6',  flops: '26.3',  profiled: '33.7',  wer: ['3.08', '7.47'] },
  'squeezeformer-sm': { parameters: '28.2',  flops: '42.7',  profiled: '47.6',  wer: ['2.79', '6.89'] },
  'squeezeformer-m':  { parameters: '55.6',  flops: '72.0',  profiled: '88.4',  wer: ['2.56', '6.50'] },
  'squeezeformer-ml': { parameters: '125.1', flops: '169.2', profiled: '183.3', wer: ['2.61', '6.05'] },
  'squeezeformer-l':  { parameters: '236.3', flops: '277.9', profiled: '333.7', wer: ['2.47', '5.97'] },
} as const satisfies Record<Name, Figures>

export const parametersTable = (name: Name) => table('Parameters', isSqueezeformer(name) ? zipformer : recalled)
export const profiledTable = table('Profiled FLOPs', zipformer)
export const flopsTable = table("FLOPs, the paper's convention", recalled)
export const werTable = (name: Name) => table('Word error rate', isSqueezeformer(name) ? repository : recalled)
export const ablationTable = table('Ablation', recalled)
export const claimsTable = table('Claims', notes)
export const throughputTable = table('Throughput', `${paper}, Table 3`)

/** From Conformer-CTC-M to Squeezeformer-SM: each step's fields beside those of the steps before; millions, 1e9. */
// biome-ignore format: one step per row, columns aligned
export const ablation = [
  { step: 'conformer-ctc-m',     parameters: '27.4', flops: '71.7', fields: {} },
  { step: 'temporal-u-net',      parameters: '27.5', flops: '57.0', fields: { time_reduce_layers: [7], time_recover_layers: [15] } },
  { step: 'transformer-block',   parameters: '27.5', flops: '57.0', fields: { block_order: ['attention', 'ffn', 'convolution', 'ffn'], normalization: 'pre-and-post' } },
  { step: 'unified-activations', parameters: '28.7', flops: '58.4', fields: { conv_activation: 'swish' } },
  { step: 'scaled-post-norm',    parameters: '28.7', flops: '58.4', fields: { normalization: 'scaled-post' } },
  { step: 'separable-subsampling', parameters: '28.2', flops: '42.7', fields: { subsampling: 'depthwise-separable' } },
] as const

/** %, of Conformer-CTC-M's FLOPs. */
export const claims = { uNetSaves: '20', subsamplingShare: '28', separableSaves: '22' } as const
