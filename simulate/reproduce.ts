// Published tables beside ours, by paper. A paper is loaded only when it is asked for.
import { nearestHint } from '../model/nearest.ts'
import type { Paper } from './papers/paper.ts'

export type { Curve, Paper, Series } from './papers/paper.ts'
export {
  agrees,
  type Evidence,
  evidences,
  type Row,
  type Status,
  type Summary,
  statuses,
  summary,
} from './papers/row.ts'

export interface PaperEntry {
  readonly title: string
  load(): Promise<Paper>
}

const table = {
  'memory-wall': {
    title: 'AI and Memory Wall (arXiv 2403.14123) with the model of its case study (arXiv 2302.14017)',
    load: async () => (await import('./papers/memory-wall.ts')).load(),
  },
  squeezeformer: {
    title: 'Squeezeformer: An Efficient Transformer for Automatic Speech Recognition (arXiv 2206.00888)',
    load: async () => (await import('./papers/squeezeformer.ts')).load(),
  },
  kvquant: {
    title: 'KVQuant (arXiv 2401.18079)',
    load: async () => (await import('./papers/kvquant.ts')).load(),
  },
  'squeezed-attention': {
    title: 'Squeezed Attention (arXiv 2411.09688)',
    load: async () => (await import('./papers/squeezed-attention.ts')).load(),
  },
  ets: {
    title: 'ETS: Efficient Tree Search for Inference-Time Scaling (arXiv 2502.13575)',
    load: async () => (await import('./papers/ets.ts')).load(),
  },
  bild: {
    title: 'BiLD: Big Little Decoder (arXiv 2302.07863), with the tables of speculative decoding',
    load: async () => (await import('./papers/bild.ts')).load(),
  },
  quantspec: {
    title: 'QuantSpec (arXiv 2502.10424), with the sparse drafts of MagicDec (arXiv 2408.11049)',
    load: async () => (await import('./papers/quantspec.ts')).load(),
  },
  'best-effort-serving': {
    title: 'Learned Best-Effort LLM Serving (arXiv 2401.07886)',
    load: async () => (await import('./papers/best-effort.ts')).load(),
  },
} as const satisfies Record<string, PaperEntry>

export type PaperName = keyof typeof table
export const paperNames = Object.keys(table) as PaperName[]
export const papers: Readonly<Record<PaperName, PaperEntry>> = table

/** Loads the named paper. Throws a RangeError that lists the names. */
export async function loadPaper(name: string): Promise<Paper> {
  if (!Object.hasOwn(papers, name)) {
    const hint = nearestHint(name, paperNames)
    throw new RangeError(`paper: expected one of ${paperNames.join(', ')}, got ${name}${hint}`)
  }
  return papers[name as PaperName].load()
}
