// Encoders of text that read a whole input at once: BERT, RoBERTa, DistilBERT, ELECTRA, ModernBERT. Read as the base
// model with its pooler, as Transformers counts them; a classifier where `architectures` names one.
import type { Embedding, Linear, Module, Reach } from '../architecture.ts'
import { groupLayers } from '../architecture.ts'
import {
  allBias,
  biases,
  type Draft,
  embedding,
  feedForward,
  type HeadWidths,
  layerNorm,
  layersOf,
  linear,
  type NormStyle,
  norm,
  postNorm,
  selfAttention,
} from './blocks.ts'
import { type Fields, isObject, limits } from './fields.ts'
import { activation, core, layerTotal, reaches } from './shape.ts'

interface EncoderParts {
  readonly width: number
  readonly input: readonly Module[]
  readonly layers: readonly (readonly Module[])[]
  readonly output: readonly Module[]
  readonly positions?: number
  readonly sourceTokens?: number
}

export function encoder({ width, input, layers, output, ...rest }: EncoderParts): Draft {
  return {
    kind: 'encoder',
    stacks: [{ name: 'encoder', width, input, groups: groupLayers(layers), output }],
    ...rest,
  }
}

/** A product with one token of each sequence. */
export function perSequence(name: string, input: number, output: number): Linear {
  return { kind: 'linear', name, role: 'head', input, output, bias: true, tokens: 'sequence' }
}

/** Heads of equal width that share the stream. */
export function evenHeads(f: Fields, widthKeys = core.width, headKeys = core.heads): HeadWidths {
  const width = f.count(widthKeys)
  const heads = f.count(headKeys)
  return { width, heads, kvHeads: heads, headDim: f.quotient(f.spelled(widthKeys), width, f.spelled(headKeys), heads) }
}

/** Classes of a classifier: as many as `id2label` names, else Transformers' default of two. */
export function labels(f: Fields): number {
  const named = f.raw('id2label')
  if (isObject(named) && Object.keys(named).length > 0) return Object.keys(named).length
  return f.countOr('num_labels', 2, "Transformers' default")
}

/** Whether `architectures` names a model that ends so; true where it names none. */
export function named(f: Fields, ending: RegExp, fallback: boolean): boolean {
  const architectures = f.strings('architectures') ?? []
  return architectures.length === 0 ? fallback : architectures.some((a) => ending.test(a))
}

interface BertVariant {
  readonly embeddingWidth?: number
  readonly types: boolean
  readonly pooler: boolean
  /** Rows of the table of positions that no token uses. */
  readonly offset?: number
  readonly hidden: number
  readonly activationKey: string
}

function bertTables(f: Fields, width: number, v: BertVariant, rows: number): Embedding['tables'] {
  const tokens = { name: 'tokens', rows: f.count('vocab_size', limits.vocabulary), width, lookups: 1 }
  const positions = { name: 'positions', rows, width, lookups: 1 }
  if (!v.types) return [tokens, positions]
  const types = f.whole('type_vocab_size') ?? f.assume('type_vocab_size', 2, 'default of the family')
  return types === 0 ? [tokens, positions] : [tokens, positions, { name: 'types', rows: types, width, lookups: 1 }]
}

/** The base model has a pooler or nothing; a model that classifies sequences has a classifier too. */
function bertOutput(f: Fields, width: number, pooler: boolean): Module[] {
  if (named(f, /ForTokenClassification$/, false)) return [linear('classifier', 'head', width, labels(f), true)]
  const classifier = named(f, /ForSequenceClassification$/, false) ? [perSequence('classifier', width, labels(f))] : []
  const masked = named(f, /For(MaskedLM|PreTraining)$/, false)
  if (masked) f.note('output = the base model (its head for masked tokens is left out)')
  return pooler || classifier.length > 0 ? [perSequence('pooler', width, width), ...classifier] : []
}

function bertLike(f: Fields, v: BertVariant): Draft {
  const h = evenHeads(f)
  const attention = selfAttention(h, { bias: allBias, rotary: 0, causal: false })
  const act = activation(f, [v.activationKey], 'gelu')
  const mlp = feedForward(h.width, v.hidden, { gated: false, bias: true, activation: act })
  const narrow = v.embeddingWidth ?? h.width
  const rows = f.count('max_position_embeddings', limits.tokens)
  return encoder({
    width: h.width,
    input: [
      embedding(bertTables(f, narrow, v, rows)),
      norm('embedding-norm', narrow, layerNorm, false),
      ...(narrow === h.width ? [] : [linear('embedding-projection', 'embedding', narrow, h.width, true)]),
    ],
    layers: layersOf(layerTotal(f), () => postNorm(layerNorm, h.width, attention, mlp)),
    output: bertOutput(f, h.width, v.pooler),
    positions: Math.max(1, rows - (v.offset ?? 0)),
  })
}

export function bert(f: Fields): Draft {
  const hidden = f.count('intermediate_size')
  return bertLike(f, { types: true, pooler: true, hidden, activationKey: 'hidden_act' })
}

/** RoBERTa counts positions from two. */
export function roberta(f: Fields): Draft {
  const hidden = f.count('intermediate_size')
  return bertLike(f, { types: true, pooler: true, offset: 2, hidden, activationKey: 'hidden_act' })
}

export function distilbert(f: Fields): Draft {
  const hidden = f.count('hidden_dim')
  return bertLike(f, { types: false, pooler: false, hidden, activationKey: 'activation' })
}

export function electra(f: Fields): Draft {
  const width = f.count('hidden_size')
  const embeddingWidth = f.countOr('embedding_size', width, 'as wide as the stream')
  const hidden = f.count('intermediate_size')
  return bertLike(f, { types: true, pooler: false, embeddingWidth, hidden, activationKey: 'hidden_act' })
}

/** ModernBERT: pre-norm and rotary, a gated feed-forward, every third layer sees everything; the first has no norm. */
export function modernBert(f: Fields): Draft {
  const h = evenHeads(f)
  const style: NormStyle = { type: 'layer', bias: f.flag('norm_bias', false) }
  const bias = biases(f.flag('attention_bias', false))
  const mlp = feedForward(h.width, f.count('intermediate_size'), {
    bias: f.flag('mlp_bias', false),
    activation: activation(f, ['hidden_activation'], 'gelu'),
  })
  const reach = modernReaches(f)
  const layer = (i: number): Module[] => [
    ...(i === 0 ? [] : [norm('input-norm', h.width, style)]),
    selfAttention(h, { bias, causal: false, reach: reach[i] as Reach }),
    norm('post-attention-norm', h.width, style),
    mlp,
  ]
  const tokens = { name: 'tokens', rows: f.count('vocab_size', limits.vocabulary), width: h.width, lookups: 1 }
  return encoder({
    width: h.width,
    input: [embedding([tokens]), norm('embedding-norm', h.width, style, false)],
    layers: layersOf(reach.length, layer),
    output: [norm('final-norm', h.width, style)],
    positions: f.count('max_position_embeddings', limits.tokens),
  })
}

function modernReaches(f: Fields): Reach[] {
  const period = f.optional('global_attn_every_n_layers', limits.layers) ?? 3
  f.whole('local_attention', 1, limits.tokens)
  return reaches(f, layerTotal(f), (i) => (i % period === 0 ? 'full' : 'window'), ['local_attention'])
}
