// The repository's training memory and training FLOPs. Its memory is parameters and Adam's two moments in fp32, and the
// layers' saved activations in 16 bits with dropout; its FLOPs are three inference passes for every sequence trained on.
import type { Architecture } from '../../../model/architecture.ts'
import { parameters } from '../../../model/parameters.ts'
import { layerActivations } from '../../train/activations.ts'
import { type Row, row } from '../row.ts'
import { decoder, encoder, encoderDecoder, encoding, prompting, type Run } from './models.ts'
import { trainingFlops, trainingMemory } from './published.ts'
import { matrixFlops } from './readme.ts'

type Transformer = keyof typeof trainingMemory.transformers
const parts = ['parameters', 'optimizer', 'activations', 'total'] as const

const within = 'within 15 % is taken as the same figure: which tensors the authors counted is not said'

const notes: Readonly<Record<Transformer, string>> = {
  'bert-large': within,
  'gpt-2-xl': `${within}; the table prints a length of 2014, a misprint of 1024`,
  'transformer-big':
    'by the rule that gives BERT-Large and GPT-2, six layers of each stack keep far less; which model and vocabulary the row means is not said',
}

/** Of the models that the repository trained, the third being of its own sizes. */
export function trainingMemoryRows(models: Readonly<Record<'bert-large' | 'gpt-2-xl', Architecture>>): Row[] {
  const big = encoderDecoder('transformer-big', { layers: 6, width: 1024, heads: 16 })
  const all: Readonly<Record<Transformer, Architecture>> = { ...models, 'transformer-big': big }
  return [...(Object.keys(all) as Transformer[]).flatMap((name) => transformerRows(name, all[name])), ...imageRows()]
}

function transformerRows(name: Transformer, architecture: Architecture): Row[] {
  const { batch, length, gb } = trainingMemory.transformers[name]
  const bytes = memoryOf(architecture, batch, length)
  return parts.map((part, i) => {
    const published = `${gb[i]}e9`
    return row(trainingMemory, {
      item: `${name}/${batch}x${length}/training-memory/${part}`,
      published,
      computed: bytes[part],
      tolerance: 0.15 * Number(published),
      why: notes[name],
    })
  })
}

function memoryOf(architecture: Architecture, batch: number, length: number): Record<(typeof parts)[number], number> {
  const own = 4 * parameters(architecture).total
  const options = { batch, sequence: length, source: length, width: 2, tensor: 1, scores: true, dropout: true }
  const groups = architecture.stacks.flatMap((s) => s.groups)
  const activations = groups.reduce((sum, g) => sum + g.layers.length * layerActivations(g.modules, options), 0)
  return { parameters: own, optimizer: 2 * own, activations, total: 3 * own + activations }
}

/** Networks of convolutions have no training here. */
function imageRows(): Row[] {
  return Object.entries(trainingMemory.images).flatMap(([name, { batch, gb }]) =>
    parts.map((part, i) => {
      const misprint = name === 'alexnet' && part === 'total' ? '; the parts sum to 1.17' : ''
      return row(trainingMemory, {
        item: `${name}/${batch}/training-memory/${part}`,
        published: `${gb[i]}e9`,
        computed: null,
        why: `no network of convolutions is trained here${misprint}`,
      })
    }),
  )
}

interface Recipe {
  readonly run: () => Run
  /** Sequences trained on. */
  readonly sequences: number
  readonly why: string
  readonly recalled?: true
}

const bert = () => encoding(encoder('bert-large', { layers: 24, width: 1024, heads: 16 }), 512)
const bertRecipe = 'a million steps of 256 sequences of 512 tokens (arXiv 1810.04805, appendix A.2)'
const near = 'within 3 % is taken as the same figure'

type Trained = keyof typeof trainingFlops.models

/** Trainings whose length is known. */
const recipes: Partial<Readonly<Record<Trained, Recipe>>> = {
  'bert-large': { run: bert, sequences: 256e6, why: `${near}; ${bertRecipe}` },
  'bert-large-plotted': {
    run: bert,
    sequences: 256e6,
    why: "the figure's point is twice the README's own figure, which the recipe gives",
  },
  'gpt-3': {
    run: () => prompting(decoder('gpt-3', { layers: 96, width: 12288, heads: 96 }), 2048),
    sequences: 300e9 / 2048,
    why: `${near}; 300 billion tokens (arXiv 2005.14165)`,
  },
  megatron: {
    run: () => prompting(decoder('megatron-8.3b', { layers: 72, width: 3072, heads: 24 }), 1024),
    sequences: 512 * 300e3,
    why: 'the recipe, 300k steps of 512 sequences of 1024 tokens, is recalled, not read from a source here',
    recalled: true,
  },
}

export function trainingFlopsRows(): Row[] {
  return (Object.keys(trainingFlops.models) as Trained[]).map((name) => {
    const { [name]: recipe } = recipes
    const published = petaflops(trainingFlops.models[name])
    return row(trainingFlops, {
      item: `${name}/training-flops`,
      published,
      computed: recipe === undefined ? null : 3 * matrixFlops([recipe.run()]) * recipe.sequences,
      tolerance: 0.03 * Number(published),
      ...(recipe?.recalled && { recalled: true }),
      why: recipe?.why ?? 'how long it was trained is not known here',
    })
  })
}

/** `5.33e5` PFLOP as FLOP, to the printed digit. */
function petaflops(printed: string): string {
  const [digits = '', exponent = '0'] = printed.split('e')
  return `${digits}e${Number(exponent) + 15}`
}
